/*
 * What each thread counts for itself: allocations and bytes by operation, and
 * how far it is to the next sample. Counters outlive their thread: another
 * goes on with them, since only the sum over all is of interest.
 */
#ifndef FMP_ALLOC_THREADS_H
#define FMP_ALLOC_THREADS_H

#include <stdatomic.h>

#include "alloc/alloc_api.h"
#include "alloc/alloc_compiler.h"

typedef struct fmp_alloc_counter {
    _Atomic(uint64_t) count, bytes;
} fmp_alloc_counter;

typedef struct fmp_alloc_counters {
    struct fmp_alloc_counters *next; /* in the list of all, which only grows */
    _Atomic(bool) owned;
    _Atomic(uint32_t) recording; /* that they are of; they count in no other */
    _Atomic(uint32_t) busy;      /* not 0 while its thread uses what a recording has */
    _Atomic(uint32_t) used;      /* operations from there on are all 0 */
    fmp_alloc_counter of[FMP_ALLOC_OPERATIONS];
} fmp_alloc_counters;

typedef struct fmp_alloc_thread {
    unsigned inside;    /* not 0 inside of the interposer: what is allocated there is not the program's */
    unsigned aside;     /* as often as set_aside said true */
    bool ending;        /* its destructor has run: it must not own counters again */
    uint32_t recording; /* for which the rest was set */
    fmp_alloc_counters *counters; /* its own, or those that all share who have none */
    int64_t countdown;  /* bytes to the next sample */
    uint64_t random;
} fmp_alloc_thread;

extern _Thread_local FMP_HIDDEN fmp_alloc_thread fmp_alloc_self FMP_TLS_INITIAL_EXEC;

/* Once, before anything is recorded: thread ends are seen from then on. */
void fmp_alloc_threads_set_up(void);
/* Makes the calling thread count for a recording: finds it counters, all 0. */
void fmp_alloc_thread_begin(fmp_alloc_thread *self, uint32_t recording);
/* Adds to the thread's own counters, which needs no locked instruction, or to the shared ones. */
void fmp_alloc_count(fmp_alloc_thread *self, uint32_t operation, uint64_t bytes);

/* The sums of a recording. Thread-safety: Safe. */
void fmp_alloc_threads_sum(uint32_t recording, uint32_t operation, uint64_t *count, uint64_t *bytes);
/* Operations from there on have no counts in any thread. */
uint32_t fmp_alloc_threads_used(uint32_t recording);
/* Before a recording: what threads that share counters have counted. */
void fmp_alloc_threads_clear_shared(uint32_t recording);
/* Waits until no thread is busy; false when one still is after two seconds. */
bool fmp_alloc_threads_settle(void);
/* In a forked process, where the other threads are gone: their counters are free again. */
void fmp_alloc_threads_forked(void);
/* Bytes of counters. */
uint64_t fmp_alloc_threads_memory(void);

#endif
