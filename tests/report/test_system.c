/* The system's side of a run in its profile: written, loaded, merged, refused, and printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "document.h"
#include "report/profile_reader.h"
#include "sample_system.h"

#define T(value) FMP_TEXT(value)
#define N(value) FMP_NUMBER(value)

static char *written_with(const fmp_system_report *system)
{
    fm_report_run run = sample_run();
    run.system = system;
    return written(NULL, &run);
}

static fm_profile *profile_with(fmp_system_report *system)
{
    char *text = written_with(system);
    fm_profile *profile = loaded(text);
    char *again = rewritten(profile);
    assert_string_equal(text, again);
    free(again);
    free(text);
    fmp_system_report_free(&system);
    return profile;
}

static double number_of(const fm_profile *profile, const char *table, size_t row, const char *column)
{
    const fmp_table *t = fmp_system_table(profile->run.system, table);
    assert_non_null(t);
    assert_true(fmp_table_column(t, column) >= 0 && row < t->row_count);
    return fmp_table_number(t, row, fmp_table_column(t, column));
}

static const char *text_of(const fm_profile *profile, const char *table, size_t row, const char *column)
{
    const fmp_table *t = fmp_system_table(profile->run.system, table);
    assert_non_null(t);
    assert_true(fmp_table_column(t, column) >= 0 && row < t->row_count);
    return fmp_table_text(t, row, fmp_table_column(t, column));
}

static void every_table_is_read_back(void **state)
{
    (void)state;
    fmp_system_report *sample = sample_system();
    fm_profile *profile = profile_with(sample_system());
    const fmp_system_report *report = profile->run.system;
    assert_int_equal(report->table_count, fmp_known_table_count);
    for (size_t i = 0; i < report->table_count; i++) {
        const fmp_table *a = &sample->tables[i], *b = &report->tables[i];
        assert_string_equal(a->key, b->key);
        assert_int_equal(a->row_count, b->row_count);
        for (size_t row = 0; row < a->row_count && row < SAMPLE_SYSTEM_ROWS; row++)
            for (int column = 0; column < (int)a->column_count; column++) {
                assert_string_equal(fmp_table_text(a, row, column), fmp_table_text(b, row, column));
                const double x = fmp_table_number(a, row, column), y = fmp_table_number(b, row, column);
                assert_true(x == y || (isnan(x) && isnan(y)));
            }
    }
    /* What is no UTF-8 is replaced, what is not known stays so. */
    assert_string_equal(text_of(profile, "threads", 3, "thread"), "odd \x1b[2J\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    assert_true(isnan(number_of(profile, "threads", 3, "cpu_seconds")));
    assert_true(number_of(profile, "threads", 3, "voluntary_switches") == 0);
    assert_true(isnan(number_of(profile, "threads", 3, "migrations")));
    fmp_system_report_free(&sample);
    fm_profile_free(&profile);
}

static void numbers_keep_every_digit(void **state)
{
    (void)state;
    fmp_tables *tables = fmp_tables_create();
    fmp_table_begin(tables, "energy");
    for (int i = 0; i < 1000; i++)
        fmp_table_row(tables, (fmp_cell[]){T(fmp_tables_text(tables, "%d", i)), N(1 + i / 7.0),
                                           N(i * 1e-9 / 3), N(i * 9e15 / 7)});
    fm_profile *profile = profile_with(fmp_tables_finish(&tables));
    for (int i = 0; i < 1000; i++) {
        assert_true(number_of(profile, "energy", (size_t)i, "seconds") == 1 + i / 7.0);
        assert_true(number_of(profile, "energy", (size_t)i, "joules") == i * 1e-9 / 3);
        assert_true(number_of(profile, "energy", (size_t)i, "units") == round(i * 9e15 / 7));
    }
    fm_profile_free(&profile);
}

static void a_run_that_was_not_watched_says_so(void **state)
{
    (void)state;
    char *text = written_with(NULL);
    assert_non_null(strstr(text, "\"system\": null"));
    fm_profile *profile = loaded(text);
    assert_null(profile->run.system);
    char *report = capture_text(profile->snapshot, &profile->run, false);
    assert_null(strstr(report, "SYSTEM"));
    free(report);
    /* As profiles of earlier versions, which have no such member. */
    char *member = strstr(text, "\"system\"");
    memcpy(member, "\"other_\"", 8);
    fm_profile *earlier = loaded(text);
    assert_null(earlier->run.system);
    fm_profile_free(&earlier);
    fm_profile_free(&profile);
    free(text);
}

/* The sample with `from`, which must be there, replaced by `to` once, is refused for `why`. */
static void refused(const char *from, const char *to, const char *why)
{
    fmp_system_report *system = sample_system();
    char *text = written_with(system);
    fmp_system_report_free(&system);
    char *member = strstr(text, "\"system\": ");
    assert_non_null(member);
    const char *at = strstr(member, from);
    if (!at)
        fail_msg("no %s in %s", from, text);
    const size_t before = (size_t)(at - text), size = strlen(text) + strlen(to) + 1;
    char *changed = malloc(size);
    assert_non_null(changed);
    memcpy(changed, text, before);
    snprintf(changed + before, size - before, "%s%s", to, at + strlen(from));
    fm_profile *profile = NULL;
    fm_error err = {0};
    if (fm_profile_parse(changed, strlen(changed), "bad.json", &profile, &err) != FM_E_BAD_INPUT)
        fail_msg("not refused: %s", why);
    assert_null(profile);
    if (!strstr(err.message, why))
        fail_msg("\"%s\" does not say: %s", err.message, why);
    free(changed);
    free(text);
}

static void lies_are_refused(void **state)
{
    (void)state;
    refused("\"system\": {", "\"system\": [], \"_\": {", "system must be an object");
    refused("\"threads\": [", "\"threads\": {}, \"_\": [", "system.threads must be an array");
    refused("\"threads\": [", "\"threads\": [1, ", "system.threads must hold objects, and element 0 is none");
    refused("\"threads\": [", "\"threads\": [{}, ", "system.threads[0].thread is missing");
    refused("\"thread\": \"thread 1\"", "\"thread\": null", "system.threads[1].thread must be text");
    refused("\"thread\": \"thread 1\"", "\"thread\": 5", "system.threads[1].thread must be text");
    refused("\"thread\": \"thread 1\"", "\"thread\": \"\\u0000\"", "line");
    refused("\"wall_seconds\": ", "\"wall_seconds\": -",
            "system.process[0].wall_seconds must be a number from 0 to 9.2e9, or null");
    refused("\"wall_seconds\": ", "\"wall_seconds\": 9.3e9, \"_\": ",
            "system.process[0].wall_seconds must be a number");
    refused("\"wall_seconds\": ", "\"wall_seconds\": \"1\", \"_\": ",
            "system.process[0].wall_seconds must be a number");
    refused("\"wall_seconds\": ", "\"wall_seconds\": true, \"_\": ", "system.process[0].wall_seconds must be a number");
    refused("\"wall_seconds\": ", "\"wall_second\": ", "system.process[0].wall_seconds is missing");
    refused("\"wall_seconds\": ", "\"wall_seconds\": 1e999, \"_\": ", "overflow");
    refused("\"voluntary_switches\": ", "\"voluntary_switches\": 0.5, \"_\": ",
            "system.process[0].voluntary_switches must be a whole number from 0 to 9e18, or null");
    refused("\"voluntary_switches\": ", "\"voluntary_switches\": -1, \"_\": ",
            "voluntary_switches must be a whole number");
    refused("\"voluntary_switches\": ", "\"voluntary_switches\": 9223372036854775807, \"_\": ",
            "must be a whole number");
    refused("\"live_bytes\": ", "\"live_bytes\": -9.1e18, \"_\": ",
            "system.heap[0].live_bytes must be a whole number from -9e18 to 9e18, or null");
    refused("\"joules\": ", "\"joules\": -1, \"_\": ",
            "system.energy[0].joules must be a number from 0 to 1e15, or null");
    refused("\"utilisation_peak\": ", "\"utilisation_peak\": [], \"_\": ", "accelerators[0].utilisation_peak must be");
}

/* What stands in a file may be larger than any run: it is refused, not computed with. */
static void too_many_rows_are_refused(void **state)
{
    (void)state;
    static const char row[] = "{},";
    const size_t rows = (size_t)FM_READ_ITEMS_MAX + 1, room = rows * (sizeof row - 1) + 64;
    fmp_system_report *system = sample_system();
    char *text = written_with(system);
    char *member = strstr(strstr(text, "\"system\": "), "\"threads\": [");
    assert_non_null(member);
    char *large = malloc(strlen(text) + room);
    assert_non_null(large);
    const size_t before = (size_t)(member - text) + strlen("\"threads\": [");
    memcpy(large, text, before);
    char *to = large + before;
    for (size_t i = 0; i < rows; i++, to += sizeof row - 1)
        memcpy(to, row, sizeof row - 1);
    strcpy(to, text + before);
    fm_profile *profile = NULL;
    fm_error err = {0};
    assert_int_equal(fm_profile_parse(large, strlen(large), "large", &profile, &err), FM_E_BAD_INPUT);
    if (!strstr(err.message, "system.threads must not hold more than"))
        fail_msg("%s", err.message);
    free(large);
    free(text);
    fmp_system_report_free(&system);
}

static void the_text_of_a_loaded_profile_is_the_same(void **state)
{
    (void)state;
    fmp_system_report *system = sample_system();
    fm_report_run run = sample_run();
    run.system = system;
    char *json = written(NULL, &run);
    fm_profile *profile = loaded(json);
    char *first = capture_text(NULL, &run, true), *second = capture_text(profile->snapshot, &profile->run, true);
    assert_string_equal(first, second);
    assert_non_null(strstr(first, "\nSYSTEM\n"));
    assert_true(strstr(first, "\nPIPELINE\n") < strstr(first, "\nSYSTEM\n"));
    free(second);
    free(first);
    free(json);
    fm_profile_free(&profile);
    fmp_system_report_free(&system);
}

/* --- merging ---------------------------------------------------------------------- */

static fm_profile *merged(const fm_profile *const *profiles, size_t count)
{
    fm_profile *sum = NULL;
    fm_error err = {0};
    if (fm_profile_merge(profiles, count, &sum, &err) != FM_OK)
        fail_msg("%s", err.message);
    /* It is a profile like any other. */
    char *text = rewritten(sum);
    fm_profile *again = loaded(text);
    char *same = rewritten(again);
    assert_string_equal(text, same);
    free(same);
    free(text);
    fm_profile_free(&again);
    return sum;
}

static void merging_with_itself_doubles(void **state)
{
    (void)state;
    fm_profile *one = profile_with(sample_system());
    const fm_profile *const both[] = {one, one};
    fm_profile *two = merged(both, 2);
    const fmp_system_report *a = one->run.system, *b = two->run.system;
    assert_int_equal(a->table_count, b->table_count);
    for (size_t i = 0; i < a->table_count; i++) {
        const fmp_table *x = &a->tables[i], *y = &b->tables[i];
        assert_int_equal(x->row_count, y->row_count);
        for (size_t row = 0; row < x->row_count; row++)
            for (int c = 0; c < (int)x->column_count; c++) {
                const double p = fmp_table_number(x, row, c), q = fmp_table_number(y, row, c);
                const double factor = x->columns[c].merge == FMP_MERGE_SUM ? 2 : 1;
                assert_true((isnan(p) && isnan(q)) || fabs(q - factor * p) <= 1e-12 * fabs(q));
                assert_string_equal(fmp_table_text(x, row, c), fmp_table_text(y, row, c));
            }
    }
    assert_int_equal(two->run.note_count, 1); /* nothing differs */
    fm_profile_free(&two);
    fm_profile_free(&one);
}

/* What a run keeps of its facts while it closes everything: nothing is lost, percentiles and slowest frames too. */
static void one_alone_is_copied(void **state)
{
    (void)state;
    fmp_system_report *system = sample_system();
    fmp_snapshot *snapshot = sample_recorded();
    fm_report_run run = sample_run();
    run.system = system;
    char *text = written(snapshot, &run);
    fm_profile *one = loaded(text);
    const fm_profile *const alone[] = {one};
    fm_profile *copy = merged(alone, 1);
    fm_profile_free(&one);
    char *again = rewritten(copy);
    assert_string_equal(text, again);
    free(again);
    free(text);
    fm_profile_free(&copy);
    fmp_snapshot_free(&snapshot);
    fmp_system_report_free(&system);
}

typedef struct sampled {
    const char *operation;
    double samples, seconds;
} sampled;

static fm_profile *profile_of_samples(const sampled *rows, size_t count, const char *state, const char *how)
{
    fmp_tables *tables = fmp_tables_create();
    fmp_table_begin(tables, "samples");
    for (size_t i = 0; i < count; i++)
        fmp_table_row(tables, (fmp_cell[]){T(rows[i].operation), N(rows[i].samples),
                                           N(rows[i].seconds)});
    fmp_table_add(tables, "facilities", (fmp_cell[]){T("sample"), T("stacks"), T(state), T(how),
                                                     T("")});
    return profile_with(fmp_tables_finish(&tables));
}

static void rows_meet_by_their_keys(void **state)
{
    (void)state;
    static const sampled first[] = {{"decode", 50, 0.5}, {"infer", 40, 0.4}, {"draw", 10, NAN}};
    static const sampled second[] = {{"encode", 90, 0.9}, {"infer", 80, 0.8}, {"draw", 5, 0.05}};
    fm_profile *a = profile_of_samples(first, 3, "on", "by perf_event");
    fm_profile *b = profile_of_samples(second, 3, "on", "by timers");
    const fm_profile *const both[] = {a, b};
    fm_profile *sum = merged(both, 2);
    static const sampled want[] = {{"infer", 120, 0}, {"encode", 90, 0.9}, {"decode", 50, 0.5}, {"draw", 15, NAN}};
    for (size_t i = 0; i < 4; i++) { /* falling, as in both */
        assert_string_equal(text_of(sum, "samples", i, "operation"), want[i].operation);
        assert_true(number_of(sum, "samples", i, "samples") == want[i].samples);
    }
    assert_true(fabs(number_of(sum, "samples", 0, "seconds") - 1.2) < 1e-12);
    assert_true(isnan(number_of(sum, "samples", 3, "seconds"))); /* one of them does not know */
    assert_string_equal(text_of(sum, "facilities", 0, "state"), "on");
    assert_string_equal(text_of(sum, "facilities", 0, "how"), ""); /* they differ */
    fm_profile_free(&sum);
    fm_profile_free(&b);
    fm_profile_free(&a);
}

static void other_orders_stay(void **state)
{
    (void)state;
    static const sampled first[] = {{"b", 1, 0.1}, {"a", 3, 0.3}}, second[] = {{"c", 9, 0.9}, {"a", 1, 0.1}};
    fm_profile *a = profile_of_samples(first, 2, "on", ""), *b = profile_of_samples(second, 2, "on", "");
    const fm_profile *const both[] = {a, b};
    fm_profile *sum = merged(both, 2);
    static const char *const want[] = {"b", "a", "c"};
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(text_of(sum, "samples", i, "operation"), want[i]);
    fm_profile_free(&sum);
    fm_profile_free(&b);
    fm_profile_free(&a);
}

static void a_run_that_was_not_watched_adds_nothing(void **state)
{
    (void)state;
    fm_profile *watched = profile_with(sample_system()), *not_watched = profile_with(NULL);
    const fm_profile *const both[] = {not_watched, watched}, *const none[] = {not_watched, not_watched};
    fm_profile *sum = merged(both, 2), *nothing = merged(none, 2);
    assert_true(number_of(sum, "process", 0, "wall_seconds") == number_of(watched, "process", 0, "wall_seconds"));
    bool told = false;
    for (size_t i = 0; i < sum->run.note_count; i++)
        told = told || strstr(sum->run.notes[i], "not watched from the system's side");
    assert_true(told);
    assert_null(nothing->run.system);
    assert_int_equal(nothing->run.note_count, 1);
    fm_profile_free(&nothing);
    fm_profile_free(&sum);
    fm_profile_free(&not_watched);
    fm_profile_free(&watched);
}

/* A sum that no column holds is not known. */
static void sums_beyond_their_range_are_not_known(void **state)
{
    (void)state;
    static const sampled rows[] = {{"huge", 8e18, 9.1e9}};
    fm_profile *one = profile_of_samples(rows, 1, "on", "");
    const fm_profile *const both[] = {one, one};
    fm_profile *sum = merged(both, 2);
    assert_true(isnan(number_of(sum, "samples", 0, "samples")) && isnan(number_of(sum, "samples", 0, "seconds")));
    fm_profile_free(&sum);
    fm_profile_free(&one);
}

/* Many rows, of which each run has its own and shared ones. */
static void many_rows_are_merged(void **state)
{
    (void)state;
    enum { ROWS = 5000, RUNS = 3 };
    fm_profile *runs[RUNS];
    for (int run = 0; run < RUNS; run++) {
        fmp_tables *tables = fmp_tables_create();
        fmp_table_begin(tables, "functions");
        for (int i = 0; i < ROWS; i++)
            fmp_table_row(tables, (fmp_cell[]){T("op"), N(1), N(0.001), N(0.002),
                                               T(fmp_tables_text(tables, "f%d", i + run * ROWS / 2)), T("m")});
        runs[run] = profile_with(fmp_tables_finish(&tables));
    }
    fm_profile *sum = merged((const fm_profile *const *)runs, RUNS);
    const fmp_table *table = fmp_system_table(sum->run.system, "functions");
    assert_int_equal(table->row_count, ROWS * 2);
    double samples = 0, twice = 0;
    for (size_t i = 0; i < table->row_count; i++) {
        samples += fmp_table_number(table, i, 1);
        twice += fmp_table_number(table, i, 1) == 2;
    }
    assert_true(samples == ROWS * RUNS && twice == ROWS);
    fm_profile_free(&sum);
    for (int run = 0; run < RUNS; run++)
        fm_profile_free(&runs[run]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_is_read_back),
        cmocka_unit_test(numbers_keep_every_digit),
        cmocka_unit_test(a_run_that_was_not_watched_says_so),
        cmocka_unit_test(lies_are_refused),
        cmocka_unit_test(too_many_rows_are_refused),
        cmocka_unit_test(the_text_of_a_loaded_profile_is_the_same),
        cmocka_unit_test(merging_with_itself_doubles),
        cmocka_unit_test(one_alone_is_copied),
        cmocka_unit_test(rows_meet_by_their_keys),
        cmocka_unit_test(other_orders_stay),
        cmocka_unit_test(a_run_that_was_not_watched_adds_nothing),
        cmocka_unit_test(sums_beyond_their_range_are_not_known),
        cmocka_unit_test(many_rows_are_merged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
