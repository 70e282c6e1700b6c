/* Many threads, snapshots while they record, threads that come and go, fork. Meant for ThreadSanitizer too. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_clock.h"
#include "profiler/measure.h"
#include "profiler/registry.h"

enum { WORKERS = 6, ROUNDS = 20000 };

static atomic_int running;

static void *work(void *opaque)
{
    char name[40];
    snprintf(name, sizeof name, "worker %d with a name beyond the limit", *(int *)opaque);
    fmp_thread_name(name);
    for (int i = 0; i < ROUNDS; i++) {
        FMP_SCOPE("THREADS", "outer");
        {
            FMP_SCOPE("THREADS", "inner");
        }
        fmp_record(fmp_site_get("THREADS", i % 2 ? "odd" : "even"), 1000);
        fmp_counter_add(fmp_counter_get("THREADS", "rounds", ""), 1);
        if (i % 100 == 0) {
            fmp_gauge_set(fmp_gauge_get("THREADS", "round", ""), i);
            fmp_context_set(fmp_context_get(i % 200 ? "a " : "b "));
            FMP_SCOPE_MEASURING("THREADS", "context", FMP_MEASURE_CPU | FMP_MEASURE_MEMORY);
            fmp_context_set(NULL);
        }
    }
    atomic_fetch_sub(&running, 1);
    return NULL;
}

/* What must hold of a snapshot at any moment. */
static void check_operation(const fmp_operation *op)
{
    assert_true(op->count > 0);
    assert_true(op->min_ns <= op->max_ns);
    assert_true(op->self_ns <= op->total_ns);
    double slack = 1.0 + (double)op->count; /* rounding to whole nanoseconds */
    assert_true(op->mean_ns >= (double)op->min_ns - 1 && op->mean_ns <= (double)op->max_ns + 1);
    assert_true((double)op->total_ns <= (double)op->count * (double)op->max_ns + slack);
    assert_true((double)op->total_ns >= (double)op->count * (double)op->min_ns - slack);
    assert_true(op->stddev_ns >= 0);
    assert_true(op->p50_ns <= op->p90_ns && op->p90_ns <= op->p99_ns && op->p99_ns <= op->p999_ns);
    assert_true(op->last_count > 0);
}

static uint64_t histogram_sum(const fmp_operation *op)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < op->histogram_count; i++)
        sum += op->histogram[i].count;
    return sum;
}

static void snapshots_while_threads_record(void **state)
{
    (void)state;
    pthread_t thread[WORKERS];
    int number[WORKERS];
    atomic_store(&running, WORKERS);
    for (int i = 0; i < WORKERS; i++) {
        number[i] = i;
        assert_int_equal(pthread_create(&thread[i], NULL, work, &number[i]), 0);
    }
    uint64_t last = 0;
    int snapshots = 0;
    while (atomic_load(&running) > 0) {
        fmp_snapshot *s = fmp_snapshot_take();
        assert_non_null(s);
        uint64_t count = 0;
        for (size_t i = 0; i < s->operation_count; i++) {
            check_operation(&s->operations[i]);
            count += s->operations[i].count;
        }
        assert_true(count >= last);
        last = count;
        snapshots++;
        fmp_snapshot_free(&s);
    }
    for (int i = 0; i < WORKERS; i++)
        pthread_join(thread[i], NULL);
    print_message("%d snapshots\n", snapshots);

    /* The threads have ended; their figures and names have not. */
    fmp_snapshot *s = fmp_snapshot_take();
    assert_int_equal(s->operation_count, 6);
    assert_int_equal(find_operation(s, "THREADS", "a context")->count, WORKERS * ROUNDS / 200);
    assert_int_equal(find_operation(s, "THREADS", "b context")->count, WORKERS * ROUNDS / 200);
    assert_int_equal(s->metrics[0].sum, WORKERS * ROUNDS);
    assert_int_equal(s->metrics[1].count, WORKERS * ROUNDS / 100);
    const fmp_operation *outer = find_operation(s, "THREADS", "outer");
    const fmp_operation *inner = find_operation(s, "THREADS", "inner");
    assert_int_equal(outer->count, WORKERS * ROUNDS);
    assert_int_equal(inner->count, WORKERS * ROUNDS);
    assert_int_equal(outer->threads, WORKERS);
    assert_true(outer->total_ns >= inner->total_ns);
    assert_int_equal(find_operation(s, "THREADS", "odd")->count, WORKERS * ROUNDS / 2);
    for (size_t i = 0; i < s->operation_count; i++)
        assert_int_equal(histogram_sum(&s->operations[i]), s->operations[i].count);
    assert_int_equal(outer->children, WORKERS * (ROUNDS + ROUNDS / 100));
    assert_int_equal(s->thread_count, WORKERS);
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(s->threads[i].scopes, 3 * ROUNDS + ROUNDS / 100);
        assert_int_equal(strlen(s->threads[i].name), 31);
        assert_memory_equal(s->threads[i].name, "worker ", 7);
        assert_true(s->threads[i].cpu_ns > 0);
    }
    fmp_snapshot_free(&s);
}

static void *record_once(void *opaque)
{
    fmp_record(fmp_site_get("SHORT", "life"), *(uint64_t *)opaque);
    return NULL;
}

static size_t recorder_count(void)
{
    size_t count = 0;
    pthread_mutex_lock(&fmp_the_registry.mutex);
    for (const fmp_recorder *r = fmp_the_registry.recorders; r; r = r->next)
        count++;
    pthread_mutex_unlock(&fmp_the_registry.mutex);
    return count;
}

static void run_short_threads(uint64_t count)
{
    for (uint64_t i = 1; i <= count; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, record_once, &i), 0);
        pthread_join(thread, NULL);
    }
}

static void threads_come_and_go_in_bounded_memory(void **state)
{
    (void)state;
    enum { THREADS = 500 };
    fmp_clock_set_for_tests(fake_ticks); /* exact durations */
    run_short_threads(THREADS);
    size_t recorders = recorder_count();
    assert_true(recorders <= FMP_ENDED_MAX + 16);
    fmp_snapshot *s = fmp_snapshot_take();
    const fmp_operation *op = find_operation(s, "SHORT", "life");
    assert_int_equal(op->count, THREADS);
    assert_int_equal(op->threads, THREADS);
    assert_int_equal(op->total_ns, (uint64_t)THREADS * (THREADS + 1) / 2);
    assert_int_equal(op->self_ns, op->total_ns);
    assert_int_equal(op->min_ns, 1);
    assert_int_equal(op->max_ns, THREADS);
    assert_near(op->mean_ns, (THREADS + 1) / 2.0, 1e-9);
    /* Variance of 1..n: (n^2 - 1) / 12. */
    assert_near(op->stddev_ns * op->stddev_ns, (500.0 * 500.0 - 1) / 12, 1e-6);
    assert_true(op->p50_ns >= 250 * 0.99 && op->p50_ns <= 250 * 1.01);
    assert_true(op->p99_ns >= 495 * 0.99 && op->p99_ns <= 495 * 1.01);
    assert_int_equal(histogram_sum(op), THREADS);
    assert_int_equal(op->recorded, THREADS);
    uint64_t busy = 0, scopes = 0;
    for (size_t i = 0; i < s->thread_count; i++) {
        busy += s->threads[i].busy_ns;
        scopes += s->threads[i].scopes;
    }
    assert_int_equal(s->thread_count, FMP_ENDED_MAX + 1);
    assert_int_equal(busy, s->self_ns);
    assert_int_equal(scopes, THREADS);
    fmp_snapshot_free(&s);

    /* After a reset the same recorders serve again, as single threads. */
    fmp_reset();
    run_short_threads(20);
    assert_int_equal(recorder_count(), recorders);
    s = fmp_snapshot_take();
    assert_int_equal(s->operations[0].count, 20);
    assert_int_equal(s->operations[0].threads, 20);
    assert_int_equal(s->thread_count, 20);
    fmp_snapshot_free(&s);
}

/*
 * The sanitizers' runtimes lose their own locks in the child of a threaded
 * process: there the child starts no thread.
 */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define CHILD_MAY_START_THREADS 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define CHILD_MAY_START_THREADS 0
#endif
#endif
#ifndef CHILD_MAY_START_THREADS
#define CHILD_MAY_START_THREADS 1
#endif

static atomic_bool stop;
static unsigned char *volatile memory_given;
static atomic_int started;

static void *record_until_stopped(void *opaque)
{
    (void)opaque;
    for (bool first = true; !atomic_load(&stop); first = false) {
        {
            FMP_SCOPE("FORK", "parent's thread");
            fmp_site_get("FORK", "keeps the lock busy");
        }
        if (first)
            atomic_fetch_add(&started, 1);
    }
    return NULL;
}

/* 0 when everything is as it should be in the child. */
static int child_checks(void)
{
    fmp_snapshot *s = fmp_snapshot_take();
    if (!s || s->operation_count != 0)
        return 1; /* the figures so far are the parent's */
    fmp_snapshot_free(&s);
    {
        FMP_SCOPE("FORK", "child");
    }
    /* Its memory, not its parent's, whose file was open. */
    enum { SIZE = 32 * 1024 * 1024 };
    {
        FMP_SCOPE_MEASURING("FORK", "child's memory", FMP_MEASURE_MEMORY | FMP_MEASURE_CPU);
        unsigned char *memory = malloc(SIZE);
        for (size_t i = 0; memory && i < SIZE; i += 4096)
            ((volatile unsigned char *)memory)[i] = 1;
        memory_given = memory;
    }
    size_t expected = 2;
    if (CHILD_MAY_START_THREADS) {
        pthread_t thread;
        uint64_t value = 5;
        if (pthread_create(&thread, NULL, record_once, &value) != 0 ||
            pthread_join(thread, NULL) != 0)
            return 2;
        expected = 3;
    }
    s = fmp_snapshot_take();
    if (!s || s->operation_count != expected || s->thread_count != expected - 1)
        return 3;
    const fmp_operation *memory = find_operation(s, "FORK", "child's memory");
    if (!memory || (fmp_resident_bytes() > 0 && memory->rss_change < SIZE - SIZE / 8))
        return 4;
    free(memory_given);
    fmp_snapshot_free(&s);
    return 0;
}

static void fork_does_not_hang(void **state)
{
    (void)state;
    atomic_store(&stop, false);
    pthread_t thread[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, record_until_stopped, NULL), 0);
    while (atomic_load(&started) < 2) /* no allocation of theirs is under way at the fork */
        sched_yield();
    {
        FMP_SCOPE_MEASURING("FORK", "main", FMP_MEASURE_MEMORY);
    }
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            alarm(20);
            _exit(child_checks());
        }
        int status = -1;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    fmp_snapshot *s = fmp_snapshot_take();
    assert_non_null(find_operation(s, "FORK", "parent's thread"));
    assert_non_null(find_operation(s, "FORK", "main"));
    assert_null(find_operation(s, "FORK", "child"));
    fmp_snapshot_free(&s);
}

static void *end_foreign_scope(void *scope)
{
    fmp_scope_end(scope);
    return NULL;
}

static void a_scope_ended_elsewhere_is_counted_as_lost(void **state)
{
    (void)state;
    fmp_scope scope;
    pthread_t thread;
    fmp_scope_begin(&scope, fmp_site_get("LOST", "wanders"));
    assert_int_equal(pthread_create(&thread, NULL, end_foreign_scope, &scope), 0);
    pthread_join(thread, NULL);
    fmp_snapshot *s = fmp_snapshot_take();
    assert_int_equal(s->operation_count, 0);
    assert_int_equal(s->lost, 1);
    fmp_snapshot_free(&s);
}

static void *switch_and_reset(void *opaque)
{
    (void)opaque;
    for (int i = 0; atomic_load(&running) > 0; i++) {
        fmp_enable(i % 3 != 0);
        if (i % 50 == 0)
            fmp_reset();
    }
    return NULL;
}

/* Nothing to count here: no crash, no report of the sanitizers, sane figures. */
static void switching_and_resetting_while_threads_record(void **state)
{
    (void)state;
    pthread_t worker[2], other;
    int number[2] = {1, 2};
    atomic_store(&running, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&worker[i], NULL, work, &number[i]), 0);
    assert_int_equal(pthread_create(&other, NULL, switch_and_reset, NULL), 0);
    while (atomic_load(&running) > 0) {
        fmp_snapshot *s = fmp_snapshot_take();
        for (size_t i = 0; i < s->operation_count; i++)
            check_operation(&s->operations[i]);
        fmp_snapshot_free(&s);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(worker[i], NULL);
    pthread_join(other, NULL);
    fmp_enable(true);
}

#define REAL(test) cmocka_unit_test_setup_teardown(test, use_real_clock, use_real_clock)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REAL(snapshots_while_threads_record),
        REAL(threads_come_and_go_in_bounded_memory),
        REAL(fork_does_not_hang),
        REAL(a_scope_ended_elsewhere_is_counted_as_lost),
        REAL(switching_and_resetting_while_threads_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
