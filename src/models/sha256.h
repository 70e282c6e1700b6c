/*
 * SHA-256 (FIPS 180-4) of bytes and of files, as lower-case hexadecimal text.
 *
 * Thread-safety: Safe on distinct objects and paths.
 */
#ifndef FM_MODELS_SHA256_H
#define FM_MODELS_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "facemirror/error.h"

enum { FM_SHA256_HEX = 65 }; /* 64 digits and the NUL */
/* What a message of protobuf, and so an ONNX file, can have: a sparse file of terabytes must not take hours. */
#define FM_SHA256_FILE_MAX ((uint64_t)1 << 31)

/* FM_E_NO_MEMORY. */
fm_status fm_sha256(const void *data, size_t size, char hex[FM_SHA256_HEX], fm_error *err);

/*
 * Of a regular file of at most FM_SHA256_FILE_MAX bytes, read in pieces. FM_E_NOT_FOUND when it is not there, cannot be
 * read, or is larger.
 */
fm_status fm_sha256_file(const char *path, char hex[FM_SHA256_HEX], fm_error *err);

#endif
