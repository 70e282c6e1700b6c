/* The JSON profile, parsed back and compared with the snapshot it came from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "sample.h"

static json_t *parsed(const fmp_snapshot *snapshot, const fm_report_run *run)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    fm_error err = {0};
    assert_int_equal(fm_report_json(out, snapshot, run, &err), FM_OK);
    fclose(out);
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        fail_msg("%s at line %d:\n%s", error.text, error.line, text);
    free(text);
    return root;
}

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value))
        fail_msg("%s is no number", key);
    return json_number_value(value);
}

static void same_seconds(const json_t *object, const char *key, double nanoseconds)
{
    double value = number(object, key) * 1e9;
    if (fabs(value - nanoseconds) > 1e-3 + 1e-12 * nanoseconds)
        fail_msg("%s: %.6f ns, expected %.6f", key, value, nanoseconds);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    assert_non_null(text);
    return text;
}

static void compare_operations(const json_t *categories, const fmp_snapshot *snapshot)
{
    size_t next = 0;
    double category_shares = 0;
    for (size_t c = 0; c < json_array_size(categories); c++) {
        const json_t *category = json_array_get(categories, c);
        const json_t *operations = json_object_get(category, "operations");
        assert_true(json_array_size(operations) > 0);
        double self = 0, shares = 0;
        for (size_t i = 0; i < json_array_size(operations); i++, next++) {
            assert_true(next < snapshot->operation_count);
            const fmp_operation *op = &snapshot->operations[next];
            const json_t *o = json_array_get(operations, i);
            assert_string_equal(text_of(category, "name"), op->category);
            assert_string_equal(text_of(o, "name"), op->operation);
            assert_true(number(o, "count") == (double)op->count);
            assert_true(number(o, "threads") == op->threads);
            same_seconds(o, "total_seconds", (double)op->total_ns);
            same_seconds(o, "self_seconds", (double)op->self_ns);
            same_seconds(o, "avg_seconds", op->mean_ns);
            same_seconds(o, "min", (double)op->min_ns);
            same_seconds(o, "max", (double)op->max_ns);
            same_seconds(o, "first", (double)op->first_ns);
            same_seconds(o, "stddev", op->stddev_ns);
            same_seconds(o, "p50", op->p50_ns);
            same_seconds(o, "p90", op->p90_ns);
            same_seconds(o, "p99", op->p99_ns);
            shares += number(o, "share");
            self += number(o, "self_seconds");
        }
        assert_true(fabs(shares - 1) < 1e-9);
        assert_true(fabs(number(category, "self_seconds") - self) < 1e-6);
        category_shares += number(category, "share");
    }
    assert_int_equal(next, snapshot->operation_count);
    assert_true(fabs(category_shares - 1) < 1e-9);
}

static void json_holds_the_snapshot(void **state)
{
    (void)state;
    fmp_snapshot snapshot = sample_of_run();
    fm_report_run run = sample_run();
    json_t *root = parsed(&snapshot, &run);
    assert_string_equal(text_of(root, "schema"), "facemirror-profile/2");
    compare_operations(json_object_get(root, "categories"), &snapshot);

    const json_t *r = json_object_get(root, "run");
    assert_string_equal(text_of(r, "input"), "patient.mov");
    assert_string_equal(text_of(r, "encoder"), "libx264");
    assert_true(number(r, "frames") == 971);
    assert_true(number(r, "frames_damaged") == 3);
    assert_true(number(json_object_get(root, "memory"), "peak_rss_bytes") == 268435456.0);
    assert_true(number(root, "runs") == 1);
    assert_true(fabs(number(r, "effective_fps") - 971 / 120.0) < 1e-9);
    assert_true(fabs(number(r, "covered_share") - 0.99) < 1e-9);
    assert_true(fabs(number(r, "parallelism") - 235.478 / 120) < 1e-9);
    assert_true(fabs(number(r, "parallel_efficiency") - 235.478 / 120 / 6) < 1e-9);

    const json_t *threads = json_object_get(root, "threads");
    assert_int_equal(json_array_size(threads), 2);
    assert_string_equal(text_of(json_array_get(threads, 1), "name"), "encode left");
    same_seconds(json_array_get(threads, 0), "busy_seconds", 198.234e9);
    const json_t *models = json_object_get(root, "models");
    assert_int_equal(json_array_size(models), 2);
    assert_string_equal(text_of(json_array_get(models, 0), "file"), "mtl.onnx");
    const json_t *breakdown = json_object_get(json_array_get(models, 0), "breakdown");
    assert_int_equal(json_integer_value(json_object_get(breakdown, "cpu")), 520 - 359);
    assert_string_equal(text_of(breakdown, "fragmentation"), "high");
    assert_true(json_is_null(json_object_get(json_array_get(models, 1), "breakdown")));
    const json_t *profiler = json_object_get(root, "profiler");
    assert_true(number(profiler, "scopes") == 9711);
    assert_true(number(profiler, "scope_inside_ns") == 3.5);
    assert_true(number(profiler, "scope_outside_ns") == 12);
    assert_true(number(profiler, "scope_cost_ns") == 15.5);
    assert_true(number(profiler, "clock_resolution_ns") == 0.5);
    assert_string_equal(text_of(profiler, "clock"), "tsc");
    assert_true(number(json_object_get(root, "machine"), "cpu_count") >= 1);
    assert_string_equal(text_of(json_object_get(root, "build"), "version"), "0.1.0");
    assert_true(strlen(text_of(json_object_get(root, "build"), "compiler")) > 0);
    const json_t *notes = json_object_get(root, "notes");
    assert_int_equal(json_array_size(notes), 1);
    assert_string_equal(json_string_value(json_array_get(notes, 0)), sample_notes[0]);
    json_decref(root);
}

static void json_of_a_real_recording(void **state)
{
    (void)state;
    fmp_reset();
    for (int i = 0; i < 1000; i++) {
        FMP_SCOPE("REAL", "outer");
        {
            FMP_SCOPE("REAL", "inner");
        }
        FMP_SCOPE("OTHER", "rest");
    }
    fmp_snapshot *snapshot = fmp_snapshot_take();
    assert_non_null(snapshot);
    assert_int_equal(snapshot->operation_count, 3);
    json_t *root = parsed(snapshot, NULL);
    compare_operations(json_object_get(root, "categories"), snapshot);
    json_decref(root);
    fmp_snapshot_free(&snapshot);
}

static void odd_names_and_figures_stay_valid(void **state)
{
    (void)state;
    fmp_operation operations[] = {
        {.category = "bad \xFF\xFE", .operation = "quote \" back \\ tab\t \x01", .count = 1},
        {.category = "bad \xFF\xFE", .operation = "\xED\xA0\x80", .count = UINT64_MAX,
         .stddev_ns = (double)NAN, .p99_ns = (double)INFINITY},
    };
    fmp_snapshot snapshot = {.operations = operations, .operation_count = 2};
    fm_report_run run = {.wall_seconds = (double)NAN, .input = "\xC0\xAF.mp4"};
    json_t *root = parsed(&snapshot, &run);
    const json_t *category = json_array_get(json_object_get(root, "categories"), 0);
    assert_string_equal(text_of(category, "name"), "bad \xEF\xBF\xBD\xEF\xBF\xBD");
    const json_t *list = json_object_get(category, "operations");
    assert_string_equal(text_of(json_array_get(list, 0), "name"), operations[0].operation);
    assert_true(json_is_null(json_object_get(json_array_get(list, 1), "stddev")));
    assert_true(json_is_null(json_object_get(json_array_get(list, 1), "p99")));
    assert_true(json_is_null(json_object_get(json_array_get(list, 1), "share")));
    const json_t *r = json_object_get(root, "run");
    assert_true(json_is_null(json_object_get(r, "wall_seconds")));
    assert_true(json_is_null(json_object_get(r, "effective_fps")));
    assert_true(json_is_null(json_object_get(r, "encoder")));
    assert_string_equal(text_of(r, "input"), "\xEF\xBF\xBD\xEF\xBF\xBD.mp4");
    json_decref(root);

    root = parsed(NULL, NULL);
    assert_int_equal(json_array_size(json_object_get(root, "categories")), 0);
    json_decref(root);
}

static void a_full_disk_is_an_error(void **state)
{
    (void)state;
    FILE *full = fopen("/dev/full", "w");
    if (!full)
        skip();
    fmp_snapshot snapshot = sample_of_run();
    fm_error err = {0};
    assert_int_equal(fm_report_json(full, &snapshot, NULL, &err), FM_E_NO_SPACE);
    assert_non_null(strstr(err.message, "cannot write the profile: "));
    fclose(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_holds_the_snapshot),
        cmocka_unit_test(json_of_a_real_recording),
        cmocka_unit_test(odd_names_and_figures_stay_valid),
        cmocka_unit_test(a_full_disk_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
