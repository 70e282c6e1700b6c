/* How the stages of a run worked together, as JSON, merged, and as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "document.h"

static void same_stage(const fm_report_stage *a, const fm_report_stage *b)
{
    assert_string_equal(a->name, b->name);
    assert_true((a->after == NULL) == (b->after == NULL));
    if (a->after)
        assert_string_equal(a->after, b->after);
    assert_true(a->queue == b->queue && a->pictures == b->pictures && a->frames == b->frames && a->held == b->held);
    assert_true(fabs(a->busy_seconds - b->busy_seconds) < 1e-12 && a->cpu_seconds == b->cpu_seconds);
    assert_true(fabs(a->starved_seconds - b->starved_seconds) < 1e-12 && a->blocked_seconds == b->blocked_seconds);
    assert_true(a->ready_seconds == b->ready_seconds && a->service_mean == b->service_mean);
    assert_true(a->service_stddev == b->service_stddev && a->service_p99 == b->service_p99);
}

static fm_profile *profile_of(const fm_report_run *run)
{
    fmp_snapshot *snapshot = sample_recorded();
    char *text = written(snapshot, run);
    fm_profile *profile = loaded(text);
    char *again = rewritten(profile);
    assert_string_equal(text, again);
    free(again);
    free(text);
    fmp_snapshot_free(&snapshot);
    return profile;
}

static void loading_gives_what_was_written(void **state)
{
    (void)state;
    const fm_report_run run = sample_run();
    fm_profile *profile = profile_of(&run);
    const fm_report_pipeline *p = profile->run.pipeline, *q = &sample_pipeline;
    assert_non_null(p);
    assert_int_equal(p->stage_count, q->stage_count);
    for (size_t i = 0; i < q->stage_count; i++)
        same_stage(&p->stages[i], &q->stages[i]);
    assert_int_equal(p->outlier_count, q->outlier_count);
    assert_int_equal(p->outliers[1].frame, 612);
    assert_true(p->outliers[1].timestamp == 61.23456 && p->outliers[1].seconds == 0.4);
    assert_string_equal(p->outliers[1].stage, "left mirror");
    assert_true(p->outliers[0].detected && !p->outliers[1].detected);
    assert_true(p->outliers[0].faces == 1 && p->outliers[0].face_size == 0.21 && p->outliers[0].stage_seconds == 0.55);
    assert_true(p->processors == 6 && p->process_cpu_seconds == 312.5 && p->frame_p50 == 0.15 && p->frame_p99 == 0.3);
    assert_int_equal(p->frame_bytes_copied, q->frame_bytes_copied);
    assert_true(p->allocations == 3 && p->allocation_frames == 875 && p->rss_frames == 875);
    assert_true(p->rss_first == q->rss_first && p->rss_last == q->rss_last);
    assert_true(p->frames_converted == 971 && p->frames_cropped_again == 2);
    assert_true(p->detections.searching == 1 && p->detections.lost == 1);
    assert_true(p->detections.checking == 64 && p->detections.confirmed == 63);
    for (int i = 0; i < FM_CONTENTS; i++)
        assert_true(p->content[i].frames == q->content[i].frames && p->content[i].seconds == q->content[i].seconds);
    fm_profile_free(&profile);
}

/* Profiles of earlier versions have no such member. */
/* The text of a run and that of its file may not differ by a digit, so a fact is read back as the same double. */
static void facts_keep_every_digit(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        fm_report_conditions conditions = sample_conditions;
        conditions.load_before = i / 10 + 0.1 * (i % 10) + 0.05; /* where a tenth is decided by the last digit */
        fm_report_run run = sample_run();
        run.conditions = &conditions;
        run.wall_seconds = 10 + conditions.load_before / 3;
        fm_profile *profile = profile_of(&run);
        assert_true(profile->run.conditions->load_before == conditions.load_before);
        assert_true(profile->run.wall_seconds == run.wall_seconds);
        fm_profile_free(&profile);
    }
}

static void not_known_stays_not_known(void **state)
{
    (void)state;
    fm_report_run run = sample_run();
    run.pipeline = NULL;
    fm_profile *profile = profile_of(&run), *merged = NULL;
    assert_null(profile->run.pipeline);
    char *text = capture_text(profile->snapshot, &profile->run, false);
    assert_null(strstr(text, "PIPELINE"));
    free(text);

    const fm_report_run other_run = sample_run();
    fm_profile *other = profile_of(&other_run);
    const fm_profile *const both[] = {profile, other};
    fm_error err = {0};
    assert_int_equal(fm_profile_merge(both, 2, &merged, &err), FM_OK);
    assert_null(merged->run.pipeline);
    assert_int_equal(merged->run.note_count, 2);
    assert_non_null(strstr(merged->run.notes[1], "do not tell how their stages worked together"));
    fm_profile_free(&merged);

    char *json = rewritten(other), *at = strstr(json, "\"pipeline\"");
    memcpy(at, "\"no_known\"", 10); /* a member that is not there at all */
    fm_profile *without = loaded(json);
    assert_null(without->run.pipeline);
    free(json);
    fm_profile_free(&without);
    fm_profile_free(&other);
    fm_profile_free(&profile);
}

static void merging_adds_what_adds_up(void **state)
{
    (void)state;
    const fm_report_stage stages[] = {
        {.name = "reader", .pictures = 8, .frames = 29, .busy_seconds = 1, .cpu_seconds = 1, .service_mean = 0.0346,
         .service_stddev = 0.002, .service_p99 = 0.1, .held = 29},
        {.name = "new", .after = "reader", .queue = 1, .frames = 29},
    };
    const fm_report_outlier slow = {.frame = 3, .timestamp = 0.1, .seconds = 0.5, .stage = "reader", .stage_seconds = 0.4};
    const fm_report_pipeline pipeline = {.stages = stages, .stage_count = 2, .outliers = &slow, .outlier_count = 1,
                                         .processors = 6, .process_cpu_seconds = 1.5, .frame_bytes_copied = 1024,
                                         .detections = {.checking = 6, .confirmed = 5},
                                         .content = {[FM_CONTENT_ONE_FACE] = {29, 1.5}}};
    fm_report_run run = sample_run(), small = sample_run();
    small.pipeline = &pipeline;
    small.frames = 29;
    fm_profile *a = profile_of(&run), *b = profile_of(&small), *sum = NULL;
    const fm_profile *const both[] = {a, b};
    fm_error err = {0};
    assert_int_equal(fm_profile_merge(both, 2, &sum, &err), FM_OK);
    const fm_report_pipeline *p = sum->run.pipeline;
    assert_int_equal(p->stage_count, 4);
    const fm_report_stage *reader = &p->stages[0];
    assert_true(reader->frames == 1000 && reader->held == 31 && reader->pictures == 8);
    assert_true(reader->busy_seconds == 5.5 && reader->cpu_seconds == 5.125);
    /* 971 frames of 4.6 ms and 29 of 34.6 ms */
    assert_true(fabs(reader->service_mean - 0.00547) < 1e-12);
    const double squares = 971 * 1e-6 + 29 * 4e-6 + 971 * pow(0.0046 - 0.00547, 2) + 29 * pow(0.0346 - 0.00547, 2);
    assert_true(fabs(reader->service_stddev - sqrt(squares / 1000)) < 1e-12);
    assert_true(isnan(reader->service_p99) && isnan(p->frame_p50) && isnan(p->frame_p99));
    assert_true(p->stages[1].service_p99 == 0.25); /* of one run alone */
    assert_string_equal(p->stages[3].name, "new");
    assert_string_equal(p->stages[3].after, "reader");
    assert_int_equal(p->outlier_count, 3); /* of one clip */
    assert_true(p->outliers[0].seconds == 0.61 && p->outliers[1].seconds == 0.5 && p->outliers[2].seconds == 0.4);
    assert_int_equal(p->frame_bytes_copied, (5 * 1024 * 1024 * INT64_C(971) + 1024 * 29) / 1000);
    assert_true(p->processors == 6 && p->process_cpu_seconds == 314);
    assert_true(p->detections.checking == 70 && p->detections.confirmed == 68 && p->detections.lost == 1);
    assert_true(p->content[FM_CONTENT_ONE_FACE].frames == 989 && p->content[FM_CONTENT_ONE_FACE].seconds == 145.5);
    assert_true(p->rss_first == 0 && p->rss_frames == 0 && p->allocations == 3);
    char *text = rewritten(sum);
    fm_profile *again = loaded(text);
    char *same = rewritten(again);
    assert_string_equal(text, same);
    free(same);
    free(text);
    fm_profile_free(&again);
    fm_profile_free(&sum);
    fm_profile_free(&b);

    small.input = "other.mov"; /* of another clip a frame's time means nothing */
    b = profile_of(&small);
    const fm_profile *const others[] = {a, b};
    assert_int_equal(fm_profile_merge(others, 2, &sum, &err), FM_OK);
    assert_int_equal(sum->run.pipeline->outlier_count, 0);
    fm_profile_free(&sum);
    fm_profile_free(&b);
    fm_profile_free(&a);
}

/* The whole sample, with one change. */
static void refused(const char *from, const char *to, const char *why)
{
    fmp_snapshot *snapshot = sample_recorded();
    const fm_report_run run = sample_run();
    char *text = written(snapshot, &run), *begin = strstr(text, "\"pipeline\""), *at = strstr(begin, from);
    assert_non_null(at);
    const size_t size = strlen(text) + strlen(to) + 1;
    char *changed = malloc(size);
    assert_non_null(changed);
    snprintf(changed, size, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    fm_profile *profile = NULL;
    fm_error err = {0};
    assert_int_equal(fm_profile_parse(changed, strlen(changed), "text", &profile, &err), FM_E_BAD_INPUT);
    if (!strstr(err.message, why))
        fail_msg("'%s' does not say '%s'", err.message, why);
    free(changed);
    free(text);
    fmp_snapshot_free(&snapshot);
}

static void lies_are_refused(void **state)
{
    (void)state;
    refused("\"pipeline\": {", "\"pipeline\": [], \"_\": {", "pipeline must be an object");
    refused("\"stages\": [", "\"stages\": [7, ", "pipeline.stages must hold objects");
    refused("\"name\": \"analysis\"", "\"name\": \"reader\"", "stages[1].name must not be that of an earlier stage");
    refused("\"after\": \"reader\"", "\"after\": \"left mirror\"", "stages[1].after must be null or the name of an earlier");
    refused("\"after\": \"reader\"", "\"after\": \"analysis\"", "stages[1].after must be null or the name of an earlier");
    refused("\"busy_seconds\": 4.5", "\"busy_seconds\": -4.5", "stages[0].busy_seconds must be a number");
    refused("\"frames\": 971", "\"frames\": -1", "stages[0].frames must be a whole number");
    refused("\"held\": 900", "\"held\": 0.5", "stages[1].held must be a whole number");
    refused("\"slowest_frames\": [", "\"slowest_frames\": [{},{},{},{},{},{},{},{},{},", "must not hold more than 10");
    refused("\"frame\": 612", "\"frame\": \"612\"", "slowest_frames[1].frame must be a whole number");
    refused("\"confirmed\": 63", "\"confirmed\": -63", "detections.confirmed must be");
    refused("\"no_face\": {", "\"no_face\": 1, \"_\": {", "pipeline.content.no_face must be an object");
    refused("\"detections\": {", "\"detections\": 1, \"_\": {", "pipeline.detections must be an object");
    refused("\"rss_frames\": 875", "\"rss_frames\": null", "pipeline.rss_frames must be");
}

static void the_text_has_stages_frames_and_waste(void **state)
{
    (void)state;
    fmp_snapshot *snapshot = sample_recorded();
    const fm_report_run run = sample_run();
    char *text = capture_text(snapshot, &run, false);
    has_line(text, "PIPELINE");
    has_line(text, "Stage               Frames    Busy Starved Blocked      Mean       p99 CPU/frame      Held");
    has_line(text, "reader                 971    3.8%    0.0%   91.9%     4.6ms    12.3ms     4.2ms         2");
    has_line(text, "analysis               971   98.8%    0.3%    0.4%   122.0ms   250.0ms   104.5ms       900");
    has_line(text, "Work on a frame, along its slowest way: 150.0ms in the median, 300.0ms at p99");
    has_line(text, "  0:00.000        0   610.0ms analysis           550.0ms     1  21.0% first frame, detector ran");
    has_line(text, "  1:01.235      612   400.0ms left mirror        300.0ms     0      -");
    has_line(text, "Work by faces:        none 45.5ms (11 frames), one 150.0ms (960 frames)");
    has_line(text, "Work by detector:     did not run 140.0ms (905 frames), ran 269.7ms (66 frames)");
    assert_null(strstr(text, "Work by face size:")); /* all of one */
    has_line(text, "Copied unchanged:     5.0 MiB a frame");
    has_line(text, "Allocated:            3 picture buffers for 875 frames after warm-up");
    has_line(text, "Resident memory:      200.0 MiB after warm-up, +1.0 MiB over the 875 frames that followed");
    has_line(text, "Converted:            971 frames, turned, scaled or converted after decoding, once each");
    has_line(text, "Cropped again:        2 frames, for the landmarks, after a detection");
    has_line(text, "Detector:             66 frames: 1 without a face to follow, 1 as it was lost,");
    has_line(text, "                      64 by its interval, 63 of these saw the face that was followed anyway");
    const size_t size = strlen(text);
    size_t column = 0;
    bool inside = false;
    for (size_t i = 0; i < size; i++) {
        inside = inside || strncmp(text + i, "PIPELINE\n", 9) == 0;
        column = text[i] == '\n' ? 0 : column + 1;
        assert_true(!inside || column <= 100);
    }
    assert_true(inside);
    free(text);
    fmp_snapshot_free(&snapshot);
}

/* From a file of any origin. */
static void foreign_text_and_figures(void **state)
{
    (void)state;
    const fm_report_stage stages[] = {{.name = "\x1B[31m a stage of a very long name \xFF", .frames = INT64_MAX,
                                       .busy_seconds = 9e9, .cpu_seconds = 9e9, .service_mean = (double)NAN,
                                       .service_p99 = (double)NAN, .held = INT64_MAX}};
    const fm_report_outlier outliers[] = {
        {.frame = INT64_MAX, .timestamp = 1e300, .seconds = 9e9, .stage = "\x1B]0;x\x07", .faces = INT32_MAX, .face_size = 1e300},
        {.frame = 1, .timestamp = -61.5, .seconds = (double)NAN, .stage = "", .faces = 2, .face_size = -1},
    };
    const fm_report_pipeline pipeline = {.stages = stages, .stage_count = 1, .outliers = outliers, .outlier_count = 2,
                                         .detections = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX}};
    fm_report_run run = sample_run();
    run.pipeline = &pipeline;
    char *text = capture_text(NULL, &run, true);
    assert_null(strchr(text, '\x1B'));
    assert_null(strchr(text, '\x07'));
    assert_null(strchr(text, '\xFF'));
    assert_non_null(strstr(text, " -1:01.500 "));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loading_gives_what_was_written),
        cmocka_unit_test(facts_keep_every_digit),
        cmocka_unit_test(not_known_stays_not_known),
        cmocka_unit_test(merging_adds_what_adds_up),
        cmocka_unit_test(lies_are_refused),
        cmocka_unit_test(the_text_has_stages_frames_and_waste),
        cmocka_unit_test(foreign_text_and_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
