/* The rules over the guide's sample, and over the same altered in one thing each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advice_sample.h"

/* --- the guide's sample ------------------------------------------------------------------- */

static void test_guide(void **state)
{
    (void)state;
    sample s;
    load(&s, "guide.json");
    const fm_report_findings *f = advise(&s);
    assert_int_equal(about(f, "MTL")->priority, FM_PRIORITY_HIGH);
    assert_string_equal(f->list[0].rule, "model-dominates");
    assert_non_null(strstr(f->list[0].title, "AU_MTL_coreml takes 56.7 %"));
    assert_string_equal(f->bottleneck_operation, "AU_MTL_coreml");
    assert_string_equal(f->bottleneck_category, "MODEL_INFERENCE");
    assert_int_equal(about(f, "RetinaFace")->priority, FM_PRIORITY_MEDIUM);
    assert_int_equal(about(f, "STAR")->priority, FM_PRIORITY_LOW);
    assert_int_equal(finding(f, "partitions-high")->priority, FM_PRIORITY_HIGH);
    assert_string_equal(finding(f, "partitions-high")->subject, "MTL");
    assert_string_equal(finding(f, "partitions-moderate")->subject, "STAR");
    assert_int_equal(count_of(f, "preprocessing"), 0);
    assert_int_equal(f->count, 4);
    assert_int_equal(f->caveat_count, 0);
    assert_true(f->confident);
    assert_non_null(strstr(f->minor, "STAR_preprocess"));
    assert_null(strstr(f->minor, "STAR_coreml"));
    end(&s);
}

/* One thread did everything, so half to all of MTL is what Amdahl's law gives. */
static void test_gain_without_stages(void **state)
{
    (void)state;
    sample s;
    load(&s, "guide.json");
    const double whole = 112.345 / s.profile->run.wall_seconds;
    const fm_report_finding *one = finding(advise(&s), "model-dominates");
    assert_near(one->gain_least, whole / 2);
    assert_near(one->gain_most, whole);
    s.profile->snapshot->thread_count = 0; /* not known: others may hide it */
    one = finding(advise(&s), "model-dominates");
    assert_near(one->gain_least, 0);
    s.profile->run.wall_seconds = 0;
    assert_true(isnan(finding(advise(&s), "model-dominates")->gain_most));
    end(&s);
}

static void test_mark_in_the_text(void **state)
{
    (void)state;
    sample s;
    load(&s, "guide.json");
    s.profile->run.findings = advise(&s);
    char *text = NULL;
    size_t size = 0;
    fm_error err = {0};
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(fm_report_text(out, s.profile->snapshot, &s.profile->run, NULL, &err), FM_OK);
    fclose(out);
    const char *mark = strstr(text, "<-- BOTTLENECK\n");
    assert_non_null(mark);
    assert_null(strstr(mark + 1, "<-- BOTTLENECK"));
    while (mark[-1] != '\n')
        mark--;
    assert_memory_equal(mark, "AU_MTL_coreml", 13);
    const char *section = strstr(text, "FINDINGS\n");
    assert_non_null(section);
    for (const char *line = section; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 100);
    free(text);
    end(&s);
}

/* --- what limits ------------------------------------------------------------------------------ */

static void test_stage_limits(void **state)
{
    (void)state;
    sample s;
    load_staged(&s);
    const fm_report_findings *f = advise(&s);
    const fm_report_finding *one = &f->list[0];
    const double wall = s.profile->run.wall_seconds;
    assert_string_equal(one->rule, "stage-limits");
    assert_int_equal(one->priority, FM_PRIORITY_HIGH);
    assert_string_equal(f->bottleneck_operation, "RetinaFace_coreml"); /* largest on 'analysis': MTL is on the lanes */
    assert_near(one->gain_least, 48.7 / 2 / wall);
    assert_near(one->gain_most, 48.7 / wall);
    assert_non_null(strstr(one->evidence, "95.0 %"));
    assert_non_null(strstr(one->evidence, "900 of 971"));
    /* MTL dominates the models, but beside the stage that limits: nothing is gained, and that is said. */
    const fm_report_finding *mtl = finding(f, "model-dominates");
    assert_int_equal(mtl->priority, FM_PRIORITY_LOW);
    assert_near(mtl->gain_most, 0);
    assert_non_null(strstr(mtl->gain, "no part of the stage 'analysis'"));
    end(&s);
}

/* A gain ends at the next stage. */
static void test_gain_ends_at_next_stage(void **state)
{
    (void)state;
    sample s;
    load_staged(&s);
    s.stages[2].busy_seconds = 0.9 * s.profile->run.wall_seconds;
    assert_near(finding(advise(&s), "stage-limits")->gain_most, 0.05);
    end(&s);
}

static void test_processors_limit(void **state)
{
    (void)state;
    sample s;
    load_staged(&s);
    const double wall = s.profile->run.wall_seconds;
    s.pipeline.processors = s.conditions.cpu_count = 2;
    s.pipeline.process_cpu_seconds = 1.95 * wall;
    for (int i = 1; i < 4; i++)
        s.stages[i].cpu_seconds = s.stages[i].busy_seconds = 0.65 * wall;
    const fm_report_findings *f = advise(&s);
    const fm_report_finding *one = finding(f, "processors-limit");
    assert_string_equal(f->list[0].rule, "processors-limit");
    assert_string_equal(f->bottleneck_operation, "AU_MTL_coreml");
    assert_near(one->gain_most, 112.345 / (1.95 * wall));
    assert_near(one->gain_least, 112.345 / (1.95 * wall) / 2);
    assert_int_equal(count_of(f, "stage-limits"), 0);
    end(&s);
}

static void test_waiting_limits(void **state)
{
    (void)state;
    sample s;
    load_staged(&s);
    s.stages[1].busy_seconds = 0.55 * s.profile->run.wall_seconds;
    s.stages[1].blocked_seconds = 0.45 * s.profile->run.wall_seconds;
    s.stages[2].busy_seconds = 0.5 * s.profile->run.wall_seconds;
    const fm_report_findings *f = advise(&s);
    assert_string_equal(f->list[0].rule, "waiting-limits");
    assert_null(f->bottleneck_operation);
    assert_near(f->list[0].gain_most, 0.45);
    end(&s);
}

/* --- each rule by one alteration ----------------------------------------------------------------- */

static void grow(fmp_operation *op, double factor)
{
    op->total_ns = (uint64_t)((double)op->total_ns * factor);
    op->self_ns = (uint64_t)((double)op->self_ns * factor);
}

static void more_preprocessing(sample *s) { grow(operation(s, "STAR_preprocess"), 1.2); }
static void more_detection(sample *s) { grow(operation(s, "RetinaFace_coreml"), 1.7); }
static void more_copies(sample *s) { grow(operation(s, "frame_copy"), 2.5); }
static void other_dominates(sample *s)
{
    grow(operation(s, "AU_MTL_coreml"), 0.5);
    grow(operation(s, "RetinaFace_coreml"), 0.5);
    grow(operation(s, "STAR_coreml"), 4);
}
static void low_coverage(sample *s) { model(s, "STAR")->breakdown.accelerator = 470; } /* of 640: 73.4 % */
static void fell_back(sample *s)
{
    fm_report_model *m = model(s, "MTL");
    fmp_operation *op = operation(s, "AU_MTL_coreml");
    m->backend = "onnx_cpu";
    op->operation = "AU_MTL_onnx_cpu";
    m->breakdown = (fm_report_breakdown){.asked = "coreml", .reason = "coreml does not work here", .operators = 520};
}
static void kept_on_cpu(sample *s)
{
    fell_back(s);
    model(s, "MTL")->breakdown.asked = "cpu";
    model(s, "MTL")->breakdown.reason = NULL;
    s->conditions.accelerators = "coreml";
    s->profile->run.conditions = &s->conditions;
    s->conditions.optimised = true;
}
static void slow_first(sample *s) { operation(s, "STAR_coreml")->first_ns = 4000000000; } /* 775 ms else */
static void unexplained(sample *s) { s->profile->run.covered_seconds *= 0.85; }
static void spread(sample *s) { operation(s, "AU_MTL_coreml")->p99_ns *= 3.2; }
static void every_frame(sample *s)
{
    operation(s, "RetinaFace_coreml")->count = 971;
}
static void looks_twice(sample *s) { operation(s, "STAR_coreml")->count = 1942; }
static void grown(sample *s) { s->pipeline.rss_last = 340 << 20; }
static void copied(sample *s) { s->pipeline.frame_bytes_copied = 3 * 1080 * 1920 * 3 / 2; }
static void allocated(sample *s) { s->pipeline.allocations = 3; }
static void cropped(sample *s) { s->pipeline.frames_cropped_again = 60; }
static void slow_frames(sample *s)
{
    s->pipeline.frame_p99 = 0.7;
    s->outlier = (fm_report_outlier){.frame = 17, .timestamp = 0.57, .seconds = 0.9, .stage = "analysis",
                                     .stage_seconds = 0.8,
                                     .faces = 1, .detected = true};
    s->pipeline.outliers = &s->outlier;
    s->pipeline.outlier_count = 1;
}
static void soft(sample *s)
{
    operation(s, "frame_copy")->operation = "frame_write_left_mirrored";
    s->profile->run.encoder = "libx264";
    s->conditions.hardware_encoder = "h264_videotoolbox";
}
static void crowded(sample *s)
{
    s->pipeline.processors = s->conditions.cpu_count = 2;
    s->pipeline.process_cpu_seconds = 1.95 * s->profile->run.wall_seconds;
    grow(operation(s, "AU_MTL_coreml"), 6);
}
static void sampled(sample *s)
{
    fm_report_model *m = model(s, "MTL");
    m->has_nodes = true;
    m->nodes = (fm_report_nodes){.every = 32, .samples = 60, .run_ns = 3000000000, .node_ns = 2000000000,
                                 .boundaries = 3240,
                                 .boundary_ns = 600000000, .base_known = true};
}

static const struct alteration {
    const char *rule;
    void (*alter)(sample *s);
    bool staged;
} alterations[] = {
    {"preprocessing", more_preprocessing, false}, {"detection", more_detection, false},
    {"memory-operations", more_copies, false},    {"model-dominates", other_dominates, false},
    {"coverage", low_coverage, false},            {"model-on-cpu", fell_back, false},
    {"model-on-cpu", kept_on_cpu, false},         {"first-call", slow_first, false},
    {"unexplained", unexplained, false},          {"spread", spread, false},
    {"detector-rate", every_frame, false},        {"looks-twice", looks_twice, false},
    {"memory-growth", grown, true},               {"bytes-copied", copied, true},
    {"allocations", allocated, true},             {"cropped-again", cropped, true},
    {"frame-spread", slow_frames, true},          {"software-encoder", soft, true},
    {"oversubscribed", crowded, true},            {"boundary-share", sampled, false},
};

/* Each is there once in the altered sample, and not in the unaltered (but for MTL, which dominates there too). */
static void test_alterations(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof alterations / sizeof alterations[0]; i++) {
        const struct alteration *a = &alterations[i];
        sample s;
        if (a->staged)
            load_staged(&s);
        else
            load(&s, "guide.json");
        const fm_report_findings *f = advise(&s);
        if (a->alter != other_dominates)
            assert_int_equal(count_of(f, a->rule), 0);
        a->alter(&s);
        f = advise(&s);
        if (count_of(f, a->rule) != 1)
            fail_msg("%s: %zu findings", a->rule, count_of(f, a->rule));
        const fm_report_finding *one = finding(f, a->rule);
        assert_true(one->title[0] && one->evidence[0] && one->why[0] && one->gain[0] && one->fix_count > 0);
        end(&s);
    }
}

static void test_dominates_names_the_model(void **state)
{
    (void)state;
    sample s;
    load(&s, "guide.json");
    other_dominates(&s);
    assert_string_equal(finding(advise(&s), "model-dominates")->subject, "STAR_coreml");
    end(&s);
}

/* Figures in the text are those of the profile. */
static void test_figures(void **state)
{
    (void)state;
    sample s;
    char text[64];
    load(&s, "guide.json");
    more_preprocessing(&s);
    const double share = (11.25 * 1.2 + 7.9 + 3.36) / (229.755 + 0.2 * 11.25);
    snprintf(text, sizeof text, "%.1f %%", 100 * share);
    assert_non_null(strstr(finding(advise(&s), "preprocessing")->title, text));
    low_coverage(&s);
    assert_non_null(strstr(finding(advise(&s), "coverage")->evidence, "470 of 640"));
    assert_non_null(strstr(finding(advise(&s), "coverage")->title, "73.4 %"));
    sampled(&s);
    const fm_report_finding *one = finding(advise(&s), "boundary-share");
    assert_non_null(strstr(one->title, "20.0 %"));
    assert_near(one->gain_most, 0.2 * 112.345 / s.profile->run.wall_seconds);
    end(&s);
}
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guide),
        cmocka_unit_test(test_gain_without_stages),
        cmocka_unit_test(test_mark_in_the_text),
        cmocka_unit_test(test_stage_limits),
        cmocka_unit_test(test_gain_ends_at_next_stage),
        cmocka_unit_test(test_processors_limit),
        cmocka_unit_test(test_waiting_limits),
        cmocka_unit_test(test_alterations),
        cmocka_unit_test(test_dominates_names_the_model),
        cmocka_unit_test(test_figures),
    };
    if (argc != 2)
        return 2;
    sample_profiles = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
