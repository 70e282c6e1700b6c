/* Every sample of a trace, in the shape of earlier programs' profiles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "sample.h"

static json_t *exported(const fmp_trace *trace, const fmp_snapshot *snapshot)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    fm_error err = {0};
    assert_int_equal(fm_report_compat_json(out, trace, snapshot, &err), FM_OK);
    fclose(out);
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        fail_msg("%s at line %d:\n%s", error.text, error.line, text);
    free(text);
    assert_int_equal(json_object_size(root), 3);
    return root;
}

static void has_samples(const json_t *root, const char *category, const char *operation, size_t count,
                        const double *seconds)
{
    const json_t *list = json_object_get(json_object_get(json_object_get(root, "timings"), category), operation);
    assert_int_equal(json_array_size(list), count);
    for (size_t i = 0; i < count; i++)
        assert_true(json_number_value(json_array_get(list, i)) == seconds[i]);
}

static json_int_t count_of(const json_t *root, const char *category, const char *operation)
{
    const json_t *count = json_object_get(json_object_get(json_object_get(root, "counts"), category), operation);
    assert_true(json_is_integer(count));
    return json_integer_value(count);
}

/* Two threads, two names of one text, events of other kinds between. */
static const fmp_trace_name names[] = {{"B", "decode", ""}, {"A", "infer", ""}, {"B", "decode", ""}, {"B", "a \"q\" \xFF", ""}};
static const fmp_event first[] = {
    {.start_ns = 10, .value = 1500, .kind = FMP_EVENT_SCOPE, .name = 0},
    {.start_ns = 11, .value = 3, .kind = FMP_EVENT_GAUGE, .name = 3},
    {.start_ns = 12, .value = 1, .kind = FMP_EVENT_SCOPE, .name = 1},
    {.start_ns = 900, .value = 2000000001, .kind = FMP_EVENT_SCOPE, .name = 2},
};
static const fmp_event second[] = {
    {.start_ns = 500, .value = 7, .kind = FMP_EVENT_SCOPE, .name = 0},
    {.start_ns = 501, .value = 0, .kind = FMP_EVENT_SCOPE, .name = 3},
    {.start_ns = 502, .value = 9, .kind = FMP_EVENT_SCOPE, .name = 77}, /* no such name */
};
static const fmp_trace_thread threads[] = {
    {.name = "one", .events = first, .event_count = 4},
    {.name = "two", .events = second, .event_count = 3},
};
static const fmp_trace trace = {.names = names, .name_count = 4, .threads = threads, .thread_count = 2};

static void samples_stand_in_order_of_time(void **state)
{
    (void)state;
    json_t *root = exported(&trace, NULL);
    has_samples(root, "B", "decode", 3, (const double[]){1500e-9, 7e-9, 2.000000001});
    has_samples(root, "A", "infer", 1, (const double[]){1e-9});
    has_samples(root, "B", "a \"q\" \xEF\xBF\xBD", 1, (const double[]){0});
    assert_int_equal(count_of(root, "B", "decode"), 3);
    assert_int_equal(count_of(root, "A", "infer"), 1);
    assert_int_equal(json_object_size(json_object_get(root, "memory")), 0);
    json_decref(root);
}

static void a_snapshot_knows_more(void **state)
{
    (void)state;
    fmp_operation operations[] = {
        {.category = "A", .operation = "infer", .count = 1000, .measures = FMP_MEASURE_MEMORY, .rss_change = -4096},
        {.category = "B", .operation = "decode", .count = 2000},
    };
    const fmp_snapshot snapshot = {.operations = operations, .operation_count = 2};
    json_t *root = exported(&trace, &snapshot);
    has_samples(root, "A", "infer", 1, (const double[]){1e-9});
    assert_int_equal(count_of(root, "A", "infer"), 1000);
    assert_int_equal(count_of(root, "B", "decode"), 2000);
    const json_t *memory = json_object_get(json_object_get(root, "memory"), "A");
    assert_int_equal(json_integer_value(json_array_get(json_object_get(memory, "infer"), 0)), -4096);
    json_decref(root);
}

static void nothing_is_valid_too(void **state)
{
    (void)state;
    const fmp_trace empty = {0};
    json_t *root = exported(&empty, NULL);
    assert_int_equal(json_object_size(json_object_get(root, "timings")), 0);
    json_decref(root);
}

static void a_full_disk_is_an_error(void **state)
{
    (void)state;
    FILE *full = fopen("/dev/full", "w");
    if (!full)
        skip();
    fm_error err = {0};
    assert_int_equal(fm_report_compat_json(full, &trace, NULL, &err), FM_E_NO_SPACE);
    fclose(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_stand_in_order_of_time),
        cmocka_unit_test(a_snapshot_knows_more),
        cmocka_unit_test(nothing_is_valid_too),
        cmocka_unit_test(a_full_disk_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
