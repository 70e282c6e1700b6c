/* A process that is killed, or forks, in the middle of a trace. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "trace_fixture.h"

enum { THREADS = 3, ROUNDS = 12, CAPACITY = 5000, OUTER = 1000001, INNER = 1000002 };

/* In memory that parent and child share: how many events each thread has put for certain. */
static _Atomic(uint64_t) *confirmed;

static void *put_until_killed(void *opaque)
{
    int number = *(int *)opaque;
    char name[32];
    snprintf(name, sizeof name, "worker %d", number);
    struct fmp_trace_ring *ring = attach(name);
    uint64_t put = 0;
    for (;;) {
        /* Two inner scopes, then the one around them: what a recorder does. */
        uint64_t begin = fmp_clock_ticks();
        uint64_t first = fmp_clock_ticks();
        fmp_trace_put(ring, begin + 1, first - begin, INNER, FMP_EVENT_SCOPE);
        atomic_store_explicit(&confirmed[number], ++put, memory_order_relaxed);
        fmp_trace_put(ring, fmp_clock_ticks(), put, INNER, FMP_EVENT_COUNTER);
        atomic_store_explicit(&confirmed[number], ++put, memory_order_relaxed);
        fmp_trace_put(ring, begin, fmp_clock_ticks() - begin + 1, OUTER, FMP_EVENT_SCOPE);
        atomic_store_explicit(&confirmed[number], ++put, memory_order_relaxed);
    }
    return NULL;
}

static void be_killed(fmp_trace_full full)
{
    fmp_trace_define_name(OUTER, "CRASH", "outer", NULL);
    if (fmp_trace_start(trace_path, &(fmp_trace_options){.events_per_thread = CAPACITY,
                                                         .full = full}) != 0)
        _exit(1);
    fmp_trace_define_name(INNER, "CRASH", "inner", NULL); /* while it runs */
    static int number[THREADS];
    for (int i = 0; i < THREADS; i++) {
        pthread_t thread;
        number[i] = i;
        if (pthread_create(&thread, NULL, put_until_killed, &number[i]) != 0)
            _exit(2);
    }
    for (;;)
        pause();
}

static void check_thread(const fmp_trace *trace, int number, fmp_trace_full full)
{
    char name[32];
    snprintf(name, sizeof name, "worker %d", number);
    const fmp_trace_thread *thread = find_thread(trace, name);
    uint64_t put = atomic_load(&confirmed[number]);
    uint64_t written = thread->event_count + thread->dropped;
    if (full == FMP_TRACE_DROP_OLDEST) {
        /* The kill fell between the store of an event and that of the test's own count at most. */
        assert_true(written == put || written == put + 1);
        assert_int_equal(thread->event_count, written < CAPACITY ? written : CAPACITY);
    } else {
        assert_int_equal(thread->event_count, CAPACITY);
        assert_true(written == put || written == put + 1);
    }
    uint64_t last = 0;
    for (size_t i = 0; i < thread->event_count; i++) {
        const fmp_event *event = &thread->events[i];
        const char *operation = event->kind == FMP_EVENT_SCOPE && event->value > 0 &&
                                        strcmp(name_of(trace, event)->operation, "outer") == 0
                                    ? "outer"
                                    : "inner";
        assert_string_equal(name_of(trace, event)->operation, operation);
        assert_string_equal(name_of(trace, event)->category, "CRASH");
        if (event->kind != FMP_EVENT_COUNTER)
            continue;
        /* Every third event, none missing, up to the kill. */
        assert_true(last == 0 || event->value == last + 3);
        last = event->value;
    }
    if (full == FMP_TRACE_DROP_OLDEST)
        assert_true(last + 3 >= put);
}

static void killed_once(int round, fmp_trace_full full)
{
    for (int i = 0; i < THREADS; i++)
        atomic_store(&confirmed[i], 0);
    pid_t child = fork();
    if (child == 0)
        be_killed(full);
    assert_true(child > 0);
    /* From the first turn of the rings on. */
    for (int i = 0; i < THREADS; i++)
        while (atomic_load(&confirmed[i]) < CAPACITY + CAPACITY / 2)
            usleep(100);
    usleep((useconds_t)(round * 137));
    assert_int_equal(kill(child, SIGKILL), 0);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

    fmp_trace *trace = read_trace();
    check_trace(trace);
    assert_false(trace->complete);
    assert_int_equal(trace->process_id, child);
    assert_int_equal(trace->thread_count, THREADS);
    for (int i = 0; i < THREADS; i++)
        check_thread(trace, i, full);
    fmp_trace_free(&trace);
}

static void what_was_recorded_survives_a_kill(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++)
        killed_once(round, round % 2 ? FMP_TRACE_DROP_NEWEST : FMP_TRACE_DROP_OLDEST);
}

/* --- fork ---------------------------------------------------------------------------- */

static int child_of_a_trace(struct fmp_trace_ring *ring, uint32_t generation)
{
    (void)ring;
    if (generation_now() != 0 || fmp_trace_attach(generation, "child"))
        return 1;
    if (fmp_trace_stop() != 0)
        return 2; /* must not end the parent's */
    char path[320];
    snprintf(path, sizeof path, "%s/child", trace_folder);
    if (fmp_trace_start(path, NULL) != 0)
        return 3;
    fmp_trace_put(attach("child"), fmp_clock_ticks(), 1, INNER, FMP_EVENT_MARK);
    if (fmp_trace_stop() != 0)
        return 4;
    fmp_trace *trace = fmp_trace_read(path, NULL, 0);
    unlink(path);
    if (!trace || trace->thread_count != 1 || trace->threads[0].event_count != 1 ||
        trace->process_id != (uint64_t)getpid())
        return 5;
    fmp_trace_free(&trace);
    fmp_trace_detach();
    return 0;
}

static void a_forked_child_leaves_its_parents_trace_alone(void **state)
{
    (void)state;
    assert_int_equal(fmp_trace_start(trace_path, NULL), 0);
    uint32_t generation = generation_now();
    struct fmp_trace_ring *ring = attach("parent");
    fmp_trace_put(ring, fmp_clock_ticks(), 1, INNER, FMP_EVENT_MARK);
    pid_t child = fork();
    if (child == 0)
        _exit(child_of_a_trace(ring, generation));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(generation_now(), generation);
    fmp_trace_put(ring, fmp_clock_ticks(), 2, INNER, FMP_EVENT_MARK);
    assert_int_equal(fmp_trace_stop(), 0);
    fmp_trace_detach();
    fmp_trace *trace = read_trace();
    assert_true(trace->complete);
    assert_int_equal(trace->process_id, getpid());
    assert_int_equal(trace->thread_count, 1);
    assert_int_equal(trace->threads[0].event_count, 2);
    fmp_trace_free(&trace);
}

int main(void)
{
    void *shared = mmap(NULL, THREADS * sizeof *confirmed, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    confirmed = shared;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_recorded_survives_a_kill),
        cmocka_unit_test(a_forked_child_leaves_its_parents_trace_alone),
    };
    return cmocka_run_group_tests(tests, make_trace_folder, remove_trace_folder);
}
