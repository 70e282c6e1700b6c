/* Which pack is meant: folders, names, and the search path of the default pack, in a home of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "models/registry.h"
#include "pack_folder.h"

static char root[] = "/tmp/fm-find-XXXXXX";

static const char *inside(const char *name)
{
    static char path[4][FM_PATH_MAX];
    static int turn;
    char *out = path[turn++ % 4];
    assert_true(fm_path_join(out, root, name));
    return out;
}

static void put_pack(const char *dir, const char *name)
{
    char quoted[80];
    snprintf(quoted, sizeof quoted, "\"%s\"", name);
    char *text = with(small_manifest, "\"small\"", quoted);
    put_file(inside(dir), FM_PACK_MANIFEST, text);
    free(text);
}

static void expect(const char *name_or_dir, const char *dir)
{
    fm_pack *pack;
    fm_error err = {0};
    if (fm_pack_find(&pack, name_or_dir, &err) != FM_OK)
        fail_msg("%s", err.message);
    assert_string_equal(pack->dir, dir);
    fm_pack_free(&pack);
}

static void expect_error(const char *name_or_dir, const char *words)
{
    fm_pack *pack;
    fm_error err = {0};
    assert_int_equal(fm_pack_find(&pack, name_or_dir, &err), FM_E_MODEL);
    assert_null(pack);
    if (!strstr(err.message, words))
        fail_msg("'%s' does not say '%s'", err.message, words);
}

static int set_up(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -rf '%s'/*", root);
    unsetenv("FACEMIRROR_MODELS");
    unsetenv("XDG_DATA_HOME");
    return system(command) != 0 || setenv("HOME", inside("home"), 1) != 0 || chdir(root) != 0;
}

static void test_error_tells_where_and_what(void **state)
{
    (void)state;
    fm_pack *pack;
    fm_error err = {0};
    setenv("FACEMIRROR_MODELS", inside("nowhere"), 1);
    if (fm_pack_find(&pack, NULL, &err) == FM_OK) {
        fm_pack_free(&pack);
        skip(); /* the build's own folder or the installed one has models */
    }
    assert_int_equal(err.status, FM_E_MODEL);
    assert_non_null(strstr(err.message, inside("nowhere")));
    assert_non_null(strstr(err.message, inside("home/.local/share/facemirror/models")));
    assert_non_null(strstr(err.message, "run `make setup` or give --models DIR"));
}

static void test_order(void **state)
{
    (void)state;
    put_pack("home/.local/share/facemirror/models", "mediapipe");
    expect(NULL, inside("home/.local/share/facemirror/models"));
    expect("", inside("home/.local/share/facemirror/models"));
    setenv("XDG_DATA_HOME", "relative", 1); /* the specification says to ignore it */
    expect(NULL, inside("home/.local/share/facemirror/models"));
    put_pack("data/facemirror/models", "mediapipe");
    setenv("XDG_DATA_HOME", inside("data"), 1);
    expect(NULL, inside("data/facemirror/models"));
    put_file(inside("half"), "face_landmark.onnx", "x");
    setenv("FACEMIRROR_MODELS", inside("half"), 1); /* no manifest: not a pack */
    expect(NULL, inside("data/facemirror/models"));
    put_pack("by environment", "mediapipe");
    setenv("FACEMIRROR_MODELS", inside("by environment"), 1);
    expect(NULL, inside("by environment"));
    put_pack("given", "mediapipe");
    expect(inside("given"), inside("given"));
    /* A folder that was named is not silently replaced by another, nor is a broken pack. */
    expect_error(inside("half"), "half' is no model pack");
    put_file(inside("by environment"), FM_PACK_MANIFEST, "{}");
    expect_error(NULL, "by environment/pack.json': format is missing");
}

static void test_names(void **state)
{
    (void)state;
    setenv("XDG_DATA_HOME", inside("data"), 1);
    expect_error("openface3", "installed: none; add one");
    put_pack("data/facemirror/packs/openface3", "openface3");
    put_pack("data/facemirror/packs/another", "another");
    put_pack("data/facemirror/packs/.hidden", "hidden");
    put_file(inside("data/facemirror/packs"), "file", "x");
    expect("openface3", inside("data/facemirror/packs/openface3"));
    expect_error("nope", "installed: another, openface3; add one");
    expect_error(".hidden", "neither a folder");
    expect_error("..", "neither a folder");
    /* A folder goes before a name, when it is a pack, and always when it is written as a path. */
    assert_int_equal(mkdir(inside("openface3"), 0777), 0);
    expect("openface3", inside("data/facemirror/packs/openface3"));
    expect_error("./openface3", "is no model pack");
    put_pack("openface3", "openface3");
    expect("openface3", "openface3");
    expect("./openface3", "./openface3");
    /* The default pack goes by its name, too. */
    put_pack("default", "mine");
    setenv("FACEMIRROR_MODELS", inside("default"), 1);
    expect("mine", inside("default"));
    put_pack("data/facemirror/packs/mine", "mine");
    expect("mine", inside("data/facemirror/packs/mine"));
}

static void test_installed_default(void **state)
{
    (void)state;
    char folders[FM_SEARCH_FOLDERS][FM_PATH_MAX];
    put_pack("home/.local/share/facemirror/packs/mediapipe", "mediapipe");
    bool searched = false;
    const int count = fm_default_pack_folders(folders);
    for (int i = 0; i < count; i++)
        searched = searched || strcmp(folders[i], inside("home/.local/share/facemirror/packs/mediapipe")) == 0;
    assert_true(searched);
    unsetenv("HOME");
    assert_true(fm_default_pack_folders(folders) < count);
    fm_error err = {0};
    assert_int_equal(fm_registry_user_dir(folders[0], &err), FM_E_OUTPUT);
    assert_non_null(strstr(err.message, "set HOME"));
}

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_error_tells_where_and_what, set_up),
        cmocka_unit_test_setup(test_order, set_up),
        cmocka_unit_test_setup(test_names, set_up),
        cmocka_unit_test_setup(test_installed_default, set_up),
    };
    return cmocka_run_group_tests_name("pack_find", tests, make_root, remove_root);
}
