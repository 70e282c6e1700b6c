#include "advice/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* How many of the values there are room and sorted copies for. */
static size_t sorted_copy(double out[FM_STATS_MAX], const double *values, size_t count)
{
    count = count < FM_STATS_MAX ? count : FM_STATS_MAX;
    if (count > 0)
        memcpy(out, values, count * sizeof *out);
    qsort(out, count, sizeof *out, by_value);
    return count;
}

static double quantile_of_sorted(const double *sorted, size_t count, double p)
{
    if (count == 0)
        return (double)NAN;
    const double at = p * (double)(count - 1);
    const size_t below = (size_t)at;
    if (below + 1 >= count)
        return sorted[count - 1];
    return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

double fm_stats_quantile(const double *values, size_t count, double p)
{
    double sorted[FM_STATS_MAX];
    count = sorted_copy(sorted, values, count);
    return quantile_of_sorted(sorted, count, p);
}

double fm_stats_median(const double *values, size_t count)
{
    return fm_stats_quantile(values, count, 0.5);
}

double fm_stats_spread(const double *values, size_t count)
{
    double sorted[FM_STATS_MAX];
    count = sorted_copy(sorted, values, count);
    const double median = quantile_of_sorted(sorted, count, 0.5);
    if (count < 2 || !(fabs(median) > 0))
        return (double)NAN;
    return (quantile_of_sorted(sorted, count, 0.75) - quantile_of_sorted(sorted, count, 0.25)) / fabs(median);
}

fm_interval fm_stats_median_interval(const double *values, size_t count)
{
    double sorted[FM_STATS_MAX];
    count = sorted_copy(sorted, values, count);
    fm_interval out = {quantile_of_sorted(sorted, count, 0.5), (double)NAN, (double)NAN};
    /* k values are below the median with probability choose(count, k) / 2^count. */
    double term = pow(0.5, (double)count), tail = 0;
    for (size_t k = 0; 2 * k + 1 < count; k++) {
        tail += term;
        if (1 - 2 * tail < FM_STATS_LEVEL)
            break;
        out.low = sorted[k];
        out.high = sorted[count - 1 - k];
        term *= (double)(count - k) / (double)(k + 1);
    }
    return out;
}

/* --- the rank test ------------------------------------------------------- */

/* Ranks of all values, doubled, so that mid-ranks are whole numbers; the first are those of x. */
typedef struct ranks {
    unsigned doubled[2 * FM_STATS_MAX];
    size_t count, of_x;
    double ties; /* sum of t^3 - t over groups of t equal values */
} ranks;

typedef struct ranked {
    double value;
    size_t index;
} ranked;

static int by_ranked_value(const void *a, const void *b)
{
    return by_value(&((const ranked *)a)->value, &((const ranked *)b)->value);
}

static void rank(ranks *r, const double *x, size_t x_count, const double *y, size_t y_count)
{
    ranked all[2 * FM_STATS_MAX];
    r->of_x = x_count < FM_STATS_MAX ? x_count : FM_STATS_MAX;
    r->count = r->of_x + (y_count < FM_STATS_MAX ? y_count : FM_STATS_MAX);
    r->ties = 0;
    for (size_t i = 0; i < r->count; i++)
        all[i] = (ranked){i < r->of_x ? x[i] : y[i - r->of_x], i};
    qsort(all, r->count, sizeof *all, by_ranked_value);
    for (size_t begin = 0, end; begin < r->count; begin = end) {
        for (end = begin + 1; end < r->count && !(all[end].value > all[begin].value);)
            end++;
        const double t = (double)(end - begin);
        r->ties += t * t * t - t;
        for (size_t i = begin; i < end; i++)
            r->doubled[all[i].index] = (unsigned)(begin + end + 1); /* the mean of begin + 1 ... end, doubled */
    }
}

enum { SUMS = FM_STATS_EXACT_MAX * (FM_STATS_EXACT_MAX + 1) + 1 }; /* of all doubled ranks, and 0 */

/* ways[s]: choices of `chosen` of the ranks whose doubled sum is s. Returns the number of all choices. */
static double count_sums(const ranks *r, size_t chosen, double ways[SUMS])
{
    static const size_t rows = FM_STATS_EXACT_MAX + 1;
    double *table = calloc(rows * SUMS, sizeof *table); /* [how many are chosen][sum] */
    if (!table)
        return 0;
    table[0] = 1;
    size_t sum_max = 0;
    for (size_t i = 0; i < r->count; i++) {
        const size_t step = r->doubled[i];
        sum_max += step;
        for (size_t k = i + 1 < chosen ? i + 1 : chosen; k > 0; k--)
            for (size_t sum = sum_max; sum >= step; sum--)
                table[k * SUMS + sum] += table[(k - 1) * SUMS + sum - step];
    }
    double total = 0;
    for (size_t sum = 0; sum < SUMS; sum++) {
        ways[sum] = table[chosen * SUMS + sum];
        total += ways[sum];
    }
    free(table);
    return total;
}

static double exact_p(const ranks *r, unsigned observed)
{
    double ways[SUMS];
    const double total = count_sums(r, r->of_x, ways);
    double below = 0, above = 0;
    for (unsigned sum = 0; sum < SUMS; sum++) {
        below += sum <= observed ? ways[sum] : 0;
        above += sum >= observed ? ways[sum] : 0;
    }
    return total > 0 ? fmin(1, 2 * fmin(below, above) / total) : (double)NAN;
}

static double normal_p(const ranks *r, double u)
{
    const double m = (double)r->of_x, n = (double)(r->count - r->of_x), all = m + n;
    const double deviation = sqrt(m * n / 12 * (all + 1 - r->ties / (all * (all - 1))));
    const double distance = fabs(u - m * n / 2) - 0.5;
    if (!(deviation > 0) || distance <= 0)
        return 1;
    return erfc(distance / deviation / sqrt(2));
}

fm_rank_test fm_stats_rank_test(const double *x, size_t x_count, const double *y, size_t y_count)
{
    fm_rank_test out = {(double)NAN, (double)NAN, false};
    if (x_count == 0 || y_count == 0)
        return out;
    ranks r;
    rank(&r, x, x_count, y, y_count);
    unsigned sum = 0;
    for (size_t i = 0; i < r.of_x; i++)
        sum += r.doubled[i];
    out.u = sum / 2.0 - (double)(r.of_x * (r.of_x + 1)) / 2;
    out.p = r.count <= FM_STATS_EXACT_MAX ? exact_p(&r, sum) : (double)NAN;
    out.exact = isfinite(out.p);
    if (!out.exact)
        out.p = normal_p(&r, out.u);
    return out;
}

/* --- the ratio ----------------------------------------------------------- */

#define NORMAL_QUANTILE 1.959963984540054 /* of 1 - (1 - FM_STATS_LEVEL) / 2 */

/* How many pairs lie outside an end of the interval, of samples without ties: P(U < k) <= 0.025. */
static size_t pairs_outside(size_t m, size_t n)
{
    const double tail = (1 - FM_STATS_LEVEL) / 2;
    if (m + n > FM_STATS_EXACT_MAX) {
        const double mn = (double)(m * n);
        const double k = floor(mn / 2 - NORMAL_QUANTILE * sqrt(mn * (double)(m + n + 1) / 12));
        return k > 0 ? (size_t)k : 0;
    }
    ranks r = {.count = m + n, .of_x = m};
    for (size_t i = 0; i < r.count; i++)
        r.doubled[i] = (unsigned)(2 * (i + 1));
    double ways[SUMS], below = 0;
    const double total = count_sums(&r, m, ways);
    size_t k = 0;
    for (size_t sum = m * (m + 1); total > 0 && sum < SUMS; sum += 2, k++) { /* the smallest rank sum, doubled: U = 0 */
        below += ways[sum];
        if (below > tail * total)
            break;
    }
    return k;
}

static bool all_positive(const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(values[i] > 0) || !isfinite(values[i]))
            return false;
    return count > 0;
}

fm_status fm_stats_ratio(const double *x, size_t x_count, const double *y, size_t y_count, fm_interval *out,
                         fm_error *err)
{
    *out = (fm_interval){(double)NAN, (double)NAN, (double)NAN};
    if (!all_positive(x, x_count) || !all_positive(y, y_count))
        return FM_OK;
    const size_t count = x_count * y_count;
    double *pairs = malloc(count * sizeof *pairs);
    if (!pairs)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++)
        pairs[i] = x[i / y_count] / y[i % y_count];
    qsort(pairs, count, sizeof *pairs, by_value);
    out->value = quantile_of_sorted(pairs, count, 0.5);
    const size_t k = pairs_outside(x_count, y_count);
    if (k > 0 && 2 * k <= count) {
        out->low = pairs[k - 1];
        out->high = pairs[count - k];
    }
    free(pairs);
    return FM_OK;
}
