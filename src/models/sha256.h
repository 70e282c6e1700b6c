/*
 * SHA-256 (FIPS 180-4) of bytes and of files, as lower-case hexadecimal text.
 *
 * Thread-safety: Safe on distinct objects and paths.
 */
#ifndef FM_MODELS_SHA256_H
#define FM_MODELS_SHA256_H

#include <stddef.h>

#include "facemirror/error.h"

enum { FM_SHA256_HEX = 65 }; /* 64 digits and the NUL */

/* FM_E_NO_MEMORY. */
fm_status fm_sha256(const void *data, size_t size, char hex[FM_SHA256_HEX], fm_error *err);

/* Of a regular file, read in pieces. FM_E_NOT_FOUND when it is not there or cannot be read. */
fm_status fm_sha256_file(const char *path, char hex[FM_SHA256_HEX], fm_error *err);

#endif
