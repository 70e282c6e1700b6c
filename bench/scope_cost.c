/*
 * What the profiler costs: nanoseconds of a clock reading, of a scope on one
 * thread and on several at once, of a nested scope, of a scope while the
 * profiler is off. Median and lower quartile of many batches, and the quartile
 * as a multiple of one clock reading, which no profiler can do without.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fmprof/fmprof.h"
#include "profiler/clock.h"

/* A batch is far shorter than a time slice, so that a busy machine spoils few of them and the median none. */
enum { BATCHES = 401, BATCH = 4000, THREADS_MAX = 64 };

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

static void *scope_thread(void *out)
{
    *(cost_range *)out = measure(macro_batch);
    return NULL;
}

/* Mean over the threads. */
static cost_range threads_cost(int count)
{
    pthread_t thread[THREADS_MAX];
    cost_range cost[THREADS_MAX] = {{0, 0}}, sum = {0, 0};
    int started = 0;
    for (; started < count; started++)
        if (pthread_create(&thread[started], NULL, scope_thread, &cost[started]) != 0)
            break;
    for (int i = 0; i < started; i++) {
        pthread_join(thread[i], NULL);
        sum.median += cost[i].median / started;
        sum.quartile += cost[i].quartile / started;
    }
    return sum;
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

static void row(const char *what, cost_range cost, cost_range clock)
{
    printf("%-40s %8.2f %9.2f %8.2f\n", what, cost.median, cost.quartile,
           clock.quartile > 0 ? cost.quartile / clock.quartile : 0);
}

int main(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int threads = cores < 2 ? 2 : cores > THREADS_MAX ? THREADS_MAX : (int)cores;
    uint64_t cold = fmp_clock_monotonic_ns();
    fmp_now(); /* starts and calibrates the clock */
    double start_ms = (double)(fmp_clock_monotonic_ns() - cold) / 1e6;

    fmp_clock_info clock_info;
    fmp_clock_describe(&clock_info);
    printf("clock: %s, start-up %.2f ms, %d batches of %d\n\n", clock_info.name,
           start_ms, BATCHES, BATCH);
    printf("%-40s %8s %9s %8s\n", "ns", "median", "quartile", "x clock");
    cost_range clock = measure(clock_batch);
    row("clock reading", clock, clock);
    row("clock_gettime(CLOCK_MONOTONIC)", measure(system_clock_batch), clock);
    row("scope, site at hand, 1 thread", measure(scope_batch), clock);
    row("scope, macro, 1 thread", measure(macro_batch), clock);
    row("scope, nested in another, 1 thread", measure(nested_batch), clock);
    char name[64];
    snprintf(name, sizeof name, "scope, macro, %d threads at once", threads);
    row(name, threads_cost(threads), clock);
    fmp_enable(false);
    row("scope, macro, switched off", measure(macro_batch), clock);
    fmp_enable(true);
    fmp_cost own = fmp_scope_cost();
    printf("\nscope cost as the library reports it: %.2f ns inside, %.2f ns outside\n",
           own.inside_ns, own.outside_ns);
    printf("snapshot of %d threads: %.1f us\n", threads + 1, snapshot_microseconds());
    return 0;
}
