/*
 * Statistics of a few measured runs: medians, a rank test, and intervals that
 * assume no distribution. Values are finite; what cannot be told is NAN.
 *
 * The test is the two-sided Mann-Whitney U test (Mann and Whitney 1947). Up to
 * FM_STATS_EXACT_MAX values p is exact: the permutation distribution of the
 * rank sum, ties (mid-ranks) included. Beyond, it is the normal approximation
 * with correction for ties and continuity. The interval of the ratio belongs to
 * the same test (Hodges and Lehmann 1963; Moses): without ties it excludes 1
 * when and only when p is below 0.05.
 *
 * Thread-safety: Safe.
 */
#ifndef FM_ADVICE_STATS_H
#define FM_ADVICE_STATS_H

#include <stdbool.h>
#include <stddef.h>

#include "facemirror/error.h"

enum {
    FM_STATS_EXACT_MAX = 60, /* values of both samples together */
    FM_STATS_MAX = 200       /* values of a sample */
};

#define FM_STATS_LEVEL 0.95 /* of all intervals */

/* An estimate and the ends of its confidence interval; low and high are NAN where so few values have none. */
typedef struct fm_interval {
    double value, low, high;
} fm_interval;

/* Of `count` values in any order, FM_STATS_MAX at most; NAN of none. */
double fm_stats_median(const double *values, size_t count);
/* The p-quantile (0 to 1), interpolated between order statistics (type 7 of Hyndman and Fan 1996). NAN of none. */
double fm_stats_quantile(const double *values, size_t count, double p);
/* The distance of the quartiles over the median; NAN of fewer than 2 values or a median of 0. */
double fm_stats_spread(const double *values, size_t count);

/*
 * The median with the narrowest symmetric pair of order statistics whose coverage is 0.95 or more by the
 * binomial distribution: it exists from 6 values on, where it is the smallest and the largest.
 */
fm_interval fm_stats_median_interval(const double *values, size_t count);

typedef struct fm_rank_test {
    double u;   /* pairs in which x is above y, ties count one half */
    double p;   /* two-sided; NAN when a sample is empty */
    bool exact;
} fm_rank_test;

/* Each of 1 to FM_STATS_MAX values. */
fm_rank_test fm_stats_rank_test(const double *x, size_t x_count, const double *y, size_t y_count);

/*
 * How many times x is y: the median of x[i]/y[j] over all pairs, and the interval of the test. All values are above 0;
 * else all three are NAN. FM_E_NO_MEMORY.
 */
fm_status fm_stats_ratio(const double *x, size_t x_count, const double *y, size_t y_count, fm_interval *out,
                         fm_error *err);

#endif
