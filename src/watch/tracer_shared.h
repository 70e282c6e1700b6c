/* What the traced and the tracing process share. Numbers that both touch are atomic; only one of them writes each. */
#ifndef FMP_WATCH_TRACER_SHARED_H
#define FMP_WATCH_TRACER_SHARED_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "watch/tracer.h"

enum {
    FMP_TRACED_THREADS = 16384, /* of which the open operation can be told, a power of two */
    FMP_TRACED_PROBES = 64,     /* slots that are looked at before a thread has no place */
    FMP_CALIBRATION_CALLS = 257
};

typedef enum fmp_tracer_state {
    FMP_TRACER_STARTING = 0,
    FMP_TRACER_RUNNING,
    FMP_TRACER_REFUSED, /* `error` says why */
    FMP_TRACER_ENDED    /* as it was told to */
} fmp_tracer_state;

/* Where a thread's open operation stands. Written by the program; a slot with address 0 is free for another thread. */
typedef struct fmp_thread_slot {
    _Atomic(uint64_t) id, address;
} fmp_thread_slot;

typedef struct fmp_tracer_shared {
    pid_t program, starter; /* the starter is the thread that calls fmp_tracer_start */

    /* The program tells: */
    _Atomic(bool) permitted; /* the tracing process may attach now */
    _Atomic(bool) calibrating, end;
    _Atomic(uint64_t) untraced;            /* thread to be let go */
    _Atomic(uint64_t) begin_ns, finish_ns; /* CLOCK_MONOTONIC: calls in between count; 0: not yet */
    fmp_thread_slot threads[FMP_TRACED_THREADS];

    /* The tracing process tells: */
    _Atomic(int) state, error;
    _Atomic(uint32_t) waiting; /* threads that were found at the start and are not traced yet */
    _Atomic(uint32_t) calibration_count;
    uint64_t calibration[FMP_CALIBRATION_CALLS];
    uint64_t lost, unfinished;
    fmp_traced_call calls[FMP_TRACED_CALLS]; /* open addressing; free where `count` is 0 */
} fmp_tracer_shared;

/* By multiplication (Knuth, The Art of Computer Programming, 6.4), since thread ids follow each other. */
static inline uint32_t fmp_tracer_hash(uint64_t key)
{
    return (uint32_t)((key * 0x9E3779B97F4A7C15u) >> 32);
}

/* The tracing process. All it does is safe after a fork of a process with threads. */
_Noreturn void fmp_tracer_run(fmp_tracer_shared *shared);

#endif
