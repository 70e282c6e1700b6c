/*
 * A log-linear histogram of tick counts: every power of two ("octave") is cut
 * into 64 equal buckets, values below 64 have a bucket each.
 *
 * Error bound: a bucket [a, b] of an octave has b - a < a / 64. The harmonic
 * mean r = 2ab / (a + b) is off by (b - a) / (a + b) of the value at both
 * ends, which is the least possible, so any value of the bucket is r within
 * 1 / 129 < 0.8 %. (The layout is that of HdrHistogram.)
 *
 * Range: 2^48 ticks, more than a day at 3 GHz; longer ones share the last bucket.
 */
#ifndef FMP_HISTOGRAM_H
#define FMP_HISTOGRAM_H

#include <stdint.h>

#include "compiler.h"

enum {
    FMP_SUB_BITS = 6,
    FMP_SUB_COUNT = 1 << FMP_SUB_BITS, /* buckets an octave */
    FMP_RANGE_BITS = 48,
    FMP_OCTAVES = FMP_RANGE_BITS - FMP_SUB_BITS + 1,
    FMP_BUCKETS = FMP_OCTAVES * FMP_SUB_COUNT
};

static inline unsigned fmp_histogram_index(uint64_t value)
{
    if (value < FMP_SUB_COUNT)
        return (unsigned)value;
    unsigned high = FMP_HIGH_BIT(value);
    if (FMP_UNLIKELY(high >= FMP_RANGE_BITS))
        return FMP_BUCKETS - 1;
    unsigned shift = high - FMP_SUB_BITS;
    /* value >> shift lies in [64, 128): its top bit moves the index to the next octave. */
    return (shift << FMP_SUB_BITS) + (unsigned)(value >> shift);
}

/* The value that stands for a bucket, in ticks. */
double fmp_histogram_value(unsigned index);

/*
 * The q-quantile (0 < q <= 1) by nearest rank: the value of the bucket that
 * holds the ceil(q * n)-th smallest of the n values. 0 when empty. Only the
 * octaves whose bit is set in `octaves` are looked at.
 */
double fmp_histogram_quantile(const uint64_t bucket[FMP_BUCKETS], uint64_t octaves, double q);

#endif
