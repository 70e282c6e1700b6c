/* What no other program can tell: unsound traces, locales and full disks. */
#include <errno.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "export/figures.h"
#include "export/trace_facts.h"
#include "export/walk.h"
#include "export/writer.h"
#include "synthetic.h"

/* --- the walk ------------------------------------------------------------------ */

/* Balanced, in order of time, children inside their parents; gives the number of scopes. */
static size_t check_walk(const fmp_trace_thread *thread)
{
    enum { DEPTH_MAX = 4096 };
    static uint64_t ends[DEPTH_MAX];
    size_t depth = 0, scopes = 0;
    uint64_t now = 0;
    fmp_walk walk;
    fmp_step step;
    fmp_walk_start(&walk, thread);
    while (fmp_walk_next(&walk, &step)) {
        assert_true(step.at_ns >= now);
        now = step.at_ns;
        if (step.kind == FMP_STEP_BEGIN) {
            assert_true(step.end_ns >= step.at_ns);
            assert_true(depth == 0 || step.end_ns <= ends[depth - 1]);
            assert_int_equal(depth > 0, step.parent != NULL);
            assert_true(depth < DEPTH_MAX);
            ends[depth++] = step.end_ns;
            scopes++;
        } else if (step.kind == FMP_STEP_END) {
            assert_true(depth > 0);
            assert_true(step.at_ns == ends[--depth]);
        }
    }
    assert_false(walk.failed);
    assert_int_equal(depth, 0);
    fmp_walk_stop(&walk);
    return scopes;
}

static void any_trace_leaves_in_order(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    static fmp_event events[COUNT];
    uint64_t random = 99;
    for (int round = 0; round < 200; round++) {
        size_t scopes = 0;
        for (size_t i = 0; i < COUNT; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            uint64_t span = (uint64_t)1 << (random >> 58);
            events[i] = (fmp_event){.start_ns = (random >> 3) % span,
                                    .value = round % 3 ? (random >> 7) % span : UINT64_MAX,
                                    .kind = (fmp_event_kind)(1 + (random >> 40) % 7),
                                    .name = (uint32_t)(random >> 33)};
            scopes += events[i].kind == FMP_EVENT_SCOPE;
        }
        fmp_trace_thread thread = {.name = "odd", .id = 1, .events = events, .event_count = COUNT};
        assert_int_equal(check_walk(&thread), scopes);
    }
}

static void sound_scopes_are_not_touched(void **state)
{
    (void)state;
    fmp_trace *trace = synthetic_random(30000, 3, 5);
    for (size_t t = 0; t < trace->thread_count; t++) {
        fmp_walk walk;
        fmp_step step;
        fmp_walk_start(&walk, &trace->threads[t]);
        while (fmp_walk_next(&walk, &step)) {
            if (step.kind != FMP_STEP_BEGIN)
                continue;
            assert_true(step.at_ns == step.event->start_ns);
            assert_true(step.end_ns - step.at_ns == step.event->value);
        }
        fmp_walk_stop(&walk);
    }
    synthetic_free(trace);
}

/* Hostile events in every format: nothing crashes (the sanitizers watch), and names out of range are named. */
static void unsound_traces_are_printed(void **state)
{
    (void)state;
    static const fmp_event events[] = {
        {UINT64_MAX, UINT64_MAX, FMP_EVENT_SCOPE, UINT32_MAX},
        {5, 10, FMP_EVENT_SCOPE, 1},
        {7, 100, FMP_EVENT_SCOPE, 0},
        {1, UINT64_MAX, FMP_EVENT_COUNTER, 77},
        {0, UINT64_MAX, FMP_EVENT_GAUGE, 0},
        {0, 3, FMP_EVENT_FLOW_END, 9},
        {0, 0, (fmp_event_kind)42, 0},
    };
    static const fmp_trace_name names[] = {{NULL, NULL, NULL}};
    const fmp_trace_thread threads[] = {
        {NULL, UINT64_MAX, events, sizeof events / sizeof events[0], UINT64_MAX},
        {"two", UINT64_MAX, events, 2, 0},
    };
    const fmp_trace trace = {.names = names, .name_count = 1, .threads = threads, .thread_count = 2,
                             .process_id = UINT64_MAX, .dropped = UINT64_MAX};
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(fmp_print_chrome_trace(out, &trace), 0);
    assert_int_equal(fmp_print_perfetto(out, &trace), 0);
    assert_int_equal(fmp_print_speedscope_trace(out, &trace, NULL), 0);
    assert_int_equal(fmp_print_folded_trace(out, &trace), 0);
    fclose(out);
    assert_non_null(strstr(text, "\"(unknown)\""));
    free(text);
}

/* --- thread ids and counters ----------------------------------------------------- */

static void thread_ids_are_distinct(void **state)
{
    (void)state;
    const uint64_t ids[] = {7, 0, 7, (uint64_t)1 << 40, 9, 0, 7};
    fmp_trace_thread threads[7];
    for (size_t i = 0; i < 7; i++)
        threads[i] = (fmp_trace_thread){.name = "", .id = ids[i]};
    fmp_trace trace = {.threads = threads, .thread_count = 7};
    uint64_t *got = fmp_trace_thread_ids(&trace);
    assert_true(got[0] == 7 && got[4] == 9);
    for (size_t i = 0; i < 7; i++) {
        assert_true(got[i] > 0 && got[i] <= INT32_MAX);
        for (size_t k = 0; k < i; k++)
            assert_true(got[i] != got[k]);
    }
    free(got);
}

static void counters_add_up_over_threads(void **state)
{
    (void)state;
    size_t count = 0;
    fmp_point *points = fmp_trace_points(&synthetic_small, &count);
    const fmp_point expected[] = {{1100, 1, 7}, {1200, 11, 7}, {1500, 13, 7},
                                  {90, 5, 8}, {1300, INT64_MAX, 8}, {1600, -7, 8}};
    assert_int_equal(count, 6);
    for (size_t i = 0; i < count; i++) {
        assert_true(points[i].at_ns == expected[i].at_ns);
        assert_true(points[i].value == expected[i].value);
        assert_int_equal(points[i].name, expected[i].name);
    }
    free(points);
}

/* --- numbers, locales, streams --------------------------------------------------- */

static char *all_formats(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fmp_text_options options = {.wall_seconds = 120.5, .percentiles = true};
    assert_int_equal(fmp_print_text(out, &synthetic_snapshot, &options), 0);
    assert_int_equal(fmp_print_csv(out, &synthetic_snapshot), 0);
    assert_int_equal(fmp_print_speedscope(out, &synthetic_snapshot, "t"), 0);
    assert_int_equal(fmp_print_chrome_trace(out, &synthetic_small), 0);
    fclose(out);
    return text;
}

static char locales[] = "/tmp/fmprof-locales-XXXXXX";

/* Compiles a locale with a decimal comma; false where the system cannot (Debian: package locales). */
static bool make_locale(void)
{
    char command[256];
    if (!mkdtemp(locales))
        return false;
    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >/dev/null 2>&1",
             locales);
    return system(command) == 0 && setenv("LOCPATH", locales, 1) == 0;
}

static void remove_locale(void)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf %s", locales);
    if (system(command) != 0)
        print_message("%s stays behind\n", locales);
}

static void the_locale_changes_nothing(void **state)
{
    (void)state;
    char *before = all_formats(), *after = NULL;
    if (make_locale() && setlocale(LC_ALL, "de_DE.UTF-8")) {
        char comma[8];
        snprintf(comma, sizeof comma, "%.1f", 0.5);
        assert_string_equal(comma, "0,5");
        after = all_formats();
        setlocale(LC_ALL, "C");
        assert_string_equal(before, after);
    }
    remove_locale();
    free(before);
    if (!after) {
        print_message("no locale with a decimal comma could be made\n");
        skip();
    }
    free(after);
}

static void numbers_are_exact(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fmp_writer w;
    fmp_writer_open(&w, out);
    fmp_write_scaled(&w, UINT64_MAX, 3);
    fmp_write_char(&w, ' ');
    fmp_write_scaled(&w, 7, 9);
    fmp_write_char(&w, ' ');
    fmp_write_i64(&w, INT64_MIN);
    fmp_write_char(&w, ' ');
    fmp_write_double(&w, 0.1);
    fmp_write_char(&w, ' ');
    fmp_write_double(&w, 1.0 / 3);
    assert_int_equal(fmp_writer_close(&w), 0);
    fclose(out);
    assert_string_equal(text, "18446744073709551.615 0.000000007 -9223372036854775808 0.1 "
                              "0.33333333333333331");
    free(text);
}

static void bytes_are_humane(void **state)
{
    (void)state;
    const struct {
        int64_t bytes;
        const char *text;
    } cases[] = {{0, "0 B"}, {-1, "-1 B"}, {1023, "+1023 B"}, {1024, "+1.0 KiB"},
                 {-1536 * 1024, "-1.5 MiB"}, {INT64_MAX, "+8.0 EiB"}, {INT64_MIN, "-8.0 EiB"},
                 {1048575, "+1.0 MiB"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[FMP_TIME_TEXT_SIZE];
        fmp_bytes_text(text, cases[i].bytes);
        assert_string_equal(text, cases[i].text);
        assert_true(strlen(text) <= 11);
    }
}

static void a_full_disk_is_an_error(void **state)
{
    (void)state;
    for (int format = 0; format < 7; format++) {
        FILE *full = fopen("/dev/full", "w");
        if (!full)
            skip();
        errno = 0;
        int printed = format == 0   ? fmp_print_csv(full, &synthetic_snapshot)
                      : format == 1 ? fmp_print_folded(full, &synthetic_snapshot)
                      : format == 2 ? fmp_print_speedscope(full, &synthetic_snapshot, "")
                      : format == 3 ? fmp_print_chrome_trace(full, &synthetic_small)
                      : format == 4 ? fmp_print_perfetto(full, &synthetic_small)
                      : format == 5 ? fmp_print_speedscope_trace(full, &synthetic_small, "")
                                    : fmp_print_folded_trace(full, &synthetic_small);
        assert_int_equal(printed, -1);
        assert_int_equal(errno, ENOSPC);
        fclose(full);
    }
}

static void nothing_is_printed_of_nothing(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(fmp_print_folded(out, NULL), 0);
    assert_int_equal(fmp_print_folded_trace(out, NULL), 0);
    assert_int_equal(ftell(out), 0);
    assert_int_equal(fmp_print_csv(out, NULL), 0);
    assert_int_equal(fmp_print_speedscope(out, NULL, NULL), 0);
    assert_int_equal(fmp_print_chrome_trace(out, NULL), 0);
    assert_int_equal(fmp_print_perfetto(out, NULL), 0);
    assert_int_equal(fmp_print_speedscope_trace(out, NULL, NULL), 0);
    fclose(out);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_trace_leaves_in_order),
        cmocka_unit_test(sound_scopes_are_not_touched),
        cmocka_unit_test(unsound_traces_are_printed),
        cmocka_unit_test(thread_ids_are_distinct),
        cmocka_unit_test(counters_add_up_over_threads),
        cmocka_unit_test(the_locale_changes_nothing),
        cmocka_unit_test(numbers_are_exact),
        cmocka_unit_test(bytes_are_humane),
        cmocka_unit_test(a_full_disk_is_an_error),
        cmocka_unit_test(nothing_is_printed_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
