/*
 * Whole files: read with a size limit, written beside the final name and
 * renamed when whole.
 *
 * Thread-safety: Safe on distinct objects and paths.
 */
#ifndef FM_BASE_FILE_H
#define FM_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "facemirror/error.h"
#include "facemirror/path.h"

/* Reads a regular file of at most `limit` bytes into a malloc'ed buffer (NUL-terminated for convenience). */
fm_status fm_file_read(const char *path, size_t limit, uint8_t **data, size_t *size, fm_error *err);

/*
 * An output under its temporary name: "<dir>/.<name>.partial". Commit renames it to its
 * final name; discard removes it. Zero-initialised objects are safe to discard.
 */
typedef struct fm_outfile {
    char final_path[FM_PATH_MAX];
    char partial_path[FM_PATH_MAX];
    bool pending;
    int lock; /* while pending: keeps other runs from the partial file; -1 where the file system has no locks */
} fm_outfile;

/*
 * Fixes both names and proves that the folder can be written by creating the
 * partial file, empty. FM_E_EXISTS when the final name is there and
 * !overwrite; FM_E_OUTPUT/FM_E_NO_SPACE otherwise, also while another process
 * (or object) writes the same file. What a crash left is taken over.
 */
fm_status fm_outfile_open(fm_outfile *file, const char *final_path, bool overwrite, fm_error *err);
/* Opens the partial file as an empty stream; discards the file when that fails. */
fm_status fm_outfile_stream(fm_outfile *file, FILE **stream, fm_error *err);
/* The error of a failed write to the file, from errno: FM_E_NO_SPACE, FM_E_NO_MEMORY or FM_E_OUTPUT. */
fm_status fm_outfile_failed(const fm_outfile *file, fm_error *err);
/*
 * Closes the stream and gives the file its name when `status` is FM_OK and all
 * was written, else discards it. Returns what is to be returned.
 */
fm_status fm_outfile_end(fm_outfile *file, FILE *stream, fm_status status, fm_error *err);
fm_status fm_outfile_commit(fm_outfile *file, fm_error *err);
void fm_outfile_discard(fm_outfile *file);

/* Writes a whole buffer through an fm_outfile (overwriting). */
fm_status fm_file_write(const char *path, const void *data, size_t size, fm_error *err);

/* Creates a folder and its parents; fine when it exists. */
fm_status fm_make_dirs(const char *path, fm_error *err);

/* Joins dir and name into out (FM_PATH_MAX); false when it does not fit. dir may be NULL or "". */
bool fm_path_join(char *out, const char *dir, const char *name);
/* The file name of a path, without its folder: a part of `path`. */
const char *fm_path_name(const char *path);
/* The path of an output of a clip: dir/stem + suffix, into out (FM_PATH_MAX). FM_E_OUTPUT when it does not fit. */
fm_status fm_path_output(char *out, const char *dir, const char *stem, const char *suffix, fm_error *err);
/* The file name of a path without folder and last extension, into out (FM_PATH_MAX). */
void fm_path_stem(char *out, const char *path);
/* The folder of a path, "." when it has none, into out (FM_PATH_MAX). */
void fm_path_dir(char *out, const char *path);

#endif
