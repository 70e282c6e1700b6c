#include "histogram.h"

#include <math.h>

double fmp_histogram_value(unsigned index)
{
    if (index < FMP_SUB_COUNT)
        return (double)index;
    unsigned shift = (index >> FMP_SUB_BITS) - 1;
    uint64_t low = (uint64_t)(FMP_SUB_COUNT + index % FMP_SUB_COUNT) << shift;
    double first = (double)low, last = (double)(low + (((uint64_t)1 << shift) - 1));
    return 2.0 * first / (1.0 + first / last);
}

double fmp_histogram_quantile(const uint64_t bucket[FMP_BUCKETS], uint64_t octaves, double q)
{
    uint64_t count = 0;
    for (unsigned octave = 0; octave < FMP_OCTAVES; octave++) {
        if (!(octaves >> octave & 1))
            continue;
        for (unsigned i = 0; i < FMP_SUB_COUNT; i++)
            count += bucket[octave * FMP_SUB_COUNT + i];
    }
    if (count == 0)
        return 0;
    uint64_t rank = (uint64_t)ceil(q * (double)count);
    rank = rank < 1 ? 1 : rank > count ? count : rank;
    uint64_t seen = 0;
    for (unsigned octave = 0; octave < FMP_OCTAVES; octave++) {
        if (!(octaves >> octave & 1))
            continue;
        for (unsigned i = 0; i < FMP_SUB_COUNT; i++) {
            seen += bucket[octave * FMP_SUB_COUNT + i];
            if (seen >= rank)
                return fmp_histogram_value(octave * FMP_SUB_COUNT + i);
        }
    }
    return 0; /* not reached: the ranks end at count */
}
