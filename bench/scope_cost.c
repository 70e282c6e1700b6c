/*
 * What the profiler costs, as a table: nanoseconds of a clock reading, of a
 * scope on one thread and on all cores at once, of everything else that can be
 * recorded; then the figures that have a limit, beside it. Exit status 1 when
 * one is beyond.
 *
 * Median and lower quartile of many batches: whatever interrupts a batch only
 * ever makes it longer. Limits are held against the quartile.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fmprof/fmprof.h"
#include "fmprof/trace.h"
#include "profiler/clock.h"
#include "profiler/measure.h"
#include "profiler/thread_clock.h"
#include "profiler/trace_format.h"

/* A batch is far shorter than a time slice, so that a busy machine spoils few of them and the median none. */
enum { BATCHES = 401, BATCH = 4000, SLOW_BATCH = 40, THREADS_MAX = 64, ROUNDS = 5 };

typedef double batch_function(void);

static volatile uint64_t sink;

static double per_call(uint64_t start)
{
    return (double)(fmp_clock_monotonic_ns() - start) / BATCH;
}

static double clock_batch(void)
{
    uint64_t start = fmp_clock_monotonic_ns(), sum = 0;
    for (int i = 0; i < BATCH; i++)
        sum += fmp_clock_ticks();
    sink = sum;
    return per_call(start);
}

static double system_clock_batch(void)
{
    uint64_t start = fmp_clock_monotonic_ns(), sum = 0;
    for (int i = 0; i < BATCH; i++)
        sum += fmp_clock_monotonic_ns();
    sink = sum;
    return per_call(start);
}

static double scope_batch(void)
{
    const fmp_site *site = fmp_site_get("BENCH", "scope");
    uint64_t start = fmp_clock_monotonic_ns();
    for (int i = 0; i < BATCH; i++) {
        FMP_SCOPE_SITE(site);
    }
    return per_call(start);
}

static double macro_batch(void)
{
    uint64_t start = fmp_clock_monotonic_ns();
    for (int i = 0; i < BATCH; i++) {
        FMP_SCOPE("BENCH", "macro");
    }
    return per_call(start);
}

static double nested_batch(void)
{
    uint64_t start = fmp_clock_monotonic_ns();
    for (int i = 0; i < BATCH; i += 2) {
        FMP_SCOPE("BENCH", "outer");
        {
            FMP_SCOPE("BENCH", "inner");
        }
    }
    return per_call(start);
}

/* Many sites in turn: their figures do not stay in the first cache. */
static double many_sites_batch(void)
{
    enum { SITES = 200 };
    static const fmp_site *site[SITES];
    for (int i = 0; i < SITES && !site[i]; i++) {
        char name[32];
        snprintf(name, sizeof name, "site %d", i);
        site[i] = fmp_site_get("BENCH", name);
    }
    uint64_t start = fmp_clock_monotonic_ns();
    for (int i = 0; i < BATCH; i++) {
        FMP_SCOPE_SITE(site[i % SITES]);
    }
    return per_call(start);
}

static double context_batch(void)
{
    const fmp_context *before = fmp_context_set(fmp_context_get("in "));
    double cost = macro_batch();
    fmp_context_set(before);
    return cost;
}

static double record_batch(void)
{
    const fmp_site *site = fmp_site_get("BENCH", "record");
    uint64_t start = fmp_clock_monotonic_ns();
    for (int i = 0; i < BATCH; i++)
        fmp_record(site, 1000);
    return per_call(start);
}

static double counter_batch(void)
{
    const fmp_metric *counter = fmp_counter_get("BENCH", "counter", "");
    uint64_t start = fmp_clock_monotonic_ns();
    for (int i = 0; i < BATCH; i++)
        fmp_counter_add(counter, 1);
    return per_call(start);
}

static double gauge_batch(void)
{
    const fmp_metric *gauge = fmp_gauge_get("BENCH", "gauge", "");
    uint64_t start = fmp_clock_monotonic_ns();
    for (int i = 0; i < BATCH; i++)
        fmp_gauge_set(gauge, i);
    return per_call(start);
}

static double cpu_batch(void)
{
    fmp_thread_clock_read(); /* what a thread does once */
    uint64_t start = fmp_clock_monotonic_ns();
    for (int i = 0; i < SLOW_BATCH; i++) {
        FMP_SCOPE_MEASURING("BENCH", "cpu", FMP_MEASURE_CPU);
    }
    return per_call(start) * BATCH / SLOW_BATCH;
}

static double clock_way_batch(unsigned way)
{
    fmp_thread_clock_permit_for_tests(way);
    const double cost = cpu_batch();
    fmp_thread_clock_permit_for_tests(FMP_THREAD_CLOCK_ALL);
    return cost;
}

static double cpu_by_perf_batch(void)
{
    return clock_way_batch(FMP_THREAD_CLOCK_PERF);
}

static double cpu_by_call_batch(void)
{
    return clock_way_batch(0);
}

static double memory_batch(void)
{
    uint64_t start = fmp_clock_monotonic_ns();
    for (int i = 0; i < SLOW_BATCH; i++) {
        FMP_SCOPE_MEASURING("BENCH", "memory", FMP_MEASURE_MEMORY);
    }
    return per_call(start) * BATCH / SLOW_BATCH;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct cost_range {
    double median, quartile; /* the lower one: what is left when the machine is busy elsewhere */
} cost_range;

static cost_range measure(batch_function *batch)
{
    double cost[BATCHES];
    batch(); /* warm-up: sites, recorders, caches, branch predictor */
    for (int i = 0; i < BATCHES; i++)
        cost[i] = batch();
    qsort(cost, BATCHES, sizeof cost[0], compare);
    return (cost_range){cost[BATCHES / 2], cost[BATCHES / 4]};
}

typedef struct worker {
    batch_function *batch;
    cost_range cost;
    pthread_barrier_t *begin;
} worker;

static void *work(void *opaque)
{
    worker *w = opaque;
    pthread_barrier_wait(w->begin);
    w->cost = measure(w->batch);
    return NULL;
}

/* Mean over so many threads that work at once. */
static cost_range threads_cost(batch_function *batch, int count)
{
    pthread_t thread[THREADS_MAX];
    worker w[THREADS_MAX];
    pthread_barrier_t begin;
    cost_range sum = {0, 0};
    if (pthread_barrier_init(&begin, NULL, (unsigned)count) != 0)
        abort();
    for (int i = 0; i < count; i++) {
        w[i] = (worker){batch, {0, 0}, &begin};
        if (pthread_create(&thread[i], NULL, work, &w[i]) != 0)
            abort();
    }
    for (int i = 0; i < count; i++) {
        pthread_join(thread[i], NULL);
        sum.median += w[i].cost.median / count;
        sum.quartile += w[i].cost.quartile / count;
    }
    pthread_barrier_destroy(&begin);
    return sum;
}

static cost_range better(cost_range a, cost_range b)
{
    return a.quartile == 0 || b.quartile < a.quartile ? b : a;
}

/* One thread and all cores in turns, each at its best: of the same minute of the same machine. */
typedef struct scaling {
    cost_range clock[2], scope[2]; /* [0] on one thread, [1] on all cores at once */
} scaling;

static scaling measure_scaling(int threads)
{
    scaling s = {{{0, 0}, {0, 0}}, {{0, 0}, {0, 0}}};
    for (int round = 0; round < ROUNDS; round++)
        for (int all = 0; all < 2; all++) {
            int count = all ? threads : 1;
            s.clock[all] = better(s.clock[all], threads_cost(clock_batch, count));
            s.scope[all] = better(s.scope[all], threads_cost(macro_batch, count));
        }
    return s;
}

static double snapshot_microseconds(void)
{
    double cost[BATCHES];
    for (int i = 0; i < BATCHES; i++) {
        uint64_t start = fmp_clock_monotonic_ns();
        fmp_snapshot *snapshot = fmp_snapshot_take();
        cost[i] = (double)(fmp_clock_monotonic_ns() - start) / 1000;
        fmp_snapshot_free(&snapshot);
    }
    qsort(cost, BATCHES, sizeof cost[0], compare);
    return cost[BATCHES / 2];
}

static void calls(const fmp_site *site, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        FMP_SCOPE_SITE(site);
    }
}

/* Bytes that the process grows by between 10^3 and `count` calls of one operation. */
static int64_t growth(uint64_t count)
{
    const fmp_site *site = fmp_site_get("BENCH", "growth");
    calls(site, 1000);
    /* A busy machine stretches a call into octaves that a quiet one never sees: 512 bytes each. */
    for (int octave = 0; octave < 36; octave++)
        fmp_record(site, (uint64_t)1 << octave);
    calls(site, 1);
    int64_t before = fmp_resident_bytes();
    calls(site, count - 1000);
    return fmp_resident_bytes() - before;
}

static void row(const char *what, cost_range cost, double clock)
{
    printf("%-42s %9.2f %9.2f %8.2f\n", what, cost.median, cost.quartile, cost.quartile / clock);
}

static bool all_held = true;

static void limit(const char *what, double value, double at_most, const char *unit)
{
    bool held = value <= at_most;
    all_held = all_held && held;
    printf("%-52s %9.2f %9.2f %-6s %s\n", what, value, at_most, unit, held ? "held" : "BEYOND");
}

static void trace_rows(double clock)
{
    char path[] = "scope_cost.XXXXXX";
    int file = mkstemp(path);
    if (file < 0)
        return;
    close(file);
    if (fmp_trace_start(path, NULL) == 0) {
        row("scope, macro, with a trace", measure(macro_batch), clock);
        fmp_trace_stop();
    }
    unlink(path);
}

int main(int argc, char **argv)
{
    /* The limit is of 10^9 calls; those take 20 s, so they are made on request. */
    uint64_t many = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000000u;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int threads = cores < 2 ? 2 : cores > THREADS_MAX ? THREADS_MAX : (int)cores;
    uint64_t cold = fmp_clock_monotonic_ns();
    fmp_now(); /* starts and calibrates the clock */
    double start_ms = (double)(fmp_clock_monotonic_ns() - cold) / 1e6;

    fmp_clock_info info;
    fmp_clock_describe(&info);
    printf("clock: %s%s%s, resolution %.2f ns, start-up %.2f ms; %d batches of %d\n\n", info.name,
           *info.reason ? ": " : "", info.reason, info.resolution_ns, start_ms, BATCHES, BATCH);
    printf("%-42s %9s %9s %8s\n", "ns", "median", "quartile", "x clock");
    scaling s = measure_scaling(threads);
    double clock = s.clock[0].quartile;
    char name[64];
    row("clock reading", s.clock[0], clock);
    snprintf(name, sizeof name, "clock reading, %d threads at once", threads);
    row(name, s.clock[1], clock);
    row("clock_gettime(CLOCK_MONOTONIC)", measure(system_clock_batch), clock);
    row("scope, macro, 1 thread", s.scope[0], clock);
    snprintf(name, sizeof name, "scope, macro, %d threads at once", threads);
    row(name, s.scope[1], clock);
    row("scope, site at hand", measure(scope_batch), clock);
    row("scope, nested in another", measure(nested_batch), clock);
    row("scope, 200 sites in turn", measure(many_sites_batch), clock);
    row("scope, in a context", measure(context_batch), clock);
    trace_rows(clock);
    row("scope with CPU time", measure(cpu_batch), clock);
    row("scope with CPU time, by perf's page", measure(cpu_by_perf_batch), clock);
    row("scope with CPU time, by system calls", measure(cpu_by_call_batch), clock);
    row("scope with memory", measure(memory_batch), clock);
    row("fmp_record", measure(record_batch), clock);
    row("fmp_counter_add", measure(counter_batch), clock);
    row("fmp_gauge_set", measure(gauge_batch), clock);
    fmp_enable(false);
    cost_range off = measure(macro_batch);
    row("scope, macro, switched off", off, clock);
    fmp_enable(true);

    fmp_cost own = fmp_scope_cost();
    printf("\nscope cost as the library reports it: %.2f ns inside, %.2f ns outside\n",
           own.inside_ns, own.outside_ns);
    printf("snapshot of %d recorders: %.1f us\n\n", 1 + 4 * ROUNDS * threads / 2,
           snapshot_microseconds());

    printf("%-52s %9s %9s\n", "limits", "measured", "at most");
    limit("scope, 1 thread, beyond 2 clock readings", s.scope[0].quartile - 2 * clock, 10, "ns");
    limit("scope, all cores at once, of that on 1 thread", s.scope[1].quartile / s.scope[0].quartile,
          1.10, "x");
    limit("scope, switched off", off.quartile, 1, "ns");
    snprintf(name, sizeof name, "memory of %" PRIu64 " calls beyond that of 1000", many);
    limit(name, (double)growth(many) / 1024, 64, "KiB"); /* the noise of the process */
    limit("an event", sizeof(fmp_trace_file_event), 24, "bytes");
    return all_held ? 0 : 1;
}
