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

/* The same stack from one call: first by libunwind, then by the compiler's unwinder, since a library was unloaded. */
static void both_unwinders_agree(void **state)
{
    (void)state;
    static search seen[2][2];
    void *library = dlopen(getenv("TEST_PLUG_LARGE"), RTLD_NOW);
    assert_non_null(library);
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 2; j++) {
            start();
            void *block = j ? takes_by_signal() : calls_itself(7);
            api->stop();
            seen[i][j] = (search){.from = (uintptr_t)takes, .length = NEAR};
            api->each_stack(see_stack, &seen[i][j]);
            assert_int_equal(seen[i][j].how_many, 1);
            free(block);
        }
        if (i == 0) {
#ifdef FMP_HAVE_LIBUNWIND
            assert_true(is_fast());
#endif
            dlclose(library);
        }
    }
    assert_false(is_fast());
    for (int j = 0; j < 2; j++) {
        assert_true(seen[1][j].found.frame_count > 10);
        assert_int_equal(seen[0][j].found.frame_count, seen[1][j].found.frame_count);
        assert_memory_equal(seen[0][j].frames, seen[1][j].frames, sizeof seen[0][j].frames);
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
        cmocka_unit_test(both_unwinders_agree),
        cmocka_unit_test(libraries_may_change_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
