/*
 * A log-linear histogram of whole nanoseconds: every power of two ("octave")
 * is cut into 64 equal buckets, values below 64 have a bucket each. (The
 * layout is that of HdrHistogram.) It is the same on every machine, so that
 * histograms add exactly.
 *
 * Error bound: a bucket [a, b] of an octave has b - a < a / 64. The harmonic
 * mean r = 2ab / (a + b) is off by (b - a) / (a + b) of the value at both
 * ends, which is the least possible, so any value of the bucket is r within
 * 1 / 129 < 0.8 %. Ticks become nanoseconds at the rate that was measured
 * when the clock started, which is right within some 15 ppm (clock.h): 0.8 %
 * in all. Durations are whole nanoseconds, as all times of a snapshot are:
 * below 50 ns it is that rounding, half a nanosecond, which limits them.
 *
 * Range: 2^48 ns, 78 hours; longer ones share the last bucket (their sum, min
 * and max stay exact).
 */
#ifndef FMP_HISTOGRAM_H
#define FMP_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "fmprof/fmprof.h"

enum {
    FMP_SUB_BITS = 6,
    FMP_SUB_COUNT = 1 << FMP_SUB_BITS, /* buckets an octave */
    FMP_RANGE_BITS = 48,
    FMP_OCTAVES = FMP_RANGE_BITS - FMP_SUB_BITS + 1,
    FMP_BUCKETS = FMP_OCTAVES * FMP_SUB_COUNT
};
_Static_assert((int)FMP_BUCKETS == (int)FMP_HISTOGRAM_BUCKETS, "the public layout is this one");

static inline unsigned fmp_histogram_index(uint64_t value)
{
    if (FMP_UNLIKELY(value < FMP_SUB_COUNT))
        return (unsigned)value;
    unsigned high = FMP_HIGH_BIT(value);
    if (FMP_UNLIKELY(high >= FMP_RANGE_BITS))
        return FMP_BUCKETS - 1;
    unsigned shift = high - FMP_SUB_BITS;
    /* value >> shift lies in [64, 128): its top bit moves the index to the next octave. */
    return (shift << FMP_SUB_BITS) + (unsigned)(value >> shift);
}

/*
 * The quantile of `per_mille` / 1000 by nearest rank: the value of the bucket
 * that holds the ceil(q * n)-th smallest of the n values. 0 when empty. The
 * buckets rise by index.
 */
double fmp_histogram_quantile(const fmp_bucket *buckets, size_t bucket_count, unsigned per_mille);

/* a + b, or UINT64_MAX where that does not fit. */
static inline uint64_t fmp_add_saturating(uint64_t a, uint64_t b)
{
    return a + b < a ? UINT64_MAX : a + b;
}

#endif
