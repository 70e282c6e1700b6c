/* Exact figures of one thread under a clock that the test moves. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fake_clock.h"

static void nested_scopes_split_total_and_self(void **state)
{
    (void)state;
    {
        FMP_SCOPE("OUTER", "all");
        fake_now += 10;
        {
            FMP_SCOPE("INNER", "part");
            fake_now += 5;
            {
                FMP_SCOPE("INNER", "leaf");
                fake_now += 100;
            }
            fake_now += 2;
        }
        fake_now += 20;
        {
            FMP_SCOPE("INNER", "part");
            fake_now += 3;
        }
    }
    fmp_snapshot *s = fmp_snapshot_take();
    assert_non_null(s);
    assert_int_equal(s->operation_count, 3);
    const fmp_operation *all = find_operation(s, "OUTER", "all");
    const fmp_operation *part = find_operation(s, "INNER", "part");
    const fmp_operation *leaf = find_operation(s, "INNER", "leaf");
    assert_int_equal(all->total_ns, 140);
    assert_int_equal(all->self_ns, 30);
    assert_int_equal(part->count, 2);
    assert_int_equal(part->total_ns, 110);
    assert_int_equal(part->self_ns, 10);
    assert_int_equal(part->min_ns, 3);
    assert_int_equal(part->max_ns, 107);
    assert_int_equal(part->first_ns, 107);
    assert_int_equal(leaf->total_ns, 100);
    assert_int_equal(leaf->self_ns, 100);
    assert_int_equal(s->self_ns, 140); /* not a nanosecond twice, none lost */
    assert_int_equal(s->thread_count, 1);
    assert_int_equal(s->threads[0].busy_ns, 140);
    assert_int_equal(s->threads[0].scopes, 4);
    assert_int_equal(s->lost, 0);
    /* INNER has 110 of self time and stands before OUTER's 30; inside it the larger total leads. */
    assert_ptr_equal(part, &s->operations[0]);
    assert_ptr_equal(leaf, &s->operations[1]);
    assert_ptr_equal(all, &s->operations[2]);
    fmp_snapshot_free(&s);
    assert_null(s);
}

static void descend(const fmp_site *site, int levels)
{
    FMP_SCOPE_SITE(site);
    fake_now += 10;
    if (levels > 1)
        descend(site, levels - 1);
    fake_now += 1;
}

static void recursion_counts_its_outermost_call(void **state)
{
    (void)state;
    descend(fmp_site_get("R", "recursive"), 4);
    descend(fmp_site_get("R", "recursive"), 1);
    fmp_snapshot *s = fmp_snapshot_take();
    const fmp_operation *op = find_operation(s, "R", "recursive");
    assert_int_equal(op->count, 5);
    assert_int_equal(op->total_ns, 44 + 11);
    assert_int_equal(op->self_ns, 44 + 11);
    assert_int_equal(op->min_ns, 11);
    assert_int_equal(op->max_ns, 44);
    assert_near(op->mean_ns, (11 + 22 + 33 + 44 + 11) / 5.0, 1e-9);
    fmp_snapshot_free(&s);
}

static void moments_survive_a_large_offset(void **state)
{
    (void)state;
    /* 1 s +- 1 us: naive sums of squares would lose most digits of the variance. */
    const fmp_site *site = fmp_site_get("M", "moments");
    for (int i = 0; i < 1000; i++)
        fmp_record(site, 1000000000u + (uint64_t)(i % 2 ? 1000 : 3000));
    fmp_snapshot *s = fmp_snapshot_take();
    const fmp_operation *op = find_operation(s, "M", "moments");
    assert_int_equal(op->count, 1000);
    assert_int_equal(op->total_ns, 1000 * UINT64_C(1000002000));
    assert_int_equal(op->first_ns, 1000003000);
    assert_near(op->mean_ns, 1000002000.0, 1e-3);
    assert_near(op->stddev_ns, 1000.0, 1e-6);
    fmp_snapshot_free(&s);
}

static int compare_values(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void percentiles_are_within_one_percent(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    uint64_t *value = malloc(COUNT * sizeof *value);
    assert_non_null(value);
    uint64_t random = 88172645463325252u; /* xorshift64: Marsaglia 2003 */
    /* Log-uniform over 1 ns .. 2^44 ns (nearly five hours), then narrower and narrower. */
    for (int octaves = 44; octaves >= 1; octaves -= 6) {
        fmp_reset();
        const fmp_site *site = fmp_site_get("P", "percentiles");
        for (int i = 0; i < COUNT; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            double exponent = (double)(random >> 11) / 9007199254740992.0 * octaves;
            value[i] = (uint64_t)exp2(exponent + (44 - octaves) / 2.0);
            fmp_record(site, value[i]);
        }
        qsort(value, COUNT, sizeof *value, compare_values);
        fmp_snapshot *s = fmp_snapshot_take();
        const fmp_operation *op = find_operation(s, "P", "percentiles");
        const double level[] = {0.5, 0.9, 0.99, 0.999}, got[] = {op->p50_ns, op->p90_ns, op->p99_ns, op->p999_ns};
        for (int i = 0; i < 4; i++) {
            double exact = (double)value[(int)ceil(level[i] * COUNT) - 1];
            assert_true(fabs(got[i] - exact) <= 0.01 * exact);
        }
        assert_int_equal(op->min_ns, value[0]);
        assert_int_equal(op->max_ns, value[COUNT - 1]);
        fmp_snapshot_free(&s);
    }
    free(value);
}

static void extremes_fit(void **state)
{
    (void)state;
    const fmp_site *site = fmp_site_get("E", "extremes");
    fmp_record(site, 0);
    fmp_record(site, UINT64_C(1) << 60);
    fmp_snapshot *s = fmp_snapshot_take();
    const fmp_operation *op = find_operation(s, "E", "extremes");
    assert_int_equal(op->min_ns, 0);
    assert_int_equal(op->max_ns, UINT64_C(1) << 60);
    assert_true(op->p50_ns == 0);
    assert_true(op->p99_ns > 0 && op->p99_ns <= (double)op->max_ns);
    fmp_snapshot_free(&s);
}

static void switched_off_records_nothing(void **state)
{
    (void)state;
    fmp_enable(false);
    assert_false(fmp_enabled());
    {
        FMP_SCOPE("OFF", "scope");
        fake_now += 10;
    }
    fmp_record(fmp_site_get("OFF", "record"), 5);
    fmp_snapshot *s = fmp_snapshot_take();
    assert_int_equal(s->operation_count, 0);
    assert_int_equal(s->thread_count, 0);
    assert_int_equal(s->self_ns, 0);
    fmp_snapshot_free(&s);
}

static void switching_inside_a_scope_is_safe(void **state)
{
    (void)state;
    const fmp_site *a = fmp_site_get("SWITCH", "a"), *b = fmp_site_get("SWITCH", "b");
    fmp_scope outer, inner;
    fmp_scope_begin(&outer, a); /* on: counts, although it ends while off */
    fake_now += 10;
    fmp_enable(false);
    fmp_scope_begin(&inner, b); /* off: never counts, although it ends while on */
    fake_now += 10;
    fmp_scope_end(&outer);
    fmp_enable(true);
    fake_now += 10;
    fmp_scope_end(&inner);
    fmp_scope_end(&inner); /* twice is harmless */
    fmp_scope_begin(&outer, a);
    fake_now += 1;
    fmp_scope_end(&outer);
    fmp_snapshot *s = fmp_snapshot_take();
    assert_int_equal(s->operation_count, 1);
    assert_int_equal(s->operations[0].count, 2);
    assert_int_equal(s->operations[0].total_ns, 21);
    fmp_snapshot_free(&s);
}

static void reset_forgets(void **state)
{
    (void)state;
    const fmp_site *site = fmp_site_get("RESET", "x");
    fmp_record(site, 1000);
    fmp_scope open;
    fmp_scope_begin(&open, fmp_site_get("RESET", "open"));
    fake_now += 5;
    fmp_reset();
    fmp_snapshot *s = fmp_snapshot_take();
    assert_int_equal(s->operation_count, 0);
    fmp_snapshot_free(&s);
    fmp_record(site, 7);
    fmp_scope_end(&open);
    s = fmp_snapshot_take();
    assert_int_equal(s->operation_count, 2);
    const fmp_operation *op = find_operation(s, "RESET", "x");
    assert_int_equal(op->count, 1);
    assert_int_equal(op->min_ns, 7);
    assert_int_equal(op->max_ns, 7);
    assert_int_equal(op->first_ns, 7);
    assert_true(op->p999_ns == 7);
    assert_int_equal(find_operation(s, "RESET", "open")->total_ns, 5);
    fmp_snapshot_free(&s);
}

static void scope_cost_is_measured_and_leaves_no_trace(void **state)
{
    (void)state;
    use_real_clock(state);
    const fmp_site *site = fmp_site_get("COST", "outer");
    const fmp_context *before = fmp_context_set(fmp_context_get("cost "));
    fmp_cost cost;
    {
        FMP_SCOPE_SITE(site);
        cost = fmp_scope_cost();
    }
    fmp_context_set(before);
    assert_true(cost.inside_ns > 0.1 && cost.inside_ns < 1e4);
    assert_true(cost.outside_ns > 0.1 && cost.outside_ns < 1e4);
    fmp_cost again = fmp_scope_cost();
    assert_true(again.inside_ns == cost.inside_ns && again.outside_ns == cost.outside_ns);
    fmp_snapshot *s = fmp_snapshot_take();
    assert_int_equal(s->operation_count, 1);
    assert_string_equal(s->operations[0].operation, "cost outer");
    assert_int_equal(s->operations[0].children, 0);
    assert_int_equal(s->operations[0].self_ns, s->operations[0].total_ns);
    assert_true(s->cost.inside_ns == cost.inside_ns);
    fmp_snapshot_free(&s);
}

static void children_are_counted(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        FMP_SCOPE("CHILDREN", "outer");
        for (int k = 0; k < 2; k++) {
            FMP_SCOPE("CHILDREN", "inner");
            {
                FMP_SCOPE("CHILDREN", "leaf");
            }
            fmp_record(fmp_site_get("CHILDREN", "recorded"), 5); /* takes part in no nesting */
            fmp_mark(fmp_site_get("CHILDREN", "mark"));
        }
    }
    fmp_snapshot *s = fmp_snapshot_take();
    assert_int_equal(find_operation(s, "CHILDREN", "outer")->children, 6);
    assert_int_equal(find_operation(s, "CHILDREN", "outer")->inner, 12);
    assert_int_equal(find_operation(s, "CHILDREN", "inner")->inner, 6);
    assert_int_equal(find_operation(s, "CHILDREN", "inner")->children, 6);
    assert_int_equal(find_operation(s, "CHILDREN", "leaf")->children, 0);
    assert_int_equal(find_operation(s, "CHILDREN", "leaf")->recorded, 0);
    assert_int_equal(find_operation(s, "CHILDREN", "recorded")->recorded, 6);
    const fmp_operation *mark = find_operation(s, "CHILDREN", "mark");
    assert_int_equal(mark->count, 6);
    assert_int_equal(mark->recorded, 6);
    assert_int_equal(mark->total_ns, 0);
    assert_int_equal(s->scopes, 3 + 6 + 6 + 6 + 6);
    fmp_snapshot_free(&s);
}

static void the_latest_durations_are_kept(void **state)
{
    (void)state;
    const fmp_site *site = fmp_site_get("LAST", "x");
    for (uint64_t i = 1; i <= 40; i++) {
        fmp_record(site, i * 100);
        fmp_snapshot *s = fmp_snapshot_take();
        const fmp_operation *op = &s->operations[0];
        assert_int_equal(op->last_count, i < FMP_LAST ? i : FMP_LAST);
        for (unsigned k = 0; k < op->last_count; k++)
            assert_int_equal(op->last_ns[k], (i - k) * 100);
        fmp_snapshot_free(&s);
    }
}

/* Every bucket of a schedule, number for number, at every moment of it. */
static void the_histogram_is_exact(void **state)
{
    (void)state;
    static const uint64_t duration[] = {0, 1, 63, 64, 64, 127, 128, 129, 130, 1000000, 1000000};
    enum { COUNT = sizeof duration / sizeof duration[0] };
    const fmp_site *site = fmp_site_get("HISTOGRAM", "x");
    for (size_t n = 1; n <= COUNT; n++) {
        fmp_scope scope;
        fmp_scope_begin(&scope, site);
        fake_now += duration[n - 1];
        fmp_scope_end(&scope);
        uint64_t expected[FMP_HISTOGRAM_BUCKETS] = {0};
        size_t used = 0;
        for (size_t i = 0; i < n; i++)
            used += expected[fmp_bucket_of(duration[i])]++ == 0;
        fmp_snapshot *s = fmp_snapshot_take();
        const fmp_operation *op = &s->operations[0];
        assert_int_equal(op->histogram_count, used);
        for (size_t i = 0; i < op->histogram_count; i++) {
            assert_int_equal(op->histogram[i].count, expected[op->histogram[i].index]);
            assert_true(i == 0 || op->histogram[i].index > op->histogram[i - 1].index);
        }
        fmp_snapshot_free(&s);
    }
}

static void a_clock_going_backwards_measures_nothing(void **state)
{
    (void)state;
    {
        FMP_SCOPE("BACK", "outer");
        fake_now += 100;
        {
            FMP_SCOPE("BACK", "inner");
            fake_now -= 70;
        }
        fake_now += 10;
    }
    fake_now -= 500;
    {
        FMP_SCOPE("BACK", "outer");
        fake_now += 3;
    }
    fmp_snapshot *s = fmp_snapshot_take();
    const fmp_operation *inner = find_operation(s, "BACK", "inner");
    const fmp_operation *outer = find_operation(s, "BACK", "outer");
    assert_int_equal(inner->count, 1);
    assert_int_equal(inner->max_ns, 0);
    assert_int_equal(outer->max_ns, 40);
    assert_int_equal(outer->total_ns, 43);
    assert_int_equal(outer->self_ns, 43);
    fmp_snapshot_free(&s);
}

static void fifty_days_fit(void **state)
{
    (void)state;
    const uint64_t day = UINT64_C(86400) * 1000000000, hour = day / 24;
    {
        FMP_SCOPE("DAYS", "run");
        for (int i = 0; i < 50 * 24; i++) {
            FMP_SCOPE("DAYS", "hour");
            fake_now += hour;
        }
    }
    fmp_snapshot *s = fmp_snapshot_take();
    const fmp_operation *run = find_operation(s, "DAYS", "run");
    const fmp_operation *hours = find_operation(s, "DAYS", "hour");
    assert_int_equal(run->total_ns, 50 * day);
    assert_int_equal(run->self_ns, 0);
    assert_int_equal(hours->count, 50 * 24);
    assert_int_equal(hours->total_ns, 50 * day);
    assert_near(hours->mean_ns, (double)hour, 1e-3);
    assert_near(hours->stddev_ns, 0, 1e-3);
    assert_near(hours->p999_ns, (double)hour, 0.01 * (double)hour);
    assert_int_equal(s->self_ns, 50 * day);
    fmp_snapshot_free(&s);
}

/* One try: a scope and fmp_now over 50 ms against the system's clock; largest relative error. */
static double clock_error(void)
{
    fmp_reset();
    uint64_t system_start = fmp_clock_monotonic_ns(), start = fmp_now(), last = start;
    {
        FMP_SCOPE("CLOCK", "50 ms");
        while (fmp_clock_monotonic_ns() - system_start < 50000000u) {
            uint64_t now = fmp_now();
            assert_true(now >= last);
            last = now;
        }
    }
    double time = (double)(fmp_now() - start);
    double system_time = (double)(fmp_clock_monotonic_ns() - system_start);
    fmp_snapshot *s = fmp_snapshot_take();
    double scope = (double)find_operation(s, "CLOCK", "50 ms")->total_ns;
    fmp_snapshot_free(&s);
    return fmax(fabs(time / system_time - 1), fabs(scope / system_time - 1));
}

static void real_clock_agrees_with_the_system(void **state)
{
    (void)state;
    fmp_clock_set_for_tests(NULL);
    /* A preemption between the readings of two clocks is no error of the clock: the best of some tries. */
    double error = INFINITY;
    for (int i = 0; i < 10 && error > 2e-3; i++)
        error = fmin(error, clock_error());
    fmp_clock_info info;
    fmp_clock_describe(&info);
    print_message("clock %s (%s): off by %.1f ppm\n", info.name, info.reason, error * 1e6);
    assert_true(strlen(info.name) > 0 && info.resolution_ns > 0 && info.read_ns > 0);
    assert_true(error <= 2e-3);
}

#define FAKE(test) cmocka_unit_test_setup(test, use_fake_clock)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE(nested_scopes_split_total_and_self),
        FAKE(recursion_counts_its_outermost_call),
        FAKE(moments_survive_a_large_offset),
        FAKE(percentiles_are_within_one_percent),
        FAKE(extremes_fit),
        FAKE(switched_off_records_nothing),
        FAKE(switching_inside_a_scope_is_safe),
        FAKE(reset_forgets),
        FAKE(scope_cost_is_measured_and_leaves_no_trace),
        FAKE(children_are_counted),
        FAKE(the_latest_durations_are_kept),
        FAKE(the_histogram_is_exact),
        FAKE(a_clock_going_backwards_measures_nothing),
        FAKE(fifty_days_fit),
        FAKE(real_clock_agrees_with_the_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
