/* Call stacks of allocations by libunwind, and by the compiler's unwinder where that may not be used. */
#include <link.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "preloaded_stacks.h"

static void start(void)
{
    assert_int_equal(api->start(&(fmp_alloc_options){.interval = 1}), 0);
}

static bool is_fast(void)
{
    fmp_alloc_totals totals;
    api->totals(&totals);
    return totals.fast;
}

static void libunwind_is_used_where_it_is(void **state)
{
    (void)state;
    start();
    api->stop();
#ifdef FMP_HAVE_LIBUNWIND
    assert_true(is_fast());
    assert_null(dlsym(RTLD_DEFAULT, "unw_backtrace")); /* for ourselves: exceptions are not thrown by it */
#else
    assert_false(is_fast());
#endif
}

static int take_in_callback(struct dl_phdr_info *info, size_t size, void *opaque)
{
    (void)info, (void)size, (void)opaque;
    for (int i = 0; i < 20; i++)
        free(keep(malloc(10)));
    return 0;
}

static void *take_once(void *opaque)
{
    void *volatile block = takes(30);
    free(block);
    return opaque;
}

/* New threads know no addresses yet, and ask the loader while another thread that allocates holds its lock. */
static void the_loader_may_be_busy(void **state)
{
    (void)state;
    start();
    alarm(60); /* when threads wait for each other */
    for (int i = 0; i < 200; i++) {
        pthread_t threads[4];
        for (size_t j = 0; j < 4; j++)
            assert_int_equal(pthread_create(&threads[j], NULL, take_once, NULL), 0);
        dl_iterate_phdr(take_in_callback, NULL);
        for (size_t j = 0; j < 4; j++)
            pthread_join(threads[j], NULL);
    }
    alarm(0);
    api->stop();
}

/* --- thread ends --------------------------------------------------------------------- */

static pthread_key_t at_end;

/* Of all rounds of destructors, and after others of the last round. */
static void take_at_end(void *rounds)
{
    free(takes(10));
    if (rounds != (void *)1)
        pthread_setspecific(at_end, (char *)rounds - 1);
}

static void *ends_slowly(void *opaque)
{
    free(takes(20));
    pthread_setspecific(at_end, (void *)(uintptr_t)sysconf(_SC_THREAD_DESTRUCTOR_ITERATIONS));
    return opaque;
}

static void threads_may_allocate_until_their_end(void **state)
{
    (void)state;
    enum { THREADS = 16, TIMES = 20 };
    start();
    assert_int_equal(pthread_key_create(&at_end, take_at_end), 0); /* behind the key of libunwind */
    for (int i = 0; i < TIMES; i++) {
        pthread_t threads[THREADS];
        for (size_t j = 0; j < THREADS; j++)
            assert_int_equal(pthread_create(&threads[j], NULL, ends_slowly, NULL), 0);
        for (size_t j = 0; j < THREADS; j++)
            pthread_join(threads[j], NULL);
    }
    api->stop();
    pthread_key_delete(at_end);
    search s = {.from = (uintptr_t)takes, .length = NEAR};
    api->each_stack(see_stack, &s);
    assert_int_equal(s.allocations, THREADS * TIMES * (1 + (uint64_t)sysconf(_SC_THREAD_DESTRUCTOR_ITERATIONS)));
}

/* --- libraries that go ------------------------------------------------------------------ */

static APART uintptr_t take_by(void *library, size_t size)
{
    void *symbol = dlsym(library, "plug_take");
    assert_non_null(symbol);
    void *(*take)(size_t);
    memcpy(&take, &symbol, sizeof take);
    free(keep(take(size)));
    return (uintptr_t)take;
}

/* Another library where one was, of which walks of stacks knew other frames. */
static void libraries_may_change_places(void **state)
{
    (void)state;
    const char *const paths[] = {getenv("TEST_PLUG"), getenv("TEST_PLUG_LARGE")};
    for (int i = 0; i < 6; i++) {
        start();
        void *library = dlopen(paths[i % 2], RTLD_NOW);
        assert_non_null(library);
        search s = {.from = take_by(library, 99), .length = NEAR};
        api->stop();
        api->each_stack(see_stack, &s);
        assert_int_equal(s.how_many, 1);
        assert_true(s.found.frame_count >= 3);
        assert_true(s.frames[1] - (uintptr_t)take_by < NEAR);
        assert_true(s.frames[2] - (uintptr_t)libraries_may_change_places < 4 * NEAR);
        start();
        dlclose(library);
        api->stop();
        assert_false(is_fast());
    }
}

static void *taken_by_handler;

static void take_in_handler(int number)
{
    (void)number;
    taken_by_handler = calls_itself(3);
}

/* Through the frame of a signal; raised here, no allocator is interrupted. */
static APART void *takes_by_signal(void)
{
    struct sigaction action = {.sa_handler = take_in_handler}, before;
    sigaction(SIGUSR1, &action, &before);
    raise(SIGUSR1);
    sigaction(SIGUSR1, &before, NULL);
    return taken_by_handler;
}

/* On a thread of its own, so that nothing but the unwinder differs from call to call. */
static void *take_on_thread(void *by_signal)
{
    return by_signal ? takes_by_signal() : calls_itself(7);
}

static search walk(bool by_signal)
{
    pthread_t thread;
    void *block = NULL;
    start();
    assert_int_equal(pthread_create(&thread, NULL, take_on_thread, by_signal ? &thread : NULL), 0);
    pthread_join(thread, &block);
    api->stop();
    search s = {.from = (uintptr_t)takes, .length = NEAR};
    api->each_stack(see_stack, &s);
    assert_int_equal(s.how_many, 1);
    free(block);
    return s;
}

/* First libunwind, then the compiler's unwinder, since a library was unloaded. */
static void both_unwinders_agree(void **state)
{
    (void)state;
    void *library = dlopen(getenv("TEST_PLUG_LARGE"), RTLD_NOW);
    assert_non_null(library);
    const search before[2] = {walk(false), walk(true)};
#ifdef FMP_HAVE_LIBUNWIND
    assert_true(is_fast());
#endif
    dlclose(library);
    const search after[2] = {walk(false), walk(true)};
    assert_false(is_fast());
    for (int i = 0; i < 2; i++) {
        assert_true(after[i].found.frame_count > 8);
        assert_int_equal(before[i].found.frame_count, after[i].found.frame_count);
        assert_memory_equal(before[i].frames, after[i].frames, sizeof before[i].frames);
    }
}

int main(void)
{
    api = preloaded_api();
    if (!api)
        return SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libunwind_is_used_where_it_is),
        cmocka_unit_test(the_loader_may_be_busy),
        cmocka_unit_test(threads_may_allocate_until_their_end),
        cmocka_unit_test(both_unwinders_agree),
        cmocka_unit_test(libraries_may_change_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
