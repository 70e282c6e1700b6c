/* The run summary below the profiler's tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sample.h"

static void summary_has_every_fact(void **state)
{
    (void)state;
    fmp_snapshot snapshot = sample_of_run();
    fm_report_run run = sample_run();
    char *text = capture_text(&snapshot, &run, false);
    has_line(text, "RUN SUMMARY");
    has_line(text, "Input:                patient.mov (1080x1920)");
    has_line(text, "Status:               ok");
    has_line(text, "Wall time:            120.000s (frame loop)");
    has_line(text, "Set-up time:          1.250s (before the loop, not in the wall time)");
    has_line(text, "Frames:               971");
    has_line(text, "Frames with face:     960 (98.9%)");
    has_line(text, "Damaged frames:       3 (unreadable, skipped)");
    has_line(text, "Effective speed:      8.1 fps");
    has_line(text, "Time per frame:       123.6ms");
    has_line(text, "Explained:            99.0% of the wall time has a scope open");
    has_line(text, "Parallelism:          2.0 stages busy on average, 32.7% of 6 processor threads");
    has_line(text, "Runtime:              ONNX Runtime 1.29.0");
    has_line(text, "Encoder:              libx264");
    has_line(text, "Peak memory:          256.0 MiB");
    has_line(text, "MTL                            coreml               42.1ms");
    /* The profiler's tables are above it. */
    assert_non_null(strstr(text, "\nNOTE: This is a debug build: times mean little.\n"));
    has_line(text, "(unexplained)                      1.200s    1.0%");
    free(text);

    run.frames_damaged = 0;
    text = capture_text(&snapshot, &run, false);
    assert_null(strstr(text, "Damaged"));
    free(text);
}

/* The figures of the guide that the report follows. */
static void models_are_broken_down(void **state)
{
    (void)state;
    fmp_operation operations[] = {
        OPERATION("AU_EXTRACTION", "au_measure", 200, 11.3, 0.6, 0.0565, 0.05, 0.06),
        OPERATION("MODEL_INFERENCE", "AU_MTL_coreml", 200, 10.7, 10.7, 0.0535, 0.05, 0.09),
    };
    fmp_snapshot snapshot = {.operations = operations, .operation_count = 2, .self_ns = SECONDS(11.3), .scopes = 400,
                             .clock = "tsc"};
    fm_report_run run = sample_run();
    run.frames = 100;
    char *text = capture_text(&snapshot, &run, false);
    has_line(text, "MODELS");
    has_line(text, "AU Extraction: 113.0 ms per frame (8.8 FPS)");
    has_line(text, "  AU_MTL_coreml: 94.7% of stage (107.0 ms per frame; first run 90.0 ms, median 53.5 ms)");
    /* 107 ms shared out as 4.5 s, 2.0 s and 0.5 s of the sampled runs */
    has_line(text, "    accelerator: 69.0% of operators (359 of 520), 68.8 ms");
    has_line(text, "    CPU fallback: 31.0% (161), 30.6 ms: 14 Pad, 9 Resize");
    has_line(text, "    partitions: 28 (high fragmentation), 54 crossings between devices, 7.6 ms");
    has_line(text, "    weights: 15.3 MiB (4012345 parameters)");
    has_line(text, "  BlazeFace: loaded, not run");
    free(text);

    fm_report_model on_cpu = {.name = "MTL", .file = "mtl.onnx", .backend = "onnx_cpu", .has_breakdown = true,
                              .breakdown = {.asked = "cuda", .reason = "cuda does not work here", .operators = 9}};
    run.models = &on_cpu;
    run.model_count = 1;
    run.frames = 0;
    text = capture_text(&snapshot, &run, false);
    has_line(text, "  MTL: loaded, not run");
    has_line(text, "    CPU: all 9 operators");
    has_line(text, "    asked for cuda: cuda does not work here");
    free(text);

    static const struct {
        int partitions;
        const char *rating;
    } cases[] = {{0, "none"}, {1, "low"}, {3, "low"}, {9, "low"}, {10, "moderate"}, {18, "moderate"}, {19, "moderate"},
                 {20, "high"}, {28, "high"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(fm_report_fragmentation(cases[i].partitions), cases[i].rating);
}

static void nodes_are_shown(void **state)
{
    (void)state;
    fmp_snapshot snapshot = sample_of_run();
    fm_report_run run = sample_run();
    char *text = capture_text(&snapshot, &run, false);
    has_line(text, "Inside MTL:");
    has_line(text, "    189 nodes in 60 sampled runs: 120.000 ms a run, of these 108.333 ms in nodes");
    has_line(text, "    by provider: 28 coreml 75.000 ms (69.2%), 161 onnx_cpu 33.333 ms (30.8%)");
    has_line(text, "    by type: 28 (compiled partition) 75.000 ms (69.2%), 14 Pad 20.000 ms (18.5%), "
                   "9 Resize 13.333 ms (12.3%)");
    has_line(text,
             "    CoreML_0                                     (compiled partition)   coreml          41.667  38.5%");
    has_line(text,
             "    pad \"1\"}}?                                   Pad                    onnx_cpu        15.000  13.8%");
    has_line(text, "    partition boundaries: 8.333 ms in 54.0 hand-overs a run (copies between devices: 0.000 ms; "
                   "the usual gap of 0.004 ms taken off each)");
    has_line(text, "      rewriting these 14 Pad would save up to 26.000 ms a run: 20.000 in the operators, "
                   "6.000 at their boundaries");
    has_line(text, "    not attributed: 2 events of these runs; 1 further runs could not be read");
    assert_null(strstr(text, "sampled: "));
    free(text);
}

/* A sampled run takes twice as long; the headline is as if it had been a plain one. */
static void samples_are_left_out(void **state)
{
    (void)state;
    fmp_operation operations[] = {
        OPERATION("MODEL_INFERENCE", "AU_MTL_coreml", 180, 9.0, 9.0, 0.05, 0.05, 0.09),
        OPERATION("PROFILING", "AU_MTL_ops_sample", 20, 2.0, 2.0, 0.1, 0.05, 0.2),
    };
    fmp_snapshot snapshot = {.operations = operations, .operation_count = 2, .self_ns = SECONDS(11), .scopes = 200,
                             .clock = "tsc"};
    fm_report_run run = sample_run();
    run.frames = 100;
    char *text = capture_text(&snapshot, &run, false);
    has_line(text, "AU Extraction: 100.0 ms per frame (10.0 FPS)");
    has_line(text, "  AU_MTL_coreml: 100.0% of stage (100.0 ms per frame; first run 90.0 ms, median 50.0 ms)");
    has_line(text, "    sampled: 20 of 200 runs, 100.0 ms each and not 50.0 ms: 1000.0 ms in all, left out above");
    free(text);
}

static void nothing_recorded_is_said(void **state)
{
    (void)state;
    fmp_snapshot empty = {0};
    fm_report_run none = {0};
    fm_report_run odd = sample_run();
    odd.wall_seconds = (double)NAN;
    odd.setup_seconds = -1;
    odd.covered_seconds = (double)INFINITY;
    odd.frames = 0;
    odd.frames_with_face = 0;
    const fm_report_run *runs[] = {NULL, &none, &odd};
    for (int i = 0; i < 6; i++) {
        char *text = capture_text(i % 2 ? &empty : NULL, runs[i / 2], false);
        assert_non_null(strstr(text, "\nTotal Profiled Time: 0us\n"));
        assert_non_null(strstr(text, "\nNothing was recorded: "));
        assert_null(strstr(text, "nan"));
        assert_null(strstr(text, "inf"));
        if (runs[i / 2]) {
            has_line(text, "Effective speed:      n/a");
            has_line(text, "Time per frame:       n/a");
            has_line(text, "Explained:            n/a of the wall time has a scope open");
        }
        free(text);
    }
}

static void a_full_disk_is_an_error(void **state)
{
    (void)state;
    FILE *full = fopen("/dev/full", "w");
    if (!full)
        skip();
    fmp_snapshot snapshot = sample_of_run();
    fm_error err = {0};
    assert_int_equal(fm_report_text(full, &snapshot, NULL, NULL, &err), FM_E_NO_SPACE);
    assert_non_null(strstr(err.message, "cannot write the report: "));
    fclose(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(summary_has_every_fact),
        cmocka_unit_test(models_are_broken_down),
        cmocka_unit_test(nodes_are_shown),
        cmocka_unit_test(samples_are_left_out),
        cmocka_unit_test(nothing_recorded_is_said),
        cmocka_unit_test(a_full_disk_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
