#include "protobuf.h"

#include <stdlib.h>
#include <string.h>

#include "utf8.h"

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_LENGTH = 2, VARINT_MAX = 10 };

static uint8_t *room_for(fmp_protobuf *buffer, size_t size)
{
    if (buffer->failed)
        return NULL;
    if (size > buffer->capacity - buffer->size) {
        size_t capacity = buffer->capacity ? buffer->capacity : 1024;
        while (capacity - buffer->size < size && capacity <= SIZE_MAX / 4)
            capacity *= 2;
        uint8_t *data =
            capacity - buffer->size >= size ? realloc(buffer->data, capacity) : NULL;
        if (!data) {
            buffer->failed = true;
            return NULL;
        }
        buffer->data = data;
        buffer->capacity = capacity;
    }
    uint8_t *at = buffer->data + buffer->size;
    buffer->size += size;
    return at;
}

static size_t encode(uint8_t out[VARINT_MAX], uint64_t value)
{
    size_t size = 0;
    for (; value >= 0x80; value >>= 7)
        out[size++] = (uint8_t)(value | 0x80);
    out[size++] = (uint8_t)value;
    return size;
}

static void raw_varint(fmp_protobuf *buffer, uint64_t value)
{
    uint8_t bytes[VARINT_MAX];
    size_t size = encode(bytes, value);
    uint8_t *at = room_for(buffer, size);
    if (at)
        memcpy(at, bytes, size);
}

static void tag(fmp_protobuf *buffer, uint32_t field, unsigned wire)
{
    raw_varint(buffer, (uint64_t)field << 3 | wire);
}

void fmp_protobuf_varint(fmp_protobuf *buffer, uint32_t field, uint64_t value)
{
    tag(buffer, field, WIRE_VARINT);
    raw_varint(buffer, value);
}

void fmp_protobuf_fixed64(fmp_protobuf *buffer, uint32_t field, uint64_t value)
{
    tag(buffer, field, WIRE_FIXED64);
    uint8_t *at = room_for(buffer, 8);
    for (int i = 0; at && i < 8; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

size_t fmp_protobuf_begin(fmp_protobuf *buffer, uint32_t field)
{
    tag(buffer, field, WIRE_LENGTH);
    uint8_t *length = room_for(buffer, 1); /* enough for most; end makes room for more */
    if (length)
        *length = 0;
    return buffer->size;
}

void fmp_protobuf_end(fmp_protobuf *buffer, size_t begun)
{
    if (buffer->failed)
        return;
    uint8_t length[VARINT_MAX];
    size_t size = buffer->size - begun, more = encode(length, size) - 1;
    if (more > 0) {
        if (!room_for(buffer, more))
            return;
        memmove(buffer->data + begun + more, buffer->data + begun, size);
    }
    memcpy(buffer->data + begun - 1, length, more + 1);
}

void fmp_protobuf_text(fmp_protobuf *buffer, uint32_t field, const char *text)
{
    char *valid = fmp_utf8_valid_copy(text ? text : "");
    if (!valid) {
        buffer->failed = true;
        return;
    }
    size_t size = strlen(valid);
    tag(buffer, field, WIRE_LENGTH);
    raw_varint(buffer, size);
    uint8_t *at = room_for(buffer, size);
    if (at)
        memcpy(at, valid, size);
    free(valid);
}
