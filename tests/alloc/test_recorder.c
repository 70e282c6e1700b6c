/* The recorder by itself, told of blocks that are numbers: so it can be built with any sanitizer. */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "alloc/recorder.h"

static _Thread_local uint32_t operation_now;

static uint32_t ask_operation(void)
{
    return operation_now;
}

/* Nowhere on the stack, so that it is the only frame: a place of its own for each number. */
static void took(uintptr_t pointer, size_t size, uintptr_t place)
{
    assert_true(fmp_alloc_enter());
    fmp_alloc_took((const void *)pointer, size, place);
    fmp_alloc_leave();
}

static void gives(uintptr_t pointer)
{
    fmp_alloc_enter();
    fmp_alloc_gives((const void *)pointer);
    fmp_alloc_leave();
}

static void moves(uintptr_t from, uintptr_t to, size_t size, bool works)
{
    fmp_alloc_lifted lifted;
    fmp_alloc_enter();
    fmp_alloc_lift(&lifted, (const void *)from);
    fmp_alloc_settle(&lifted, works);
    if (works)
        fmp_alloc_took((const void *)to, size, 1);
    fmp_alloc_leave();
}

static void start(uint64_t interval, uint64_t seed, uint64_t memory_max)
{
    assert_int_equal(fmp_alloc_start(&(fmp_alloc_options){
                         .interval = interval, .operation = ask_operation, .seed = seed, .memory_max = memory_max}),
                     0);
}

static fmp_alloc_totals stop(void)
{
    fmp_alloc_stop();
    fmp_alloc_totals totals;
    fmp_alloc_read_totals(&totals);
    return totals;
}

typedef struct wanted {
    uint32_t operation;
    uintptr_t frame;
    fmp_alloc_operation of_operation;
    fmp_alloc_stack of_stack;
    size_t operations, stacks;
} wanted;

static void see_operation(const fmp_alloc_operation *one, void *opaque)
{
    wanted *w = opaque;
    w->operations++;
    if (one->operation == w->operation)
        w->of_operation = *one;
}

static void see_stack(const fmp_alloc_stack *one, void *opaque)
{
    wanted *w = opaque;
    w->stacks++;
    if (one->operation == w->operation && one->frames[0] == w->frame)
        w->of_stack = *one;
}

static wanted look_for(uint32_t operation, uintptr_t frame)
{
    wanted w = {.operation = operation, .frame = frame};
    fmp_alloc_each_operation(see_operation, &w);
    fmp_alloc_each_stack(see_stack, &w);
    return w;
}

static void numbers_are_exact(void **state)
{
    (void)state;
    start(1, 0, 0);
    assert_int_equal(fmp_alloc_start(NULL), EBUSY);
    operation_now = 3;
    took(0x1000, 100, 7);
    took(0x2000, 200, 7);
    operation_now = 4;
    took(0x3000, 1000, 7);
    gives(0x2000);
    gives(0x2000);      /* not there any more */
    gives(0x4000);      /* never was */
    took(0x5000, 0, 8); /* nothing is a block too */
    took(0, 50, 8);     /* a failure is not */
    moves(0x1000, 0x6000, 500, true);
    moves(0x3000, 0, 0, false);
    moves(0x7000, 0x8000, 1, true); /* from before */
    took(0x6000, 40, 9); /* given back unseen */
    operation_now = 0;
    const fmp_alloc_totals t = stop();
    assert_int_equal(t.interval, 1);
    assert_int_equal(t.count, 7);
    assert_int_equal(t.bytes, 100 + 200 + 1000 + 500 + 1 + 40);
    assert_int_equal(t.samples, 7);
    assert_int_equal(t.live_count, 4);
    assert_int_equal(t.live_bytes, 1000 + 0 + 1 + 40);
    assert_int_equal(t.peak_bytes, 1000 + 500 + 1); /* before 0x6000 came again */
    assert_int_equal(t.dropped_live + t.dropped_stacks + t.other_operations, 0);
    wanted w = look_for(3, 7);
    assert_int_equal(w.operations, 2);
    assert_int_equal(w.stacks, 5);
    assert_int_equal(w.of_operation.count, 2);
    assert_int_equal(w.of_operation.bytes, 300);
    assert_int_equal(w.of_operation.live_bytes, 0);
    assert_int_equal(w.of_operation.peak_bytes, 300);
    assert_int_equal(w.of_stack.count, 2);
    assert_int_equal(w.of_stack.bytes, 300);
    assert_int_equal(w.of_stack.live_count, 0);
    assert_int_equal(w.of_stack.frame_count, 1);
    w = look_for(4, 1); /* the two that moved */
    assert_int_equal(w.of_operation.count, 5);
    assert_int_equal(w.of_operation.peak_bytes, 1501);
    assert_int_equal(w.of_stack.count, 2);
    assert_int_equal(w.of_stack.live_bytes, 1);
    assert_int_equal(w.of_stack.peak_bytes, 501);
    fmp_alloc_clear();
    fmp_alloc_read_totals(&(fmp_alloc_totals){0});
    assert_int_equal(look_for(3, 7).stacks, 0);
}

static void recordings_do_not_mix(void **state)
{
    (void)state;
    start(1, 0, 0);
    took(0x1000, 100, 7);
    assert_int_equal(stop().count, 1);
    took(0x1000, 100, 7); /* between: nobody asks for it */
    start(1, 0, 0);
    gives(0x1000);
    took(0x2000, 5, 7);
    fmp_alloc_aside(true);
    fmp_alloc_aside(true);
    took(0x3000, 100, 7);
    fmp_alloc_aside(false);
    took(0x4000, 100, 7);
    gives(0x2000); /* the program's, whoever gives it back */
    fmp_alloc_aside(false);
    fmp_alloc_aside(false); /* once too often is nothing */
    took(0x5000, 6, 7);
    const fmp_alloc_totals t = stop();
    assert_int_equal(t.count, 2);
    assert_int_equal(t.bytes, 11);
    assert_int_equal(t.live_bytes, 6);
    fmp_alloc_clear();
    fmp_alloc_clear();
    fmp_alloc_stop();
    fmp_alloc_totals none;
    fmp_alloc_read_totals(&none);
    assert_int_equal(none.interval, 0);
}

static void operations_beyond_the_last_are_one(void **state)
{
    (void)state;
    start(1, 0, 0);
    for (uint32_t i = 4000; i < 5000; i++) {
        operation_now = i;
        took((uintptr_t)(i + 1) * 16, 2, 7);
    }
    operation_now = UINT32_MAX - 1;
    took(0x10, 2, 7);
    operation_now = FMP_ALLOC_ASIDE;
    took(0x20, 2, 7);
    operation_now = 0;
    const fmp_alloc_totals t = stop();
    assert_int_equal(t.count, 1001);
    assert_int_equal(t.other_operations, 1001 - 95);
    const wanted w = look_for(FMP_ALLOC_OPERATIONS - 1, 7);
    assert_int_equal(w.operations, 96);
    assert_int_equal(w.of_operation.count, 906);
    assert_int_equal(w.of_operation.live_bytes, 2 * 906);
    fmp_alloc_clear();
}

/* --- estimates ---------------------------------------------------------------------- */

enum { BLOCKS = 15000, INTERVAL = 16 * 1024, SEEDS = 40 };

/* Not tiny: a sample of those stands for so many that their sums are not normally distributed. */
static size_t size_of(int i)
{
    return (size_t)((i * 7919) % 997 + 200) * ((i * 31) % 13 == 0 ? 100 : 1);
}

static bool is_kept(int i)
{
    return i % 3 == 0;
}

/* The standard deviation of what samples tell of a sum: of each block a variance of x^2 (1 - p) / p. */
static double deviation(bool of_bytes, bool of_kept)
{
    double variance = 0;
    for (int i = 0; i < BLOCKS; i++) {
        if (of_kept && !is_kept(i))
            continue;
        const double size = (double)size_of(i), p = 1 - exp(-(size + 1) / INTERVAL), x = of_bytes ? size : 1;
        variance += x * x * (1 - p) / p;
    }
    return sqrt(variance);
}

static void assert_near(double estimate, double truth, double deviation)
{
    if (fabs(estimate - truth) > 4 * deviation)
        fail_msg("%.0f, but it is %.0f and the deviation %.0f", estimate, truth, deviation);
}

static void estimates_have_the_error_that_they_should(void **state)
{
    (void)state;
    double bytes = 0, kept_bytes = 0, kept = 0, all_count = 0, all_bytes = 0, all_kept = 0;
    for (int i = 0; i < BLOCKS; i++) {
        bytes += (double)size_of(i);
        kept += is_kept(i);
        kept_bytes += is_kept(i) ? (double)size_of(i) : 0;
    }
    const double off_count = deviation(false, false), off_bytes = deviation(true, false);
    const double off_kept_bytes = deviation(true, true), off_kept = deviation(false, true);
    uint64_t first_samples = 0;
    for (uint64_t seed = 1; seed <= SEEDS + 1; seed++) {
        const uint64_t of = seed <= SEEDS ? seed : 1;
        start(INTERVAL, of, 0);
        for (int i = 0; i < BLOCKS; i++) {
            took((uintptr_t)(i + 1) * 16, size_of(i), 7);
            if (!is_kept(i))
                gives((uintptr_t)(i + 1) * 16);
        }
        const fmp_alloc_totals t = stop();
        assert_int_equal(t.count, BLOCKS); /* known exactly */
        assert_true((double)t.bytes == bytes);
        assert_true(t.samples > 500 && t.samples < BLOCKS / 4);
        assert_near((double)t.live_bytes, kept_bytes, off_kept_bytes);
        assert_near((double)t.live_count, kept, off_kept);
        const wanted w = look_for(0, 7);
        assert_int_equal(w.of_stack.samples, t.samples);
        assert_near((double)w.of_stack.bytes, bytes, off_bytes);
        assert_near((double)w.of_stack.count, BLOCKS, off_count);
        if (seed == 1)
            first_samples = t.samples;
        if (seed > SEEDS) { /* the same seed once more */
            assert_int_equal(t.samples, first_samples);
            break;
        }
        all_count += (double)w.of_stack.count;
        all_bytes += (double)w.of_stack.bytes;
        all_kept += (double)t.live_bytes;
    }
    /* Without bias: means of many are as much nearer as they should be. */
    assert_near(all_count / SEEDS, BLOCKS, off_count / sqrt(SEEDS));
    assert_near(all_bytes / SEEDS, bytes, off_bytes / sqrt(SEEDS));
    assert_near(all_kept / SEEDS, kept_bytes, off_kept_bytes / sqrt(SEEDS));
    fmp_alloc_clear();
}

static void samples_leave_nothing_behind(void **state)
{
    (void)state;
    start(256, 5, 0);
    for (int i = 1; i <= 20000; i++)
        took((uintptr_t)i * 16, 100, (uintptr_t)(i % 50 + 1));
    for (int i = 1; i <= 20000; i++)
        gives((uintptr_t)i * 16);
    const fmp_alloc_totals t = stop();
    assert_true(t.samples > 4000);
    assert_int_equal(t.live_count, 0);
    assert_int_equal(t.live_bytes, 0);
    assert_near((double)t.peak_bytes, 2e6, 100 * sqrt(20000 * 2.1));
    fmp_alloc_clear();
}

/* --- early and late ------------------------------------------------------------------ */

static void pass(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void late_blocks_are_told_apart(void **state)
{
    (void)state;
    start(1, 0, 0);
    for (uintptr_t i = 1; i <= 10; i++)
        took(i * 16, 100, 1);
    took(0x1000, 7, 2);
    took(0x2000, 7, 3);
    pass(300);
    took(0x3000, 50, 1);
    took(0x4000, 60, 1);
    took(0x5000, 70, 1);
    gives(0x5000);
    gives(16);
    moves(0x1000, 0, 0, false);     /* is as old as it was */
    moves(0x2000, 0x6000, 9, true); /* is a new one */
    stop();
    wanted w = look_for(0, 1);
    assert_int_equal(w.of_stack.live_count, 9 + 2 + 1);
    assert_int_equal(w.of_stack.late_count, 2 + 1);
    assert_int_equal(w.of_stack.late_bytes, 50 + 60 + 9);
    w = look_for(0, 2);
    assert_int_equal(w.of_stack.live_count, 1);
    assert_int_equal(w.of_stack.late_count + w.of_stack.late_bytes, 0);
    fmp_alloc_clear();
}

static void late_blocks_are_estimated_too(void **state)
{
    (void)state;
    start(INTERVAL, 7, 0);
    for (int i = 0; i < 2 * BLOCKS; i++) {
        if (i == BLOCKS)
            pass(400); /* more than filling takes */
        took((uintptr_t)(i + 1) * 16, size_of(i % BLOCKS), 7);
    }
    pass(100);
    double bytes = 0;
    for (int i = 0; i < BLOCKS; i++)
        bytes += (double)size_of(i);
    stop();
    const wanted w = look_for(0, 7);
    assert_near((double)w.of_stack.late_count, BLOCKS, deviation(false, false));
    assert_near((double)w.of_stack.late_bytes, bytes, deviation(true, false));
    fmp_alloc_clear();
}

/* --- limits ----------------------------------------------------------------------------- */

static void memory_has_an_end(void **state)
{
    (void)state;
    enum { MANY = 400000, MAX = 8 << 20 };
    for (int stacks = 0; stacks < 2; stacks++) {
        start(1, 0, MAX);
        for (uintptr_t i = 1; i <= MANY; i++)
            took(i * 16, 10, stacks ? i : 1);
        for (uintptr_t i = 1; i <= MANY / 2; i++)
            gives(i * 16);
        const fmp_alloc_totals t = stop();
        assert_int_equal(t.count, MANY);
        assert_int_equal(t.bytes, MANY * 10);
        assert_true(t.memory <= MAX + fmp_alloc_threads_memory());
        assert_true(stacks ? t.dropped_stacks > 1000 : t.dropped_stacks == 0);
        assert_true(stacks || t.dropped_live > 1000);
        /* All that was kept is exact: of the first half nothing is left. */
        assert_int_equal(t.live_bytes, t.live_count * 10);
        assert_true(t.peak_bytes / 10 == MANY - t.dropped_live - t.dropped_stacks);
        fmp_alloc_clear();
    }
}

static void a_table_of_blocks_keeps_them_all(void **state)
{
    (void)state;
    fmp_pages pages;
    fmp_live live;
    fmp_live_entry entry;
    fmp_pages_begin(&pages, 64 << 20);
    fmp_live_begin(&live, &pages);
    enum { N = 100000 };
    for (uintptr_t i = 1; i <= N; i++)
        assert_true(fmp_live_add(&live, &(fmp_live_entry){.pointer = i * 48, .size = i}, &entry));
    for (uintptr_t i = N; i >= 1; i -= 2)
        assert_true(fmp_live_remove(&live, i * 48, &entry) && entry.size == i);
    for (uintptr_t i = 1; i <= N; i++)
        assert_int_equal(fmp_live_remove(&live, i * 48, &entry), i % 2 == 1);
    for (size_t i = 0; i < FMP_LIVE_SHARDS; i++)
        assert_int_equal(live.shards[i].count, 0);
    fmp_live_end(&live);
    fmp_pages_end(&pages);
    assert_int_equal(atomic_load(&pages.used), 0);
}

/* --- threads -------------------------------------------------------------------------------- */

enum { THREADS = 16, ROUNDS = 3000, SLOTS = 64 };
static _Atomic(uintptr_t) slots[SLOTS]; /* through which blocks change hands */
static _Atomic(bool) halt;

/* Each address is taken by one thread, and given back by any. */
static void *hammer(void *opaque)
{
    const uintptr_t self = (uintptr_t)opaque;
    operation_now = (uint32_t)self;
    for (uintptr_t i = 0; i < ROUNDS && !atomic_load(&halt); i++) {
        const uintptr_t pointer = (self * ROUNDS + i) * 64;
        took(pointer, i % 100, i % 40 + 1);
        const uintptr_t other = atomic_exchange(&slots[i % SLOTS], pointer);
        if (other)
            gives(other);
    }
    return NULL;
}

static void *hammer_on(void *opaque)
{
    while (!atomic_load(&halt))
        hammer(opaque);
    return NULL;
}

static void on_threads(void *(*body)(void *), pthread_t *threads)
{
    atomic_store(&halt, false);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, body, (void *)(i + 1)), 0);
}

static void many_threads_lose_nothing(void **state)
{
    (void)state;
    for (uint64_t interval = 1; interval <= 64; interval += 63) {
        pthread_t threads[THREADS];
        start(interval, 9, 0);
        on_threads(hammer, threads);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        for (int i = 0; i < SLOTS; i++)
            gives(atomic_exchange(&slots[i], 0));
        const fmp_alloc_totals t = stop();
        assert_int_equal(t.count, THREADS * ROUNDS);
        assert_int_equal(t.bytes, THREADS * (ROUNDS / 100) * 4950);
        assert_int_equal(t.live_count, 0);
        assert_int_equal(t.live_bytes, 0);
        const wanted w = look_for(5, 1);
        assert_int_equal(w.operations, THREADS);
        assert_int_equal(w.of_operation.count, ROUNDS);
        assert_int_equal(w.of_operation.live_bytes, 0);
        if (interval == 1)
            assert_int_equal(w.of_stack.count, ROUNDS / 40);
        fmp_alloc_clear();
    }
}

static void starts_and_stops_among_busy_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    on_threads(hammer_on, threads);
    for (int i = 0; i < 60; i++) {
        start(i % 2 ? 1 : 64, 0, 0);
        sched_yield();
        const fmp_alloc_totals t = stop();
        assert_true(t.live_count <= t.count + 64 * t.samples + THREADS);
        assert_true(t.live_bytes <= t.peak_bytes);
        if (i % 3 == 0)
            fmp_alloc_clear();
    }
    atomic_store(&halt, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    fmp_alloc_clear();
}

static void *take_one(void *opaque)
{
    took((uintptr_t)opaque, 1, 7);
    return NULL;
}

static void threads_that_end_leave_their_counts(void **state)
{
    (void)state;
    start(1, 0, 0);
    for (uintptr_t i = 1; i <= 300; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, take_one, (void *)(i * 16)), 0);
        pthread_join(thread, NULL);
    }
    assert_int_equal(stop().count, 300);
    assert_true(fmp_alloc_threads_memory() <= 40 * sizeof(fmp_alloc_counters)); /* they go on with those of others */
    fmp_alloc_clear();
}

int main(void)
{
    fmp_alloc_set_up();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_exact),
        cmocka_unit_test(recordings_do_not_mix),
        cmocka_unit_test(operations_beyond_the_last_are_one),
        cmocka_unit_test(estimates_have_the_error_that_they_should),
        cmocka_unit_test(samples_leave_nothing_behind),
        cmocka_unit_test(late_blocks_are_told_apart),
        cmocka_unit_test(late_blocks_are_estimated_too),
        cmocka_unit_test(memory_has_an_end),
        cmocka_unit_test(a_table_of_blocks_keeps_them_all),
        cmocka_unit_test(many_threads_lose_nothing),
        cmocka_unit_test(starts_and_stops_among_busy_threads),
        cmocka_unit_test(threads_that_end_leave_their_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
