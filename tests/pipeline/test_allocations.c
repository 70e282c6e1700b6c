/*
 * Our own code allocates nothing for a frame: two runs that differ in their length alone ask for memory equally often.
 * The test is linked so that every allocation of our objects is counted (failing_calls.h); those that FFmpeg and
 * ONNX Runtime make inside are theirs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "facemirror/path.h"
#include "facemirror/run.h"
#include "failing_calls.h"

enum { SKIPPED = 77, SHORT = 70, LONG = 140, ROUNDS = 4 };

static char clip[FM_PATH_MAX], folder[64];

/* Allocations of a run over so many frames. */
static long allocations_of(int frames, bool videos)
{
    fm_run_options options = fm_run_defaults();
    options.input = clip;
    options.output_dir = folder;
    options.models = getenv("FACEMIRROR_MODELS");
    options.max_frames = frames;
    options.overwrite = true;
    options.landmarks_csv = true;
    options.detector_interval = 7;
    options.mode = videos ? FM_MODE_MIRROR_AU : FM_MODE_AU;
    fm_error err = {0};
    fm_run_summary summary;
    fail_call(0);
    if (fm_run(&options, &summary, &err) != FM_OK)
        fail_msg("%s", err.message);
    assert_int_equal(summary.frames_written, frames);
    return allocations_made();
}

static void no_frame_costs_an_allocation(void **state)
{
    (void)state;
    for (int videos = 0; videos <= 1; videos++) {
        allocations_of(SHORT, videos); /* what the process makes once: sites, a cache of models */
        /* What a report finds depends on times, and costs some allocations more or less, but not in each round. */
        long few = 0, many = 1;
        for (int round = 0; round < ROUNDS && few != many; round++) {
            few = allocations_of(SHORT, videos);
            many = allocations_of(LONG, videos);
            assert_true(few > 0);
        }
        if (few != many)
            fail_msg("%ld allocations for %d frames, %ld for %d", few, SHORT, many, LONG);
    }
}

int main(void)
{
    const char *shared = getenv("FACEMIRROR_SHARED"), *models = getenv("FACEMIRROR_MODELS");
    snprintf(clip, sizeof clip, "%s/media/video1-512.mp4", shared ? shared : "../shared");
    if (access(clip, R_OK) != 0 || !models || access(models, R_OK) != 0) {
        printf("SKIPPED: no clip '%s' or no models '%s'\n", clip, models ? models : "");
        return SKIPPED;
    }
    snprintf(folder, sizeof folder, "/tmp/fm_allocations_XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_frame_costs_an_allocation)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) != 0 || failed ? 1 : 0;
}
