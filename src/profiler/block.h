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
 * A call enters the histogram when the next one ends, a reader adds the newest
 * by itself: the way from the clock's ticks to a bucket's address is as long
 * as a clock reading, and the next reading would wait for it (8 ns on Zen).
 *
 * All times are clock ticks; the histogram alone is of nanoseconds.
 */
#ifndef FMP_BLOCK_H
#define FMP_BLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
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
    _Atomic(uint32_t) generation; /* figures of another one than the registry's are void; else count > 0 */
    _Atomic(uint64_t) sequence;
    _Atomic(uint64_t) count, total, self, children, inner, min, max;
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
    uint64_t sequence; /* of the block when they were read */
    uint64_t count, total, self, children, inner, recorded, min, max, first, first_at, last_at;
    double mean, m2; /* of the durations; m2: sum of squared deviations */
    uint64_t threads;
    uint64_t last[FMP_LAST]; /* newest first */
    unsigned last_count;
    unsigned measures; /* those that the rest is of */
    uint64_t cpu_ns;
    int64_t rss, rss_peak, live, live_peak; /* bytes */
} fmp_figures;

/* One call. */
typedef struct fmp_call {
    uint64_t start, duration;
    uint64_t total; /* the duration when it is the outermost one, else 0 */
    uint64_t self, children;
    uint64_t inner; /* scopes inside it when it is the outermost one, else 0 */
    bool recorded; /* not by a scope */
} fmp_call;

/* Owner only: adds what a call measured that is in the block already; `which` has fmp_measure bits. */
typedef struct fmp_measurement {
    unsigned which;
    uint64_t cpu_ns;
    int64_t rss, live; /* bytes more than at the beginning */
} fmp_measurement;
void fmp_block_add_measurement(fmp_block *block, const fmp_measurement *measurement);

#define FMP_OWN(field) atomic_load_explicit(&block->field, memory_order_relaxed)
#define FMP_SET(field, value) atomic_store_explicit(&block->field, (value), memory_order_release)

static inline void fmp_bucket_increment(fmp_octave *octave, unsigned index)
{
    _Atomic(uint64_t) *bucket = &octave->bucket[index % FMP_SUB_COUNT];
    atomic_store_explicit(bucket, atomic_load_explicit(bucket, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* Owner only: the same for an octave that is not there yet. */
void fmp_block_count_slow(fmp_block *block, unsigned index);

/*
 * Owner only: takes a call into a block of this generation, which is one with
 * a call in it already. fmp_block_add is for all others. What could be a
 * function call comes last: the hot path saves no registers.
 */
static inline void fmp_block_add_next(fmp_block *block, fmp_call call)
{
    uint64_t sequence = FMP_OWN(sequence), count = FMP_OWN(count);
    double shifted = (double)(int64_t)(call.duration - FMP_OWN(first));
    unsigned index = fmp_histogram_index(fmp_clock_quick_ns(FMP_OWN(last[(count - 1) % FMP_LAST])));
    fmp_octave *octave = FMP_OWN(octave[index >> FMP_SUB_BITS]);
    atomic_store_explicit(&block->sequence, sequence + 1, memory_order_relaxed);
    if (FMP_UNLIKELY(call.duration < FMP_OWN(min)))
        FMP_SET(min, call.duration);
    if (FMP_UNLIKELY(call.duration > FMP_OWN(max)))
        FMP_SET(max, call.duration);
    FMP_SET(count, count + 1);
    FMP_SET(total, FMP_OWN(total) + call.total);
    FMP_SET(self, FMP_OWN(self) + call.self);
    FMP_SET(children, FMP_OWN(children) + call.children);
    FMP_SET(inner, FMP_OWN(inner) + call.inner);
    if (call.recorded)
        FMP_SET(recorded, FMP_OWN(recorded) + 1);
    FMP_SET(shifted_sum, FMP_OWN(shifted_sum) + shifted);
    FMP_SET(shifted_squares, FMP_OWN(shifted_squares) + shifted * shifted);
    FMP_SET(last_at, call.start);
    FMP_SET(last[count % FMP_LAST], call.duration);
    atomic_store_explicit(&block->sequence, sequence + 2, memory_order_release);
    if (FMP_UNLIKELY(!octave))
        fmp_block_count_slow(block, index);
    else
        fmp_bucket_increment(octave, index);
}

/* Owner only: takes any call into the block. */
void fmp_block_add(fmp_block *block, uint32_t generation, const fmp_call *call);

/* Any thread: false when the block holds nothing of this generation. */
bool fmp_block_read(const fmp_block *block, uint32_t generation, fmp_figures *out);

/* Adds `from` to `into` (all zero at first). */
void fmp_figures_merge(fmp_figures *into, const fmp_figures *from);

/*
 * Any thread: the figures and the histogram of one moment, as far as the owner
 * lets a reader see one; the histogram is written to `bucket`, all 0 before.
 * Returns which octaves that touched; 0: the block holds nothing.
 */
uint64_t fmp_block_read_all(const fmp_block *block, uint32_t generation, fmp_figures *out,
                            uint64_t bucket[FMP_BUCKETS]);

/* Adds `from` to the block `into`; the caller owns both. */
void fmp_block_merge(fmp_block *into, const fmp_block *from, uint32_t generation);

#endif
