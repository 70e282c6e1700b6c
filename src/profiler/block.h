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
 * All times are clock ticks; the histogram alone is of nanoseconds.
 */
#ifndef FMP_BLOCK_H
#define FMP_BLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"

struct fmp_recorder;

/* The buckets of one octave; made when the first duration falls into it. */
typedef struct fmp_octave {
    _Atomic(uint64_t) bucket[FMP_SUB_COUNT];
} fmp_octave;

/* What a site measures beside time; made at the first measured call. */
typedef struct fmp_measured {
    _Atomic(uint32_t) which; /* fmp_measure bits seen */
    _Atomic(uint64_t) cpu_ns;
    _Atomic(int64_t) rss, rss_peak, live, live_peak; /* bytes */
} fmp_measured;

typedef struct fmp_block {
    struct fmp_recorder *owner;
    uint32_t depth;               /* open calls on this thread; the owner's alone */
    _Atomic(uint32_t) generation; /* figures of another generation than the registry's are void */
    _Atomic(uint64_t) sequence;
    _Atomic(uint64_t) count, total, self, children, min, max;
    _Atomic(uint64_t) first, first_at; /* duration and start of the first call */
    _Atomic(uint64_t) last_at;         /* start of the latest call */
    _Atomic(uint64_t) recorded;        /* calls of fmp_record and fmp_mark */
    /* Sums of (d - first) and (d - first)^2: shifted, so that nothing cancels in the variance. */
    _Atomic(double) shifted_sum, shifted_squares;
    _Atomic(fmp_measured *) measured;
    uint32_t threads;   /* 1; in the block of ended threads as many as were merged */
    uint32_t last_kept; /* there: how many of `last` count; else 0: as many as fit */
    _Atomic(uint64_t) last[FMP_LAST]; /* the n-th call's duration (n from 0) at n % FMP_LAST */
    _Atomic(fmp_octave *) octave[FMP_OCTAVES];
} fmp_block;

/* The figures of a block, or of several, at rest. */
typedef struct fmp_figures {
    uint64_t count, total, self, children, recorded, min, max, first, first_at, last_at;
    double mean, m2; /* of the durations; m2: sum of squared deviations */
    uint64_t threads;
    uint64_t last[FMP_LAST]; /* newest first */
    unsigned last_count;
    unsigned measures;
    uint64_t cpu_ns;
    int64_t rss, rss_peak, live, live_peak;
} fmp_figures;

/* One call. */
typedef struct fmp_call {
    uint64_t start, duration;
    uint64_t total; /* the duration when it is the outermost one, else 0 */
    uint64_t self, children;
    bool recorded; /* not by a scope */
} fmp_call;

/* Owner only. */
void fmp_block_clear(fmp_block *block, uint32_t generation);

/* Owner only: the octave, made; NULL when memory is out. */
fmp_octave *fmp_block_make_octave(fmp_block *block, unsigned octave);

/* Owner only: adds what one call measured; `which` has fmp_measure bits. Call it before fmp_block_add. */
typedef struct fmp_measurement {
    unsigned which;
    uint64_t cpu_ns;
    int64_t rss, live; /* bytes more than at the beginning */
} fmp_measurement;
void fmp_block_add_measurement(fmp_block *block, uint32_t generation,
                               const fmp_measurement *measurement);

#define FMP_OWN(field) atomic_load_explicit(&block->field, memory_order_relaxed)
#define FMP_SET(field, value) atomic_store_explicit(&block->field, (value), memory_order_release)

static inline void fmp_block_count(fmp_block *block, uint64_t nanoseconds)
{
    unsigned index = fmp_histogram_index(nanoseconds);
    fmp_octave *octave = FMP_OWN(octave[index >> FMP_SUB_BITS]);
    if (FMP_UNLIKELY(!octave)) {
        octave = fmp_block_make_octave(block, index >> FMP_SUB_BITS);
        if (!octave)
            return;
    }
    _Atomic(uint64_t) *bucket = &octave->bucket[index % FMP_SUB_COUNT];
    atomic_store_explicit(bucket, atomic_load_explicit(bucket, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* Owner only: takes a call into the block. */
static inline void fmp_block_add(fmp_block *block, uint32_t generation, double ns_per_tick,
                                 fmp_call call)
{
    uint64_t sequence = FMP_OWN(sequence);
    atomic_store_explicit(&block->sequence, sequence + 1, memory_order_relaxed);
    if (FMP_UNLIKELY(FMP_OWN(generation) != generation))
        fmp_block_clear(block, generation);
    uint64_t count = FMP_OWN(count);
    if (FMP_UNLIKELY(count == 0)) {
        FMP_SET(first, call.duration);
        FMP_SET(first_at, call.start);
        FMP_SET(min, call.duration);
        FMP_SET(max, call.duration);
    } else {
        if (FMP_UNLIKELY(call.duration < FMP_OWN(min)))
            FMP_SET(min, call.duration);
        if (FMP_UNLIKELY(call.duration > FMP_OWN(max)))
            FMP_SET(max, call.duration);
    }
    double shifted = (double)(int64_t)(call.duration - FMP_OWN(first));
    FMP_SET(count, count + 1);
    FMP_SET(total, FMP_OWN(total) + call.total);
    FMP_SET(self, FMP_OWN(self) + call.self);
    if (FMP_UNLIKELY(call.children > 0))
        FMP_SET(children, FMP_OWN(children) + call.children);
    if (call.recorded)
        FMP_SET(recorded, FMP_OWN(recorded) + 1);
    FMP_SET(shifted_sum, FMP_OWN(shifted_sum) + shifted);
    FMP_SET(shifted_squares, FMP_OWN(shifted_squares) + shifted * shifted);
    FMP_SET(last_at, call.start);
    FMP_SET(last[count % FMP_LAST], call.duration);
    atomic_store_explicit(&block->sequence, sequence + 2, memory_order_release);
    /* One tick a nanosecond keeps every bit that the histogram looks at. */
    fmp_block_count(block, (uint64_t)(int64_t)((double)(int64_t)call.duration * ns_per_tick + 0.5));
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
