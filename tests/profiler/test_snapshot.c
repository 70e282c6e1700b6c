/* Histograms, merging, making and correcting snapshots: properties over random data. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fake_clock.h"

static uint64_t random_state = 88172645463325252u;

static uint64_t random_64(void) /* xorshift64: Marsaglia 2003 */
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Log-uniform over `octaves` powers of two. */
static uint64_t random_duration(unsigned octaves)
{
    return random_64() >> (64 - octaves + random_64() % octaves);
}

static void buckets_rise_and_hold_their_values(void **state)
{
    (void)state;
    for (unsigned i = 1; i < FMP_HISTOGRAM_BUCKETS; i++)
        assert_true(fmp_bucket_value(i) > fmp_bucket_value(i - 1));
    for (unsigned i = 0; i < FMP_HISTOGRAM_BUCKETS; i++)
        assert_int_equal(fmp_bucket_of((uint64_t)fmp_bucket_value(i)), i);
    for (int n = 0; n < 200000; n++) {
        uint64_t value = random_duration(48);
        unsigned bucket = fmp_bucket_of(value);
        assert_true(bucket < FMP_HISTOGRAM_BUCKETS);
        assert_true(fabs(fmp_bucket_value(bucket) - (double)value) <= 0.008 * (double)value);
        assert_true(fmp_bucket_of(value + 1) >= bucket);
    }
    assert_int_equal(fmp_bucket_of(UINT64_MAX), FMP_HISTOGRAM_BUCKETS - 1);
    assert_true(fmp_bucket_value(UINT32_MAX) == fmp_bucket_value(FMP_HISTOGRAM_BUCKETS - 1));
}

static void assert_same_histogram(const fmp_operation *a, const fmp_operation *b)
{
    assert_int_equal(a->histogram_count, b->histogram_count);
    for (size_t i = 0; i < a->histogram_count; i++) {
        assert_int_equal(a->histogram[i].index, b->histogram[i].index);
        assert_int_equal(a->histogram[i].count, b->histogram[i].count);
    }
}

static void assert_same_operation(const fmp_operation *a, const fmp_operation *b)
{
    assert_string_equal(a->category, b->category);
    assert_string_equal(a->operation, b->operation);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->total_ns, b->total_ns);
    assert_int_equal(a->self_ns, b->self_ns);
    assert_int_equal(a->children, b->children);
    assert_int_equal(a->inner, b->inner);
    assert_int_equal(a->recorded, b->recorded);
    assert_int_equal(a->min_ns, b->min_ns);
    assert_int_equal(a->max_ns, b->max_ns);
    assert_int_equal(a->first_ns, b->first_ns);
    assert_near(a->mean_ns, b->mean_ns, 1e-9 * b->mean_ns);
    assert_near(a->stddev_ns, b->stddev_ns, 1e-6 * b->stddev_ns + 1e-6);
    assert_true(a->p50_ns == b->p50_ns && a->p90_ns == b->p90_ns);
    assert_true(a->p99_ns == b->p99_ns && a->p999_ns == b->p999_ns);
    assert_int_equal(a->last_count, b->last_count);
    for (unsigned i = 0; i < a->last_count; i++)
        assert_int_equal(a->last_ns[i], b->last_ns[i]);
    assert_same_histogram(a, b);
}

enum { PARTS = 5, CALLS = 400, NAMES = 7 };

typedef struct call {
    int name;
    uint64_t duration;
    bool nested;
} call;

static const fmp_site *site_of(int name)
{
    static const char *const category[] = {"ONE", "TWO"};
    char operation[16];
    snprintf(operation, sizeof operation, "op %d", name);
    return fmp_site_get(category[name % 2], operation);
}

static void replay(const call *c)
{
    if (c->nested) {
        FMP_SCOPE_SITE(site_of(c->name));
        fake_now += c->duration / 3;
        {
            FMP_SCOPE_SITE(site_of((c->name + 1) % NAMES));
            fake_now += c->duration;
        }
    } else {
        fmp_record(site_of(c->name), c->duration);
    }
    fmp_counter_add(fmp_counter_get("M", "calls", "calls"), c->name);
    fmp_gauge_set(fmp_gauge_get("M", "level", ""), (int64_t)c->duration - 1000);
}

/* A snapshot of every part for itself and one of all: merged, the parts are the whole. */
static void merged_parts_are_the_whole(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        static call schedule[PARTS][CALLS];
        fmp_snapshot *part[PARTS] = {NULL};
        for (int p = 0; p < PARTS; p++) {
            fmp_reset();
            for (int i = 0; i < CALLS; i++) {
                schedule[p][i] = (call){.name = (int)(random_64() % NAMES),
                                        .duration = random_duration(40),
                                        .nested = random_64() % 2};
                replay(&schedule[p][i]);
            }
            part[p] = fmp_snapshot_take();
            assert_non_null(part[p]);
        }
        fmp_reset();
        for (int p = 0; p < PARTS; p++)
            for (int i = 0; i < CALLS; i++)
                replay(&schedule[p][i]);
        fmp_snapshot *whole = fmp_snapshot_take();
        fmp_snapshot *merged = fmp_snapshot_merge((const fmp_snapshot *const *)part, PARTS);
        assert_non_null(merged);
        assert_int_equal(merged->operation_count, whole->operation_count);
        assert_int_equal(merged->self_ns, whole->self_ns);
        assert_int_equal(merged->scopes, whole->scopes);
        assert_int_equal(merged->thread_count, PARTS); /* threads of one name stay apart */
        for (size_t i = 0; i < whole->operation_count; i++) {
            fmp_operation expected = whole->operations[i];
            /* The latest ones are those of the last part that ran it. */
            const fmp_operation *last = find_operation(part[PARTS - 1], expected.category, expected.operation);
            assert_non_null(last);
            expected.last_count = last->last_count;
            memcpy(expected.last_ns, last->last_ns, sizeof expected.last_ns);
            assert_same_operation(&merged->operations[i], &expected);
            assert_int_equal(merged->operations[i].threads, PARTS);
        }
        assert_int_equal(merged->metric_count, 2);
        for (int i = 0; i < 2; i++) {
            const fmp_metric_value *a = &merged->metrics[i], *b = &whole->metrics[i];
            assert_string_equal(a->name, b->name);
            assert_int_equal(a->count, b->count);
            assert_int_equal(a->sum, b->sum);
            assert_int_equal(a->last, b->last);
            assert_int_equal(a->min, b->min);
            assert_int_equal(a->max, b->max);
            assert_near(a->mean, b->mean, 1e-9 * fabs(b->mean));
        }
        for (int p = 0; p < PARTS; p++)
            fmp_snapshot_free(&part[p]);
        fmp_snapshot_free(&whole);
        fmp_snapshot_free(&merged);
    }
}

static void merging_nothing_and_one(void **state)
{
    (void)state;
    fmp_snapshot *none = fmp_snapshot_merge(NULL, 0);
    assert_non_null(none);
    assert_int_equal(none->operation_count + none->thread_count + none->metric_count, 0);
    fmp_record(site_of(1), 1000);
    fmp_snapshot *one = fmp_snapshot_take();
    const fmp_snapshot *const both[] = {none, one};
    fmp_snapshot *merged = fmp_snapshot_merge(both, 2);
    assert_int_equal(merged->operation_count, 1);
    assert_same_operation(&merged->operations[0], &one->operations[0]);
    fmp_snapshot_free(&none);
    fmp_snapshot_free(&one);
    fmp_snapshot_free(&merged);
}

static void measures_merge_where_all_have_them(void **state)
{
    (void)state;
    fmp_operation a = {.category = "C", .operation = "o", .count = 1,
                       .measures = FMP_MEASURE_CPU | FMP_MEASURE_MEMORY, .cpu_ns = 5,
                       .rss_change = -100, .rss_peak_change = -100, .threads = INT32_MAX};
    fmp_operation b = a;
    b.measures = FMP_MEASURE_CPU;
    b.rss_peak_change = 7;
    fmp_snapshot *x = fmp_snapshot_make(&a, 1, NULL, 0, NULL, 0);
    fmp_snapshot *y = fmp_snapshot_make(&b, 1, NULL, 0, NULL, 0);
    snprintf(x->clock, sizeof x->clock, "tsc");
    snprintf(y->clock, sizeof y->clock, "cntvct");
    const fmp_snapshot *const both[] = {x, y};
    fmp_snapshot *merged = fmp_snapshot_merge(both, 2);
    assert_int_equal(merged->operations[0].measures, FMP_MEASURE_CPU);
    assert_int_equal(merged->operations[0].cpu_ns, 10);
    assert_int_equal(merged->operations[0].rss_peak_change, 7);
    assert_int_equal(merged->operations[0].threads, INT32_MAX);
    assert_string_equal(merged->clock, "several");
    fmp_snapshot_free(&x);
    fmp_snapshot_free(&y);
    fmp_snapshot_free(&merged);
}

static void make_gives_back_what_take_gave(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++)
        replay(&(call){i % NAMES, random_duration(44), i % 3 == 0});
    fmp_snapshot *s = fmp_snapshot_take();
    fmp_snapshot *made = fmp_snapshot_make(s->operations, s->operation_count, s->threads,
                                           s->thread_count, s->metrics, s->metric_count);
    assert_non_null(made);
    assert_int_equal(made->operation_count, s->operation_count);
    for (size_t i = 0; i < s->operation_count; i++) {
        assert_same_operation(&made->operations[i], &s->operations[i]);
        assert_ptr_not_equal(made->operations[i].category, s->operations[i].category);
        assert_ptr_not_equal(made->operations[i].histogram, s->operations[i].histogram);
    }
    assert_int_equal(made->self_ns, s->self_ns);
    assert_int_equal(made->scopes, s->scopes);
    assert_int_equal(made->thread_count, 1);
    assert_string_equal(made->threads[0].name, s->threads[0].name);
    assert_int_equal(made->threads[0].busy_ns, s->threads[0].busy_ns);
    assert_int_equal(made->metric_count, 2);
    assert_string_equal(made->metrics[0].unit, s->metrics[0].unit);
    fmp_snapshot_free(&s);
    /* The copies live on. */
    assert_int_equal(strncmp(made->operations[0].operation, "op ", 3), 0);
    fmp_snapshot_free(&made);
}

static void make_tidies_up(void **state)
{
    (void)state;
    const fmp_bucket wild[] = {{700, 1}, {5, 2}, {9999999, 50}, {5, 3}, {700, 0}, {6, UINT64_MAX}};
    const fmp_operation operations[] = {
        {.category = NULL, .operation = NULL, .count = 1, .self_ns = 5},
        {.category = "A", .operation = "never", .count = 0, .self_ns = 99},
        {.category = "B", .operation = "wild", .count = 6, .self_ns = UINT64_MAX, .max_ns = UINT64_MAX,
         .histogram = wild, .histogram_count = 6, .last_count = 1000},
    };
    fmp_thread threads[2] = {{.scopes = 0}, {.scopes = 1}};
    memset(threads[1].name, 'x', sizeof threads[1].name); /* no terminator */
    fmp_snapshot *s = fmp_snapshot_make(operations, 3, threads, 2, NULL, 0);
    assert_int_equal(s->operation_count, 2);
    assert_string_equal(s->operations[0].category, "B");
    assert_string_equal(s->operations[1].category, "");
    assert_int_equal(s->self_ns, UINT64_MAX);
    const fmp_operation *op = &s->operations[0];
    assert_int_equal(op->histogram_count, 3);
    assert_int_equal(op->histogram[0].index, 5);
    assert_int_equal(op->histogram[0].count, 5);
    assert_int_equal(op->histogram[2].index, 700);
    assert_int_equal(op->last_count, FMP_LAST);
    assert_int_equal(s->thread_count, 1);
    assert_int_equal(strlen(s->threads[0].name), 31);
    fmp_snapshot_free(&s);
}

static void cost_is_subtracted_once_and_never_below_zero(void **state)
{
    (void)state;
    const fmp_operation operations[] = {
        {.category = "C", .operation = "parent", .count = 10, .total_ns = 5000, .self_ns = 3000,
         .children = 20, .mean_ns = 500},
        {.category = "C", .operation = "leaf", .count = 20, .total_ns = 2000, .self_ns = 2000, .mean_ns = 100},
        {.category = "C", .operation = "tiny", .count = 1000, .total_ns = 3000, .self_ns = 3000, .mean_ns = 3},
        {.category = "C", .operation = "recorded", .count = 1000, .recorded = 1000, .total_ns = 4000,
         .self_ns = 4000, .mean_ns = 4},
    };
    fmp_snapshot *s = fmp_snapshot_make(operations, 4, NULL, 0, NULL, 0);
    s->cost = (fmp_cost){10, 25};
    for (int i = 0; i < 2; i++) {
        fmp_snapshot_subtract_cost(s);
        assert_true(s->cost_subtracted);
        const fmp_operation *parent = find_operation(s, "C", "parent");
        assert_int_equal(parent->self_ns, 3000 - 10 * 10 - 20 * 25);
        assert_int_equal(parent->total_ns, 5000 - 10 * 10 - 20 * 25);
        assert_near(parent->mean_ns, 440, 1e-9);
        assert_int_equal(find_operation(s, "C", "leaf")->self_ns, 1800);
        assert_int_equal(find_operation(s, "C", "tiny")->self_ns, 0);
        assert_true(find_operation(s, "C", "tiny")->mean_ns == 0);
        assert_int_equal(find_operation(s, "C", "recorded")->self_ns, 4000);
        assert_int_equal(s->self_ns, 2400 + 1800 + 0 + 4000);
    }
    fmp_snapshot_free(&s);
    fmp_snapshot_subtract_cost(NULL);
}

/* A random tree of scopes, each of which costs what the profiler does. */
static void run_tree(uint64_t *seed, int level, uint64_t inside, uint64_t outside)
{
    enum { LEVELS = 6 };
    static const char *const name[LEVELS] = {"a", "b", "c", "d", "e", "f"};
    *seed = *seed * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
    uint64_t children = level + 1 < LEVELS ? *seed >> 61 : 0, work = *seed >> 50 & 1023;
    fake_now += outside / 2;
    {
        fmp_scope scope;
        fmp_scope_begin(&scope, fmp_site_get("TREE", name[level]));
        fake_now += inside + work;
        for (uint64_t i = 0; i < children; i++)
            run_tree(seed, level + 1, inside, outside);
        fmp_scope_end(&scope);
    }
    fake_now += outside - outside / 2;
}

/* What is left is exactly what a profiler without a cost would have measured, at any depth. */
static void subtracting_the_cost_gives_the_figures_without_it(void **state)
{
    (void)state;
    const fmp_cost cost = {17, 31};
    for (uint64_t round = 1; round <= 20; round++) {
        fmp_snapshot *s[2];
        for (int costly = 0; costly < 2; costly++) {
            fmp_reset();
            uint64_t seed = round;
            for (int i = 0; i < 3; i++)
                run_tree(&seed, 0, costly ? (uint64_t)cost.inside_ns : 0,
                         costly ? (uint64_t)cost.outside_ns : 0);
            s[costly] = fmp_snapshot_take();
            s[costly]->cost = cost;
        }
        fmp_snapshot_subtract_cost(s[1]);
        assert_int_equal(s[0]->self_ns, s[1]->self_ns);
        for (size_t i = 0; i < s[0]->operation_count; i++) {
            const fmp_operation *a = &s[0]->operations[i];
            const fmp_operation *b = find_operation(s[1], a->category, a->operation);
            assert_int_equal(a->self_ns, b->self_ns);
            assert_int_equal(a->total_ns, b->total_ns);
            assert_near(a->mean_ns, b->mean_ns, 1e-6 * a->mean_ns + 1e-6);
        }
        fmp_snapshot_free(&s[0]);
        fmp_snapshot_free(&s[1]);
    }
}

#define FAKE(test) cmocka_unit_test_setup(test, use_fake_clock)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_rise_and_hold_their_values),
        FAKE(merged_parts_are_the_whole),
        FAKE(merging_nothing_and_one),
        FAKE(measures_merge_where_all_have_them),
        FAKE(make_gives_back_what_take_gave),
        FAKE(make_tidies_up),
        FAKE(subtracting_the_cost_gives_the_figures_without_it),
        FAKE(cost_is_subtracted_once_and_never_below_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
