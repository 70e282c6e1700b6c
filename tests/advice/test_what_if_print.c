/* Answers to what-if questions as text and as JSON. */
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "advice/what_if_print.h"
#include "sample_run.h"

static char *print(const sample *s, const char *const *questions, size_t count, bool json, fm_status expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    fm_error err = {0};
    const fm_what_if_options options = {.json = json};
    const fm_status status = fm_what_if_print(out, &s->run, &s->snapshot, questions, count, &options, &err);
    assert_int_equal(fclose(out), 0);
    if (status != expected)
        fail_msg("status %d: %s", (int)status, err.message);
    return text;
}

static void has(const char *text, const char *part)
{
    if (!text || !strstr(text, part))
        fail_msg("'%s' is missing in:\n%s", part, text ? text : "");
}

static void text_says_before_after_and_why(void **state)
{
    (void)state;
    const fm_sim_model truth = usual_truth(2);
    sample s;
    record(&s, &truth, true);
    const char *const questions[] = {"MTL=2x,debug=off", "FaceMesh=+5ms:wait"};
    char *text = print(&s, questions, 2, false, FM_OK);
    has(text, "\nRecorded:     ");
    has(text, "fps, 300 frames in ");
    has(text, ", 2 processor threads\n");
    has(text, "\nModel error:");
    has(text, "\nMTL=2x,debug=off\n              MTL (model): ");
    has(text, " in 600 calls on left mirror, right mirror; ");
    has(text, "              debug (stage): ");
    has(text, " in 300 frames on debug; ");
    has(text, "\nFaceMesh=+5ms:wait\n");
    has(text, "3.000s more\n");
    has(text, "\n  Before:     ");
    has(text, "\n  After:      ");
    has(text, " times as fast\n");
    has(text, "\nAssumed:\n- All other operations do the same work");
    has(text, "What is off is only not done");
    has(text, "0.50 s of the run were before and after its stages, and stay.");
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        assert_true(strcspn(line, "\n") <= 110);
    free(text);
}

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value))
        fail_msg("%s is no number", key);
    return json_number_value(value);
}

static void json_says_the_same(void **state)
{
    (void)state;
    const fm_sim_model truth = usual_truth(2);
    sample s;
    record(&s, &truth, true);
    const char *const questions[] = {"MTL=2x", "au_write_csv=off"};
    char *text = print(&s, questions, 2, true, FM_OK);
    json_t *root = json_loads(text, 0, NULL);
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "schema")), "facemirror-what-if/1");
    const json_t *recorded = json_object_get(root, "recorded");
    assert_near(number(recorded, "frames"), FRAMES, 1e-12);
    assert_near(number(recorded, "wall_seconds"), s.run.wall_seconds, 1e-12);
    assert_near(1 + number(recorded, "model_error"), 1, 0.02);
    const json_t *predictions = json_object_get(root, "predictions");
    assert_int_equal(json_array_size(predictions), 2);
    const json_t *first = json_array_get(predictions, 0), *limit = json_object_get(first, "limit");
    assert_true(number(first, "speedup") > 1);
    assert_true(number(first, "fps_low") < number(first, "fps") && number(first, "fps") < number(first, "fps_high"));
    assert_string_equal(json_string_value(json_object_get(limit, "stage")), "analysis");
    const json_t *applied = json_array_get(json_object_get(first, "applied"), 0);
    assert_string_equal(json_string_value(json_object_get(applied, "kind")), "model");
    assert_int_equal(json_array_size(json_object_get(applied, "stages")), 2);
    assert_near(number(applied, "change_seconds"), -0.5 * number(applied, "seconds"), 1e-9);
    /* What is on no stage is taken from the time around them. */
    const json_t *second = json_array_get(predictions, 1);
    assert_near(number(second, "wall_seconds"), s.run.wall_seconds - 0.25, 0.01);
    applied = json_array_get(json_object_get(second, "applied"), 0);
    assert_int_equal(json_array_size(json_object_get(applied, "stages")), 0);
    assert_true(json_array_size(json_object_get(root, "assumptions")) >= 3);
    json_decref(root);
    free(text);
}

static void nothing_is_written_unless_all_can_be_answered(void **state)
{
    (void)state;
    const fm_sim_model truth = usual_truth(2);
    sample s;
    record(&s, &truth, true);
    const char *const questions[] = {"MTL=2x", "STAR=2x"};
    for (int json = 0; json < 2; json++) {
        char *text = print(&s, questions, 2, json, FM_E_USAGE);
        assert_string_equal(text, "");
        free(text);
    }
    s.run.pipeline = NULL;
    char *text = print(&s, questions, 1, false, FM_E_BAD_INPUT);
    assert_string_equal(text, "");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_says_before_after_and_why),
        cmocka_unit_test(json_says_the_same),
        cmocka_unit_test(nothing_is_written_unless_all_can_be_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
