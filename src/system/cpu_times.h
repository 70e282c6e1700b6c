/*
 * How the machine's processors spent their time, what slowed them down, and
 * what this process took of it: two readings around a piece of work tell
 * whether it had the machine for itself.
 *
 * Thread-safety: Safe.
 */
#ifndef FM_SYSTEM_CPU_TIMES_H
#define FM_SYSTEM_CPU_TIMES_H

#include <stdint.h>

#include "system/activity.h"

typedef struct fm_cpu_times {
    double at;           /* seconds on a monotonic clock */
    double own;          /* CPU seconds of this process, all threads */
    fm_processor_time processors; /* of the whole machine */
    int64_t throttled;   /* times that processors were slowed down for their heat; -1: not told */
    double quota_wait;   /* seconds that the control group's limit kept threads waiting; NAN: not told */
} fm_cpu_times;

typedef struct fm_cpu_use {
    double others;       /* of the processors' time: taken by other processes, 0 to 1; NAN: not known */
    double stolen;       /* of it: given to others by the hypervisor; NAN: not known */
    int64_t throttled;   /* 0: none, or not told */
    double quota_wait;   /* NAN: not told */
} fm_cpu_use;

/* `root`: see files.h. */
void fm_cpu_times_read(const char *root, fm_cpu_times *out);
/* Between two readings. */
fm_cpu_use fm_cpu_use_between(const fm_cpu_times *begin, const fm_cpu_times *end, int processors);

#endif
