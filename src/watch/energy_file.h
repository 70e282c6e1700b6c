/*
 * Numbers out of /proc and /sys, where a file may be absent, forbidden, or hold anything.
 * Thread-safety: Safe.
 */
#ifndef FMP_WATCH_ENERGY_FILE_H
#define FMP_WATCH_ENERGY_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FMP_FILE_PATH_SIZE = 512 };

/* The first line of folder/file without its end, cut to fit. 0, or an errno value, with which `out` is "". */
int fmp_file_line(const char *folder, const char *file, char *out, size_t size);

/* The whole number that folder/file holds. 0, or an errno value: EINVAL for what is not a number of 64 bits. */
int fmp_file_integer(const char *folder, const char *file, int64_t *out);

/* A path made as printf does. False (and `out` is "") when it does not fit. */
bool fmp_file_path(char out[FMP_FILE_PATH_SIZE], const char *format, ...)
#if defined(__GNUC__) || defined(__clang__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

/*
 * The names in a folder for which `wanted` holds (NULL: all but those with a leading dot), in the order of their
 * bytes, numbers by value. Returns how many, 0 when the folder cannot be read; free with fmp_file_names_free.
 */
size_t fmp_file_names(const char *folder, bool (*wanted)(const char *name), char ***names);
void fmp_file_names_free(char **names, size_t count);

#endif
