/*
 * What the clock of measured scopes (src/profiler/thread_clock.h) does to what
 * is measured, by each of its ways, as a table: on a loaded machine the self
 * time of a scope that does nothing but call others that measure CPU time, for
 * each of its calls; and how long a thread takes to hand over to another.
 *
 *     cpu_clock [ROUNDS [BUSY_THREADS]]
 *
 * The ways take turns. Exact figures need a machine that does nothing else.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fmprof/fmprof.h"
#include "profiler/thread_clock.h"
#include "timing.h"

enum { ROUNDS = 11, ROUNDS_MAX = 101, CALLS = 40, INNER = 100, WORK = 20000, SWITCHES = 5000, BUSY_MAX = 256 };

static const struct {
    const char *name;
    unsigned way;
} ways[] = {{"system calls", 0}, {"perf's page", FMP_THREAD_CLOCK_PERF}, {"rseq", FMP_THREAD_CLOCK_RSEQ}};
enum { WAYS = sizeof ways / sizeof ways[0] };

static volatile unsigned sink;
static atomic_bool stop;

static void compute(void)
{
    unsigned value = 1;
    for (int i = 0; i < WORK; i++)
        value = value * 1664525u + 1013904223u;
    sink = value;
}

static void *be_busy(void *unused)
{
    while (!atomic_load(&stop))
        compute();
    return unused;
}

static void *nest(void *way)
{
    for (int i = 0; i < CALLS; i++) {
        FMP_SCOPE_MEASURING("BENCH", "outer", FMP_MEASURE_CPU);
        for (int k = 0; k < INNER; k++) {
            FMP_SCOPE_MEASURING("BENCH", "inner", FMP_MEASURE_CPU);
            compute();
        }
    }
    *(unsigned *)way = fmp_thread_clock_way();
    return NULL;
}

static void in_thread(void *(*function)(void *), void *opaque)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, function, opaque) != 0)
        abort();
    pthread_join(thread, NULL);
}

/* Milliseconds of the outer scope's own for each of its calls; negative: the way is not to be had. */
static double outer_self_ms(unsigned way)
{
    unsigned taken = way;
    fmp_reset();
    in_thread(nest, &taken);
    double self = -1;
    fmp_snapshot *s = fmp_snapshot_take();
    for (size_t i = 0; s && taken == way && i < s->operation_count; i++)
        if (strcmp(s->operations[i].operation, "outer") == 0)
            self = (double)s->operations[i].self_ns / 1e6 / CALLS;
    fmp_snapshot_free(&s);
    return self;
}

typedef struct pipes {
    int there[2], back[2];
} pipes;

static void *answer(void *opaque)
{
    const pipes *p = opaque;
    char byte;
    fmp_thread_clock_read();
    while (read(p->there[0], &byte, 1) == 1 && write(p->back[1], &byte, 1) == 1)
        ;
    fmp_thread_clock_end();
    return NULL;
}

static void *ask(void *opaque)
{
    double *us = opaque;
    pipes p;
    pthread_t other;
    if (pipe(p.there) != 0 || pipe(p.back) != 0 || pthread_create(&other, NULL, answer, &p) != 0)
        abort();
    fmp_thread_clock_read();
    char byte = 0;
    const double begin = clock_ms(CLOCK_MONOTONIC);
    for (int i = 0; i < SWITCHES; i++)
        if (write(p.there[1], &byte, 1) != 1 || read(p.back[0], &byte, 1) != 1)
            abort();
    *us = (clock_ms(CLOCK_MONOTONIC) - begin) * 1e3 / (2 * SWITCHES);
    close(p.there[1]);
    pthread_join(other, NULL);
    fmp_thread_clock_end();
    close(p.there[0]);
    close(p.back[0]);
    close(p.back[1]);
    return NULL;
}

static double self[WAYS][ROUNDS_MAX], handover[WAYS][ROUNDS_MAX];

static void load(int busy, int rounds)
{
    pthread_t thread[BUSY_MAX];
    for (int i = 0; i < busy; i++)
        if (pthread_create(&thread[i], NULL, be_busy, NULL) != 0)
            abort();
    for (int round = 0; round < rounds; round++)
        for (int way = 0; way < WAYS; way++) {
            fmp_thread_clock_permit_for_tests(ways[way].way);
            self[way][round] = outer_self_ms(ways[way].way);
        }
    atomic_store(&stop, true);
    for (int i = 0; i < busy; i++)
        pthread_join(thread[i], NULL);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS;
    int busy = argc > 2 ? atoi(argv[2]) : 2 * (int)sysconf(_SC_NPROCESSORS_ONLN);
    rounds = rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
    busy = busy < 0 ? 0 : busy > BUSY_MAX ? BUSY_MAX : busy;
    load(busy, rounds);
    for (int round = 0; round < rounds; round++)
        for (int way = 0; way < WAYS; way++) {
            fmp_thread_clock_permit_for_tests(ways[way].way);
            in_thread(ask, &handover[way][round]);
        }
    printf("%d busy threads beside; an outer scope around %d measured ones of some 10 us; medians of %d rounds\n\n",
           busy, INNER, rounds);
    printf("%-16s %20s %20s\n", "clock by", "outer, self, ms", "handover, us");
    for (int way = 0; way < WAYS; way++) {
        const double ms = median_of(self[way], rounds);
        if (ms < 0)
            printf("%-16s %20s %20s\n", ways[way].name, "not to be had", "");
        else
            printf("%-16s %20.3f %20.2f\n", ways[way].name, ms, median_of(handover[way], rounds));
    }
    return 0;
}
