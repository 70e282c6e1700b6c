/* The blocks that were taken and not given back, by address: tables in shards, each with a lock of its own. */
#ifndef FMP_ALLOC_LIVE_H
#define FMP_ALLOC_LIVE_H

#include "alloc/stacks.h"

typedef struct fmp_live_entry {
    uintptr_t pointer; /* 0: a free slot */
    uint64_t size;
    fmp_stack_node *stack;
    uint32_t taken; /* milliseconds since the recording began */
} fmp_live_entry;

enum { FMP_LIVE_SHARDS = 64 };

typedef struct fmp_live_shard {
    pthread_mutex_t lock;
    fmp_live_entry *entries; /* linear probing */
    size_t count, capacity;  /* capacity: a power of 2, or 0 */
} fmp_live_shard;

typedef struct fmp_live {
    fmp_live_shard shards[FMP_LIVE_SHARDS];
    fmp_pages *pages;
} fmp_live;

/* Spreads addresses over 64 bits; the upper 16 are left to the caller, the rest choose shard and slot. */
static inline uint64_t fmp_live_hash(uintptr_t pointer)
{
    return ((uint64_t)pointer >> 4) * 0x9e3779b97f4a7c15u;
}

void fmp_live_begin(fmp_live *live, fmp_pages *pages);
void fmp_live_end(fmp_live *live);

/*
 * Adds a block. One that was at the address before comes out in *replaced
 * (else its pointer is 0): whoever gave it back was not seen. False: no memory.
 * Thread-safety: Safe.
 */
bool fmp_live_add(fmp_live *live, const fmp_live_entry *entry, fmp_live_entry *replaced);
/* Takes a block out; false: it is not there. Thread-safety: Safe. */
bool fmp_live_remove(fmp_live *live, uintptr_t pointer, fmp_live_entry *out);
/* All of them, in no order; visit must not call the table. Thread-safety: Safe. */
void fmp_live_each(fmp_live *live, void (*visit)(const fmp_live_entry *entry, void *context), void *context);

#endif
