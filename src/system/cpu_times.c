#include "system/cpu_times.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "system/files.h"
#include "system/process.h"

static void read_throttling(const char *root, fm_cpu_times *out)
{
    enum { PROCESSORS_MAX = 1024 };
    for (int i = 0; i < PROCESSORS_MAX; i++) {
        char path[96];
        int64_t count;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/thermal_throttle/core_throttle_count", i);
        if (!fm_system_number(root, path, &count))
            break;
        out->throttled = (out->throttled < 0 ? 0 : out->throttled) + count;
    }
}

/* "throttled_usec N", a line of its own (control groups, version 2). */
static void read_quota(const char *root, fm_cpu_times *out)
{
    static const char key[] = "\nthrottled_usec ";
    char text[1024];
    if (!fm_system_text(root, "/sys/fs/cgroup/cpu.stat", text, sizeof text))
        return;
    const char *line = strstr(text, key);
    if (line)
        out->quota_wait = (double)strtoull(line + sizeof key - 1, NULL, 10) * 1e-6;
}

void fm_cpu_times_read(const char *root, fm_cpu_times *out)
{
    *out = (fm_cpu_times){.throttled = -1, .quota_wait = (double)NAN};
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    out->at = (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
    out->own = fm_process_cpu_seconds();
    out->processors = fm_processor_time_read(root);
    read_throttling(root, out);
    read_quota(root, out);
}

static double part(double begin, double end, double whole)
{
    return fmin(1, fmax(0, (end - begin) / whole));
}

fm_cpu_use fm_cpu_use_between(const fm_cpu_times *begin, const fm_cpu_times *end, int processors)
{
    fm_cpu_use use = {.others = (double)NAN, .stolen = (double)NAN, .quota_wait = (double)NAN};
    const double wall = end->at - begin->at;
    const fm_processor_time *from = &begin->processors, *to = &end->processors;
    const double all = to->all - from->all;
    if (all > 0) { /* not with NAN */
        use.stolen = part(from->stolen, to->stolen, all);
        if (processors > 0 && wall > 0)
            use.others = fmax(0, part(from->busy, to->busy, all) - (end->own - begin->own) / (wall * processors));
    }
    if (begin->throttled >= 0 && end->throttled > begin->throttled)
        use.throttled = end->throttled - begin->throttled;
    if (isfinite(begin->quota_wait) && isfinite(end->quota_wait))
        use.quota_wait = fmax(0, end->quota_wait - begin->quota_wait);
    return use;
}
