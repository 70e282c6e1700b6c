/* The cache's folder: names of entries, where it is, and how it is kept within bounds. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "cache_fixture.h"
#include "inference/cache_folder.h"
#include "inference/cache_key.h"
#include "inference/cache_slot.h"

/* --- names ------------------------------------------------------------------------------ */

static void test_names_depend_on_all_facts(void **state)
{
    (void)state;
    static const char *const ab[] = {"a=1", "b=2"}, *const ba[] = {"b=2", "a=1"};
    static const char *const joined[] = {"a=1\noption 3:b=2"};
    char other[FM_SHA256_HEX];
    snprintf(other, sizeof other, "%s", hash);
    other[0] = other[0] == '0' ? '1' : '0';
    const fm_cache_facts base = {hash, "1.29.0", "build", "CPUExecutionProvider", "processor", NULL, 0};
    fm_cache_facts facts[9];
    for (int i = 0; i < 9; i++)
        facts[i] = base;
    facts[1].model = other;
    facts[2].runtime = "1.29.1";
    facts[3].build = "build 2";
    facts[4].provider = "XnnpackExecutionProvider";
    facts[5].processor = "another";
    facts[6].options = ab, facts[6].option_count = 2;
    facts[7].options = ba, facts[7].option_count = 2;
    facts[8].options = joined, facts[8].option_count = 1;
    char names[9][FM_SHA256_HEX], again[FM_SHA256_HEX];
    for (int i = 0; i < 9; i++) {
        assert_true(fm_cache_name(&facts[i], names[i]));
        assert_int_equal(strlen(names[i]), 64);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(names[i], names[k]);
        assert_true(fm_cache_name(&facts[i], again));
        assert_string_equal(names[i], again);
    }
    const char *const bad[] = {NULL, "", "abc", "../../../../../../../../../../../../../../../../../../../../etc/0000"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        facts[0].model = bad[i];
        assert_false(fm_cache_name(&facts[0], again));
    }
    assert_true(fm_cache_processor(names[0]));
    assert_true(fm_cache_processor(names[1]));
    assert_string_equal(names[0], names[1]);
}

static void test_default_folder(void **state)
{
    (void)state;
    char dir[FM_PATH_MAX];
    setenv("FACEMIRROR_CACHE", "/own", 1);
    setenv("XDG_CACHE_HOME", "/xdg", 1);
    setenv("HOME", "/home/somebody", 1);
    assert_true(fm_cache_dir(dir));
    assert_string_equal(dir, "/own");
    unsetenv("FACEMIRROR_CACHE");
    assert_true(fm_cache_dir(dir));
    assert_string_equal(dir, "/xdg/facemirror/graphs");
    setenv("XDG_CACHE_HOME", "relative", 1);
    assert_true(fm_cache_dir(dir));
    assert_ptr_equal(strstr(dir, "/home/somebody/"), dir);
    unsetenv("HOME");
    assert_false(fm_cache_dir(dir));
}

/* --- bounds ---------------------------------------------------------------------------- */

static void put_entry(char *name, char digit, const char *suffix, size_t size, time_t used)
{
    static const char zeros[1000] = {0};
    char path[FM_PATH_MAX];
    memset(name, digit, 64);
    strcpy(name + 64, suffix);
    snprintf(path, sizeof path, "%s/%s", cache_path, name);
    replace(path, zeros, size);
    const struct timespec times[2] = {{used, 0}, {used, 0}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool is_there(const char *name)
{
    char path[FM_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", cache_path, name);
    return access(path, F_OK) == 0;
}

static void test_the_oldest_go_first(void **state)
{
    (void)state;
    char names[6][128];
    assert_int_equal(mkdir(cache_path, 0700), 0);
    for (int i = 0; i < 6; i++)
        put_entry(names[i], (char)('a' + i), ".graph", 100, 1000000000 + i);
    put_entry(names[0], 'a', ".graph", 100, 1000000003); /* used again */
    uint64_t bytes = 1;
    assert_int_equal(fm_cache_measure(cache_path, &bytes), 6);
    assert_int_equal(bytes, 600);
    assert_int_equal(fm_cache_measure("/no/such/folder", &bytes), 0);
    assert_int_equal(bytes, 0);
    fm_cache_prune(cache_path, names[1], 4, 100000);
    assert_true(is_there(names[1])); /* the one in use, although it is the oldest */
    assert_false(is_there(names[2]));
    assert_true(is_there(names[5]) && is_there(names[4]));
    fm_cache_prune(cache_path, names[5], 64, 250);
    assert_int_equal(cache_count(), 2);
    assert_true(is_there(names[5]) && is_there(names[4]));
    fm_cache_prune(cache_path, names[4], 64, 0);
    assert_int_equal(cache_count(), 1);
    assert_true(is_there(names[4]));
    fm_cache_prune("/no/such/folder", "", 1, 1);
}

static void test_only_its_own_is_removed(void **state)
{
    (void)state;
    char name[128], path[FM_PATH_MAX], inner[FM_PATH_MAX + 16], hidden[130] = ".";
    assert_int_equal(mkdir(cache_path, 0700), 0);
    put_entry(name, 'a', ".onnx", 100, 1000000000);
    put_entry(name, 'b', ".graph.bak", 100, 1000000000);
    put_entry(name, 'c', "", 100, 1000000000);
    fm_cache_prune(cache_path, "", 0, 0);
    assert_int_equal(cache_count(), 3);

    /* A provider's folder goes with all that is in it, but not with what a link in it leads to. */
    put_entry(name, 'd', "", 10, 1000000000);
    snprintf(path, sizeof path, "%s/coreml-%s", cache_path, name);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(inner, sizeof inner, "%s/sub", path);
    assert_int_equal(mkdir(inner, 0700), 0);
    snprintf(inner, sizeof inner, "%s/sub/file", path);
    replace(inner, "x", 1);
    snprintf(inner, sizeof inner, "%s/link", path);
    assert_int_equal(symlink(folder, inner), 0);
    fm_cache_prune(cache_path, fm_path_name(path), 0, 0);
    assert_int_equal(access(path, F_OK), 0);
    fm_cache_prune(cache_path, "", 0, 0);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(access(model, F_OK), 0);

    /* What a killed run has left goes after an hour. */
    put_entry(name, 'e', ".graph.partial", 10, 1000000000);
    strcat(hidden, name);
    snprintf(path, sizeof path, "%s/%s", cache_path, name);
    snprintf(inner, sizeof inner, "%s/%s", cache_path, hidden);
    assert_int_equal(rename(path, inner), 0);
    fm_cache_prune(cache_path, "", 0, 0);
    assert_false(is_there(hidden));
    replace(inner, "x", 1);
    fm_cache_prune(cache_path, "", 0, 0);
    assert_true(is_there(hidden));
}

static void test_folders_of_providers(void **state)
{
    static const char *const option[] = {"a=1"};
    char one[FM_PATH_MAX], two[FM_PATH_MAX], three[FM_PATH_MAX];
    fm_session_options options = {.cache_dir = cache_path, .sha256 = hash};
    assert_true(fm_cache_provider_folder(one, *state, &options, "CoreMLExecutionProvider"));
    assert_true(fm_cache_provider_folder(two, *state, &options, "OpenVINOExecutionProvider"));
    options.provider.options = option;
    options.provider.option_count = 1;
    assert_true(fm_cache_provider_folder(three, *state, &options, "OpenVINOExecutionProvider"));
    assert_non_null(strstr(one, "/coreml-"));
    assert_non_null(strstr(three, "/openvino-"));
    assert_string_not_equal(two, three);
    assert_int_equal(cache_count(), 3);
    options.sha256 = NULL;
    assert_false(fm_cache_provider_folder(one, *state, &options, "CoreMLExecutionProvider"));
}

/* -------------------------------------------------------------------------------------- */

static int setup(void **state)
{
    fm_error err = {0};
    fm_runtime *runtime = NULL;
    if (fm_runtime_create(&runtime, NULL, NULL, &err) != FM_OK)
        return -1;
    *state = runtime;
    return 0;
}

static int teardown(void **state)
{
    fm_runtime *runtime = *state;
    fm_runtime_destroy(&runtime);
    return 0;
}

int main(void)
{
#define CACHE_TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        CACHE_TEST(test_names_depend_on_all_facts),
        CACHE_TEST(test_the_oldest_go_first),
        CACHE_TEST(test_only_its_own_is_removed),
        CACHE_TEST(test_folders_of_providers),
        CACHE_TEST(test_default_folder), /* the last: it changes the environment */
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
