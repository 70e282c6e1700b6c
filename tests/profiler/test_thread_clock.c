/* The clock of measured scopes beside CLOCK_THREAD_CPUTIME_ID, for which it stands, by each way of this kernel. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
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
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#include <cmocka.h>

#include "fmprof/current.h"
#include "fmprof/fmprof.h"
#include "profiler/clock.h"
#include "profiler/measure.h"
#include "profiler/thread_clock.h"

enum { WORKERS = 6, INTERVAL_NS = 3000, WHOLE_NS = 100000 };
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
    uint64_t intervals, calls, off, truth, backwards, apart, worst;
} worker;

/* Ours between two readings of the system's. */
typedef struct reading {
    uint64_t before, ours, after;
} reading;

static reading take_reading(void)
{
    reading r;
    r.before = fmp_thread_cpu_ns();
    r.ours = fmp_thread_clock_read();
    r.after = fmp_thread_cpu_ns();
    return r;
}

/*
 * By how much the difference of ours lies outside of what is possible: the
 * true one is between the system's differences from the inner and from the
 * outer readings, so that no preemption makes it fail.
 */
static uint64_t off_by(const reading *begin, const reading *end)
{
    const uint64_t told = end->ours - begin->ours;
    const uint64_t least = end->before - begin->after, most = end->after - begin->before;
    return told > most ? told - most : told < least ? least - told : 0;
}

static void *compare_clocks(void *opaque)
{
    worker *w = opaque;
    const uint64_t until = fmp_clock_monotonic_ns() + work_ms * 1000000;
    fmp_thread_clock_read();
    const reading first = take_reading();
    reading last = first;
    while (fmp_clock_monotonic_ns() < until) {
        const reading begin = take_reading();
        something(&w->state);
        last = take_reading();
        const uint64_t off = off_by(&begin, &last);
        w->backwards += last.ours < begin.ours || begin.ours < first.ours;
        w->worst = off > w->worst ? off : w->worst;
        w->apart += off > INTERVAL_NS + (last.after - begin.before) / 200;
        w->intervals++;
    }
    w->off = off_by(&first, &last);
    w->truth = last.after - first.before;
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
    worker all[WORKERS], sum = {0};
    bool whole = true;
    for (unsigned i = 0; i < WORKERS; i++) {
        all[i] = (worker){.state = 12345 + i};
        if (pthread_create(&all[i].thread, NULL, compare_clocks, &all[i]) != 0)
            abort();
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        const worker *w = &all[i];
        pthread_join(w->thread, NULL);
        whole = whole && (w->way == ways || w->way == 0) && w->off <= w->truth / 200 + WHOLE_NS;
        sum.backwards += w->backwards;
        sum.intervals += w->intervals;
        sum.calls += w->calls;
        sum.apart += w->apart;
        sum.off = w->off > sum.off ? w->off : sum.off;
        sum.worst = w->worst > sum.worst ? w->worst : sum.worst;
        sum.way |= w->way;
    }
    print_message("way %u: %llu readings, %llu system calls, %llu of %llu intervals apart, at most by %.1f us; "
                  "over all by %.1f us\n",
                  sum.way, 2 * (unsigned long long)sum.intervals, (unsigned long long)sum.calls,
                  (unsigned long long)sum.apart, (unsigned long long)sum.intervals, (double)sum.worst / 1000,
                  (double)sum.off / 1000);
    assert_int_equal(sum.backwards, 0);
    assert_true(whole);
    /* What a hypervisor steals and interrupts take lies in a few of them. */
    assert_true(sum.apart <= sum.intervals / 50 + 2);
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
        const reading begin = take_reading();
        spin(2000000);
        const reading end = take_reading();
        /* A clock of the parent's would stand still until the child's own has come up to it. */
        _exit(off_by(&begin, &end) <= WHOLE_NS && end.ours > begin.ours ? 0 : 1);
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

#if defined(__linux__)
static int refused_in_child(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_perf_event_open, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        return 77;
    fmp_thread_clock_permit_for_tests(FMP_THREAD_CLOCK_PERF);
    const char *reason = "";
    const bool says = strcmp(fmp_cpu_clock(&reason), "system call") == 0 && strstr(reason, "refuses perf events");
    const uint64_t begin = fmp_thread_clock_read();
    spin(2000000);
    return says && fmp_thread_clock_read() > begin ? 0 : 1;
}
#endif

/* As in a container. */
static void test_events_refused(void **context)
{
    (void)context;
#if defined(__linux__)
    fmp_now();
    const pid_t child = fork();
    if (child == 0)
        _exit(refused_in_child());
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(status, 0);
#endif
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
        cmocka_unit_test(test_events_switched_off), cmocka_unit_test(test_events_refused),
        cmocka_unit_test(test_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
