/*
 * A block: the figures of one site on one thread.
 *
 * Only the owning thread writes a block; a snapshot reads it meanwhile. The
 * counters are guarded by a sequence lock without fences: the sequence is odd
 * while the owner writes, every store inside is a release and every load of a
 * reader an acquire (H.-J. Boehm, "Can seqlocks get along with programming
 * language memory models?", 2012), which on x86-64 are plain moves and which
 * ThreadSanitizer understands. Histogram buckets stand outside the lock: each
 * only grows, and a percentile does not care about the very last calls.
 *
 * All times are clock ticks.
 */
#ifndef FMP_BLOCK_H
#define FMP_BLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"

struct fmp_recorder;

typedef struct fmp_block {
    struct fmp_recorder *owner;
    uint32_t depth;                /* open calls on this thread; the owner's alone */
    _Atomic(uint32_t) generation;  /* figures of another generation than the registry's are void */
    _Atomic(uint64_t) sequence;
    _Atomic(uint64_t) count, total, self, min, max;
    _Atomic(uint64_t) first, first_at; /* duration and start of the first call */
    /* Sums of (d - first) and (d - first)^2: shifted, so that nothing cancels in the variance. */
    _Atomic(double) shifted_sum, shifted_squares;
    _Atomic(uint64_t) octaves;     /* bit n: octave n of the histogram has counts */
    uint32_t threads;              /* 1; in the block of ended threads as many as were merged */
    _Atomic(uint64_t) bucket[FMP_BUCKETS];
} fmp_block;

/* The figures of a block, or of several, at rest. */
typedef struct fmp_figures {
    uint64_t count, total, self, min, max, first, first_at;
    double mean, m2; /* of the durations; m2: sum of squared deviations */
    uint64_t threads;
} fmp_figures;

/* Owner only: takes a call that began at `start` into the block. */
void fmp_block_clear(fmp_block *block, uint32_t generation);

#define FMP_OWN(field) atomic_load_explicit(&block->field, memory_order_relaxed)
#define FMP_SET(field, value) atomic_store_explicit(&block->field, (value), memory_order_release)

static inline void fmp_block_add(fmp_block *block, uint32_t generation, uint64_t start,
                                 uint64_t duration, uint64_t total, uint64_t self)
{
    uint64_t sequence = FMP_OWN(sequence);
    atomic_store_explicit(&block->sequence, sequence + 1, memory_order_relaxed);
    if (FMP_UNLIKELY(FMP_OWN(generation) != generation))
        fmp_block_clear(block, generation);
    uint64_t count = FMP_OWN(count);
    if (FMP_UNLIKELY(count == 0)) {
        FMP_SET(first, duration);
        FMP_SET(first_at, start);
        FMP_SET(min, duration);
        FMP_SET(max, duration);
    } else {
        if (FMP_UNLIKELY(duration < FMP_OWN(min)))
            FMP_SET(min, duration);
        if (FMP_UNLIKELY(duration > FMP_OWN(max)))
            FMP_SET(max, duration);
    }
    double shifted = (double)(int64_t)(duration - FMP_OWN(first));
    FMP_SET(count, count + 1);
    FMP_SET(total, FMP_OWN(total) + total);
    FMP_SET(self, FMP_OWN(self) + self);
    FMP_SET(shifted_sum, FMP_OWN(shifted_sum) + shifted);
    FMP_SET(shifted_squares, FMP_OWN(shifted_squares) + shifted * shifted);
    atomic_store_explicit(&block->sequence, sequence + 2, memory_order_release);

    unsigned index = fmp_histogram_index(duration);
    atomic_store_explicit(&block->bucket[index], FMP_OWN(bucket[index]) + 1, memory_order_relaxed);
    uint64_t octave = (uint64_t)1 << (index >> FMP_SUB_BITS);
    if (FMP_UNLIKELY(!(FMP_OWN(octaves) & octave)))
        FMP_SET(octaves, FMP_OWN(octaves) | octave);
}

/* Any thread: false when the block holds nothing of this generation. */
bool fmp_block_read(const fmp_block *block, uint32_t generation, fmp_figures *out);

/* Adds `from` to `into` (all zero at first). */
void fmp_figures_merge(fmp_figures *into, const fmp_figures *from);

/* Adds the block's histogram to `bucket` and returns which octaves that touched. */
uint64_t fmp_block_add_histogram(const fmp_block *block, uint64_t bucket[FMP_BUCKETS]);

/* Adds `from` to the block `into`; the caller owns both. */
void fmp_block_merge(fmp_block *into, const fmp_block *from, uint32_t generation);

#endif
