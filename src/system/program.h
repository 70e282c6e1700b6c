/*
 * This program itself, to start it again.
 *
 * Thread-safety: Safe.
 */
#ifndef FM_SYSTEM_PROGRAM_H
#define FM_SYSTEM_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A path under which this very program can be started, also when its file was replaced or removed meanwhile (Linux);
 * false where the system does not tell.
 */
bool fm_program_path(char *out, size_t size);

#endif
