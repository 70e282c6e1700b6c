/* From FMP_SCOPE to the file and back: scopes, contexts, marks, flows, counters, gauges, threads. */
#include <pthread.h>
#include <sys/wait.h>

#include "fmprof/fmprof.h"
#include "trace_fixture.h"

enum { FRAMES = 1000, STAGES = 3 };

static void spend(uint64_t ticks)
{
    fixture_now += ticks;
}

/* The n-th event of an operation on a thread. */
static const fmp_event *find_event(const fmp_trace *trace, const char *thread_name,
                                   const char *operation, size_t n)
{
    const fmp_trace_thread *thread = find_thread(trace, thread_name);
    for (size_t i = 0; i < thread->event_count; i++)
        if (strcmp(name_of(trace, &thread->events[i])->operation, operation) == 0 && n-- == 0)
            return &thread->events[i];
    fail_msg("no event %s", operation);
    return NULL;
}

static void everything_of_one_thread(void **state)
{
    (void)state;
    const fmp_metric *frames = fmp_counter_get("E2E", "frames", "frames");
    const fmp_metric *depth = fmp_gauge_get("E2E", "queue", "items");
    fmp_counter_add(frames, 5);
    fmp_thread_name("before");
    {
        FMP_SCOPE("E2E", "begun before");
        spend(10);
        assert_int_equal(fmp_trace_start(trace_path, NULL), 0); /* at tick 1010 */
        fmp_thread_name("tester");
        spend(10);
        {
            FMP_SCOPE("E2E", "outer");
            spend(5);
            fmp_flow(fmp_site_get("E2E", "frame"), 17, FMP_FLOW_BEGIN);
            fmp_mark(fmp_site_get("E2E", "mark"));
            {
                FMP_SCOPE("E2E", "inner");
                spend(20);
                fmp_counter_add(frames, -7);
            }
            const fmp_context *before = fmp_context_set(fmp_context_get("AU_"));
            {
                FMP_SCOPE("E2E", "inner");
                spend(30);
                fmp_gauge_set(depth, -3);
            }
            fmp_context_set(before);
        }
        fmp_enable(false);
        {
            FMP_SCOPE("E2E", "while off");
            fmp_gauge_set(depth, 99);
            spend(1);
        }
        fmp_enable(true);
    }
    assert_int_equal(fmp_trace_stop(), 0);
    {
        FMP_SCOPE("E2E", "after");
        spend(1);
    }

    fmp_trace *trace = read_trace();
    check_trace(trace);
    assert_true(trace->complete);
    assert_int_equal(trace->thread_count, 1);
    assert_int_equal(find_thread(trace, "tester")->event_count, 7);
    const fmp_event *outer = find_event(trace, "tester", "outer", 0);
    assert_int_equal(outer->start_ns, 10);
    assert_int_equal(outer->value, 55);
    const fmp_event *inner = find_event(trace, "tester", "inner", 0);
    assert_int_equal(inner->start_ns, 15);
    assert_int_equal(inner->value, 20);
    const fmp_event *in_context = find_event(trace, "tester", "AU_inner", 0);
    assert_int_equal(in_context->start_ns, 35);
    assert_int_equal(in_context->value, 30);
    const fmp_event *flow = find_event(trace, "tester", "frame", 0);
    assert_int_equal(flow->kind, FMP_EVENT_FLOW_BEGIN);
    assert_int_equal(flow->value, 17);
    assert_int_equal(find_event(trace, "tester", "mark", 0)->kind, FMP_EVENT_MARK);
    const fmp_event *counter = find_event(trace, "tester", "frames", 0);
    assert_int_equal(counter->kind, FMP_EVENT_COUNTER);
    assert_int_equal((int64_t)counter->value, -2); /* the sum so far */
    assert_string_equal(name_of(trace, counter)->unit, "frames");
    const fmp_event *gauge = find_event(trace, "tester", "queue", 0);
    assert_int_equal(gauge->kind, FMP_EVENT_GAUGE);
    assert_int_equal((int64_t)gauge->value, -3);
    fmp_trace_free(&trace);
}

static void *run_stage(void *opaque)
{
    const int stage = *(int *)opaque;
    char name[32];
    snprintf(name, sizeof name, "stage %d", stage);
    fmp_thread_name(name);
    const fmp_site *frame = fmp_site_get("E2E", "frame");
    for (uint64_t i = 0; i < FRAMES; i++) {
        FMP_SCOPE("E2E", "stage");
        fmp_flow(frame, i,
                 stage == 0            ? FMP_FLOW_BEGIN
                 : stage == STAGES - 1 ? FMP_FLOW_END
                                       : FMP_FLOW_STEP);
        for (int j = 0; j < 2; j++) {
            FMP_SCOPE("E2E", "work");
        }
    }
    return NULL;
}

static void run_stages(void)
{
    pthread_t thread[STAGES];
    int stage[STAGES];
    for (int i = 0; i < STAGES; i++) {
        stage[i] = i;
        assert_int_equal(pthread_create(&thread[i], NULL, run_stage, &stage[i]), 0);
    }
    for (int i = 0; i < STAGES; i++)
        pthread_join(thread[i], NULL);
}

static void flows_go_through_threads(void **state)
{
    (void)state;
    assert_int_equal(fmp_trace_start(trace_path, NULL), 0);
    run_stages();
    assert_int_equal(fmp_trace_stop(), 0);
    fmp_trace *trace = read_trace();
    check_trace(trace);
    assert_int_equal(trace->dropped, 0);
    assert_int_equal(trace->thread_count, STAGES);
    for (int s = 0; s < STAGES; s++) {
        char name[32];
        snprintf(name, sizeof name, "stage %d", s);
        const fmp_trace_thread *thread = find_thread(trace, name);
        assert_int_equal(thread->event_count, FRAMES * 4);
        uint64_t next = 0;
        for (size_t i = 0; i < thread->event_count; i += 4) {
            const fmp_event *event = &thread->events[i];
            assert_string_equal(name_of(trace, event)->operation, "stage");
            uint64_t end = event->start_ns + event->value;
            for (int j = 1; j < 4; j++)
                assert_true(event[j].start_ns >= event->start_ns && event[j].start_ns <= end);
            assert_int_equal(event[1].value, next++);
            assert_int_equal(event[1].kind, s == 0            ? FMP_EVENT_FLOW_BEGIN
                                            : s == STAGES - 1 ? FMP_EVENT_FLOW_END
                                                              : FMP_EVENT_FLOW_STEP);
        }
    }
    fmp_trace_free(&trace);
}

static void a_trace_agrees_with_the_snapshot(void **state)
{
    (void)state;
    fmp_reset();
    assert_int_equal(fmp_trace_start(trace_path, NULL), 0);
    run_stages();
    assert_int_equal(fmp_trace_stop(), 0);
    fmp_trace *trace = read_trace();
    fmp_snapshot *snapshot = fmp_snapshot_take();
    assert_non_null(snapshot);
    for (size_t o = 0; o < snapshot->operation_count; o++) {
        const fmp_operation *op = &snapshot->operations[o];
        if (strcmp(op->category, "E2E") != 0)
            continue;
        uint64_t count = 0, total = 0;
        for (size_t t = 0; t < trace->thread_count; t++) {
            const fmp_trace_thread *thread = &trace->threads[t];
            for (size_t i = 0; i < thread->event_count; i++) {
                const fmp_event *event = &thread->events[i];
                if (event->kind == FMP_EVENT_SCOPE &&
                    strcmp(name_of(trace, event)->operation, op->operation) == 0) {
                    count++;
                    total += event->value;
                }
            }
        }
        assert_int_equal(count, op->count);
        /* Each time of the trace is rounded to a nanosecond, and the clock's rate is refined. */
        double slack = (double)count + 0.001 * (double)op->total_ns;
        assert_true((double)total >= (double)op->total_ns - slack);
        assert_true((double)total <= (double)op->total_ns + slack);
    }
    fmp_snapshot_free(&snapshot);
    fmp_trace_free(&trace);
}

static int child_records(void)
{
    for (int i = 0; i < 100; i++) {
        FMP_SCOPE("E2E", "child");
    }
    fmp_thread_name("child");
    return fmp_trace_stop();
}

static void a_child_that_goes_on_recording(void **state)
{
    (void)state;
    assert_int_equal(fmp_trace_start(trace_path, NULL), 0);
    fmp_thread_name("parent");
    {
        FMP_SCOPE("E2E", "parent");
        pid_t child = fork();
        if (child == 0)
            _exit(child_records());
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_int_equal(fmp_trace_stop(), 0);
    fmp_trace *trace = read_trace();
    assert_true(trace->complete);
    assert_int_equal(trace->thread_count, 1);
    assert_int_equal(find_thread(trace, "parent")->event_count, 1);
    assert_string_equal(name_of(trace, &trace->threads[0].events[0])->operation, "parent");
    fmp_trace_free(&trace);
}

/* Times from elsewhere lie in the open scope; figures do not change. */
static void measured_elsewhere(void **state)
{
    (void)state;
    const fmp_site *part = fmp_site_get("E2E", "part");
    fmp_trace_scope(part, fixture_now, fixture_now + 1); /* no trace runs */
    assert_false(fmp_trace_running());
    assert_int_equal(fmp_trace_start(trace_path, NULL), 0);
    assert_true(fmp_trace_running());
    const uint64_t start = fixture_now;
    {
        FMP_SCOPE("E2E", "whole");
        spend(100);
        fmp_trace_scope(part, start + 10, start + 30);
        fmp_trace_scope(part, start + 40, start + 35); /* ends before it begins: takes no time */
    }
    assert_int_equal(fmp_trace_stop(), 0);
    fmp_trace *trace = read_trace();
    check_trace(trace);
    const char *thread = trace->threads[0].name;
    const fmp_event *whole = find_event(trace, thread, "whole", 0), *first = find_event(trace, thread, "part", 0);
    assert_int_equal(first->kind, FMP_EVENT_SCOPE);
    assert_int_equal(first->start_ns, whole->start_ns + 10);
    assert_int_equal(first->value, 20);
    assert_int_equal(find_event(trace, thread, "part", 1)->value, 0);
    fmp_trace_free(&trace);
    fmp_snapshot *snapshot = fmp_snapshot_take();
    for (size_t i = 0; i < snapshot->operation_count; i++)
        assert_string_not_equal(snapshot->operations[i].operation, "part");
    fmp_snapshot_free(&snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_of_one_thread, use_moved_clock, use_own_clock),
        cmocka_unit_test_setup_teardown(measured_elsewhere, use_moved_clock, use_own_clock),
        cmocka_unit_test_teardown(flows_go_through_threads, use_own_clock),
        cmocka_unit_test_teardown(a_trace_agrees_with_the_snapshot, use_own_clock),
        cmocka_unit_test_teardown(a_child_that_goes_on_recording, use_own_clock),
    };
    return cmocka_run_group_tests(tests, make_trace_folder, remove_trace_folder);
}
