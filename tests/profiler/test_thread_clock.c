/* The clock of measured scopes against CLOCK_THREAD_CPUTIME_ID, which it stands for, by each way that this kernel has. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/prctl.h>
#endif

#include <cmocka.h>

#include "fmprof/current.h"
#include "fmprof/fmprof.h"
#include "profiler/clock.h"
#include "profiler/measure.h"
#include "profiler/thread_clock.h"

enum { WORKERS = 6, INTERVAL_NS = 3000 };
static uint64_t work_ms = 1500; /* or the argument */

static uint64_t random_next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static void spin(uint64_t ns)
{
    const uint64_t start = fmp_clock_monotonic_ns();
    while (fmp_clock_monotonic_ns() - start < ns)
        ;
}

/* To a processor of its choice, where more than one is permitted. */
static void migrate(uint64_t number)
{
#if defined(__linux__)
    cpu_set_t all, one;
    if (sched_getaffinity(0, sizeof all, &all) != 0)
        return;
    const size_t cpu = number % (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
    if (!CPU_ISSET(cpu, &all))
        return;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
    sched_setaffinity(0, sizeof all, &all);
#else
    (void)number;
#endif
}

static void nap(uint64_t ns)
{
    const struct timespec rest = {0, (long)ns};
    nanosleep(&rest, NULL);
}

static void something(uint64_t *state)
{
    switch (random_next(state) % 8) {
    case 0:
        nap(random_next(state) % 1000000);
        break;
    case 1:
        migrate(random_next(state));
        break;
    case 2:
        sched_yield();
        break;
    default:
        spin(random_next(state) % 300000);
    }
}

typedef struct worker {
    pthread_t thread;
    uint64_t state;
    unsigned way;
    uint64_t intervals, calls, told, truth, backwards, apart, worst;
} worker;

/*
 * Of each interval the true CPU time lies between two differences of the
 * system's clock, taken inside and outside of ours: no preemption makes it fail.
 */
static void *compare_clocks(void *opaque)
{
    worker *w = opaque;
    const uint64_t until = fmp_clock_monotonic_ns() + work_ms * 1000000;
    const uint64_t first = fmp_thread_clock_read(), first_truth = fmp_thread_cpu_ns();
    while (fmp_clock_monotonic_ns() < until) {
        const uint64_t outer = fmp_thread_cpu_ns(), begin = fmp_thread_clock_read(), inner = fmp_thread_cpu_ns();
        something(&w->state);
        const uint64_t inner_end = fmp_thread_cpu_ns(), end = fmp_thread_clock_read(), outer_end = fmp_thread_cpu_ns();
        w->backwards += end < begin;
        const uint64_t told = end - begin, least = inner_end - inner, most = outer_end - outer;
        const uint64_t off = told > most ? told - most : told < least ? least - told : 0;
        w->worst = off > w->worst ? off : w->worst;
        w->apart += off > INTERVAL_NS + most / 200;
        w->intervals++;
    }
    w->told = fmp_thread_clock_read() - first;
    w->truth = fmp_thread_cpu_ns() - first_truth;
    w->way = fmp_thread_clock_way();
    w->calls = fmp_thread_clock_calls();
    fmp_thread_clock_end();
    return NULL;
}

/* More busy threads than processors: each is preempted all the time. */
static void agree(unsigned ways)
{
    fmp_now();
    fmp_thread_clock_permit_for_tests(ways);
    worker all[WORKERS];
    for (unsigned i = 0; i < WORKERS; i++) {
        all[i] = (worker){.state = 12345 + i};
        assert_int_equal(pthread_create(&all[i].thread, NULL, compare_clocks, &all[i]), 0);
    }
    worker sum = {0};
    for (unsigned i = 0; i < WORKERS; i++) {
        pthread_join(all[i].thread, NULL);
        const worker *w = &all[i];
        assert_true(w->way == ways || w->way == 0);
        assert_int_equal(w->backwards, 0);
        const uint64_t apart = w->told > w->truth ? w->told - w->truth : w->truth - w->told;
        assert_true(apart <= w->truth / 200 + 100000);
        sum.intervals += w->intervals;
        sum.calls += w->calls;
        sum.apart += w->apart;
        sum.worst = w->worst > sum.worst ? w->worst : sum.worst;
        sum.way |= w->way;
    }
    print_message("way %u: %llu readings, %llu system calls, %llu of %llu intervals apart, at most by %.1f us\n",
                  sum.way, 2 * (unsigned long long)sum.intervals, (unsigned long long)sum.calls,
                  (unsigned long long)sum.apart, (unsigned long long)sum.intervals, (double)sum.worst / 1000);
    /* What a hypervisor steals and interrupts take lies in a few of them. */
    assert_true(sum.apart <= sum.intervals / 50);
    fmp_thread_clock_permit_for_tests(FMP_THREAD_CLOCK_ALL);
}

static void test_agrees_by_rseq(void **context)
{
    (void)context;
    agree(FMP_THREAD_CLOCK_RSEQ);
}

static void test_agrees_by_perf(void **context)
{
    (void)context;
    agree(FMP_THREAD_CLOCK_PERF);
}

static void test_agrees_by_system_call(void **context)
{
    (void)context;
    agree(0);
}

/* A way is worth its name: readings in a row take hardly a system call. */
static void test_spares_calls(void **context)
{
    (void)context;
    enum { READINGS = 20000 };
    const unsigned ways[] = {FMP_THREAD_CLOCK_RSEQ, FMP_THREAD_CLOCK_PERF};
    fmp_now();
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        fmp_thread_clock_permit_for_tests(ways[i]);
        uint64_t last = fmp_thread_clock_read(), fewest = READINGS;
        for (int attempt = 0; attempt < 20; attempt++) { /* a busy machine may interrupt any of them */
            const uint64_t before = fmp_thread_clock_calls();
            for (int k = 0; k < READINGS; k++) {
                const uint64_t now = fmp_thread_clock_read();
                assert_true(now >= last);
                last = now;
            }
            const uint64_t calls = fmp_thread_clock_calls() - before;
            fewest = calls < fewest ? calls : fewest;
        }
        if (fmp_thread_clock_way())
            assert_true(fewest < READINGS / 20);
        else
            assert_int_equal(fewest, READINGS);
    }
    fmp_thread_clock_permit_for_tests(FMP_THREAD_CLOCK_ALL);
}

static void test_says_which(void **context)
{
    (void)context;
    const char *reason = NULL;
    fmp_thread_clock_permit_for_tests(0);
    assert_string_equal(fmp_cpu_clock(&reason), "system call");
    assert_true(strlen(reason) > 0);
    fmp_thread_clock_permit_for_tests(FMP_THREAD_CLOCK_ALL);
    const char *clock = fmp_cpu_clock(&reason);
    assert_int_equal(strcmp(clock, "system call") == 0, strlen(reason) > 0);
    print_message("%s %s\n", clock, reason);
}

/* The child has no page of the parent's, and a clock of its own. */
static void child_of_fork(unsigned way)
{
    fmp_now();
    fmp_thread_clock_permit_for_tests(way);
    {
        FMP_SCOPE_MEASURING("CLOCK", "parent", FMP_MEASURE_CPU);
        spin(2000000);
    }
    const pid_t child = fork();
    if (child == 0) {
        const uint64_t begin = fmp_thread_clock_read(), truth = fmp_thread_cpu_ns();
        spin(2000000);
        const uint64_t told = fmp_thread_clock_read() - begin, real = fmp_thread_cpu_ns() - truth;
        _exit(told + 200000 > real && told < real + 200000 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    fmp_thread_clock_permit_for_tests(FMP_THREAD_CLOCK_ALL);
}

static void test_fork(void **context)
{
    (void)context;
    child_of_fork(FMP_THREAD_CLOCK_RSEQ);
    child_of_fork(FMP_THREAD_CLOCK_PERF);
}

/* Perf events that somebody switches off say nothing any more; the thread notices. */
static void test_events_switched_off(void **context)
{
    (void)context;
#if defined(__linux__)
    fmp_now();
    fmp_thread_clock_permit_for_tests(FMP_THREAD_CLOCK_PERF);
    fmp_thread_clock_read();
    if (fmp_thread_clock_way() == 0)
        skip();
    prctl(PR_TASK_PERF_EVENTS_DISABLE, 0, 0, 0, 0);
    const uint64_t before = fmp_thread_clock_read();
    for (int i = 0; i < 8; i++) {
        nap(12000000);
        fmp_thread_clock_read();
    }
    const uint64_t told = fmp_thread_clock_read() - before;
    prctl(PR_TASK_PERF_EVENTS_ENABLE, 0, 0, 0, 0);
    assert_int_equal(fmp_thread_clock_way(), 0);
    assert_true(told < 30000000); /* of 96 ms asleep */
    fmp_thread_clock_permit_for_tests(FMP_THREAD_CLOCK_ALL);
#endif
}

static void *read_way(void *opaque)
{
    worker *w = opaque;
    FMP_SCOPE_MEASURING("CLOCK", "thread", FMP_MEASURE_CPU); /* its recorder ends the clock */
    w->way = fmp_thread_clock_way();
    return NULL;
}

/* Threads that come and go leave no page, no file behind: more of them than files may be open. */
static void test_many_threads(void **context)
{
    (void)context;
    enum { MANY = 600 };
    struct rlimit few = {0, 0}, before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){64, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    fmp_now();
    const unsigned ways[] = {FMP_THREAD_CLOCK_RSEQ, FMP_THREAD_CLOCK_PERF};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        fmp_thread_clock_permit_for_tests(ways[i]);
        fmp_thread_clock_read();
        const unsigned own = fmp_thread_clock_way();
        for (int k = 0; k < MANY; k++) {
            worker w = {0};
            pthread_t thread;
            assert_int_equal(pthread_create(&thread, NULL, read_way, &w), 0);
            pthread_join(thread, NULL);
            assert_int_equal(w.way, own);
        }
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    fmp_thread_clock_permit_for_tests(FMP_THREAD_CLOCK_ALL);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        work_ms = strtoull(argv[1], NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agrees_by_rseq),   cmocka_unit_test(test_agrees_by_perf),
        cmocka_unit_test(test_agrees_by_system_call), cmocka_unit_test(test_spares_calls),
        cmocka_unit_test(test_says_which),       cmocka_unit_test(test_fork),
        cmocka_unit_test(test_events_switched_off), cmocka_unit_test(test_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
