/*
 * A growing buffer that protobuf messages are written into.
 *
 * Every writer has a limit in bytes. When the limit or the memory is reached
 * the writer fails once and for all and ignores what follows, so callers write
 * on and ask `failure` at the end.
 *
 * Format: https://protobuf.dev/programming-guides/encoding/
 *
 * Thread-safety: Unsafe (one thread at a time).
 */
#ifndef FM_MODELS_PROTOBUF_H
#define FM_MODELS_PROTOBUF_H

#include <stddef.h>
#include <stdint.h>

typedef enum fm_pb_failure { FM_PB_FINE = 0, FM_PB_OVER_LIMIT, FM_PB_NO_MEMORY } fm_pb_failure;

typedef struct fm_pb {
    uint8_t *data; /* malloc'ed, owned by the writer */
    size_t size, capacity, limit;
    fm_pb_failure failure;
} fm_pb;

void fm_pb_init(fm_pb *writer, size_t limit);
/* Frees the bytes; safe on a zeroed writer. */
void fm_pb_free(fm_pb *writer);

void fm_pb_varint(fm_pb *writer, int field, uint64_t value);
void fm_pb_float(fm_pb *writer, int field, float value);
void fm_pb_bytes(fm_pb *writer, int field, const void *data, size_t size);
void fm_pb_string(fm_pb *writer, int field, const char *text);
/* Room for a field of `size` bytes, which the caller fills at once; NULL after a failure. */
uint8_t *fm_pb_room(fm_pb *writer, int field, size_t size);

/* A message inside: its fields are written between begin and end; `begin` returns the mark that `end` takes. */
size_t fm_pb_begin(fm_pb *writer, int field);
void fm_pb_end(fm_pb *writer, size_t mark);

/* Appends whole fields that another writer holds; its failure is taken over. */
void fm_pb_append(fm_pb *writer, const fm_pb *fields);

#endif
