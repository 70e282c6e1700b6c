/* Profiles from elsewhere: each lie is refused, with what is wrong and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "document.h"

static void refused(const char *text, size_t size, const char *why)
{
    fm_profile *profile = NULL;
    fm_error err = {0};
    const fm_status status = fm_profile_parse(text, size, "bad.json", &profile, &err);
    if (status != FM_E_BAD_INPUT)
        fail_msg("status %d for what should be: %s", status, why);
    assert_null(profile);
    if (!strstr(err.message, why) || !strstr(err.message, "bad.json"))
        fail_msg("\"%s\" does not say: %s", err.message, why);
    for (const char *c = err.message; *c; c++)
        assert_true((unsigned char)*c >= 0x20);
}

/* The whole sample with `from`, which must be there, replaced by `to` once. */
static char *changed(const char *from, const char *to)
{
    fmp_snapshot *snapshot = sample_recorded();
    const fm_report_run run = sample_run();
    char *text = written(snapshot, &run);
    fmp_snapshot_free(&snapshot);
    const char *at = strstr(text, from);
    if (!at)
        fail_msg("no %s in\n%s", from, text);
    const size_t before = (size_t)(at - text), size = strlen(text) + strlen(to) + 1;
    char *out = malloc(size);
    assert_non_null(out);
    memcpy(out, text, before);
    snprintf(out + before, size - before, "%s%s", to, text + before + strlen(from));
    free(text);
    return out;
}

static void lies_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *why;
    } lies[] = {
        {"profile/2", "profile/1", "schema must be \"facemirror-profile/2\", not \"facemirror-profile/1\""},
        {"\"schema\": \"facemirror-profile/2\"", "\"schema\": 2", "schema is missing"},
        {"\"runs\": 1", "\"runs\": 0", "runs must be a whole number, 1 or more"},
        {"\"runs\": 1", "\"runs\": 1.5", "runs must be a whole number"},
        {"\"runs\": 1", "\"runs\": 1, \"runs\": 1", "duplicate"},
        {"\"run\": {", "\"run\": [], \"_\": {", "run must be an object"},
        {"\"input\": \"patient.mov\"", "\"input\": 7", "run.input must be text"},
        {"\"width\": 1080", "\"width\": -1", "run.width must be a whole number from 0 to 2147483647"},
        {"\"width\": 1080", "\"width\": 3000000000", "run.width must be"},
        {"\"frames\": 971", "\"frames\": 99999999999999999999", "too big integer"},
        {"\"frames\": 971", "\"frames\": \"971\"", "run.frames must be a whole number"},
        {"\"wall_seconds\": 120", "\"wall_seconds\": -120", "run.wall_seconds must be a number from 0 to 9.2e+09"},
        {"\"wall_seconds\": 120", "\"wall_seconds\": NaN", "line 14"},
        {"\"wall_seconds\": 120", "\"wall_seconds\": 1e999", "real number overflow"},
        {"\"optimised\": ", "\"optimised\": 1, \"_\": ", "build.optimised must be true or false"},
        {"\"file\": \"face_det", "\"file\": null, \"_\": \"face_det", ""},
        {"\"load_seconds\": 0.0421", "\"load_seconds\": []", "models[0].load_seconds must be a number"},
        {"\"accelerator\": 359", "\"accelerator\": 521", "models[0].breakdown.accelerator must not be more"},
        {"\"operators\": 14", "\"operators\": -14", "models[0].breakdown.fallbacks[0].operators must be a whole number"},
        {"\"crossings_known\": true", "\"crossings_known\": 1", "models[0].breakdown.crossings_known must be true or false"},
        {"\"breakdown\": {", "\"breakdown\": 3, \"other\": {", "models[0].breakdown must be an object"},
        {"\"samples\": 60", "\"samples\": -60", "models[0].nodes.samples must be a whole number"},
        {"\"node_seconds\": 6.5", "\"node_seconds\": 1.5", "models[0].nodes.cpu_seconds must not be more than node_seconds"},
        {"\"nodes\": {", "\"nodes\": [], \"other\": {", "models[0].nodes must be an object"},
        {"\"causes\": [", "\"causes\": [7, ", "models[0].nodes.causes must hold objects, and element 0 is none"},
        {"\"models\": [", "\"models\": [5, ", "models must hold objects, and element 0 is none"},
        {"\"categories\": [", "\"categories\": {}, \"_\": [", "categories must be an array"},
        {"\"count\": ", "\"count\": -", "categories[0].operations[0].count must be a whole number, 0 or more"},
        {"\"count\": ", "\"count\": 0, \"_\": ", "categories[0].operations[0]"},
        {"\"count\": ", "\"counted\": ", "categories[0].operations[0].count is missing"},
        {"\"count\": ", "\"count\": 1", "categories[0].operations[0].histogram must add up to the count, 1"},
        {"\"total_seconds\": ", "\"total_seconds\": 9e18, \"_\": ", "operations[0].total_seconds must be a number from 0"},
        {"\"min\": ", "\"min\": 1e6, \"_\": ", "operations[0].min must not be above max"},
        {"\"avg_seconds\": ", "\"avg_seconds\": 1e6, \"_\": ", "operations[0].avg_seconds must not be above max"},
        {"\"avg_seconds\": ", "\"avg_seconds\": null, \"_\": ", "operations[0].avg_seconds must be a number"},
        {"\"recorded\": 0", "\"recorded\": 1000", "operations[0].recorded must not be above count"},
        {"\"last\": [", "\"last\": [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,", "last must not hold more than 16"},
        {"\"last\": [", "\"last\": [-1, ", "last must hold seconds, and element 0 is none"},
        {"\"histogram\": [", "\"histogram\": [[2752, 1], ", "histogram must hold pairs"},
        {"\"histogram\": [", "\"histogram\": [[-1, 1], ", "histogram must hold pairs"},
        {"\"histogram\": [", "\"histogram\": [[2000, 1], ", "histogram must hold pairs"}, /* the next one falls */
        {"\"histogram\": [", "\"histogram\": [[0, 9223372036854775807], [1, 9223372036854775807], ", "add up to the count"},
        {"\"histogram\": [", "\"histogram\": [[0, 0], ", "histogram must hold pairs"},
        {"\"histogram\": [", "\"histogram\": [[0], ", "histogram must hold pairs"},
        {"\"histogram\": [", "\"histogram\": [{}, ", "histogram must hold pairs"},
        {"\"histogram\": [", "\"histogram\": [[0, 1, 2], ", "histogram must hold pairs"},
        {"\"cpu_seconds\": null", "\"cpu_seconds\": \"\"", "cpu_seconds must be a number"},
        {"\"memory\": null", "\"memory\": {}", "memory.rss_change_bytes is missing"},
        {"\"name\": \"decode\"", "\"name\": \"encode\"", "must not hold the operation 'encode' of 'VIDEO_IO' twice"},
        {"\"name\": \"infer\"", "\"name\": \"01234567890123456789012345678901\"", "threads[0].name must be text of at most 31"},
        {"\"scopes\": 4855", "\"scopes\": 0", "threads[0].scopes must be 1 or more"},
        {"\"kind\": \"gauge\"", "\"kind\": \"\"", "metrics[0].kind must be"},
        {"\"updates\": 7", "\"updates\": 0", "metrics[0].updates must be 1 or more"},
        {"\"mean\": 3.3", "\"mean\": \"3.3\", \"_\": 3.3", "metrics[0].mean must be a number"},
        {"\"peak_rss_bytes\": 2", "\"peak_rss_bytes\": -2", "memory.peak_rss_bytes must be"},
        {"\"clock\": \"clock_gettime\"", "\"clock\": null", "profiler.clock must be text of at most 31 bytes"},
        {"\"lost\": 5", "\"lost\": -5", "profiler.lost must be"},
        {"\"notes\": [", "\"notes\": [1, ", "notes must hold text, and element 0 is none"},
        {"\"notes\": [", "\"notes\": [\"\\u0000\", ", "line"},
        {"\"notes\": [", "\"notes\": [\"\xFF\", ", "line"},
        {"\"notes\": [", "\"notes\": \"\", \"_\": [", "notes must be an array"},
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        char *text = changed(lies[i].from, lies[i].to);
        if (*lies[i].why) {
            refused(text, strlen(text), lies[i].why);
        } else {
            fm_profile *profile = loaded(text); /* no lie: the fact is not known */
            fm_profile_free(&profile);
        }
        free(text);
    }
}

static void what_is_not_known_is_passed_over(void **state)
{
    (void)state;
    char *text = changed("\"runs\": 1,", "\"runs\": 1, \"added later\": {\"x\": [1, null]},");
    fm_profile *profile = loaded(text);
    fm_profile_free(&profile);
    free(text);
}

/* Every piece of a profile that ends early. */
static void a_cut_file_is_refused(void **state)
{
    (void)state;
    char *text = changed("\"runs\"", "\"runs\"");
    const size_t size = strlen(text) - 1; /* without the last newline it is whole */
    for (size_t cut = 0; cut < size; cut++)
        refused(text, cut, "line");
    text[100] = '\0';
    refused(text, size, "line");
    free(text);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    refused("", 0, "line");
    refused("[]", 2, "it is no JSON object");
    refused("\x89PNG\r\n\x1a\n", 8, "line 1");
    refused("{\"traceEvents\": []}", 19, "schema is missing");
    refused("{}{}", 4, "line 1");
    char deep[200];
    memset(deep, '[', sizeof deep);
    refused(deep, sizeof deep, "it nests deeper than 32");
}

/* Many small values take the parser many times their size: refused before it begins. */
static void what_would_take_too_much_memory_is_refused(void **state)
{
    (void)state;
    const size_t size = (size_t)FM_PROFILE_BYTES_MAX + 1;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, ',', size);
    refused(text, size, "it has more than 64 MiB");
    refused(text, size - 1, "it has too many values");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lies_are_refused),
        cmocka_unit_test(what_is_not_known_is_passed_over),
        cmocka_unit_test(a_cut_file_is_refused),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(what_would_take_too_much_memory_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
