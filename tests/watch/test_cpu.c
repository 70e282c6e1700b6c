/* CPU time and waits: planted work of each kind shows in its own column of its own operation, and sums are right. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "fmprof/current.h"
#include "fmprof/trace.h"
#include "watching.h"

static const fmp_system_options watched = {.facilities = FMP_SYSTEM_CPU, .readings_hz = 200};

/* --- work of each kind --------------------------------------------------------- */

enum { WORK_MS = 250 };
static const double work_seconds = WORK_MS / 1e3;

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static int silent_pipe[2];

static void run_busy(void)
{
    FMP_SCOPE("PLANTED", "busy loop");
    burn(work_seconds);
}

static void run_sleep(void)
{
    FMP_SCOPE("PLANTED", "sleep");
    for (int i = 0; i < 10; i++)
        nap(work_seconds / 10);
}

static void run_lock(void)
{
    FMP_SCOPE("PLANTED", "lock wait");
    pthread_mutex_lock(&held);
    pthread_mutex_unlock(&held);
}

static void run_io(void)
{
    FMP_SCOPE("PLANTED", "pipe read");
    char c;
    if (read(silent_pipe[0], &c, 1) != 1)
        abort();
}

static void run_poll(void)
{
    FMP_SCOPE("PLANTED", "poll");
    poll(NULL, 0, WORK_MS);
}

static void *run(void *opaque)
{
    const struct {
        void (*work)(void);
    } *given = opaque;
    given->work();
    return NULL;
}

typedef struct planted {
    void (*work)(void);
    const char *operation, *column;
} planted;

static planted plants[] = {{run_busy, "busy loop", "running_seconds"},
                           {run_sleep, "sleep", "sleep_seconds"},
                           {run_lock, "lock wait", "lock_seconds"},
                           {run_io, "pipe read", "io_seconds"},
                           {run_poll, "poll", "poll_seconds"}};
enum { PLANTS = sizeof plants / sizeof plants[0] };

static fmp_system_report *watch_plants(void)
{
    pthread_t thread[PLANTS];
    assert_int_equal(pipe(silent_pipe), 0);
    fmp_system *system = fmp_system_start(&watched);
    assert_non_null(system);
    pthread_mutex_lock(&held);
    for (int i = 0; i < PLANTS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, run, &plants[i]), 0);
    nap(work_seconds);
    pthread_mutex_unlock(&held);
    assert_int_equal(write(silent_pipe[1], "x", 1), 1);
    for (int i = 0; i < PLANTS; i++)
        pthread_join(thread[i], NULL);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    close(silent_pipe[0]);
    close(silent_pipe[1]);
    assert_non_null(report);
    return report;
}

static void each_kind_of_work_is_in_its_own_column(void **state)
{
    (void)state;
    fmp_system_report *report = watch_plants();
    for (int i = 0; i < PLANTS; i++) {
        const char *operation = plants[i].operation;
        const double open = cell(report, "waits", operation, "seconds");
        const double own = cell(report, "waits", operation, plants[i].column);
        const double wall = cell(report, "operations", operation, "wall_seconds");
        const double cpu = cell(report, "operations", operation, "cpu_seconds");
        const double waiting = cell(report, "operations", operation, "waiting_seconds");
        print_message("%-10s open %.3f s, its column %.3f s; wall %.3f s, CPU %.3f s, waiting %.3f s\n", operation,
                      open, own, wall, cpu, waiting);
#ifdef __linux__ /* others tell running from not running alone */
        assert_true(own > 0.75 * open);
#else
        (void)own;
#endif
        assert_true(wall > 0.9 * work_seconds);
        assert_true(open > 0.4 * wall && open < 2 * wall);
        assert_true(fabs(cpu + waiting - wall) < 1e-6);
        assert_true(cell(report, "operations", operation, "calls") == 1);
        if (plants[i].work == run_busy)
            assert_true(cpu > 0.95 * work_seconds && cpu < 1.2 * work_seconds);
        else
            assert_true(cpu < 0.2 * wall && waiting > 0.8 * wall);
    }
    fmp_system_report_free(&report);
}

static void *work_and_nap(void *opaque)
{
    (void)opaque;
    for (int i = 0; i < 20; i++) {
        {
            FMP_SCOPE("PLANTED", "much work"); /* a millisecond or more, without a system call */
            volatile unsigned value = 1;
            for (int k = 0; k < 700000; k++)
                value = value * 1664525u + 1013904223u;
        }
        {
            FMP_SCOPE("PLANTED", "short nap");
            nap(0.002);
        }
    }
    return NULL;
}

/*
 * More threads than processors: what readings make of short scopes agrees with what the scopes measured. Reading CPU
 * clocks is where the kernel switches threads then, which must not count as a part of the scope that has ended.
 */
static void readings_agree_with_measured_times_on_a_busy_machine(void **state)
{
    (void)state;
    enum { THREADS = 12 };
    pthread_t thread[THREADS];
    fmp_system *system = fmp_system_start(&watched);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, work_and_nap, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    static const char *const operations[] = {"much work", "short nap"};
    for (int i = 0; i < 2; i++) {
        const double wall = cell(report, "operations", operations[i], "wall_seconds");
        const double open = cell(report, "waits", operations[i], "seconds");
        print_message("%s: measured %.3f s, by readings %.3f s\n", operations[i], wall, open);
        assert_true(open > 0.35 * wall && open < 2.2 * wall);
    }
    fmp_system_report_free(&report);
}

static void what_came_before_the_watch_does_not_count(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        FMP_SCOPE("PLANTED", "before");
        burn(0.05);
    }
    fmp_system *system = fmp_system_start(&watched);
    for (int i = 0; i < 2; i++) {
        FMP_SCOPE("PLANTED", "before and after");
        burn(0.01);
    }
    fmp_system_report *report = fmp_system_stop(&system, 0);
    assert_true(isnan(cell(report, "operations", "before", "calls")));
    assert_true(cell(report, "operations", "before and after", "calls") == 2);
    fmp_system_report_free(&report);
    system = fmp_system_start(&watched);
    {
        FMP_SCOPE("PLANTED", "before and after");
        burn(0.04);
    }
    report = fmp_system_stop(&system, 0);
    assert_true(cell(report, "operations", "before and after", "calls") == 1);
    const double cpu = cell(report, "operations", "before and after", "cpu_seconds");
    assert_true(cpu > 0.039 && cpu < 0.06);
    assert_true(cell(report, "threads", "main", "cpu_seconds") < 0.1);
    fmp_system_report_free(&report);
}

/* One name in two categories is two rows, in each table. */
static void names_that_two_categories_share_are_told_apart(void **state)
{
    (void)state;
    fmp_system *system = fmp_system_start(&watched);
    {
        FMP_SCOPE("PLANTED", "shared name");
        nap(0.03);
    }
    {
        FMP_SCOPE("OTHER", "shared name");
        nap(0.03);
    }
    fmp_system_report *report = fmp_system_stop(&system, 0);
    assert_true(cell(report, "operations", "shared name (PLANTED)", "calls") == 1);
    assert_true(cell(report, "operations", "shared name (OTHER)", "calls") == 1);
    assert_true(isnan(cell(report, "operations", "shared name", "calls")));
    assert_true(cell(report, "waits", "shared name (PLANTED)", "seconds") > 0);
    assert_true(cell(report, "waits", "shared name (OTHER)", "seconds") > 0);
    fmp_system_report_free(&report);
}

/* CPU time is measured while a watch runs, not after it. */
static void scopes_measure_what_they_did_before(void **state)
{
    (void)state;
    fmp_system *system = fmp_system_start(&watched);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    fmp_system_report_free(&report);
    {
        FMP_SCOPE("PLANTED", "unmeasured");
    }
    fmp_snapshot *snapshot = fmp_snapshot_take();
    bool seen = false;
    for (size_t i = 0; i < snapshot->operation_count; i++) {
        if (strcmp(snapshot->operations[i].operation, "unmeasured") != 0)
            continue;
        seen = true;
        assert_int_equal(snapshot->operations[i].measures & FMP_MEASURE_CPU, 0);
    }
    assert_true(seen);
    fmp_snapshot_free(&snapshot);
}

/* --- sums ------------------------------------------------------------------------ */

static const char unseen[] = "(ended between readings)";

static void *burn_a_bit(void *seconds)
{
    burn(*(const double *)seconds);
    return NULL;
}

/* In waves of eight, threads that live shorter than the interval of readings and ones that live longer. */
static void sums_are_the_process_s_while_threads_come_and_go(void **state)
{
    (void)state;
    enum { WAVES = 10, WIDTH = 8 };
    static const double lengths[2] = {0.001, 0.008};
    const double before = process_cpu_seconds();
    fmp_system *system = fmp_system_start(&watched);
    for (int wave = 0; wave < WAVES; wave++) {
        pthread_t thread[WIDTH];
        for (int i = 0; i < WIDTH; i++)
            assert_int_equal(pthread_create(&thread[i], NULL, burn_a_bit, (void *)(uintptr_t)&lengths[i % 2]), 0);
        for (int i = 0; i < WIDTH; i++)
            pthread_join(thread[i], NULL);
    }
    fmp_system_report *report = fmp_system_stop(&system, 0);
    const double spent = process_cpu_seconds() - before;
    const fmp_table *threads = fmp_system_table(report, "threads");
    const double sum = column_sum(threads, "cpu_seconds", NULL);
    print_message("getrusage %.4f s, all rows %.4f s, of it %.4f s unseen; %zu rows\n", spent, sum,
                  cell(report, "threads", unseen, "cpu_seconds"), threads->row_count);
    assert_true(fabs(sum - spent) < 0.01 * spent);
    assert_true(fabs(column_sum(fmp_system_table(report, "process"), "cpu_seconds", NULL) - spent) < 0.01 * spent);
    assert_true(threads->row_count <= 66);
    fmp_system_report_free(&report);
}

typedef struct long_lived {
    pthread_barrier_t *begin, *end;
    char name[16];
} long_lived;

static void *burn_and_stay(void *opaque)
{
    long_lived *l = opaque;
#ifdef __APPLE__
    pthread_setname_np(l->name);
#else
    pthread_setname_np(pthread_self(), l->name);
#endif
    pthread_barrier_wait(l->begin);
    burn(0.12);
    pthread_barrier_wait(l->end); /* here until the watch has ended */
    pthread_barrier_wait(l->end);
    return NULL;
}

static void named_rows_alone_are_the_process_s_when_threads_stay(void **state)
{
    (void)state;
    enum { THREADS = 5 };
    pthread_barrier_t begin, end;
    pthread_t thread[THREADS];
    long_lived l[THREADS];
    pthread_barrier_init(&begin, NULL, THREADS + 1);
    pthread_barrier_init(&end, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++) {
        l[i] = (long_lived){.begin = &begin, .end = &end};
        snprintf(l[i].name, sizeof l[i].name, i < 3 ? "worker" : "other %d", i);
        assert_int_equal(pthread_create(&thread[i], NULL, burn_and_stay, &l[i]), 0);
    }
    const double before = process_cpu_seconds();
    fmp_system *system = fmp_system_start(&watched);
    pthread_barrier_wait(&begin);
    pthread_barrier_wait(&end);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    const double spent = process_cpu_seconds() - before;
    pthread_barrier_wait(&end);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    const double named = column_sum(fmp_system_table(report, "threads"), "cpu_seconds", unseen);
    print_message("getrusage %.4f s, named rows %.4f s\n", spent, named);
    assert_true(fabs(named - spent) < 0.01 * spent);
    static const char *const rows[] = {"worker", "worker #2", "worker #3", "other 3", "other 4"};
    for (int i = 0; i < THREADS; i++) {
        const double cpu = cell(report, "threads", rows[i], "cpu_seconds");
        assert_true(cpu > 0.119 && cpu < 0.16);
    }
    assert_true(cell(report, "threads", "(profiler's watch)", "cpu_seconds") < 0.25 * spent);
    fmp_system_report_free(&report);
    pthread_barrier_destroy(&begin);
    pthread_barrier_destroy(&end);
}

/* --- others ------------------------------------------------------------------------ */

static void *nap_often(void *opaque)
{
    (void)opaque;
    fmp_thread_name("napper");
    for (int i = 0; i < 50; i++)
        nap(0.001);
    pthread_barrier_wait(opaque);
    pthread_barrier_wait(opaque);
    return NULL;
}

/* fifty naps are fifty voluntary switches; the profiler's name of a thread is its row's. */
static void switches_are_counted(void **state)
{
    (void)state;
    pthread_barrier_t barrier;
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, 2);
    fmp_system *system = fmp_system_start(&watched);
    assert_int_equal(pthread_create(&thread, NULL, nap_often, &barrier), 0);
    pthread_barrier_wait(&barrier);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&barrier);
    const double voluntary = cell(report, "threads", "napper", "voluntary_switches");
    if (!isnan(voluntary)) /* where the system tells */
        assert_true(voluntary >= 40 && voluntary < 200);
    assert_true(cell(report, "process", fmp_table_text(fmp_system_table(report, "process"), 0, 0),
                     "voluntary_switches") >= 40);
    fmp_system_report_free(&report);
}

static bool has_gauge(const fmp_trace *trace, const char *name)
{
    for (size_t i = 0; i < trace->name_count; i++)
        if (strcmp(trace->names[i].category, "SYSTEM") == 0 && strcmp(trace->names[i].operation, name) == 0)
            return true;
    return false;
}

static int64_t largest_value(const fmp_trace *trace, const char *name)
{
    int64_t largest = -1;
    for (size_t t = 0; t < trace->thread_count; t++)
        for (size_t i = 0; i < trace->threads[t].event_count; i++) {
            const fmp_event *e = &trace->threads[t].events[i];
            if (e->kind == FMP_EVENT_GAUGE && strcmp(trace->names[e->name].operation, name) == 0 &&
                (int64_t)e->value > largest)
                largest = (int64_t)e->value;
        }
    return largest;
}

static void traces_have_lines_of_cpu_use(void **state)
{
    (void)state;
    char path[] = "/tmp/fmprof-tracks-XXXXXX", message[128];
    const int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    assert_int_equal(fmp_trace_start(path, NULL), 0);
    fmp_system *system = fmp_system_start(&watched);
    fmp_thread_name("main");
    burn(0.15);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    assert_int_equal(fmp_trace_stop(), 0);
    fmp_system_report_free(&report);
    fmp_trace *trace = fmp_trace_read(path, message, sizeof message);
    unlink(path);
    assert_non_null(trace);
    assert_true(has_gauge(trace, "CPU use") && has_gauge(trace, "CPU of main"));
    const int64_t use = largest_value(trace, "CPU of main");
    assert_true(use > 10 && use <= 150);
    fmp_trace_free(&trace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_work_is_in_its_own_column),
        cmocka_unit_test(readings_agree_with_measured_times_on_a_busy_machine),
        cmocka_unit_test(what_came_before_the_watch_does_not_count),
        cmocka_unit_test(names_that_two_categories_share_are_told_apart),
        cmocka_unit_test(scopes_measure_what_they_did_before),
        cmocka_unit_test(sums_are_the_process_s_while_threads_come_and_go),
        cmocka_unit_test(named_rows_alone_are_the_process_s_when_threads_stay),
        cmocka_unit_test(switches_are_counted),
        cmocka_unit_test(traces_have_lines_of_cpu_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
