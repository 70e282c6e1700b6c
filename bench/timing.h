/* What the programs here share: clocks, and medians of what they show. */
#ifndef FM_BENCH_TIMING_H
#define FM_BENCH_TIMING_H

#include <stdlib.h>
#include <time.h>

static inline double clock_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static inline int compare_values(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values; of an even number the upper of the two in the middle. */
static inline double median_of(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare_values);
    return values[count / 2];
}

#endif
