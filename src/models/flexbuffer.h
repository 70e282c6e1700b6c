/*
 * A bounds-checked reader of FlexBuffers bytes: the options of custom TFLite
 * operators. It reads what such options are made of: a map of integers, floats
 * and vectors of integers.
 *
 * As in flatbuffer.h no offset and no count is trusted: whatever points out of
 * the buffer, is missing or has another type sets `broken` once and for all
 * and reads as zero, so parsing code reads straight on and asks at the end.
 *
 * Format: https://flatbuffers.dev/flatbuffers_internals/ ("FlexBuffers").
 * Thread-safety: Safe on distinct readers.
 */
#ifndef FM_MODELS_FLEXBUFFER_H
#define FM_MODELS_FLEXBUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fm_flex {
    const uint8_t *data; /* must outlive the reader; NULL with size 0 is an empty buffer */
    size_t size;
    bool broken;
} fm_flex;

/* A value by its slot; type 0 (the format's null) when it is absent. */
typedef struct fm_flex_value {
    size_t position;
    unsigned width;       /* bytes of the slot itself */
    unsigned child_width; /* bytes of the elements that it leads to */
    int type;
} fm_flex_value;

fm_flex_value fm_flex_root(fm_flex *reader);
/* The member of a map; broken when there is none. */
fm_flex_value fm_flex_member(fm_flex *reader, fm_flex_value map, const char *key);
int64_t fm_flex_int(fm_flex *reader, fm_flex_value value);
/* A float, or an integer as one. */
double fm_flex_number(fm_flex *reader, fm_flex_value value);
/* A typed vector of integers. */
size_t fm_flex_count(fm_flex *reader, fm_flex_value vector);
int64_t fm_flex_int_at(fm_flex *reader, fm_flex_value vector, size_t index);

#endif
