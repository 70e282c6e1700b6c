/*
 * The memory facility as a program uses it: restarted with the interposer, or
 * without it ("bare"), as it is under sanitizers too.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fmprof/fmprof.h"
#include "fmprof/system.h"
#include "plant.h"
#include "preloaded.h"
#include "watch/alloc_client.h"

static int restart; /* what fmp_alloc_preload said */
static void *volatile kept;

static const char *cell(const fmp_table *table, size_t row, const char *column)
{
    return fmp_table_text(table, row, fmp_table_column(table, column));
}

static double number(const fmp_table *table, size_t row, const char *column)
{
    return fmp_table_number(table, row, fmp_table_column(table, column));
}

/* The row with that text in a column; fails when there is none. */
static size_t row_of(const fmp_table *table, const char *column, const char *text)
{
    assert_non_null(table);
    for (size_t i = 0; i < table->row_count; i++)
        if (strcmp(cell(table, i, column), text) == 0)
            return i;
    fail_msg("no row of %s has %s = %s", table->key, column, text);
    return 0;
}

static fmp_system *start(uint64_t interval)
{
    fmp_system *system = fmp_system_start(
        &(fmp_system_options){.facilities = FMP_SYSTEM_MEMORY, .allocation_interval = interval, .readings_hz = 200});
    assert_non_null(system);
    return system;
}

static fmp_system_report *stop(fmp_system *system)
{
    fmp_system_report *report = fmp_system_stop(&system, 0);
    assert_non_null(report);
    return report;
}

/* --- with the interposer ------------------------------------------------------------------ */

static void the_program_goes_on_as_it_was_started(void **state)
{
    (void)state;
    assert_int_equal(restart, 0);
    assert_null(getenv("LD_PRELOAD"));
    assert_null(getenv("FMPROF_ALLOC_RESTARTED"));
    assert_string_equal(program_invocation_short_name, "test_memory");
    char name[32] = "";
    FILE *comm = fopen("/proc/self/comm", "r");
    assert_non_null(comm);
    assert_non_null(fgets(name, sizeof name, comm));
    fclose(comm);
    assert_string_equal(name, "test_memory\n");
    assert_int_equal(system("test -z \"$LD_PRELOAD$FMPROF_ALLOC_RESTARTED\""), 0);
}

static void a_planted_leak_is_found(void **state)
{
    (void)state;
    static void *blocks[PLANT_BLOCKS], *more[PLANT_BLOCKS];
    fmp_system *watch = start(1);
    for (int i = 0; i < 100; i++) {
        FMP_SCOPE("TEST", "careful");
        kept = malloc(100000);
        free(kept);
    }
    {
        FMP_SCOPE("TEST", "careless");
        plant(blocks);
    }
    plant(more);
    for (int i = 0; i < PLANT_BLOCKS; i++)
        free(more[i]);
    usleep(50000); /* the watching thread reads meanwhile */
    fmp_system_report *report = stop(watch);

    const fmp_table *leaks = fmp_system_table(report, "leaks");
    const size_t leak = row_of(leaks, "operation", "careless");
    /* Nothing of the watch itself, nor of the profiler, to which these operations are new. */
    assert_int_equal(leaks->row_count, 1);
    assert_true(number(leaks, leak, "count") == PLANT_BLOCKS);
    assert_true(number(leaks, leak, "bytes") == PLANT_BLOCKS * PLANT_SIZE);
    const char *stack = cell(leaks, leak, "stack");
#ifdef FMP_HAVE_LIBDW
    char first[64];
    snprintf(first, sizeof first, "plant (plant.c:%u)\n", plant_line);
    assert_memory_equal(stack, first, strlen(first));
    assert_non_null(strstr(stack, "a_planted_leak_is_found (test_memory.c:"));
    if (!strstr(stack, "\nmain ("))
        fail_msg("it does not come from main:\n%s", stack);
#else
    assert_non_null(strchr(stack, '\n'));
#endif

    const fmp_table *allocations = fmp_system_table(report, "allocations");
    size_t row = row_of(allocations, "operation", "careful");
    assert_true(number(allocations, row, "count") == 100);
    assert_true(number(allocations, row, "bytes") == 1e7);
    assert_true(number(allocations, row, "live_bytes") == 0);
    assert_true(number(allocations, row, "peak_bytes") == 100000);
    row = row_of(allocations, "operation", "(no scope)");
    assert_true(number(allocations, row, "count") == PLANT_BLOCKS);
    assert_int_equal(allocations->row_count, 3);

    const fmp_table *heap = fmp_system_table(report, "heap");
    assert_string_equal(cell(heap, 0, "process"), "test_memory");
    assert_true(number(heap, 0, "count") == 100 + 2 * PLANT_BLOCKS);
    assert_true(number(heap, 0, "live_count") == PLANT_BLOCKS);
    assert_true(number(heap, 0, "peak_bytes") == 100000);

    const fmp_table *stacks = fmp_system_table(report, "allocation_stacks");
    assert_string_equal(cell(stacks, 0, "operation"), "careful"); /* the largest is first */
    assert_true(number(stacks, 0, "bytes") == 1e7);
    const fmp_table *facilities = fmp_system_table(report, "facilities");
    row = row_of(facilities, "what", "allocations and leaks");
    assert_string_equal(cell(facilities, row, "state"), "on");
    assert_non_null(strstr(cell(facilities, row, "how"), "every allocation"));
    assert_true(number(fmp_system_table(report, "memory"), 0, "resident_peak_bytes") > 0);
    fmp_system_report_free(&report);
    for (int i = 0; i < PLANT_BLOCKS; i++)
        free(blocks[i]);
}

static APART void *one_for_the_cache(void)
{
    void *volatile block = malloc(1000);
    return block;
}

static APART void *one_for_the_step(void)
{
    void *volatile block = malloc(10);
    return block;
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

enum { STEPS = 60, EACH = 5, CLOCK_MS = 20 }; /* CLOCK_MS: how coarse the interposer's may be */

static double blocks_after(const double *steps, double ms)
{
    int count = 0;
    for (int i = 0; i < STEPS; i++)
        count += steps[i] > ms ? EACH : 0;
    return count;
}

static void caches_are_told_from_leaks(void **state)
{
    (void)state;
    enum { CACHED = 500 };
    static void *cache[CACHED], *leaked[STEPS * EACH];
    double steps[STEPS];
    const double before_start = now_ms();
    fmp_system *watch = start(1);
    const double after_start = now_ms();
    {
        FMP_SCOPE("TEST", "open");
        for (int i = 0; i < CACHED; i++)
            cache[i] = one_for_the_cache();
    }
    for (int i = 0; i < STEPS; i++) {
        FMP_SCOPE("TEST", "step");
        steps[i] = now_ms();
        for (int j = 0; j < EACH; j++)
            leaked[i * EACH + j] = one_for_the_step();
        usleep(5000);
    }
    const double before_stop = now_ms();
    fmp_system_report *report = stop(watch);
    const double least = blocks_after(steps, (after_start + now_ms()) / 2 + CLOCK_MS);
    const double most = blocks_after(steps, (before_start + before_stop) / 2 - CLOCK_MS);
    const fmp_table *leaks = fmp_system_table(report, "leaks");
    assert_int_equal(leaks->row_count, 2);
    assert_string_equal(cell(leaks, 0, "operation"), "step"); /* though its blocks are fewer and smaller */
    assert_true(number(leaks, 0, "count") == STEPS * EACH);
    /* About half: how many exactly depends on how long the steps were. */
    const double late = number(leaks, 0, "late_count");
    if (!(late >= least && late <= most && late > 0 && most < STEPS * EACH))
        fail_msg("%.0f blocks are late, but from %.0f to %.0f should be", late, least, most);
    assert_string_equal(cell(leaks, 1, "operation"), "open");
    assert_true(number(leaks, 1, "count") == CACHED);
    assert_true(number(leaks, 1, "late_count") == 0);
    fmp_system_report_free(&report);
    for (int i = 0; i < CACHED; i++)
        free(cache[i]);
    for (int i = 0; i < STEPS * EACH; i++)
        free(leaked[i]);
}

static void a_sample_says_that_it_is_one(void **state)
{
    (void)state;
    enum { BLOCKS = 3000, SIZE = 100000 };
    static void *blocks[BLOCKS];
    fmp_system *watch = start(0);
    {
        FMP_SCOPE("TEST", "much");
        for (int i = 0; i < BLOCKS; i++)
            blocks[i] = malloc(SIZE);
    }
    fmp_system_report *report = stop(watch);
    const fmp_table *allocations = fmp_system_table(report, "allocations");
    const size_t row = row_of(allocations, "operation", "much");
    assert_true(number(allocations, row, "count") == BLOCKS);
    assert_true(number(allocations, row, "bytes") == (double)BLOCKS * SIZE);
    /* Some 520 samples: six deviations of 4 % each. */
    const double live = number(allocations, row, "live_bytes");
    assert_true(live > 0.76 * BLOCKS * SIZE && live < 1.24 * BLOCKS * SIZE);
    const fmp_table *facilities = fmp_system_table(report, "facilities");
    assert_non_null(strstr(cell(facilities, row_of(facilities, "what", "allocations and leaks"), "how"),
                           "one every 512 KiB in the mean"));
    fmp_system_report_free(&report);
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i]);
}

static void another_client_is_told_of(void **state)
{
    (void)state;
    const fmp_alloc_calls *api = fmp_alloc_find();
    assert_int_equal(api->start(NULL), 0);
    fmp_system_report *report = stop(start(1));
    const fmp_table *facilities = fmp_system_table(report, "facilities");
    const size_t row = row_of(facilities, "what", "allocations and leaks");
    assert_string_equal(cell(facilities, row, "state"), "not here");
    assert_non_null(strstr(cell(facilities, row, "how"), "another client"));
    fmp_system_report_free(&report);
    fmp_alloc_totals totals;
    api->stop();
    api->totals(&totals);
    assert_int_equal(totals.interval, 512 * 1024); /* it was left alone */
    api->clear();
}

/* --- where another allocator comes first ------------------------------------------------------ */

static void an_allocator_that_comes_first_is_told_of(void **state)
{
    (void)state;
    fmp_system_report *report = stop(start(1));
    assert_null(fmp_system_table(report, "heap"));
    const fmp_table *facilities = fmp_system_table(report, "facilities");
    const size_t row = row_of(facilities, "what", "allocations and leaks");
    assert_string_equal(cell(facilities, row, "state"), "not here");
    assert_non_null(strstr(cell(facilities, row, "how"), "comes before"));
    fmp_system_report_free(&report);
}

/* --- without ------------------------------------------------------------------------------- */

static void what_is_missing_is_said(void **state)
{
    (void)state;
    fmp_system_report *report = stop(start(1));
    assert_null(fmp_system_table(report, "leaks"));
    assert_null(fmp_system_table(report, "heap"));
    assert_non_null(fmp_system_table(report, "memory"));
    const fmp_table *facilities = fmp_system_table(report, "facilities");
    const size_t row = row_of(facilities, "what", "allocations and leaks");
    assert_string_equal(cell(facilities, row, "state"), "not here");
    const char *checker = fmp_alloc_checker();
    if (checker)
        assert_non_null(strstr(cell(facilities, row, "how"), checker));
    else
        assert_non_null(strstr(cell(facilities, row, "remedy"), "LD_PRELOAD=libfmprof-alloc.so"));
    fmp_system_report_free(&report);
}

static void assert_refused(const char *library, int error, const char *reason)
{
    char *argv[] = {(char[]){"test_memory"}, NULL};
    const char *preload = getenv("LD_PRELOAD"); /* valgrind's, under which the test runs too */
    char *before = preload ? strdup(preload) : NULL;
    assert_int_equal(fmp_alloc_preload(library, argv), error);
    assert_non_null(strstr(fmp_alloc_preload_failure(), reason));
    preload = getenv("LD_PRELOAD");
    assert_true(before && preload ? strcmp(before, preload) == 0 : before == preload);
    free(before);
    fmp_system_report *report = stop(start(1));
    const fmp_table *facilities = fmp_system_table(report, "facilities");
    assert_non_null(strstr(cell(facilities, row_of(facilities, "what", "allocations and leaks"), "how"), reason));
    fmp_system_report_free(&report);
}

static void a_library_that_cannot_be_preloaded_is_refused(void **state)
{
    (void)state;
    if (fmp_alloc_checker()) {
        assert_refused(NULL, ENOTSUP, fmp_alloc_checker());
        return;
    }
    assert_refused("/no/such/library.so", ENOENT, "/no/such/library.so");
    char folder[] = "/tmp/fmprof alloc XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.so", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_refused(path, EINVAL, "space or a colon");
    setenv("FMPROF_ALLOC_LIBRARY", path, 1);
    assert_refused(NULL, EINVAL, "space or a colon");
    unsetenv("FMPROF_ALLOC_LIBRARY");
    unlink(path);
    rmdir(folder);
    /* As if it were the restarted program, which the loader gave nothing. */
    setenv("FMPROF_ALLOC_RESTARTED", "=/what/it/was.so", 1);
    setenv("LD_PRELOAD", "/what/it/was.so", 1);
    assert_refused(NULL, EPERM, "did not preload");
    assert_null(getenv("FMPROF_ALLOC_RESTARTED"));
    setenv("FMPROF_ALLOC_RESTARTED", "-", 1);
    assert_int_equal(fmp_alloc_preload(NULL, (char *[]){(char[]){"test_memory"}, NULL}), EPERM);
    assert_null(getenv("LD_PRELOAD"));
}

int main(int argc, char **argv)
{
    const bool bare = argc > 1 && strcmp(argv[1], "bare") == 0;
    restart = bare ? 0 : fmp_alloc_preload(NULL, argv);
    const struct CMUnitTest with[] = {
        cmocka_unit_test(the_program_goes_on_as_it_was_started),
        cmocka_unit_test(a_planted_leak_is_found),
        cmocka_unit_test(caches_are_told_from_leaks),
        cmocka_unit_test(a_sample_says_that_it_is_one),
        cmocka_unit_test(another_client_is_told_of),
    };
    const struct CMUnitTest without[] = {
        cmocka_unit_test(what_is_missing_is_said),
        cmocka_unit_test(a_library_that_cannot_be_preloaded_is_refused),
    };
    const struct CMUnitTest behind[] = {cmocka_unit_test(an_allocator_that_comes_first_is_told_of)};
    if (argc > 1 && strcmp(argv[1], "behind") == 0)
        return restart ? SKIPPED : cmocka_run_group_tests(behind, NULL, NULL);
    if (bare || restart == ENOTSUP)
        return cmocka_run_group_tests(without, NULL, NULL);
    if (argc < 2 || strcmp(argv[1], "two words") != 0) {
        fprintf(stderr, "arguments were lost\n");
        return 1;
    }
    return cmocka_run_group_tests(with, NULL, NULL);
}
