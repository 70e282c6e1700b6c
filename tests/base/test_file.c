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

static void an_output_has_one_writer(void **state)
{
    (void)state;
    fm_outfile first, second;
    fm_error err = {0};
    struct stat st;
    /* What a crash left stands in nobody's way. */
    assert_int_equal(fm_file_write(in_folder(".shared.partial"), "rest", 4, NULL), FM_OK);
    const char *final = in_folder("shared");
    assert_int_equal(fm_outfile_open(&first, final, true, NULL), FM_OK);
    assert_int_equal(stat(first.partial_path, &st), 0);
    assert_int_equal(st.st_size, 0);
    assert_int_equal(fm_outfile_open(&second, final, true, &err), FM_E_OUTPUT);
    assert_non_null(strstr(err.message, "another run"));
    fm_outfile_discard(&second);
    assert_true(exists(first.partial_path)); /* the refused one touches nothing */
    assert_int_equal(fm_outfile_commit(&first, NULL), FM_OK);
    assert_int_equal(fm_outfile_open(&second, final, true, NULL), FM_OK);
    fm_outfile_discard(&second);
    assert_int_equal(fm_outfile_open(&first, final, true, NULL), FM_OK);
    fm_outfile_discard(&first);
}

static void output_needs_a_folder(void **state)
{
    (void)state;
    fm_outfile file;
    fm_error err = {0};
    assert_int_equal(fm_outfile_open(&file, in_folder("no/such/out"), false, &err), FM_E_OUTPUT);
    fm_outfile_discard(&file);
    assert_int_equal(fm_outfile_open(&file, folder, true, NULL), FM_E_OUTPUT);
    /* Devices and pipes, and links to them, stay what they are. */
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    assert_int_equal(symlink("/dev/null", in_folder("link")), 0);
    memset(&err, 0, sizeof err);
    assert_int_equal(fm_outfile_open(&file, in_folder("pipe"), true, &err), FM_E_OUTPUT);
    assert_non_null(strstr(err.message, "not a regular file"));
    assert_int_equal(fm_outfile_open(&file, in_folder("link"), true, NULL), FM_E_OUTPUT);
    assert_false(exists(in_folder(".pipe.partial")) || exists(in_folder(".link.partial")));
    assert_int_equal(unlink(in_folder("link")), 0);
    assert_int_equal(symlink("/proc/self/fd/1", in_folder("link")), 0); /* as /dev/stdout, which may be a file now */
    assert_int_equal(fm_outfile_open(&file, in_folder("link"), true, NULL), FM_E_OUTPUT);
    assert_true(exists(in_folder("link")));
    /* A link in the place of the partial file is not followed. */
    assert_int_equal(symlink("/etc/passwd", in_folder(".trap.partial")), 0);
    assert_int_equal(fm_outfile_open(&file, in_folder("trap"), true, NULL), FM_E_OUTPUT);
    /* Nor does a FIFO there, of which nobody reads, make us wait. */
    assert_int_equal(mkfifo(in_folder(".wait.partial"), 0600), 0);
    memset(&err, 0, sizeof err);
    assert_int_equal(fm_outfile_open(&file, in_folder("wait"), true, &err), FM_E_OUTPUT);
    assert_non_null(strstr(err.message, "not a regular file"));
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

static void stream_becomes_a_file_or_nothing(void **state)
{
    (void)state;
    fm_outfile file;
    FILE *stream;
    fm_error err = {0};
    char path[FM_PATH_MAX], partial[FM_PATH_MAX];
    snprintf(path, sizeof path, "%s", in_folder("table"));
    snprintf(partial, sizeof partial, "%s", in_folder(".table.partial"));

    assert_int_equal(fm_outfile_open(&file, path, false, &err), FM_OK);
    assert_int_equal(fm_outfile_stream(&file, &stream, &err), FM_OK);
    fputs("half", stream);
    assert_int_equal(fm_outfile_end(&file, stream, FM_E_NO_FACE, &err), FM_E_NO_FACE);
    assert_int_equal(err.status, FM_OK); /* its cause was told before */
    assert_false(exists(path) || exists(partial));

    assert_int_equal(fm_outfile_open(&file, path, false, &err), FM_OK);
    assert_int_equal(fm_outfile_stream(&file, &stream, &err), FM_OK);
    fputs("whole", stream);
    assert_int_equal(fm_outfile_end(&file, stream, FM_OK, &err), FM_OK);
    assert_true(exists(path) && !exists(partial));
}

static void a_folder_is_no_file_name(void **state)
{
    (void)state;
    fm_outfile file;
    fm_error err = {0};
    assert_int_equal(fm_outfile_open(&file, in_folder(""), true, &err), FM_E_OUTPUT);
    assert_non_null(strstr(err.message, "names no file"));
}

static void full_disk_is_told_with_what_to_do(void **state)
{
    (void)state;
    if (access("/dev/full", W_OK) != 0)
        skip();
    fm_outfile file = {.final_path = "table", .partial_path = "/dev/full"}; /* not pending: nothing is removed */
    FILE *stream;
    fm_error err = {0};
    assert_int_equal(fm_outfile_stream(&file, &stream, &err), FM_OK);
    fputs("text", stream);
    assert_int_equal(fm_outfile_end(&file, stream, FM_OK, &err), FM_E_NO_SPACE);
    assert_non_null(strstr(err.message, "'table'"));
    assert_non_null(strstr(err.message, "free some space"));
}

static void names_outputs_after_the_clip(void **state)
{
    (void)state;
    char path[FM_PATH_MAX], stem[FM_PATH_MAX];
    fm_error err = {0};
    assert_int_equal(fm_path_output(path, "out", "clip", "_debug.mp4", &err), FM_OK);
    assert_string_equal(path, "out/clip_debug.mp4");
    memset(stem, 'a', sizeof stem - 1);
    stem[sizeof stem - 1] = 0;
    assert_int_equal(fm_path_output(path, "out", stem, "_debug.mp4", &err), FM_E_OUTPUT);
    assert_string_equal(fm_path_name("a/b/c.mp4"), "c.mp4");
    assert_string_equal(fm_path_name("c.mp4"), "c.mp4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stream_becomes_a_file_or_nothing),
        cmocka_unit_test(a_folder_is_no_file_name),
        cmocka_unit_test(full_disk_is_told_with_what_to_do),
        cmocka_unit_test(names_outputs_after_the_clip),
        cmocka_unit_test(writes_and_reads_back),
        cmocka_unit_test(read_refuses_what_is_not_a_small_file),
        cmocka_unit_test(output_has_its_name_only_when_whole),
        cmocka_unit_test(an_output_has_one_writer),
        cmocka_unit_test(output_needs_a_folder),
        cmocka_unit_test(folders_are_made),
        cmocka_unit_test(paths_are_taken_apart),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
