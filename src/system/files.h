/*
 * The small text files in which Linux tells about itself, below a root: "" is
 * this machine, another one is a copy of its tree, as tests make it.
 *
 * Thread-safety: Safe.
 */
#ifndef FM_SYSTEM_FILES_H
#define FM_SYSTEM_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The file's first size - 1 bytes, without line ends behind them; false and "" when it cannot be read. */
bool fm_system_text(const char *root, const char *path, char *out, size_t size);
/* The number that the file begins with; false when there is none. */
bool fm_system_number(const char *root, const char *path, int64_t *out);
bool fm_system_exists(const char *root, const char *path);
bool fm_system_readable(const char *root, const char *path);
/*
 * What stands behind "key:" at the begin of a line of `text` (as in /proc/meminfo and /proc/cpuinfo), without the
 * blanks around it; false and "" when no line has it.
 */
bool fm_system_field(const char *text, const char *key, char *out, size_t size);

#endif
