#include "histogram.h"

unsigned fmp_bucket_of(uint64_t nanoseconds)
{
    return fmp_histogram_index(nanoseconds);
}

double fmp_bucket_value(unsigned index)
{
    if (index < FMP_SUB_COUNT)
        return (double)index;
    if (index >= FMP_BUCKETS)
        index = FMP_BUCKETS - 1;
    unsigned shift = (index >> FMP_SUB_BITS) - 1;
    uint64_t low = (uint64_t)(FMP_SUB_COUNT + index % FMP_SUB_COUNT) << shift;
    double first = (double)low, last = (double)(low + (((uint64_t)1 << shift) - 1));
    return 2.0 * first / (1.0 + first / last);
}

/* In whole numbers: 0.9 * 10 must not become 9.000000000000001. */
static uint64_t rank_of(uint64_t count, unsigned per_mille)
{
    uint64_t rank = count / 1000 * per_mille + (count % 1000 * per_mille + 999) / 1000;
    return rank < 1 ? 1 : rank > count ? count : rank;
}

double fmp_histogram_quantile(const fmp_bucket *buckets, size_t bucket_count, unsigned per_mille)
{
    uint64_t count = 0, seen = 0;
    for (size_t i = 0; i < bucket_count; i++)
        count = fmp_add_saturating(count, buckets[i].count);
    uint64_t rank = rank_of(count, per_mille);
    for (size_t i = 0; i < bucket_count; i++) {
        seen = fmp_add_saturating(seen, buckets[i].count);
        if (seen >= rank)
            return fmp_bucket_value(buckets[i].index);
    }
    return 0; /* no values */
}
