/*
 * What the event stream costs: an event put into a ring that is in memory, one
 * whose page is touched for the first time, a scope without and with a trace,
 * alone and on all cores, and the attaching of a thread. The variants take
 * turns and the best of the rounds counts, so that other programs disturb
 * little.
 *
 *     trace_cost [FOLDER]    writes its trace there (default: TMPDIR or /tmp)
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fmprof/fmprof.h"
#include "fmprof/trace.h"
#include "profiler/clock.h"
#include "profiler/trace_record.h"

enum { BATCH = 65536, ROUNDS = 40, THREADS_MAX = 256 };

static char path[512];
static volatile uint64_t sink;

static double per_event(uint64_t begin, uint64_t end)
{
    return (double)(end - begin) / BATCH;
}

static double keep_least(double least, double value)
{
    return least == 0 || value < least ? value : least;
}

static double time_clock_reads(void)
{
    uint64_t begin = fmp_clock_monotonic_ns(), sum = 0;
    for (int i = 0; i < BATCH; i++)
        sum += fmp_clock_ticks() + fmp_clock_ticks();
    uint64_t end = fmp_clock_monotonic_ns();
    sink = sum;
    return per_event(begin, end);
}

static double time_scopes(void)
{
    const fmp_site *site = fmp_site_get("BENCH", "scope");
    uint64_t begin = fmp_clock_monotonic_ns();
    for (int i = 0; i < BATCH; i++) {
        FMP_SCOPE_SITE(site);
    }
    return per_event(begin, fmp_clock_monotonic_ns());
}

static double time_puts(void)
{
    struct fmp_trace_ring *ring = fmp_trace_attach(
        atomic_load_explicit(&fmp_trace_generation, memory_order_relaxed), "bench");
    uint64_t begin = fmp_clock_monotonic_ns();
    for (uint64_t i = 0; i < BATCH; i++)
        fmp_trace_put(ring, begin + i, i, 1, FMP_EVENT_SCOPE);
    return per_event(begin, fmp_clock_monotonic_ns());
}

/* In a thread of its own, since one that had a ring before gives that back first. */
static void *time_attaching(void *opaque)
{
    double *microseconds = opaque;
    uint32_t generation = atomic_load_explicit(&fmp_trace_generation, memory_order_relaxed);
    uint64_t begin = fmp_clock_monotonic_ns();
    if (fmp_trace_attach(generation, "bench"))
        *microseconds = (double)(fmp_clock_monotonic_ns() - begin) / 1000;
    fmp_trace_detach();
    return NULL;
}

static void start_trace(fmp_trace_full full)
{
    const fmp_trace_options options = {.events_per_thread = BATCH, .threads_max = THREADS_MAX,
                                       .full = full};
    int error = fmp_trace_start(path, &options);
    if (error) {
        fprintf(stderr, "Cannot write %s: %s. Name another folder.\n", path, strerror(error));
        exit(1);
    }
}

typedef struct costs {
    double clock, off, first, warm, full, put, attach_us;
} costs;

static void *measure(void *opaque)
{
    costs *least = opaque;
    for (int round = 0; round < ROUNDS; round++) {
        least->clock = keep_least(least->clock, time_clock_reads());
        least->warm = keep_least(least->warm, time_scopes());
    }
    return NULL;
}

static costs measure_alone(void)
{
    costs least = {0};
    time_scopes();
    for (int round = 0; round < ROUNDS; round++) {
        least.clock = keep_least(least.clock, time_clock_reads());
        least.off = keep_least(least.off, time_scopes());
        start_trace(FMP_TRACE_DROP_OLDEST);
        double attach_us = 0;
        pthread_t thread;
        if (pthread_create(&thread, NULL, time_attaching, &attach_us) == 0)
            pthread_join(thread, NULL);
        least.attach_us = keep_least(least.attach_us, attach_us);
        (void)fmp_trace_attach(
            atomic_load_explicit(&fmp_trace_generation, memory_order_relaxed), "bench");
        least.first = keep_least(least.first, time_scopes());
        least.warm = keep_least(least.warm, time_scopes());
        least.put = keep_least(least.put, time_puts());
        fmp_trace_stop();
        start_trace(FMP_TRACE_DROP_NEWEST);
        time_scopes();
        least.full = keep_least(least.full, time_scopes());
        fmp_trace_stop();
    }
    return least;
}

/* The slowest thread's best round. */
static double measure_on_all_cores(int threads)
{
    pthread_t thread[THREADS_MAX];
    static costs least[THREADS_MAX];
    start_trace(FMP_TRACE_DROP_OLDEST);
    int running = 0;
    while (running < threads &&
           pthread_create(&thread[running], NULL, measure, &least[running]) == 0)
        running++;
    double slowest = 0;
    for (int i = 0; i < running; i++) {
        pthread_join(thread[i], NULL);
        if (least[i].warm > slowest)
            slowest = least[i].warm;
    }
    fmp_trace_stop();
    return slowest;
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/trace_cost.%ld", folder ? folder : "/tmp", (long)getpid());
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int threads = cores < 1 ? 1 : cores > THREADS_MAX ? THREADS_MAX : (int)cores;
    costs alone = measure_alone();
    double crowd = measure_on_all_cores(threads);
    unlink(path);

    fmp_clock_info clock;
    fmp_clock_describe(&clock);
    printf("clock %s, %d events a ring, %d rounds, best of each\n", clock.name, BATCH, ROUNDS);
    printf("%-52s %9.2f ns\n", "two clock reads", alone.clock);
    printf("%-52s %9.2f ns\n", "a scope, no trace", alone.off);
    printf("%-52s %9.2f ns\n", "a scope, traced", alone.warm);
    printf("%-52s %9.2f ns\n", "a scope, traced, first time through the ring", alone.first);
    printf("%-52s %9.2f ns\n", "a scope, traced, ring full and dropping the newest", alone.full);
    printf("%-46s %2d    %9.2f ns\n", "a scope, traced, on every core; cores:", threads, crowd);
    printf("%-52s %9.2f ns\n", "storing an event alone", alone.put);
    printf("%-52s %9.2f us\n", "attaching a thread", alone.attach_us);
    return 0;
}
