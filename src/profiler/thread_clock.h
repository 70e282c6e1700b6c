/*
 * CPU time of the calling thread for measured scopes: CLOCK_THREAD_CPUTIME_ID
 * without its system call, which takes longer than many a scope and is a place
 * where a busy kernel likes to preempt, so that an operation's waiting would
 * show up in the scope around it.
 *
 * As long as a thread keeps its processor its CPU time runs with the clock. So
 * the system call is made once, and the profiler's counter added to it, until
 * the kernel says that another thread ran in between. It says so in memory that
 * the thread shares with it; two kinds are known, the first that works is taken:
 *
 * - restartable sequences (linux/rseq.h, registered by glibc from 2.35 on): the
 *   kernel takes a pointer away when it runs another thread. Needs no
 *   permission and costs nothing. Kernels may do so only for a thread that is
 *   interrupted, and not for one that goes to sleep; a sleep at the start finds out.
 * - the page of a software perf event of the thread: its sequence number goes
 *   up whenever the thread is switched in. The kernel must permit perf events,
 *   and a switch of the thread costs more with one.
 *
 * After THREAD_CLOCK_TRUST_NS at the latest the system is asked again, so that
 * time that a hypervisor stole, or a suspended machine, is wrong for so long at
 * most; where the two disagree time and again, the thread keeps to the system call.
 * Both ways give the same clock, so one may follow the other within a scope.
 */
#ifndef FMP_THREAD_CLOCK_H
#define FMP_THREAD_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum { FMP_THREAD_CLOCK_TRUST_NS = 10000000 };

/* CPU time of the calling thread in ns, for differences; never goes backwards. Not for signal handlers. */
uint64_t fmp_thread_clock_read(void);

/* At the thread's end; a reading after it begins anew. */
void fmp_thread_clock_end(void);

/* In a forked child, on its thread: writes memory alone. */
void fmp_thread_clock_forget(void);

/* FOR TESTS ONLY: which ways threads may take that have not read yet, and the calling one. All at the start. */
enum { FMP_THREAD_CLOCK_RSEQ = 1, FMP_THREAD_CLOCK_PERF = 2, FMP_THREAD_CLOCK_ALL = 3 };
void fmp_thread_clock_permit_for_tests(unsigned ways);
/* The one that the calling thread has taken, 0: the system call. */
unsigned fmp_thread_clock_way(void);
/* System calls for the clock that the calling thread has made. */
uint64_t fmp_thread_clock_calls(void);

#endif
