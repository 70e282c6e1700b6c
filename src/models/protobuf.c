#include "models/protobuf.h"

#include <stdlib.h>
#include <string.h>

enum { WIRE_VARINT = 0, WIRE_LENGTH = 2, WIRE_FIXED32 = 5, VARINT_MAX = 10, FIRST_CAPACITY = 256 };

void fm_pb_init(fm_pb *writer, size_t limit)
{
    memset(writer, 0, sizeof *writer);
    writer->limit = limit;
}

void fm_pb_free(fm_pb *writer)
{
    free(writer->data);
    memset(writer, 0, sizeof *writer);
}

/* Grows the content by `size` bytes and returns where they are, NULL on failure. */
static uint8_t *extend(fm_pb *writer, size_t size)
{
    if (writer->failure != FM_PB_FINE)
        return NULL;
    if (size > writer->limit - writer->size) {
        writer->failure = FM_PB_OVER_LIMIT;
        return NULL;
    }
    size_t need = writer->size + size;
    if (need > writer->capacity) {
        size_t capacity = writer->capacity ? writer->capacity : FIRST_CAPACITY;
        /* Growing by half keeps the slack small; the limit caps it. */
        while (capacity < need)
            capacity = capacity > writer->limit / 2 ? writer->limit : capacity + capacity / 2;
        uint8_t *data = realloc(writer->data, capacity);
        if (!data) {
            writer->failure = FM_PB_NO_MEMORY;
            return NULL;
        }
        writer->data = data;
        writer->capacity = capacity;
    }
    uint8_t *at = writer->data + writer->size;
    writer->size = need;
    return at;
}

static size_t encode(uint8_t *out, uint64_t value)
{
    size_t n = 0;
    while (value >= 0x80) {
        out[n++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    out[n++] = (uint8_t)value;
    return n;
}

static void put(fm_pb *writer, const void *data, size_t size)
{
    uint8_t *at = extend(writer, size);
    if (at && size > 0)
        memcpy(at, data, size);
}

static void put_varint(fm_pb *writer, uint64_t value)
{
    uint8_t bytes[VARINT_MAX];
    put(writer, bytes, encode(bytes, value));
}

static void put_tag(fm_pb *writer, int field, int wire_type)
{
    put_varint(writer, (uint64_t)field << 3 | (uint64_t)wire_type);
}

void fm_pb_varint(fm_pb *writer, int field, uint64_t value)
{
    put_tag(writer, field, WIRE_VARINT);
    put_varint(writer, value);
}

void fm_pb_float(fm_pb *writer, int field, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint8_t bytes[4] = {(uint8_t)bits, (uint8_t)(bits >> 8), (uint8_t)(bits >> 16),
                        (uint8_t)(bits >> 24)};
    put_tag(writer, field, WIRE_FIXED32);
    put(writer, bytes, sizeof bytes);
}

uint8_t *fm_pb_room(fm_pb *writer, int field, size_t size)
{
    put_tag(writer, field, WIRE_LENGTH);
    put_varint(writer, size);
    return extend(writer, size);
}

void fm_pb_bytes(fm_pb *writer, int field, const void *data, size_t size)
{
    uint8_t *at = fm_pb_room(writer, field, size);
    if (at && size > 0)
        memcpy(at, data, size);
}

void fm_pb_string(fm_pb *writer, int field, const char *text)
{
    fm_pb_bytes(writer, field, text, strlen(text));
}

size_t fm_pb_begin(fm_pb *writer, int field)
{
    put_tag(writer, field, WIRE_LENGTH);
    return writer->size;
}

void fm_pb_end(fm_pb *writer, size_t mark)
{
    if (writer->failure != FM_PB_FINE)
        return;
    /* The length is known only now: the message moves up to make room for it. */
    uint8_t bytes[VARINT_MAX];
    size_t length = writer->size - mark;
    size_t n = encode(bytes, length);
    if (!extend(writer, n))
        return;
    memmove(writer->data + mark + n, writer->data + mark, length);
    memcpy(writer->data + mark, bytes, n);
}

void fm_pb_append(fm_pb *writer, const fm_pb *fields)
{
    if (fields->failure != FM_PB_FINE && writer->failure == FM_PB_FINE)
        writer->failure = fields->failure;
    put(writer, fields->data, fields->size);
}
