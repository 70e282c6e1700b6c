/*
 * Writes protocol buffer messages into memory (the encoding's "wire format").
 *
 * Thread-safety: Safe on distinct buffers.
 */
#ifndef FMP_EXPORT_PROTOBUF_H
#define FMP_EXPORT_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fmp_protobuf {
    uint8_t *data; /* free() it */
    size_t size, capacity;
    bool failed; /* memory was out; the content is of no use */
} fmp_protobuf;

void fmp_protobuf_varint(fmp_protobuf *buffer, uint32_t field, uint64_t value);
void fmp_protobuf_fixed64(fmp_protobuf *buffer, uint32_t field, uint64_t value);
/* Protobuf strings are UTF-8: invalid bytes become U+FFFD. */
void fmp_protobuf_text(fmp_protobuf *buffer, uint32_t field, const char *text);

/* A message inside: begin gives what end needs. */
size_t fmp_protobuf_begin(fmp_protobuf *buffer, uint32_t field);
void fmp_protobuf_end(fmp_protobuf *buffer, size_t begun);

#endif
