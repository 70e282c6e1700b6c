/*
 * A bounds-checked reader of FlatBuffers bytes.
 *
 * The reader never trusts an offset, a vtable or a count: whatever points out
 * of the buffer sets `broken` once and for all and reads as absent (zero, the
 * given default, an empty vector), so parsing code reads straight on and asks
 * `broken` at the end of each step. Nothing is copied; results point into the
 * buffer, which must outlive them.
 *
 * Format: https://flatbuffers.dev/internals/ (little-endian, 32-bit offsets).
 * Field numbers are the positions of the fields in the schema's table.
 *
 * Thread-safety: Safe on distinct readers.
 */
#ifndef FM_MODELS_FLATBUFFER_H
#define FM_MODELS_FLATBUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fm_fb {
    const uint8_t *data;
    size_t size;
    bool broken; /* something pointed outside of the buffer */
} fm_fb;

/* A table by its checked position; an absent one has position 0, which no table can have. */
typedef struct fm_fb_table {
    size_t position;
    size_t vtable;
    uint16_t vtable_size; /* bytes */
    uint16_t table_size;  /* bytes */
} fm_fb_table;

/* Elements that lie wholly in the buffer; an absent vector has count 0. */
typedef struct fm_fb_vector {
    size_t position; /* of the first element */
    uint32_t count;
} fm_fb_vector;

/* The root table; broken when there is none, or `identifier` (4 bytes) does not stand behind the root offset. */
fm_fb_table fm_fb_root(fm_fb *reader, const char *identifier);

bool fm_fb_present(fm_fb_table table);
uint8_t fm_fb_u8(fm_fb *reader, fm_fb_table table, int field, uint8_t absent);
int32_t fm_fb_i32(fm_fb *reader, fm_fb_table table, int field, int32_t absent);
fm_fb_table fm_fb_child(fm_fb *reader, fm_fb_table table, int field);

/* A vector whose elements take `element_size` bytes (1, 4 or 8; offsets take 4). */
fm_fb_vector fm_fb_vector_of(fm_fb *reader, fm_fb_table table, int field, size_t element_size);
int32_t fm_fb_vector_i32(fm_fb *reader, fm_fb_vector vector, uint32_t index);
fm_fb_table fm_fb_vector_table(fm_fb *reader, fm_fb_vector vector, uint32_t index);
/* The elements of a byte vector (or the characters of a string), NULL when it is empty. */
const uint8_t *fm_fb_bytes(const fm_fb *reader, fm_fb_vector vector);

/* Little-endian words at any alignment. */
uint16_t fm_le16(const uint8_t *bytes);
uint32_t fm_le32(const uint8_t *bytes);

#endif
