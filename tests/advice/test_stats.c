/* Statistics against published tables, and against an enumeration of all choices in another language. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "advice/bench_plan.h"
#include "advice/stats.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%.12g is not %.12g", value, expected);
}

static void medians_and_quantiles(void **state)
{
    (void)state;
    static const double odd[] = {5, 1, 3}, even[] = {4, 1, 3, 2}, one[] = {7};
    near(fm_stats_median(odd, 3), 3, 0);
    near(fm_stats_median(even, 4), 2.5, 0);
    near(fm_stats_median(one, 1), 7, 0);
    assert_true(isnan(fm_stats_median(NULL, 0)));
    /* Type 7, as R's quantile() and Python's statistics.quantiles(method='inclusive') have it: 1.75 and 3.25. */
    near(fm_stats_quantile(even, 4, 0.25), 1.75, 1e-15);
    near(fm_stats_spread(even, 4), 1.5 / 2.5, 1e-15);
    assert_true(isnan(fm_stats_spread(one, 1)));
}

/* Ranks of the ends by the binomial distribution: Conover, Practical Nonparametric Statistics, 3.2; by hand for 5. */
static void intervals_of_the_median(void **state)
{
    (void)state;
    static const struct {
        size_t count, low, high; /* from 1; 0: there is none */
    } table[] = {{5, 0, 0}, {6, 1, 6}, {8, 1, 8}, {9, 2, 8}, {10, 2, 9}, {15, 4, 12}, {20, 6, 15}, {25, 8, 18}};
    for (size_t i = 0; i < COUNT(table); i++) {
        double values[25];
        for (size_t k = 0; k < table[i].count; k++)
            values[k] = (double)(table[i].count - k); /* falling: they are sorted */
        const fm_interval interval = fm_stats_median_interval(values, table[i].count);
        if (table[i].low == 0) {
            assert_true(isnan(interval.low) && isnan(interval.high));
            continue;
        }
        near(interval.low, (double)table[i].low, 0);
        near(interval.high, (double)table[i].high, 0);
    }
}

/* Hollander and Wolfe, Nonparametric Statistical Methods, 1973, p. 69. R's ?wilcox.test: U = 35, one-sided p = 0.1272. */
static const double permeability_term[] = {0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46};
static const double permeability_early[] = {1.15, 0.88, 0.90, 0.74, 1.21};

static void rank_test_of_a_textbook(void **state)
{
    (void)state;
    const fm_rank_test test = fm_stats_rank_test(permeability_term, 10, permeability_early, 5);
    assert_true(test.exact);
    near(test.u, 35, 0);
    near(test.p, 764.0 / 3003.0, 1e-12);
    const fm_rank_test back = fm_stats_rank_test(permeability_early, 5, permeability_term, 10);
    near(back.u, 15, 0);
    near(back.p, test.p, 1e-12);
}

/* p by counting all 924 (35) choices. */
static void ties_are_exact(void **state)
{
    (void)state;
    static const double x[] = {1, 2, 2, 3, 5, 5}, y[] = {2, 4, 5, 6, 6, 7};
    const fm_rank_test test = fm_stats_rank_test(x, 6, y, 6);
    near(test.u, 7, 0);
    near(test.p, 37.0 / 462.0, 1e-12);
    static const double equal[] = {3, 3, 3, 3};
    near(fm_stats_rank_test(equal, 4, equal, 3).p, 1, 0);
    assert_true(isnan(fm_stats_rank_test(equal, 0, equal, 4).p));
}

/* Two samples without ties with so many pairs in which x is above y. */
static void make_samples(size_t n, size_t u, double *x, double *y)
{
    /* y is 1 ... n; each x lies above x_above of them. */
    for (size_t i = 0; i < n; i++) {
        const size_t above = u < n ? u : n;
        u -= above;
        y[i] = (double)(i + 1);
        x[i] = (double)above + 0.25 + 0.001 * (double)(n - i);
    }
}

/* Two-sided 5 % points: Mann and Whitney's table as in Siegel, Nonparametric Statistics, 1956, table K. */
static void critical_values(void **state)
{
    (void)state;
    static const struct {
        size_t n, u;
    } table[] = {{4, 0}, {5, 2}, {6, 5}, {7, 8}, {8, 13}, {9, 17}, {10, 23}, {12, 37}, {15, 64}, {20, 127}};
    for (size_t i = 0; i < COUNT(table); i++) {
        double x[20], y[20];
        fm_interval ratio;
        const size_t n = table[i].n;
        make_samples(n, table[i].u, x, y);
        fm_rank_test test = fm_stats_rank_test(x, n, y, n);
        near(test.u, (double)table[i].u, 0);
        if (!(test.p < 0.05))
            fail_msg("n = %zu: U = %zu has p = %g", n, table[i].u, test.p);
        assert_int_equal(fm_stats_ratio(x, n, y, n, &ratio, NULL), FM_OK);
        assert_true(ratio.high < 1); /* the interval says the same as the test */
        make_samples(n, table[i].u + 1, x, y);
        test = fm_stats_rank_test(x, n, y, n);
        if (!(test.p > 0.05))
            fail_msg("n = %zu: U = %zu has p = %g", n, table[i].u + 1, test.p);
        assert_int_equal(fm_stats_ratio(x, n, y, n, &ratio, NULL), FM_OK);
        assert_true(ratio.low < 1 && ratio.high > 1);
    }
}

static void large_samples_are_approximated(void **state)
{
    (void)state;
    double x[40], y[40];
    for (int i = 0; i < 40; i++) {
        x[i] = i * 7 % 23;
        y[i] = i * 5 % 19 + 3;
    }
    /* The formula with corrections for ties and continuity, computed in Python. */
    const fm_rank_test test = fm_stats_rank_test(x, 40, y, 40);
    assert_false(test.exact);
    near(test.u, 766, 0);
    near(test.p, 0.7469223306341652, 1e-9);
    /* Where both can be had, they agree: 30 against 30 values, shifted. */
    for (int i = 0; i < 31; i++) {
        x[i] = i;
        y[i] = i + 7.5;
    }
    near(fm_stats_rank_test(x, 30, y, 30).p, fm_stats_rank_test(x, 31, y, 31).p, 0.005);
    fm_interval ratio;
    for (int i = 0; i < 40; i++) {
        x[i] = 100 + i;
        y[i] = 50 + i * 0.5;
    }
    assert_int_equal(fm_stats_ratio(x, 40, y, 40, &ratio, NULL), FM_OK);
    near(ratio.value, 2, 1e-12);
    assert_true(ratio.low < 2 && ratio.high > 2 && ratio.low > 1.8 && ratio.high < 2.2);
}

/* Medians and ends by enumeration in Python. */
static void ratios(void **state)
{
    (void)state;
    fm_interval r;
    static const double low[] = {1.0, 1.1, 1.2, 1.3, 1.4, 1.5}, high[] = {2.0, 2.1, 2.2, 2.3, 2.4, 2.5};
    assert_int_equal(fm_stats_ratio(low, 6, high, 6, &r, NULL), FM_OK);
    near(r.value, 0.555, 1e-12);
    near(r.low, 0.45833333333333337, 1e-12);
    near(r.high, 0.6521739130434783, 1e-12);
    assert_int_equal(fm_stats_ratio(permeability_term, 10, permeability_early, 5, &r, NULL), FM_OK);
    near(r.value, 1.3124685591088752, 1e-12);
    near(r.low, 0.859504132231405, 1e-12);
    near(r.high, 1.9594594594594594, 1e-12);
    /* Three against three have no interval of 95 %. */
    assert_int_equal(fm_stats_ratio(low, 3, high, 3, &r, NULL), FM_OK);
    assert_true(isfinite(r.value) && isnan(r.low) && isnan(r.high));
    static const double zero[] = {0, 1};
    assert_int_equal(fm_stats_ratio(zero, 2, low, 2, &r, NULL), FM_OK);
    assert_true(isnan(r.value));
}

static void order_favours_none(void **state)
{
    (void)state;
    size_t order[3], place[3] = {0, 0, 0};
    static const size_t first[] = {0, 1, 2}, second[] = {2, 1, 0};
    for (size_t round = 0; round < 6; round++) {
        fm_bench_order(round, 3, order);
        assert_memory_equal(order, round % 2 ? second : first, sizeof first);
        for (size_t i = 0; i < 3; i++)
            place[order[i]] += 3 * round + i;
    }
    assert_true(place[0] == place[1] && place[1] == place[2]);
}

static void warm_up_ends(void **state)
{
    (void)state;
    static const double falling[] = {9, 8, 7, 6, 5, 4}, settled[] = {9, 5, 4.95}, noisy[] = {5, 5.3};
    bool steady;
    assert_false(fm_bench_warm(settled, 0, -1, &steady));
    assert_false(fm_bench_warm(settled, 1, -1, &steady));
    assert_false(fm_bench_warm(settled, 2, -1, &steady));
    assert_true(fm_bench_warm(settled, 3, -1, &steady));
    assert_true(steady);
    assert_true(fm_bench_warm(noisy, 2, -1, &steady));
    assert_true(steady);
    assert_false(fm_bench_warm(falling, 5, -1, &steady));
    assert_true(fm_bench_warm(falling, FM_BENCH_WARM_UP_MAX, -1, &steady));
    assert_false(steady);
    assert_true(fm_bench_warm(falling, 0, 0, &steady));
    assert_false(fm_bench_warm(falling, 2, 3, &steady));
    assert_true(fm_bench_warm(falling, 3, 3, &steady));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(medians_and_quantiles),
        cmocka_unit_test(intervals_of_the_median),
        cmocka_unit_test(rank_test_of_a_textbook),
        cmocka_unit_test(ties_are_exact),
        cmocka_unit_test(critical_values),
        cmocka_unit_test(large_samples_are_approximated),
        cmocka_unit_test(ratios),
        cmocka_unit_test(order_favours_none),
        cmocka_unit_test(warm_up_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
