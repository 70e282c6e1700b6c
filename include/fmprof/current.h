/*
 * What is open at this moment, for whoever observes the program from the side:
 * samplers, allocators, tracers, other profilers.
 */
#ifndef FMPROF_CURRENT_H
#define FMPROF_CURRENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api.h"
#include "fmprof.h"

#ifdef __cplusplus
extern "C" {
#endif
FMP_API_BEGIN

/*
 * The number of the operation of the innermost scope that is open on the
 * calling thread; 0: none. Operations are numbered from 1 in order of
 * registration, with gaps, for the life of the process. Any thread; safe in
 * signal handlers and inside an allocator (no lock, no allocation).
 * FMP_OPERATION_OWN is added while the profiler itself works there.
 */
uint32_t fmp_current_operation(void);
#define FMP_OPERATION_OWN 0x80000000u

/*
 * Puts what the calling thread does from now on down to the profiler itself:
 * onlookers see FMP_OPERATION_OWN. For samplers and the like that run inside
 * the program. Give what `begin` returned to `end`; no scope may begin or end
 * between. Safe in signal handlers. Does nothing on a thread without scopes.
 */
uint32_t fmp_own_begin(void);
void fmp_own_end(uint32_t before);

/*
 * The names of an operation; they live as long as the process. False: there is
 * none of that number (FMP_OPERATION_OWN has to be taken away before). Takes a lock: not for signal handlers. Thread-safety: Safe.
 */
bool fmp_operation_name(uint32_t number, const char **category, const char **operation);

/*
 * Whether an operation of that name exists in another category as well, so
 * that the name alone does not tell which. Takes a lock: not for signal
 * handlers. Thread-safety: Safe.
 */
bool fmp_operation_shares_name(const char *category, const char *operation);

typedef struct fmp_thread_current {
    uint64_t id;        /* of the operating system: gettid() on Linux */
    uint32_t operation; /* as fmp_current_operation says, FMP_OPERATION_OWN taken away */
    char name[32];      /* as fmp_thread_name gave it */
} fmp_thread_current;

/*
 * The threads that record and have not ended, at most `max` of them; returns
 * how many there are. Thread-safety: Safe.
 */
size_t fmp_threads_current(fmp_thread_current *out, size_t max);

/*
 * Tells where the number of a thread's open operation stands, for a reader in
 * another process: called for each thread that records already, then on each
 * new one at its first scope; at its end with NULL. The hook must be quick and
 * must not call the profiler. NULL: none. One at a time. Thread-safety: Safe.
 */
typedef void (*fmp_thread_hook)(uint64_t id, const volatile uint32_t *operation);
void fmp_thread_hook_set(fmp_thread_hook hook);

/*
 * fmp_measure bits for every site, those that are registered later as well, on
 * top of their own, for scopes that begin from now on. 0: their own alone.
 * Thread-safety: Safe.
 */
void fmp_measure_everywhere(unsigned measures);

/*
 * How scopes of the calling thread that measure CPU time read it: "rseq" or
 * "perf" without a system call while the thread keeps its processor (once
 * after each switch to it, and every 10 ms), "system call" by two of them for
 * each scope. `reason` says why no better one, "" where there is none; both
 * live as long as the process. Finds a way where the thread has none yet,
 * which may take 15 ms for a system's first perf event. Not for signal
 * handlers. Thread-safety: Safe.
 */
const char *fmp_cpu_clock(const char **reason);

/*
 * Another profiler that is told of every scope, on its thread, strictly
 * nested; `end` follows for each `begin`, even when the bridge was taken away
 * meanwhile. Scopes cost what it costs then; without a bridge nothing. One for
 * the life of the process, as long as which the struct must live: false when
 * there is another. NULL takes it away until it is set again. Thread-safety: Safe.
 */
typedef struct fmp_bridge {
    void (*begin)(const char *category, const char *operation); /* the strings live as long as the process */
    void (*end)(void);
} fmp_bridge;
bool fmp_bridge_set(const fmp_bridge *bridge);

FMP_API_END
#ifdef __cplusplus
}
#endif
#endif
