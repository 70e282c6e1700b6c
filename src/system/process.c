#include "system/process.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "system/files.h"
#include "system/host.h"

#if defined(__linux__)
#include <sched.h>
#elif defined(__APPLE__)
#include <mach/mach.h>
#endif

static double clock_seconds(clockid_t clock)
{
    struct timespec now;
    return clock_gettime(clock, &now) == 0 ? (double)now.tv_sec + 1e-9 * (double)now.tv_nsec : 0;
}

double fm_process_cpu_seconds(void)
{
    return clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
}

double fm_thread_cpu_seconds(void)
{
    return clock_seconds(CLOCK_THREAD_CPUTIME_ID);
}

/* The second of the numbers that stand in a file; 0 when it has none. */
static double second_number(const char *path)
{
    char text[128], *end;
    if (!fm_system_text("", path, text, sizeof text))
        return 0;
    strtoull(text, &end, 10);
    return (double)strtoull(end, NULL, 10);
}

/* Documentation/scheduler/sched-stats.rst: time on a processor, time waiting for one (both ns), number of slices. */
double fm_thread_ready_seconds(void)
{
    return 1e-9 * second_number("/proc/thread-self/schedstat");
}

#if defined(__APPLE__)
int64_t fm_process_resident_bytes(void)
{
    mach_task_basic_info_data_t info;
    mach_msg_type_number_t count = MACH_TASK_BASIC_INFO_COUNT;
    if (task_info(mach_task_self(), MACH_TASK_BASIC_INFO, (task_info_t)&info, &count) != KERN_SUCCESS)
        return 0;
    return (int64_t)info.resident_size;
}
#else
/* proc(5): "size resident shared ...", in pages. */
int64_t fm_process_resident_bytes(void)
{
    return (int64_t)second_number("/proc/self/statm") * (int64_t)sysconf(_SC_PAGESIZE);
}
#endif

int fm_process_processors(void)
{
    int count = (int)sysconf(_SC_NPROCESSORS_ONLN);
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        count = CPU_COUNT(&set);
#endif
    fm_host host;
    fm_host_read("", &host);
    if (host.cpu_limit > 0 && host.cpu_limit < count)
        count = (int)fmax(1, ceil(host.cpu_limit));
    return count > 0 ? count : 0;
}
