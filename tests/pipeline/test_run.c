/* fm_run as a library: what its header promises when something gets in its way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "facemirror/run.h"
#include "fmprof/trace.h"

static char clip[FM_PATH_MAX], folder[64];

static const char *in_folder(const char *name)
{
    static char path[FM_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* Files in the folder whose names hold `part`. */
static int count_files(const char *part)
{
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += strstr(entry->d_name, part) != NULL;
    closedir(dir);
    return count;
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/fm_run_XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static fm_run_options few_frames(void)
{
    fm_run_options options = fm_run_defaults();
    options.input = clip;
    options.output_dir = folder;
    options.models = getenv("FACEMIRROR_MODELS");
    options.max_frames = 3;
    return options;
}

static void refuses_constants_that_are_no_numbers(void **state)
{
    (void)state;
    fm_run_options options = few_frames();
    options.smooth_beta = INFINITY;
    assert_int_equal(fm_run(&options, NULL, NULL), FM_E_USAGE);
    options = few_frames();
    options.smooth_cutoff_hz = (double)NAN;
    assert_int_equal(fm_run(&options, NULL, NULL), FM_E_USAGE);
    options = few_frames();
    options.start = INFINITY;
    assert_int_equal(fm_run(&options, NULL, NULL), FM_E_USAGE);
    assert_int_equal(count_files("video1"), 0);
}

/* Another part of the process is being traced: that trace is not ours to end. */
static void leaves_the_trace_of_another_alone(void **state)
{
    (void)state;
    assert_int_equal(fmp_trace_start(in_folder("other.fmptrace"), NULL), 0);
    fm_run_options options = few_frames();
    options.profile.trace = true;
    fm_error err = {0};
    assert_int_equal(fm_run(&options, NULL, &err), FM_E_USAGE);
    assert_non_null(strstr(err.message, "traced"));
    assert_int_equal(fmp_trace_start(in_folder("third.fmptrace"), NULL), EBUSY);
    assert_int_equal(fmp_trace_stop(), 0);
    assert_int_equal(count_files("mirrored"), 0);
    assert_int_equal(count_files("_trace"), 0);
    assert_int_equal(count_files(".partial"), 0);
}

static void take_a_name(void *opaque, const fm_progress *progress)
{
    (void)opaque;
    (void)progress;
    mkdir(in_folder("video1-512_right_mirrored.csv"), 0700);
}

/* A folder takes the name of one output while the run goes on: no other output stays. */
static void takes_all_outputs_back_when_one_cannot_be_named(void **state)
{
    (void)state;
    fm_run_options options = few_frames();
    options.on_progress = take_a_name;
    static fm_run_summary summary;
    fm_error err = {0};
    assert_int_equal(fm_run(&options, &summary, &err), FM_E_OUTPUT);
    assert_non_null(strstr(err.message, "video1-512_right_mirrored.csv"));
    assert_int_equal(count_files("mirrored"), 1); /* the folder */
    assert_int_equal(count_files("_debug"), 0);
    assert_int_equal(count_files(".partial"), 0);
    assert_int_equal(summary.output_count, 0);
}

static bool at_once(void *opaque)
{
    (void)opaque;
    return true;
}

static void stops_before_the_first_frame(void **state)
{
    (void)state;
    fm_run_options options = few_frames();
    options.should_stop = at_once;
    fm_error err = {0};
    assert_int_equal(fm_run(&options, NULL, &err), FM_E_INTERRUPTED);
    assert_int_equal(err.status, FM_E_INTERRUPTED);
    assert_int_equal(count_files("mirrored"), 0);
    assert_int_equal(count_files(".partial"), 0);
}

typedef struct side_by_side {
    const char *output_dir;
    fm_status status;
    fm_run_summary summary;
    fm_error err;
} side_by_side;

static void *run_beside(void *pointer)
{
    side_by_side *one = pointer;
    fm_run_options options = few_frames();
    options.output_dir = one->output_dir;
    one->status = fm_run(&options, &one->summary, &one->err);
    return NULL;
}

static void runs_side_by_side(void **state)
{
    (void)state;
    static side_by_side runs[2];
    char dirs[2][128];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        snprintf(dirs[i], sizeof dirs[i], "%s/run-%d", folder, i);
        runs[i].output_dir = dirs[i];
        assert_int_equal(pthread_create(&threads[i], NULL, run_beside, &runs[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        if (runs[i].status != FM_OK)
            print_message("%s\n", runs[i].err.message);
        assert_int_equal(runs[i].status, FM_OK);
        assert_int_equal(runs[i].summary.frames_written, 3);
        for (int k = 0; k < runs[i].summary.output_count; k++)
            assert_int_equal(access(runs[i].summary.output[k].path, R_OK), 0);
    }
}

int main(void)
{
    const char *shared = getenv("FACEMIRROR_SHARED"), *models = getenv("FACEMIRROR_MODELS");
    char model[FM_PATH_MAX];
    snprintf(clip, sizeof clip, "%s/media/video1-512.mp4", shared ? shared : "../shared");
    snprintf(model, sizeof model, "%s/face_landmark.onnx", models ? models : "");
    if (access(clip, R_OK) != 0 || access(model, R_OK) != 0) {
        puts("SKIPPED: the test clip (FACEMIRROR_SHARED) or the models are not there");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(refuses_constants_that_are_no_numbers, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(leaves_the_trace_of_another_alone, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(takes_all_outputs_back_when_one_cannot_be_named, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(stops_before_the_first_frame, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(runs_side_by_side, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
