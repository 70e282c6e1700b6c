/* The search path of the models, in a folder of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "models/find.h"

static char root[] = "/tmp/fm-find-XXXXXX";
static char work[FM_PATH_MAX];

static void touch(const char *dir, const char *name)
{
    char path[FM_PATH_MAX];
    fm_error err = {0};
    assert_int_equal(fm_make_dirs(dir, &err), FM_OK);
    assert_true(fm_path_join(path, dir, name));
    assert_int_equal(fm_file_write(path, "x", 1, &err), FM_OK);
}

static void make_pack(const char *dir)
{
    touch(dir, "face_detection_short_range.onnx");
    touch(dir, "face_landmark.onnx");
}

static const char *inside(const char *name)
{
    static char path[4][FM_PATH_MAX];
    static int turn;
    char *out = path[turn++ % 4];
    assert_true(fm_path_join(out, work, name));
    return out;
}

static void expect(const char *dir, const char *found)
{
    fm_model_files files;
    fm_error err = {0};
    if (fm_models_find(dir, FM_LANDMARKS_PLAIN, &files, &err) != FM_OK)
        fail_msg("%s", err.message);
    char path[FM_PATH_MAX];
    assert_true(fm_path_join(path, found, "face_detection_short_range.onnx"));
    assert_string_equal(files.detector, path);
    assert_true(fm_path_join(path, found, "face_landmark.onnx"));
    assert_string_equal(files.landmarker, path);
}

static int set_up(void **state)
{
    (void)state;
    if (!work[0]) {
        if (!mkdtemp(root))
            return -1;
        snprintf(work, sizeof work, "%s", root);
    }
    unsetenv("FACEMIRROR_MODELS");
    unsetenv("XDG_DATA_HOME");
    return setenv("HOME", inside("home"), 1);
}

static void test_error_tells_where_and_what(void **state)
{
    (void)state;
    fm_model_files files;
    fm_error err = {0};
    setenv("FACEMIRROR_MODELS", inside("nowhere"), 1);
    fm_status status = fm_models_find(NULL, FM_LANDMARKS_PLAIN, &files, &err);
    if (status == FM_OK)
        skip(); /* the build's own folder or the installed one has models */
    assert_int_equal(status, FM_E_MODEL);
    assert_non_null(strstr(err.message, inside("nowhere")));
    assert_non_null(strstr(err.message, inside("home/.local/share/facemirror/models")));
    assert_non_null(strstr(err.message, "share/facemirror/models; run `make setup`"));
    assert_non_null(strstr(err.message, "--models DIR"));
}

static void test_order(void **state)
{
    (void)state;
    make_pack(inside("home/.local/share/facemirror/models"));
    expect(NULL, inside("home/.local/share/facemirror/models"));
    setenv("XDG_DATA_HOME", "relative", 1); /* the specification says to ignore it */
    expect(NULL, inside("home/.local/share/facemirror/models"));
    make_pack(inside("data/facemirror/models"));
    setenv("XDG_DATA_HOME", inside("data"), 1);
    expect(NULL, inside("data/facemirror/models"));
    make_pack(inside("by environment"));
    setenv("FACEMIRROR_MODELS", inside("by environment"), 1);
    expect(NULL, inside("by environment"));
    make_pack(inside("given"));
    expect(inside("given"), inside("given"));
}

static void test_half_a_pack_is_none(void **state)
{
    (void)state;
    touch(inside("half"), "face_landmark.onnx");
    assert_int_equal(mkdir(inside("half/face_detection_short_range.onnx"), 0777), 0);
    make_pack(inside("home/.local/share/facemirror/models"));
    setenv("FACEMIRROR_MODELS", inside("half"), 1);
    expect(NULL, inside("home/.local/share/facemirror/models"));
    /* A folder that was named is not silently replaced by another. */
    fm_model_files files;
    fm_error err = {0};
    assert_int_equal(fm_models_find(inside("half"), FM_LANDMARKS_PLAIN, &files, &err), FM_E_MODEL);
    assert_non_null(strstr(err.message, inside("half")));
    assert_null(strstr(err.message, "home"));
}

static void test_attention_mesh_in_place_of_the_plain_one(void **state)
{
    (void)state;
    fm_model_files files;
    fm_error err = {0};
    make_pack(inside("plain"));
    assert_int_equal(fm_models_find(inside("plain"), FM_LANDMARKS_ATTENTION, &files, &err), FM_E_MODEL);
    assert_non_null(strstr(err.message, "face_landmark_with_attention.onnx"));
    touch(inside("plain"), "face_landmark_with_attention.onnx");
    assert_int_equal(fm_models_find(inside("plain"), FM_LANDMARKS_ATTENTION, &files, &err), FM_OK);
    assert_non_null(strstr(files.landmarker, "/plain/face_landmark_with_attention.onnx"));
    expect(inside("plain"), inside("plain"));
}

static int remove_all(void **state)
{
    (void)state;
    char command[FM_PATH_MAX + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return work[0] ? system(command) : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_error_tells_where_and_what, set_up),
        cmocka_unit_test_setup(test_order, set_up),
        cmocka_unit_test_setup(test_half_a_pack_is_none, set_up),
        cmocka_unit_test_setup(test_attention_mesh_in_place_of_the_plain_one, set_up),
    };
    return cmocka_run_group_tests_name("find", tests, NULL, remove_all);
}
