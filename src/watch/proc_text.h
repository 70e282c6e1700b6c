/*
 * Reading files of /proc: short texts whose fields may be absent, huge or
 * garbage, in which case a figure is not a number. Nothing allocates.
 *
 * Thread-safety: Safe.
 */
#ifndef FMP_WATCH_PROC_TEXT_H
#define FMP_WATCH_PROC_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Room for the longest of the files that are read here (status of a process). */
enum { FMP_PROC_TEXT_SIZE = 4096 };

/* Opens root + path for reading, never waiting for a writer; -1 with errno. */
int fmp_proc_open(const char *root, const char *path);
/* Opens a file below an open folder in the same way. */
int fmp_proc_open_in(int folder, const char *path);
/* What stands in an open file from its beginning, as a string; false with errno when it cannot be read. */
bool fmp_proc_reread(int file, char *out, size_t size);
/* The same of a file that is opened for it. */
bool fmp_proc_read(const char *root, const char *path, char *out, size_t size);

/*
 * The decimal number at *at, behind blanks; *at stands behind it then. Not a
 * number when there is none, or a negative one; digits behind a point count.
 */
double fmp_proc_number(const char **at);
/* The number behind "key", blanks and colons, of the line that begins with exactly that key. */
double fmp_proc_field(const char *text, const char *key);
/* Skips so many fields between blanks. */
const char *fmp_proc_skip(const char *at, int fields);

/* What a figure grew by; not a number when either is none, 0 when it fell. */
double fmp_growth(double before, double now);

#endif
