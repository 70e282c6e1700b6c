#include "system/activity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "system/files.h"

/* The first line of /proc/stat: proc(5). */
fm_processor_time fm_processor_time_read(const char *root)
{
    enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, FIELDS };
    char text[512], *at = text, *end;
    const fm_processor_time unknown = {(double)NAN, (double)NAN, (double)NAN};
    fm_processor_time sum = {0};
    const long ticks = sysconf(_SC_CLK_TCK);
    if (ticks <= 0 || !fm_system_text(root, "/proc/stat", text, sizeof text))
        return unknown;
    while (*at && *at != ' ')
        at++;
    for (int field = 0; field < FIELDS; field++, at = end) {
        const double value = (double)strtoull(at, &end, 10) / (double)ticks;
        if (end == at)
            return field > IDLE ? sum : unknown;
        sum.all += value;
        if (field == STEAL)
            sum.stolen += value;
        else if (field != IDLE && field != IOWAIT)
            sum.busy += value;
    }
    return sum;
}

double fm_busy_seconds(const char *root)
{
    const fm_processor_time time = fm_processor_time_read(root);
    return time.busy + time.stolen;
}

double fm_temperature(const char *root)
{
    enum { ZONES = 64 };
    double hottest = (double)NAN;
    for (int i = 0; i < ZONES; i++) {
        char path[64];
        int64_t milli;
        snprintf(path, sizeof path, "/sys/class/thermal/thermal_zone%d/temp", i);
        /* Zones that are switched off say 0, broken ones what no processor survives. */
        if (fm_system_number(root, path, &milli) && milli > 0 && milli < 150000)
            hottest = fmax(hottest, (double)milli / 1000); /* NAN gives way */
    }
    return hottest;
}
