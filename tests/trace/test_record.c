/* Events that are put come back: order, nesting, full rings, threads, files that cannot be made. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "trace_fixture.h"

/* Numbers of names, beyond those of the recorder: need not be dense. */
enum { OUTER = 1000100, INNER = 1000007, OTHER = 1090000 };

static void start(const fmp_trace_options *options)
{
    assert_int_equal(fmp_trace_start(trace_path, options), 0);
}

static void stop(void)
{
    assert_int_equal(fmp_trace_stop(), 0);
}

static void define_names(void)
{
    static bool defined;
    if (!defined) {
        fmp_trace_define_name(OUTER, "TEST", "outer", NULL);
        fmp_trace_define_name(INNER, "TEST", "inner", NULL);
        fmp_trace_define_name(OTHER, "TEST", "other", "frames");
    }
    defined = true;
}

static void expect(const fmp_trace *trace, const fmp_event *event, uint64_t start_ns,
                   uint64_t value, fmp_event_kind kind, const char *operation)
{
    assert_int_equal(event->start_ns, start_ns);
    assert_int_equal(event->value, value);
    assert_int_equal(event->kind, kind);
    assert_string_equal(name_of(trace, event)->operation, operation);
}

static void events_come_back(void **state)
{
    (void)state;
    start(NULL);
    struct fmp_trace_ring *ring = attach("main");
    assert_non_null(ring);
    fmp_trace_put(ring, 1020, 17, OTHER, FMP_EVENT_FLOW_BEGIN);
    fmp_trace_put(ring, 1020, 30, INNER, FMP_EVENT_SCOPE);
    fmp_trace_put(ring, 1055, (uint64_t)(int64_t)-5, OTHER, FMP_EVENT_COUNTER);
    fmp_trace_put(ring, 1060, 20, INNER, FMP_EVENT_SCOPE);
    fmp_trace_put(ring, 1010, 90, OUTER, FMP_EVENT_SCOPE);
    fmp_trace_put(ring, 1100, 0, OTHER, FMP_EVENT_MARK);
    fmp_trace_put(ring, 1101, 3, OTHER, FMP_EVENT_GAUGE);
    stop();

    fmp_trace *trace = read_trace();
    check_trace(trace);
    assert_true(trace->complete);
    assert_int_equal(trace->process_id, getpid());
    assert_int_equal(trace->dropped, 0);
    assert_true(trace->start_unix_ns > 1600000000u * (uint64_t)1000000000u);
    assert_int_equal(trace->thread_count, 1);
    const fmp_trace_thread *thread = find_thread(trace, "main");
    assert_int_equal(thread->event_count, 7);
    const fmp_event *event = thread->events;
    expect(trace, &event[0], 10, 90, FMP_EVENT_SCOPE, "outer");
    expect(trace, &event[1], 20, 30, FMP_EVENT_SCOPE, "inner");
    expect(trace, &event[2], 20, 17, FMP_EVENT_FLOW_BEGIN, "other"); /* inside the scope */
    expect(trace, &event[3], 55, (uint64_t)(int64_t)-5, FMP_EVENT_COUNTER, "other");
    expect(trace, &event[4], 60, 20, FMP_EVENT_SCOPE, "inner");
    expect(trace, &event[5], 100, 0, FMP_EVENT_MARK, "other");
    expect(trace, &event[6], 101, 3, FMP_EVENT_GAUGE, "other");
    assert_string_equal(name_of(trace, &event[6])->unit, "frames");
    assert_string_equal(name_of(trace, &event[6])->category, "TEST");
    assert_string_equal(name_of(trace, &event[0])->unit, "");
    fmp_trace_free(&trace);
    assert_null(trace);
    fmp_trace_free(&trace);
    fmp_trace_free(NULL);
}

/* An inner scope ends first; of two with the same times the one that ended last is the outer. */
static void scopes_of_equal_times_keep_their_order(void **state)
{
    (void)state;
    start(NULL);
    struct fmp_trace_ring *ring = attach("main");
    fmp_trace_put(ring, 1010, 50, INNER, FMP_EVENT_SCOPE);
    fmp_trace_put(ring, 1010, 50, OUTER, FMP_EVENT_SCOPE);
    fmp_trace_put(ring, 1010, 0, INNER, FMP_EVENT_SCOPE);
    fmp_trace_put(ring, 1010, 1, OTHER, FMP_EVENT_COUNTER);
    fmp_trace_put(ring, 1010, 2, OTHER, FMP_EVENT_COUNTER);
    stop();
    fmp_trace *trace = read_trace();
    check_trace(trace);
    const fmp_event *event = trace->threads[0].events;
    expect(trace, &event[0], 10, 50, FMP_EVENT_SCOPE, "outer");
    expect(trace, &event[1], 10, 50, FMP_EVENT_SCOPE, "inner");
    expect(trace, &event[2], 10, 0, FMP_EVENT_SCOPE, "inner");
    expect(trace, &event[3], 10, 1, FMP_EVENT_COUNTER, "other");
    expect(trace, &event[4], 10, 2, FMP_EVENT_COUNTER, "other");
    fmp_trace_free(&trace);
}

static void scopes_that_overlap_are_cut(void **state)
{
    (void)state;
    start(NULL);
    struct fmp_trace_ring *ring = attach("main");
    fmp_trace_put(ring, 1000, 100, OUTER, FMP_EVENT_SCOPE);
    fmp_trace_put(ring, 1060, 80, INNER, FMP_EVENT_SCOPE); /* would outlast the one around it */
    fmp_trace_put(ring, 1070, 65, OTHER, FMP_EVENT_SCOPE); /* and so this one in the inner */
    fmp_trace_put(ring, 1100, 10, OTHER, FMP_EVENT_SCOPE); /* behind all */
    stop();
    fmp_trace *trace = read_trace();
    check_trace(trace);
    const fmp_event *event = trace->threads[0].events;
    expect(trace, &event[0], 0, 100, FMP_EVENT_SCOPE, "outer");
    expect(trace, &event[1], 60, 40, FMP_EVENT_SCOPE, "inner");
    expect(trace, &event[2], 70, 30, FMP_EVENT_SCOPE, "other");
    expect(trace, &event[3], 100, 10, FMP_EVENT_SCOPE, "other");
    fmp_trace_free(&trace);
}

static void what_began_before_is_left_out(void **state)
{
    (void)state;
    start(NULL);
    struct fmp_trace_ring *ring = attach("main");
    fmp_trace_put(ring, 1001, 1, INNER, FMP_EVENT_SCOPE);
    fmp_trace_put(ring, 999, 100, OUTER, FMP_EVENT_SCOPE);
    stop();
    fmp_trace *trace = read_trace();
    assert_int_equal(trace->threads[0].event_count, 1);
    assert_int_equal(trace->dropped, 0);
    expect(trace, &trace->threads[0].events[0], 1, 1, FMP_EVENT_SCOPE, "inner");
    fmp_trace_free(&trace);
}

/* Puts `count` events and checks that `kept` are there, from number `first` on. */
static void check_full(fmp_trace_full full, uint32_t capacity, uint64_t count, uint64_t kept,
                       uint64_t first)
{
    start(&(fmp_trace_options){.events_per_thread = capacity, .full = full});
    struct fmp_trace_ring *ring = attach("main");
    for (uint64_t i = 0; i < count; i++)
        fmp_trace_put(ring, 1000 + i, i, INNER, FMP_EVENT_GAUGE);
    stop();
    fmp_trace *trace = read_trace();
    check_trace(trace);
    assert_true(trace->complete);
    assert_int_equal(trace->threads[0].event_count, kept);
    assert_int_equal(trace->threads[0].dropped, count - kept);
    assert_int_equal(trace->dropped, count - kept);
    for (uint64_t i = 0; i < kept; i++)
        assert_int_equal(trace->threads[0].events[i].value, first + i);
    fmp_trace_free(&trace);
}

static void full_rings_drop_exactly(void **state)
{
    (void)state;
    static const uint32_t capacity[] = {1, 2, 100, 4096};
    for (size_t c = 0; c < sizeof capacity / sizeof *capacity; c++) {
        const uint64_t n = capacity[c];
        const uint64_t count[] = {0, n - 1, n, n + 1, n + 2, 2 * n, 2 * n + 1, 5 * n + 3};
        for (size_t i = 0; i < sizeof count / sizeof *count; i++) {
            uint64_t kept = count[i] < n ? count[i] : n;
            check_full(FMP_TRACE_DROP_OLDEST, capacity[c], count[i], kept, count[i] - kept);
            check_full(FMP_TRACE_DROP_NEWEST, capacity[c], count[i], kept, 0);
        }
    }
}

/* --- threads ------------------------------------------------------------------------ */

enum { THREADS = 16, EVENTS = 5000 };

static pthread_barrier_t all_attached;

static void *put_many(void *opaque)
{
    int number = *(int *)opaque;
    char name[32];
    snprintf(name, sizeof name, "worker %d", number);
    struct fmp_trace_ring *ring = attach(name);
    assert_non_null(ring);
    pthread_barrier_wait(&all_attached);
    for (uint64_t i = 0; i < EVENTS; i++)
        fmp_trace_put(ring, 2000 + i * 10, i + (uint64_t)number, OTHER, FMP_EVENT_COUNTER);
    fmp_trace_detach();
    return NULL;
}

static void run_threads(int count)
{
    pthread_t thread[THREADS];
    int number[THREADS];
    assert_int_equal(pthread_barrier_init(&all_attached, NULL, (unsigned)count), 0);
    for (int i = 0; i < count; i++) {
        number[i] = i;
        assert_int_equal(pthread_create(&thread[i], NULL, put_many, &number[i]), 0);
    }
    for (int i = 0; i < count; i++)
        pthread_join(thread[i], NULL);
    pthread_barrier_destroy(&all_attached);
}

static void every_thread_has_its_ring(void **state)
{
    (void)state;
    start(NULL);
    run_threads(THREADS);
    stop();
    fmp_trace *trace = read_trace();
    check_trace(trace);
    assert_int_equal(trace->thread_count, THREADS);
    assert_int_equal(trace->dropped, 0);
    for (int t = 0; t < THREADS; t++) {
        char name[32];
        snprintf(name, sizeof name, "worker %d", t);
        const fmp_trace_thread *thread = find_thread(trace, name);
        assert_true(thread->id != 0);
        assert_int_equal(thread->event_count, EVENTS);
        for (size_t i = 0; i < EVENTS; i++)
            assert_int_equal(thread->events[i].value, i + (uint64_t)t);
    }
    fmp_trace_free(&trace);
}

static void threads_without_room_count_what_they_drop(void **state)
{
    (void)state;
    start(&(fmp_trace_options){.threads_max = 3});
    run_threads(10);
    stop();
    fmp_trace *trace = read_trace();
    assert_int_equal(trace->thread_count, 3);
    assert_int_equal(trace->dropped, 7 * EVENTS);
    for (size_t t = 0; t < 3; t++) {
        assert_int_equal(trace->threads[t].event_count, EVENTS);
        assert_int_equal(trace->threads[t].dropped, 0);
    }
    fmp_trace_free(&trace);
}

static void threads_are_named_late(void **state)
{
    (void)state;
    start(NULL);
    fmp_trace_thread_named("nobody has a ring yet");
    assert_non_null(attach("thread 1"));
    fmp_trace_thread_named("decode \"\xc3\xa9\"\n");
    stop();
    fmp_trace *trace = read_trace();
    assert_string_equal(trace->threads[0].name, "decode \"\xc3\xa9\"\n");
    fmp_trace_free(&trace);

    start(NULL);
    assert_non_null(attach("0123456789012345678901234567890123456789"));
    stop();
    trace = read_trace();
    assert_string_equal(trace->threads[0].name, "0123456789012345678901234567890");
    fmp_trace_free(&trace);
}

/* --- a ring outlives its trace ---------------------------------------------------------- */

static int count_mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    if (!maps)
        return -1;
    int lines = 0;
    for (int c; (c = fgetc(maps)) != EOF;)
        lines += c == '\n';
    fclose(maps);
    return lines;
}

static void late_events_go_nowhere(void **state)
{
    (void)state;
    start(NULL);
    struct fmp_trace_ring *ring = attach("main");
    fmp_trace_put(ring, 1001, 1, INNER, FMP_EVENT_SCOPE);
    stop();
    struct stat before, after;
    assert_int_equal(stat(trace_path, &before), 0);
    for (uint64_t i = 0; i < 200000; i++)
        fmp_trace_put(ring, 1002 + i, 1, INNER, FMP_EVENT_SCOPE);
    fmp_trace_thread_named("late");
    assert_int_equal(stat(trace_path, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    fmp_trace *trace = read_trace();
    assert_int_equal(trace->threads[0].event_count, 1);
    assert_string_equal(trace->threads[0].name, "main");
    fmp_trace_free(&trace);
}

static void attaching_to_a_trace_that_ended_gives_nothing(void **state)
{
    (void)state;
    start(NULL);
    uint32_t old = generation_now();
    stop();
    assert_int_equal(generation_now(), 0);
    assert_null(fmp_trace_attach(old, "main"));
    start(NULL);
    assert_true(generation_now() != old && generation_now() != 0);
    assert_null(fmp_trace_attach(old, "main"));
    assert_non_null(attach("main"));
    assert_ptr_equal(attach("main"), attach("main")); /* once a trace */
    stop();
    fmp_trace_put(NULL, 1, 2, 3, 4);
}

static void traces_in_a_row_leave_nothing_behind(void **state)
{
    (void)state;
    int before = 0;
    for (int i = 0; i < 300; i++) {
        start(&(fmp_trace_options){.threads_max = 1 + (uint32_t)i % 2});
        struct fmp_trace_ring *ring = attach("main");
        for (uint64_t e = 0; e < 50; e++)
            fmp_trace_put(ring, 1001 + e, 0, INNER, FMP_EVENT_MARK);
        stop();
        if (i == 10)
            before = count_mappings();
    }
    assert_true(count_mappings() <= before + 4);
    fmp_trace *trace = read_trace();
    assert_int_equal(trace->threads[0].event_count, 50);
    fmp_trace_free(&trace);
}

/* The pattern of the recorder, with traces that start and stop under it. */
static _Atomic(bool) quit;

static void *keep_putting(void *opaque)
{
    (void)opaque;
    uint32_t mine = 0;
    struct fmp_trace_ring *ring = NULL;
    for (uint64_t i = 0; !atomic_load_explicit(&quit, memory_order_relaxed); i++) {
        uint32_t generation = generation_now();
        if (generation == 0)
            continue;
        if (generation != mine) {
            ring = fmp_trace_attach(generation, "busy");
            mine = generation;
        }
        fmp_trace_put(ring, 1000 + i, 1, INNER, FMP_EVENT_SCOPE);
    }
    fmp_trace_detach();
    return NULL;
}

static void traces_start_and_stop_under_busy_threads(void **state)
{
    (void)state;
    pthread_t thread[4];
    atomic_store(&quit, false);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, keep_putting, NULL), 0);
    for (int i = 0; i < 30; i++) {
        start(&(fmp_trace_options){.events_per_thread = 3000,
                                   .threads_max = 3,
                                   .full = i % 2 ? FMP_TRACE_DROP_NEWEST : FMP_TRACE_DROP_OLDEST});
        usleep(3000);
        stop();
        fmp_trace *trace = read_trace();
        check_trace(trace);
        assert_true(trace->complete);
        for (size_t t = 0; t < trace->thread_count; t++)
            for (size_t e = 0; e < trace->threads[t].event_count; e++)
                assert_string_equal(name_of(trace, &trace->threads[t].events[e])->operation,
                                    "inner");
        fmp_trace_free(&trace);
    }
    atomic_store(&quit, true);
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
}

/* --- the file --------------------------------------------------------------------------- */

static void stop_cuts_the_file(void **state)
{
    (void)state;
    start(&(fmp_trace_options){.events_per_thread = 100000});
    struct fmp_trace_ring *ring = attach("main");
    for (uint64_t i = 0; i < 1000; i++)
        fmp_trace_put(ring, 1000 + i, 1, INNER, FMP_EVENT_MARK);
    struct stat status;
    assert_int_equal(stat(trace_path, &status), 0);
    assert_true(status.st_size > 100000 * 24);
    stop();
    assert_int_equal(stat(trace_path, &status), 0);
    assert_true(status.st_size >= 1000 * 24);
    assert_true(status.st_size < 1000 * 24 + 16384); /* header, table and names are in the rest */
    fmp_trace *trace = read_trace();
    assert_int_equal(trace->threads[0].event_count, 1000);
    fmp_trace_free(&trace);
}

static void only_one_trace_runs(void **state)
{
    (void)state;
    char other[320];
    snprintf(other, sizeof other, "%s/other", trace_folder);
    start(NULL);
    assert_int_equal(fmp_trace_start(other, NULL), EBUSY);
    assert_int_equal(access(other, F_OK), -1);
    stop();
    stop(); /* fine when none runs */
}

static void files_that_cannot_be_made(void **state)
{
    (void)state;
    char path[320];
    snprintf(path, sizeof path, "%s/missing/run", trace_folder);
    assert_int_equal(fmp_trace_start(path, NULL), ENOENT);
    assert_int_equal(fmp_trace_start(trace_folder, NULL), EISDIR);
    assert_int_equal(fmp_trace_start("/dev/null", NULL), EINVAL);
    assert_int_equal(access("/dev/null", F_OK), 0);
    assert_int_equal(fmp_trace_start("", NULL), ENOENT);
    assert_int_equal(fmp_trace_start(NULL, NULL), EINVAL);
    assert_int_equal(
        fmp_trace_start(trace_path, &(fmp_trace_options){.threads_max = UINT32_MAX}), EINVAL);
    assert_int_equal(
        fmp_trace_start(trace_path, &(fmp_trace_options){.events_per_thread = UINT32_MAX}),
        EINVAL);
    assert_int_equal(generation_now(), 0);
    if (geteuid() != 0) {
        assert_int_equal(chmod(trace_folder, 0500), 0);
        assert_int_equal(fmp_trace_start(trace_path, NULL), EACCES);
        assert_int_equal(chmod(trace_folder, 0700), 0);
    }
}

/* Another process may have the old file mapped: it must not lose its pages. */
static void a_file_that_is_there_is_replaced_not_overwritten(void **state)
{
    (void)state;
    unlink(trace_path);
    int old = open(trace_path, O_RDWR | O_CREAT, 0600);
    assert_true(old >= 0);
    assert_int_equal(write(old, "old", 3), 3);
    start(NULL);
    stop();
    struct stat status;
    assert_int_equal(fstat(old, &status), 0);
    assert_int_equal(status.st_size, 3);
    close(old);
    fmp_trace *trace = read_trace();
    assert_int_equal(trace->thread_count, 0);
    fmp_trace_free(&trace);
}

/* A full disk, played by the limit of file sizes: no signal, and the count of what is missing. */
static int child_on_a_full_disk(void)
{
    struct rlimit limit = {1024, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &limit);
    if (fmp_trace_start(trace_path, NULL) != EFBIG)
        return 1;
    limit.rlim_cur = 200000; /* the header and the names fit, a ring does not */
    setrlimit(RLIMIT_FSIZE, &limit);
    if (fmp_trace_start(trace_path, NULL) != 0)
        return 2;
    struct fmp_trace_ring *ring = attach("main");
    for (int i = 0; i < 77; i++)
        fmp_trace_put(ring, 1001, 0, INNER, FMP_EVENT_MARK);
    return fmp_trace_stop() == 0 ? 0 : 3;
}

static void a_full_disk_costs_events_only(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0)
        _exit(child_on_a_full_disk());
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    fmp_trace *trace = read_trace();
    assert_true(trace->complete);
    assert_int_equal(trace->thread_count, 0);
    assert_int_equal(trace->dropped, 77);
    fmp_trace_free(&trace);
}

int main(void)
{
    define_names();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_come_back, use_moved_clock, use_own_clock),
        cmocka_unit_test_setup_teardown(scopes_of_equal_times_keep_their_order, use_moved_clock,
                                        use_own_clock),
        cmocka_unit_test_setup_teardown(scopes_that_overlap_are_cut, use_moved_clock,
                                        use_own_clock),
        cmocka_unit_test_setup_teardown(what_began_before_is_left_out, use_moved_clock,
                                        use_own_clock),
        cmocka_unit_test_setup_teardown(full_rings_drop_exactly, use_moved_clock, use_own_clock),
        cmocka_unit_test_setup_teardown(every_thread_has_its_ring, use_moved_clock, use_own_clock),
        cmocka_unit_test_setup_teardown(threads_without_room_count_what_they_drop, use_moved_clock,
                                        use_own_clock),
        cmocka_unit_test_setup_teardown(threads_are_named_late, use_moved_clock, use_own_clock),
        cmocka_unit_test_setup_teardown(late_events_go_nowhere, use_moved_clock, use_own_clock),
        cmocka_unit_test_setup_teardown(attaching_to_a_trace_that_ended_gives_nothing,
                                        use_moved_clock, use_own_clock),
        cmocka_unit_test_setup_teardown(traces_in_a_row_leave_nothing_behind, use_moved_clock,
                                        use_own_clock),
        cmocka_unit_test_setup_teardown(traces_start_and_stop_under_busy_threads, use_moved_clock,
                                        use_own_clock),
        cmocka_unit_test_setup_teardown(stop_cuts_the_file, use_moved_clock, use_own_clock),
        cmocka_unit_test_setup_teardown(only_one_trace_runs, use_moved_clock, use_own_clock),
        cmocka_unit_test_setup_teardown(files_that_cannot_be_made, use_moved_clock, use_own_clock),
        cmocka_unit_test_setup_teardown(a_file_that_is_there_is_replaced_not_overwritten,
                                        use_moved_clock, use_own_clock),
        cmocka_unit_test_setup_teardown(a_full_disk_costs_events_only, use_moved_clock,
                                        use_own_clock),
    };
    return cmocka_run_group_tests(tests, make_trace_folder, remove_trace_folder);
}
