/*
 * Call stacks with what was taken there: one of a kind for each operation.
 * They are found and added without a lock, and never go before all go.
 */
#ifndef FMP_ALLOC_STACKS_H
#define FMP_ALLOC_STACKS_H

#include "alloc/alloc_api.h"
#include "alloc/pages.h"

/* What one place, operation or the whole process has live; counts in 1 / FMP_LIVE_ONE. */
typedef struct fmp_live_sum {
    _Atomic(uint64_t) count, bytes, peak;
} fmp_live_sum;
/* A sample stands for a fraction more or less than a whole number of allocations. */
enum { FMP_LIVE_ONE = 1 << 16 };

typedef struct fmp_stack_node {
    struct fmp_stack_node *next; /* in its bucket; does not change once it is found there */
    uint64_t hash;
    uint32_t operation, depth;
    _Atomic(uint64_t) samples, count, bytes; /* count in 1 / FMP_LIVE_ONE */
    fmp_live_sum live;
    uint64_t late_count, late_bytes; /* of the live ones: when the recording has stopped */
    uintptr_t frames[]; /* innermost first */
} fmp_stack_node;

typedef struct fmp_stacks {
    _Atomic(fmp_stack_node *) *buckets;
    fmp_pages *pages;
} fmp_stacks;

/* False: no memory. */
bool fmp_stacks_begin(fmp_stacks *stacks, fmp_pages *pages);
void fmp_stacks_end(fmp_stacks *stacks);

/* The one of that kind, made if it is not there; NULL: no memory for another. Thread-safety: Safe. */
fmp_stack_node *fmp_stacks_intern(fmp_stacks *stacks, uint32_t operation, const uintptr_t *frames, size_t depth);
/* All of them, in no order. Thread-safety: Safe. */
void fmp_stacks_each(const fmp_stacks *stacks, void (*visit)(const fmp_stack_node *node, void *context), void *context);

#endif
