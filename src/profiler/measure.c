#include "measure.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__)
#include <fcntl.h>
#include <malloc.h>
#include <stddef.h>
#elif defined(__APPLE__)
#include <mach/mach.h>
#include <malloc/malloc.h>
#endif

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) != 0)
        return 0;
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t fmp_thread_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

#if defined(__APPLE__)
fmp_thread_clock fmp_thread_clock_of_caller(void)
{
    return pthread_mach_thread_np(pthread_self());
}

uint64_t fmp_thread_clock_ns(fmp_thread_clock clock)
{
    thread_basic_info_data_t info;
    mach_msg_type_number_t count = THREAD_BASIC_INFO_COUNT;
    if (thread_info(clock, THREAD_BASIC_INFO, (thread_info_t)&info,
                    &count) != KERN_SUCCESS)
        return 0;
    return ((uint64_t)info.user_time.seconds + (uint64_t)info.system_time.seconds) * 1000000000u +
           ((uint64_t)info.user_time.microseconds + (uint64_t)info.system_time.microseconds) * 1000u;
}

int64_t fmp_resident_bytes(void)
{
    mach_task_basic_info_data_t info;
    mach_msg_type_number_t count = MACH_TASK_BASIC_INFO_COUNT;
    if (task_info(mach_task_self(), MACH_TASK_BASIC_INFO, (task_info_t)&info, &count) !=
        KERN_SUCCESS)
        return 0;
    return (int64_t)info.resident_size;
}

int64_t fmp_live_bytes(void)
{
    malloc_statistics_t statistics = {0};
    malloc_zone_statistics(NULL, &statistics); /* NULL: all zones */
    return (int64_t)statistics.size_in_use;
}

void fmp_measure_forget(void)
{
}
#else
fmp_thread_clock fmp_thread_clock_of_caller(void)
{
    clockid_t clock;
    /* Another thread would read its own time from CLOCK_THREAD_CPUTIME_ID; -1 is none. */
    return pthread_getcpuclockid(pthread_self(), &clock) == 0 ? clock : (clockid_t)-1;
}

uint64_t fmp_thread_clock_ns(fmp_thread_clock clock)
{
    return clock == (clockid_t)-1 ? 0 : read_clock(clock);
}

#if defined(__linux__)
/* -1: not opened yet. Part of the profiler registry; kept here because nothing else touches it. */
static atomic_int statm = -1;

static int open_statm(void)
{
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC), none = -1;
    if (file >= 0 && !atomic_compare_exchange_strong(&statm, &none, file)) {
        close(file); /* another thread was faster */
        file = none;
    }
    return file;
}

/* proc(5): "size resident shared ...", in pages. */
int64_t fmp_resident_bytes(void)
{
    int file = atomic_load_explicit(&statm, memory_order_acquire);
    if (file < 0)
        file = open_statm();
    char text[128];
    ssize_t size = file >= 0 ? pread(file, text, sizeof text, 0) : -1;
    ssize_t at = 0;
    while (at < size && text[at] != ' ')
        at++;
    int64_t pages = 0;
    for (at++; at < size && text[at] >= '0' && text[at] <= '9'; at++)
        pages = pages * 10 + (text[at] - '0');
    return pages * sysconf(_SC_PAGESIZE);
}

void fmp_measure_forget(void)
{
    int file = atomic_exchange(&statm, -1);
    if (file >= 0)
        close(file);
}
#else
int64_t fmp_resident_bytes(void)
{
    return 0;
}

void fmp_measure_forget(void)
{
}
#endif

#if defined(__GLIBC__) && defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 33)
#define HAS_MALLINFO2 1
#endif
#endif

int64_t fmp_live_bytes(void)
{
#if defined(HAS_MALLINFO2)
    struct mallinfo2 info = mallinfo2();
    return (int64_t)(info.uordblks + info.hblkhd); /* of the arenas, and mapped ones */
#else
    return 0;
#endif
}
#endif

uint64_t fmp_thread_id(void)
{
#if defined(__linux__)
    return (uint64_t)gettid();
#elif defined(__APPLE__)
    uint64_t id = 0;
    pthread_threadid_np(NULL, &id);
    return id;
#else
    return (uint64_t)(uintptr_t)pthread_self();
#endif
}
