/* What a program does with its allocator, as the preloaded library sees it. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "preloaded_stacks.h"

/* What the tests do is told from what cmocka does by its operation. Compilers think that malloc does not look at it. */
static _Thread_local volatile uint32_t operation_now;

static uint32_t ask_operation(void)
{
    return operation_now;
}

static void start(uint64_t interval, uint64_t seed)
{
    assert_int_equal(api->start(&(fmp_alloc_options){.interval = interval, .operation = ask_operation, .seed = seed}),
                     0);
}

static void see(const fmp_alloc_operation *one, void *opaque)
{
    fmp_alloc_operation *wanted = opaque;
    if (one->operation == wanted->operation)
        *wanted = *one;
}

static fmp_alloc_operation stop(uint32_t operation)
{
    operation_now = 0;
    api->stop();
    fmp_alloc_operation one = {.operation = operation};
    api->each_operation(see, &one);
    return one;
}

static void every_function_is_seen(void **state)
{
    (void)state;
    start(1, 0);
    operation_now = 1;
    void *all[16];
    size_t n = 0;
    all[n++] = keep(malloc(1));
    all[n++] = keep(calloc(3, 5));
    all[n++] = keep(realloc(NULL, 20));
    all[n++] = keep(reallocarray(NULL, 10, 4));
    all[n++] = keep(aligned_alloc(64, 128));
    all[n++] = keep(memalign(32, 100));
    all[n++] = keep(valloc(7));
    all[n++] = keep(pvalloc(7));
    all[n] = NULL;
    assert_int_equal(posix_memalign(&all[n++], 256, 300), 0);
    all[n++] = keep(strdup("twelve bytes"));
    all[n++] = keep(malloc(0));
    all[0] = keep(realloc(all[0], 1000));
    all[1] = keep(reallocarray(all[1], 7, 100));
    for (size_t i = 0; i < n; i++)
        assert_non_null(all[i]);
    assert_int_equal((uintptr_t)all[4] % 64 + (uintptr_t)all[5] % 32 + (uintptr_t)all[8] % 256, 0);
    assert_int_equal((uintptr_t)all[6] % (uintptr_t)sysconf(_SC_PAGESIZE), 0);
    for (size_t i = 0; i < n; i += 2)
        free(all[i]);
    free(NULL);
    const fmp_alloc_operation one = stop(1);
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    assert_int_equal(one.count, 13);
    assert_int_equal(one.bytes, 1 + 15 + 20 + 40 + 128 + 100 + 7 + page + 300 + 13 + 0 + 1000 + 700);
    assert_int_equal(one.live_count, 5);
    assert_int_equal(one.live_bytes, 700 + 40 + 100 + page + 13);
    for (size_t i = 1; i < n; i += 2)
        free(all[i]);
}

static void failures_are_no_allocations(void **state)
{
    (void)state;
    volatile size_t huge = PTRDIFF_MAX;
    start(1, 0);
    operation_now = 1;
    char *block = keep(malloc(50));
    errno = 0;
    void *refused = keep(malloc(huge));
    const int after_malloc = errno;
    errno = 0;
    void *product = keep(calloc(huge, 16));
    const int after_calloc = errno;
    errno = 0;
    void *array = keep(reallocarray(keep(block), huge, 16));
    const int after_array = errno;
    errno = 0;
    void *moved = keep(realloc(keep(block), huge));
    const int after_realloc = errno;
    void *aligned = NULL;
    const int bad = posix_memalign(&aligned, 3, 10);
    const fmp_alloc_operation one = stop(1);
    assert_true(!refused && !product && !array && !moved && !aligned && bad == EINVAL);
    assert_true(after_malloc == ENOMEM && after_calloc == ENOMEM && after_array == ENOMEM && after_realloc == ENOMEM);
    assert_int_equal(one.count, 1);
    assert_int_equal(one.live_bytes, 50); /* realloc left it */
    free(block);
}

static void errno_stays(void **state)
{
    (void)state;
    for (uint64_t interval = 1; interval <= 1000; interval += 999) {
        start(interval, 1);
        errno = 4711;
        for (size_t i = 0; i < 1000; i++) {
            void *block = keep(malloc(i));
            block = keep(realloc(block, 2 * i + 1));
            free(block);
        }
        const int after = errno;
        stop(0);
        assert_int_equal(after, 4711);
    }
}

static void blocks_from_before_are_left_alone(void **state)
{
    (void)state;
    void *one = keep(malloc(10)), *two = keep(malloc(20)), *three = keep(malloc(30));
    start(1, 0);
    operation_now = 1;
    free(one);
    two = keep(realloc(two, 2000));
    const fmp_alloc_operation seen = stop(1);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.live_bytes, 2000);
    free(two); /* after the end */
    free(three);
    start(1, 0);
    stop(0);
    fmp_alloc_totals totals;
    api->totals(&totals);
    assert_int_equal(totals.live_bytes, 0);
}

/* --- stacks ----------------------------------------------------------------------------- */

static void a_stack_begins_where_the_program_called(void **state)
{
    (void)state;
    start(1, 0);
    void *block = takes(77);
    stop(0);
    search s = {.from = (uintptr_t)takes, .length = NEAR};
    api->each_stack(see_stack, &s);
    assert_int_equal(s.how_many, 1);
    assert_true(s.found.frame_count >= 2);
    assert_true(s.frames[1] - (uintptr_t)a_stack_begins_where_the_program_called < NEAR);
    free(block);
}

static void same_stacks_are_one(void **state)
{
    (void)state;
    start(1, 0);
    operation_now = 9;
    void *deep[3];
    for (int i = 0; i < 3; i++)
        deep[i] = calls_itself(60);
    stop(9);
    search s = {.from = (uintptr_t)takes, .length = NEAR};
    api->each_stack(see_stack, &s);
    assert_int_equal(s.how_many, 1);
    assert_int_equal(s.found.count, 3);
    assert_int_equal(s.found.bytes, 3 * 123);
    assert_int_equal(s.found.operation, 9);
    assert_int_equal(s.found.frame_count, FMP_ALLOC_DEPTH);
    for (size_t i = 1; i < FMP_ALLOC_DEPTH; i++)
        assert_true(s.frames[i] - (uintptr_t)calls_itself < NEAR);
    for (int i = 0; i < 3; i++)
        free(deep[i]);
}

static void *plug; /* stays: what happens when it goes is tested below */

static void libraries_that_are_loaded_later_are_seen(void **state)
{
    (void)state;
    start(1, 0);
    void *library = plug = dlopen(getenv("TEST_PLUG"), RTLD_NOW);
    assert_non_null(library);
    void *symbol = dlsym(library, "plug_take");
    void *(*take)(size_t);
    memcpy(&take, &symbol, sizeof take);
    operation_now = 2;
    void *block = take(4321);
    const fmp_alloc_operation one = stop(2);
    assert_int_equal(one.live_bytes, 4321);
    search s = {.from = (uintptr_t)take, .length = NEAR};
    api->each_stack(see_stack, &s);
    assert_int_equal(s.how_many, 1);
    free(block);
}

/* From here on stacks are walked by the compiler's unwinder. */
static void a_library_goes(void **state)
{
    (void)state;
    start(1, 0);
    assert_int_equal(dlclose(plug), 0);
    stop(0);
    fmp_alloc_totals totals;
    api->totals(&totals);
    assert_false(totals.fast);
}

/* --- threads, forks, signals ------------------------------------------------------------------ */

enum { THREADS = 16, ROUNDS = 20000 };
static _Atomic(bool) halt;

/* Of ROUNDS times i % 200 bytes every tenth block is kept. */
static void *known_sequence(void *opaque)
{
    operation_now = (uint32_t)(uintptr_t)opaque;
    for (size_t i = 0; i < ROUNDS; i++) {
        void *volatile block = malloc(i % 200); /* not by keep, which is for one thread */
        if (i % 10 == 0)
            block = realloc(block, 500);
        if (i % 10)
            free(block);
    }
    operation_now = 0;
    return NULL;
}

static void *until_halt(void *opaque)
{
    while (!atomic_load(&halt)) {
        void *volatile block = malloc(300);
        free(block);
    }
    return opaque;
}

static void threads_add_up(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    start(1, 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, known_sequence, (void *)(100 + i)), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (uint32_t i = 0; i < THREADS; i++) {
        const fmp_alloc_operation one = stop(100 + i);
        assert_int_equal(one.count, ROUNDS + ROUNDS / 10);
        assert_int_equal(one.bytes, ROUNDS / 200 * 19900 + ROUNDS / 10 * 500);
        assert_int_equal(one.live_count, ROUNDS / 10);
        assert_int_equal(one.live_bytes, ROUNDS / 10 * 500);
        assert_true(one.peak_bytes >= one.live_bytes && one.peak_bytes < one.live_bytes + 1000);
    }
}

static void samples_estimate_what_is_live(void **state)
{
    (void)state;
    enum { BLOCKS = 20000, SIZE = 1000, INTERVAL = 20000 };
    static void *blocks[BLOCKS];
    start(INTERVAL, 3);
    operation_now = 1;
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = malloc(SIZE);
    for (size_t i = 0; i < BLOCKS; i += 2)
        free(blocks[i]);
    fmp_alloc_operation one = stop(1);
    assert_int_equal(one.count, BLOCKS);
    assert_int_equal(one.bytes, BLOCKS * SIZE);
    /* About 500 samples are left of 1000: the deviation of what they stand for is 1/sqrt(500) of it, 4.5 %. */
    const double live = (double)one.live_bytes / (BLOCKS / 2 * SIZE), peak = (double)one.peak_bytes / (BLOCKS * SIZE);
    assert_true(live > 0.82 && live < 1.18);
    assert_true(peak > 0.87 && peak < 1.13);
    for (size_t i = 1; i < BLOCKS; i += 2)
        free(blocks[i]);
}

static int in_child(void (*body)(void))
{
    const pid_t child = fork();
    if (child == 0) {
        alarm(60); /* a child that waits for a lock is killed */
        body();
        _exit(0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}

/* Exits with another status than 0 where something is not as it should be. */
static void child_of_fork(void)
{
    fmp_alloc_totals totals;
    free(keep(malloc(100)));
    api->stop(); /* it does not record */
    api->totals(&totals);
    if (totals.interval != 0)
        _exit(2);
    if (api->start(&(fmp_alloc_options){.interval = 1}) != 0)
        _exit(3);
    keep(malloc(321));
    api->stop();
    api->totals(&totals);
    if (totals.count != 1 || totals.bytes != 321)
        _exit(4);
}

static void forks_record_for_themselves(void **state)
{
    (void)state;
    pthread_t threads[4];
    atomic_store(&halt, false);
    for (uint64_t interval = 1; interval <= 1000; interval += 999) {
        start(interval, 0);
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, until_halt, NULL), 0);
        operation_now = 1;
        void *block = keep(malloc(55));
        for (int i = 0; i < 25; i++)
            assert_int_equal(in_child(child_of_fork), 0);
        atomic_store(&halt, true);
        for (size_t i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
        atomic_store(&halt, false);
        assert_int_equal(stop(1).bytes, 55);
        free(block);
    }
}

/* Bytes of addresses that are in use; 0 where that cannot be told. */
static rlim_t address_space(void)
{
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (!statm || fscanf(statm, "%lu", &pages) != 1)
        pages = 0;
    if (statm)
        fclose(statm);
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static void child_without_memory(void)
{
    const rlim_t most = address_space() + (400 << 20);
    const struct rlimit limit = {.rlim_cur = most, .rlim_max = most};
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        _exit(2);
    if (api->start(&(fmp_alloc_options){.interval = 1, .operation = ask_operation}) != 0)
        _exit(3);
    operation_now = 5;
    uint64_t count = 0;
    while (keep(malloc(1 << 20)))
        count++;
    while (keep(malloc(16)))
        count++;
    if (errno != ENOMEM || count < 100)
        _exit(4);
    api->stop();
    fmp_alloc_operation one = {.operation = 5};
    api->each_operation(see, &one);
    if (one.count != count)
        _exit(5);
    api->clear();
    if (api->start(NULL) == EBUSY)
        _exit(6);
}

static void memory_that_is_out_is_told_to_the_program_alone(void **state)
{
    (void)state;
    assert_int_equal(in_child(child_without_memory), 0);
}

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
    (void)number;
    signals++;
}

static void signals_may_come_at_any_time(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, before;
    sigaction(SIGALRM, &action, &before);
    const struct itimerval often = {.it_interval.tv_usec = 200, .it_value.tv_usec = 200}, never = {0};
    setitimer(ITIMER_REAL, &often, NULL);
    start(1, 0);
    while (signals < 100)
        known_sequence((void *)(uintptr_t)1);
    stop(1);
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
    fmp_alloc_totals totals;
    api->totals(&totals);
    assert_int_equal(totals.dropped_live + totals.dropped_stacks, 0);
}

int main(void)
{
    api = preloaded_api();
    if (!api)
        return SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_function_is_seen),
        cmocka_unit_test(failures_are_no_allocations),
        cmocka_unit_test(errno_stays),
        cmocka_unit_test(blocks_from_before_are_left_alone),
        cmocka_unit_test(a_stack_begins_where_the_program_called),
        cmocka_unit_test(same_stacks_are_one),
        cmocka_unit_test(libraries_that_are_loaded_later_are_seen),
        cmocka_unit_test(threads_add_up),
        cmocka_unit_test(samples_estimate_what_is_live),
        cmocka_unit_test(forks_record_for_themselves),
        cmocka_unit_test(memory_that_is_out_is_told_to_the_program_alone),
        cmocka_unit_test(signals_may_come_at_any_time),
        cmocka_unit_test(a_library_goes),
        cmocka_unit_test(threads_add_up),
        cmocka_unit_test(forks_record_for_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
