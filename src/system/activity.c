#include "system/activity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "system/files.h"

/* The first line of /proc/stat: proc(5). */
double fm_busy_seconds(const char *root)
{
    enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, FIELDS };
    char text[512], *at = text, *end;
    const long ticks = sysconf(_SC_CLK_TCK);
    double busy = 0;
    if (ticks <= 0 || !fm_system_text(root, "/proc/stat", text, sizeof text))
        return (double)NAN;
    while (*at && *at != ' ')
        at++;
    for (int field = 0; field < FIELDS; field++, at = end) {
        const unsigned long long value = strtoull(at, &end, 10);
        if (end == at)
            return field > IDLE ? busy / (double)ticks : (double)NAN;
        busy += field != IDLE && field != IOWAIT ? (double)value : 0;
    }
    return busy / (double)ticks;
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
