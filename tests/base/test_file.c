#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/fm_file_XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static const char *in_folder(const char *name)
{
    static char path[FM_PATH_MAX];
    assert_true(fm_path_join(path, folder, name));
    return path;
}

static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static void writes_and_reads_back(void **state)
{
    (void)state;
    const char data[] = "a\0b\n";
    fm_error err = {0};
    assert_int_equal(fm_file_write(in_folder("whole"), data, sizeof data, &err), FM_OK);
    uint8_t *back;
    size_t size;
    assert_int_equal(fm_file_read(in_folder("whole"), 100, &back, &size, &err), FM_OK);
    assert_int_equal(size, sizeof data);
    assert_memory_equal(back, data, size);
    assert_int_equal(back[size], 0);
    free(back);
    assert_false(exists(in_folder(".whole.partial")));
}

static void read_refuses_what_is_not_a_small_file(void **state)
{
    (void)state;
    uint8_t *back;
    size_t size;
    fm_error err = {0};
    assert_int_equal(fm_file_read(in_folder("missing"), 100, &back, &size, &err), FM_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "missing"));
    assert_null(back);
    assert_int_equal(fm_file_read(folder, 100, &back, &size, NULL), FM_E_NOT_FOUND);
    assert_int_equal(fm_file_write(in_folder("big"), "12345", 5, NULL), FM_OK);
    assert_int_equal(fm_file_read(in_folder("big"), 4, &back, &size, NULL), FM_E_BAD_INPUT);
    /* A FIFO without a writer must not hang us. */
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    assert_int_equal(fm_file_read(in_folder("fifo"), 4, &back, &size, NULL), FM_E_NOT_FOUND);
}

static void output_has_its_name_only_when_whole(void **state)
{
    (void)state;
    fm_outfile file;
    char final[FM_PATH_MAX];
    strcpy(final, in_folder("out.mp4"));
    assert_int_equal(fm_outfile_open(&file, final, false, NULL), FM_OK);
    assert_false(exists(final));
    assert_true(exists(file.partial_path));
    fm_outfile_discard(&file);
    assert_false(exists(file.partial_path));

    assert_int_equal(fm_outfile_open(&file, final, false, NULL), FM_OK);
    assert_int_equal(fm_outfile_commit(&file, NULL), FM_OK);
    assert_true(exists(final));
    fm_outfile_discard(&file); /* after a commit it does nothing */
    assert_true(exists(final));

    fm_error err = {0};
    assert_int_equal(fm_outfile_open(&file, final, false, &err), FM_E_EXISTS);
    assert_non_null(strstr(err.message, "--overwrite"));
    assert_int_equal(fm_outfile_open(&file, final, true, NULL), FM_OK);
    fm_outfile_discard(&file);
    assert_true(exists(final)); /* a discarded overwrite leaves the old one */
}

static void output_needs_a_folder(void **state)
{
    (void)state;
    fm_outfile file;
    fm_error err = {0};
    assert_int_equal(fm_outfile_open(&file, in_folder("no/such/out"), false, &err), FM_E_OUTPUT);
    fm_outfile_discard(&file);
    assert_int_equal(fm_outfile_open(&file, folder, true, NULL), FM_E_OUTPUT);
    /* A link in the place of the partial file is not followed. */
    assert_int_equal(symlink("/etc/passwd", in_folder(".trap.partial")), 0);
    assert_int_equal(fm_outfile_open(&file, in_folder("trap"), true, NULL), FM_E_OUTPUT);
}

static void folders_are_made(void **state)
{
    (void)state;
    fm_error err = {0};
    assert_int_equal(fm_make_dirs(in_folder("a/b//c/"), &err), FM_OK);
    assert_int_equal(fm_make_dirs(in_folder("a/b/c"), &err), FM_OK);
    assert_int_equal(fm_file_write(in_folder("plain"), "", 0, &err), FM_OK);
    assert_int_equal(fm_make_dirs(in_folder("plain"), &err), FM_E_OUTPUT);
    memset(&err, 0, sizeof err);
    assert_int_equal(fm_make_dirs(in_folder("plain/below"), &err), FM_E_OUTPUT);
}

static void paths_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *path, *stem, *dir;
    } cases[] = {
        {"clip.mp4", "clip", "."},
        {"/a/b/clip.tar.gz", "clip.tar", "/a/b"},
        {"/clip", "clip", "/"},
        {".hidden", ".hidden", "."},
        {"dir.d/clip", "clip", "dir.d"},
    };
    char out[FM_PATH_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fm_path_stem(out, cases[i].path);
        assert_string_equal(out, cases[i].stem);
        fm_path_dir(out, cases[i].path);
        assert_string_equal(out, cases[i].dir);
    }
    assert_true(fm_path_join(out, "/a/", "b"));
    assert_string_equal(out, "/a/b");
    assert_true(fm_path_join(out, NULL, "b"));
    assert_string_equal(out, "b");
    char *longest = malloc(FM_PATH_MAX + 1);
    memset(longest, 'x', FM_PATH_MAX);
    longest[FM_PATH_MAX] = 0;
    assert_false(fm_path_join(out, "a", longest));
    free(longest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_and_reads_back),
        cmocka_unit_test(read_refuses_what_is_not_a_small_file),
        cmocka_unit_test(output_has_its_name_only_when_whole),
        cmocka_unit_test(output_needs_a_folder),
        cmocka_unit_test(folders_are_made),
        cmocka_unit_test(paths_are_taken_apart),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
