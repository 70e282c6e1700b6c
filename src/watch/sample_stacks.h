/*
 * Stacks that were seen, each once for an operation, with what they add up to.
 *
 * Bounded: from FMP_STACKS_BYTES of addresses on, stacks that were not seen
 * before keep their innermost function alone.
 * Thread-safety: one thread at a time.
 */
#ifndef FMP_WATCH_SAMPLE_STACKS_H
#define FMP_WATCH_SAMPLE_STACKS_H

#include "watch/unwind.h"

enum { FMP_STACKS_BYTES = 32 * 1024 * 1024 };

typedef struct fmp_seen_stack {
    uint32_t operation;
    uint32_t count; /* addresses */
    bool cut;
    const uint64_t *pc; /* as fmp_calls has them */
    uint64_t samples, ns;
} fmp_seen_stack;

typedef struct fmp_seen_stacks fmp_seen_stacks;

fmp_seen_stacks *fmp_seen_stacks_create(void);            /* NULL when memory is out */
void fmp_seen_stacks_free(fmp_seen_stacks **stacks);      /* NULL and *NULL are fine */
/* False: it was shortened, or memory is out and it is not counted. */
bool fmp_seen_stacks_add(fmp_seen_stacks *stacks, uint32_t operation, const fmp_calls *calls, uint64_t ns);
const fmp_seen_stack *fmp_seen_stacks_all(const fmp_seen_stacks *stacks, size_t *count);

#endif
