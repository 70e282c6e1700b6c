/* The run summary below the profiler's tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sample.h"

static void has_line(const char *text, const char *line)
{
    const char *found = text;
    size_t length = strlen(line);
    while ((found = strstr(found, line)) != NULL) {
        if ((found == text || found[-1] == '\n') && found[length] == '\n')
            return;
        found++;
    }
    print_message("%s", text);
    fail_msg("no line \"%s\"", line);
}

static void summary_has_every_fact(void **state)
{
    (void)state;
    fmp_snapshot snapshot = sample_snapshot();
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
    has_line(text, "FaceMesh                       onnx_cpu             42.1ms");
    /* The profiler's tables are above it. */
    assert_non_null(strstr(text, "\nNOTE: This is a debug build: times mean little.\n"));
    has_line(text, "(unexplained)                      1.200s    1.0%");
    free(text);

    run.frames_damaged = 0;
    text = capture_text(&snapshot, &run, false);
    assert_null(strstr(text, "Damaged"));
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
    fmp_snapshot snapshot = sample_snapshot();
    fm_error err = {0};
    assert_int_equal(fm_report_text(full, &snapshot, NULL, NULL, &err), FM_E_NO_SPACE);
    assert_non_null(strstr(err.message, "cannot write the report: "));
    fclose(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(summary_has_every_fact),
        cmocka_unit_test(nothing_recorded_is_said),
        cmocka_unit_test(a_full_disk_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
