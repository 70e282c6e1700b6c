/* What the system tells of a thread and of the process; each reading is a system call or more. */
#ifndef FMP_MEASURE_H
#define FMP_MEASURE_H

#include <pthread.h>
#include <stdint.h>

/* CPU time of the calling thread in ns; 0 where not readable. */
uint64_t fmp_thread_cpu_ns(void);

/* The same of another thread, which must not have been joined. */
uint64_t fmp_thread_cpu_ns_of(pthread_t thread);

/* Resident bytes of the process; 0 where not readable. */
int64_t fmp_resident_bytes(void);

/* Bytes that the program has allocated; 0 where the allocator does not tell. */
int64_t fmp_live_bytes(void);

/* In a forked child: what was opened is the parent's. */
void fmp_measure_forget(void);

#endif
