/* What the system tells of a thread and of the process; each reading is a system call or more. */
#ifndef FMP_MEASURE_H
#define FMP_MEASURE_H

#include <stdint.h>
#if defined(__APPLE__)
#include <mach/mach_types.h>
typedef thread_act_t fmp_thread_clock;
#else
#include <time.h>
typedef clockid_t fmp_thread_clock;
#endif

/* The operating system's number of the calling thread. */
uint64_t fmp_thread_id(void);

/* CPU time of the calling thread in ns; 0 where not readable. */
uint64_t fmp_thread_cpu_ns(void);

/*
 * What reads the calling thread's CPU time on another thread: a number of the
 * kernel's, unlike a pthread_t harmless once the thread has ended.
 */
fmp_thread_clock fmp_thread_clock_of_caller(void);
/* CPU time of that thread in ns; 0 where not readable. */
uint64_t fmp_thread_clock_ns(fmp_thread_clock clock);

/* Resident bytes of the process; 0 where not readable. */
int64_t fmp_resident_bytes(void);

/* Bytes that the program has allocated; 0 where the allocator does not tell. */
int64_t fmp_live_bytes(void);

/* In a forked child: what was opened is the parent's. */
void fmp_measure_forget(void);

#endif
