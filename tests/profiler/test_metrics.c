/* Counters, gauges, measures, marks in signals' way, memory that does not grow. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_clock.h"
#include "profiler/measure.h"
#include "profiler/registry.h"

static const fmp_metric_value *find_metric(const fmp_snapshot *snapshot, const char *name)
{
    for (size_t i = 0; i < snapshot->metric_count; i++)
        if (strcmp(snapshot->metrics[i].name, name) == 0)
            return &snapshot->metrics[i];
    return NULL;
}

enum { THREADS = 100, ADDS = 1000 };

static void *count(void *opaque)
{
    for (int i = 0; i < ADDS; i++)
        fmp_counter_add(fmp_counter_get("METRICS", "over threads", "frames"), *(int *)opaque);
    return NULL;
}

/* More threads than keep a recorder of their own, with counters alone. */
static void counters_add_up_over_threads(void **state)
{
    (void)state;
    int64_t sum = 0;
    for (int i = 0; i < THREADS; i += 4) {
        pthread_t thread[4];
        int amount[4];
        for (int k = 0; k < 4; k++) {
            amount[k] = i + k - 3;
            sum += (int64_t)amount[k] * ADDS;
            assert_int_equal(pthread_create(&thread[k], NULL, count, &amount[k]), 0);
        }
        for (int k = 0; k < 4; k++)
            pthread_join(thread[k], NULL);
    }
    fmp_snapshot *s = fmp_snapshot_take();
    const fmp_metric_value *counter = find_metric(s, "over threads");
    assert_non_null(counter);
    assert_false(counter->gauge);
    assert_string_equal(counter->unit, "frames");
    assert_int_equal(counter->count, THREADS * ADDS);
    assert_int_equal(counter->sum, sum);
    assert_int_equal(s->thread_count, 0); /* no scopes anywhere */
    fmp_snapshot_free(&s);
    fmp_reset();
    s = fmp_snapshot_take();
    assert_int_equal(s->metric_count, 0);
    fmp_snapshot_free(&s);
}

static void *set_gauge(void *opaque)
{
    fake_now += 10;
    fmp_gauge_set(opaque, -50);
    return NULL;
}

static void gauges_tell_last_min_max_mean(void **state)
{
    (void)state;
    use_fake_clock(state);
    const fmp_metric *gauge = fmp_gauge_get("METRICS", "depth", "frames");
    assert_ptr_equal(fmp_gauge_get("METRICS", "depth", "frames"), gauge);
    fmp_gauge_set(gauge, 7);
    fake_now += 1;
    fmp_gauge_set(gauge, 100);
    fake_now += 1;
    fmp_gauge_set(gauge, 3);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, set_gauge, (void *)(uintptr_t)gauge), 0);
    pthread_join(thread, NULL);
    fmp_counter_add(gauge, 1000); /* of the wrong kind: nothing */
    fmp_gauge_set(fmp_counter_get("METRICS", "depth", "frames"), 1000);
    fmp_enable(false);
    fmp_gauge_set(gauge, 1000);
    fmp_enable(true);
    fmp_snapshot *s = fmp_snapshot_take();
    assert_int_equal(s->metric_count, 1);
    const fmp_metric_value *value = &s->metrics[0];
    assert_true(value->gauge);
    assert_int_equal(value->count, 4);
    assert_int_equal(value->last, -50); /* the latest, on whatever thread */
    assert_int_equal(value->min, -50);
    assert_int_equal(value->max, 100);
    assert_near(value->mean, 15, 1e-12);
    fmp_snapshot_free(&s);
}

static void metrics_come_in_order_of_registration(void **state)
{
    (void)state;
    const fmp_metric *b = fmp_counter_get("ORDER", "b", NULL);
    const fmp_metric *a = fmp_gauge_get("ORDER", "a", "ms");
    fmp_gauge_set(a, 1);
    fmp_counter_add(b, INT64_MAX);
    fmp_counter_add(b, 1); /* wraps around, as hardware counters do */
    fmp_snapshot *s = fmp_snapshot_take();
    assert_int_equal(s->metric_count, 2);
    assert_string_equal(s->metrics[0].name, "b");
    assert_string_equal(s->metrics[0].unit, "");
    assert_int_equal(s->metrics[0].sum, INT64_MIN);
    assert_string_equal(s->metrics[1].name, "a");
    fmp_snapshot_free(&s);
}

/* Some milliseconds of work on the processor. */
static void burn(uint64_t ns)
{
    uint64_t start = fmp_thread_cpu_ns();
    while (fmp_thread_cpu_ns() - start < ns) {
    }
}

static void waiting_shows_as_waiting(void **state)
{
    (void)state;
    {
        FMP_SCOPE_MEASURING("CPU", "sleep", FMP_MEASURE_CPU);
        nanosleep(&(struct timespec){0, 50000000}, NULL);
    }
    {
        FMP_SCOPE_MEASURING("CPU", "burn", FMP_MEASURE_CPU);
        burn(20000000);
    }
    {
        FMP_SCOPE("CPU", "plain");
    }
    fmp_snapshot *s = fmp_snapshot_take();
    const fmp_operation *sleep = find_operation(s, "CPU", "sleep");
    const fmp_operation *burnt = find_operation(s, "CPU", "burn");
    assert_int_equal(sleep->measures, FMP_MEASURE_CPU);
    assert_true(sleep->total_ns >= 50000000);
    assert_true(sleep->cpu_ns < sleep->total_ns / 10);
    assert_true(burnt->cpu_ns >= 20000000 && burnt->cpu_ns < 30000000);
    assert_true(burnt->total_ns + 1000000 >= burnt->cpu_ns);
    assert_int_equal(find_operation(s, "CPU", "plain")->measures, 0);
    assert_true(s->threads[0].cpu_ns >= 20000000);
    assert_true(s->threads[0].cpu_ns < s->threads[0].busy_ns);
    fmp_snapshot_free(&s);
}

static void recurse_burning(int levels)
{
    FMP_SCOPE_MEASURING("CPU", "recursive", FMP_MEASURE_CPU);
    burn(3000000);
    if (levels > 1)
        recurse_burning(levels - 1);
}

static void cpu_time_of_recursion_counts_once(void **state)
{
    (void)state;
    recurse_burning(4);
    fmp_snapshot *s = fmp_snapshot_take();
    const fmp_operation *op = find_operation(s, "CPU", "recursive");
    assert_int_equal(op->count, 4);
    assert_true(op->cpu_ns >= 12000000 && op->cpu_ns < 20000000);
    fmp_snapshot_free(&s);
}

/* A context's site measures what the site itself does. */
static void measures_follow_into_contexts(void **state)
{
    (void)state;
    fmp_context_set(fmp_context_get("in "));
    {
        FMP_SCOPE_MEASURING("CPU", "context", FMP_MEASURE_CPU);
    }
    fmp_context_set(NULL);
    fmp_snapshot *s = fmp_snapshot_take();
    assert_int_equal(find_operation(s, "CPU", "in context")->measures, FMP_MEASURE_CPU);
    fmp_snapshot_free(&s);
}

static void allocations_show_as_memory(void **state)
{
    (void)state;
    enum { SIZE = 64 * 1024 * 1024 };
    if (fmp_resident_bytes() == 0)
        skip();
    unsigned char *memory;
    {
        FMP_SCOPE_MEASURING("MEMORY", "take", FMP_MEASURE_MEMORY);
        memory = malloc(SIZE);
        assert_non_null(memory);
        for (size_t i = 0; i < SIZE; i += 4096)
            memory[i] = (unsigned char)i;
    }
    {
        FMP_SCOPE_MEASURING("MEMORY", "give", FMP_MEASURE_MEMORY);
        free(memory);
    }
    fmp_snapshot *s = fmp_snapshot_take();
    const fmp_operation *take = find_operation(s, "MEMORY", "take");
    const fmp_operation *give = find_operation(s, "MEMORY", "give");
    assert_int_equal(take->measures, FMP_MEASURE_MEMORY);
    assert_true(take->rss_change >= SIZE - SIZE / 16);
    assert_int_equal(take->rss_peak_change, take->rss_change);
    if (fmp_live_bytes() > 0) { /* the sanitizers' allocators tell nothing, and use memory beside */
        assert_true(take->rss_change < SIZE + SIZE / 16);
        assert_true(give->rss_change <= -(SIZE - SIZE / 16));
        assert_true(take->live_change >= SIZE && take->live_change < SIZE + SIZE / 16);
        assert_true(give->live_change <= -SIZE);
    }
    fmp_snapshot_free(&s);
}

/* A measure that is asked for while a scope is open must not meet a beginning that was not measured. */
static void measures_asked_for_later_start_with_the_next_call(void **state)
{
    (void)state;
    const fmp_site *site = fmp_site_get("CPU", "later");
    fmp_scope scope;
    memset(&scope, 0xff, sizeof scope);
    fmp_scope_begin(&scope, site);
    assert_ptr_equal(fmp_site_get_measuring("CPU", "later", FMP_MEASURE_CPU), site);
    fmp_scope_end(&scope);
    fmp_snapshot *s = fmp_snapshot_take();
    assert_int_equal(find_operation(s, "CPU", "later")->measures, 0);
    fmp_snapshot_free(&s);
    fmp_scope_begin(&scope, site);
    fmp_scope_end(&scope);
    s = fmp_snapshot_take();
    assert_int_equal(find_operation(s, "CPU", "later")->measures, FMP_MEASURE_CPU);
    assert_true(find_operation(s, "CPU", "later")->cpu_ns < 10000000);
    fmp_snapshot_free(&s);
}

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
    (void)number;
    volatile double work = 1; /* touches registers of all kinds */
    for (int i = 0; i < 50; i++)
        work = work * 1.0001 + 1;
    signals++;
}

/* Handlers that take no scope may interrupt one anywhere. */
static void signals_in_the_middle_do_no_harm(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, before;
    sigemptyset(&action.sa_mask);
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    const struct itimerval every = {{0, 100}, {0, 100}}, never = {{0, 0}, {0, 0}};
    assert_int_equal(setitimer(ITIMER_REAL, &every, NULL), 0);
    uint64_t rounds = 0;
    for (signals = 0; signals < 500; rounds++) {
        FMP_SCOPE("SIGNALS", "outer");
        FMP_SCOPE("SIGNALS", "inner");
    }
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    sigaction(SIGALRM, &before, NULL);
    fmp_snapshot *s = fmp_snapshot_take();
    const fmp_operation *outer = find_operation(s, "SIGNALS", "outer");
    const fmp_operation *inner = find_operation(s, "SIGNALS", "inner");
    assert_int_equal(outer->count, rounds);
    assert_int_equal(outer->children, rounds);
    assert_int_equal(inner->count, rounds);
    assert_true(outer->total_ns + rounds >= outer->self_ns + inner->total_ns);
    uint64_t in_histogram = 0;
    for (size_t i = 0; i < inner->histogram_count; i++)
        in_histogram += inner->histogram[i].count;
    assert_int_equal(in_histogram, rounds);
    fmp_snapshot_free(&s);
}

static void calls(uint64_t count, const fmp_site *site)
{
    for (uint64_t i = 0; i < count; i++) {
        FMP_SCOPE_SITE(site);
    }
}

/* What a billion calls would need is what ten thousand need: all storage is made by the first ones. */
static void memory_does_not_grow_with_calls(void **state)
{
    (void)state;
    enum { FEW = 10000, MANY = 20000000 };
    const fmp_site *site = fmp_site_get("GROWTH", "x");
    calls(FEW, site);
    /* Durations that only a busy machine shows may take an octave (512 bytes) each. */
    for (int octave = 0; octave < 48; octave++)
        fmp_record(site, (uint64_t)1 << octave);
    calls(1, site); /* a call enters the histogram when the next one ends */
    const fmp_arena before = fmp_this_recorder->arena;
    int64_t resident = fmp_resident_bytes();
    calls(MANY, site);
    assert_ptr_equal(fmp_this_recorder->arena.free, before.free);
    assert_true(fmp_resident_bytes() - resident < 256 * 1024);
    fmp_snapshot *s = fmp_snapshot_take();
    assert_int_equal(s->operations[0].count, FEW + MANY + 49);
    fmp_snapshot_free(&s);
}

#define REAL(test) cmocka_unit_test_setup_teardown(test, use_real_clock, use_real_clock)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL(counters_add_up_over_threads),
        REAL(gauges_tell_last_min_max_mean),
        REAL(metrics_come_in_order_of_registration),
        REAL(waiting_shows_as_waiting),
        REAL(cpu_time_of_recursion_counts_once),
        REAL(measures_follow_into_contexts),
        REAL(allocations_show_as_memory),
        REAL(measures_asked_for_later_start_with_the_next_call),
        REAL(signals_in_the_middle_do_no_harm),
        REAL(memory_does_not_grow_with_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
