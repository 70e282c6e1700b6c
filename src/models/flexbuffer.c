#include "models/flexbuffer.h"

#include <string.h>

/* Types of the format (flexbuffers.h of the FlatBuffers project); a packed type has the width below them. */
enum {
    TYPE_INT = 1,
    TYPE_UINT = 2,
    TYPE_FLOAT = 3,
    TYPE_MAP = 9,
    TYPE_VECTOR_INT = 11,
    TYPE_VECTOR_UINT = 12
};
enum { WIDTH_BITS = 2, WIDTH_MASK = 3, WORD_MAX = 8 };

static const fm_flex_value none = {0};

/* Whether `length` bytes at `position` lie in the buffer; else the reader is broken from now on. */
static bool holds(fm_flex *reader, size_t position, size_t length)
{
    if (position <= reader->size && length <= reader->size - position)
        return true;
    reader->broken = true;
    return false;
}

/* A little-endian word of 1, 2, 4 or 8 bytes; 0 when it is not there. */
static uint64_t word_at(fm_flex *reader, size_t position, unsigned width)
{
    if (!holds(reader, position, width))
        return 0;
    uint64_t word = 0;
    for (unsigned i = 0; i < width; i++)
        word |= (uint64_t)reader->data[position + i] << (8 * i);
    return word;
}

static int64_t signed_at(fm_flex *reader, size_t position, unsigned width)
{
    uint64_t word = word_at(reader, position, width);
    unsigned bits = 8 * width;
    if (bits < 64 && word >> (bits - 1))
        word |= ~(uint64_t)0 << bits;
    return (int64_t)word;
}

/* Where the offset at `position` leads: offsets are distances backwards. */
static size_t follow(fm_flex *reader, size_t position, unsigned width)
{
    uint64_t distance = word_at(reader, position, width);
    if (distance == 0 || distance > position) {
        reader->broken = true;
        return 0;
    }
    return position - (size_t)distance;
}

static fm_flex_value value_of(size_t position, unsigned width, uint8_t packed)
{
    return (fm_flex_value){.position = position,
                           .width = width,
                           .child_width = 1u << (packed & WIDTH_MASK),
                           .type = packed >> WIDTH_BITS};
}

/* Elements of a vector or map: its count stands one width before the first. Position 0: broken. */
static size_t elements_of(fm_flex *reader, fm_flex_value value, size_t *count)
{
    *count = 0;
    size_t start = follow(reader, value.position, value.width);
    if (start < value.child_width) {
        reader->broken = true;
        return 0;
    }
    uint64_t stored = word_at(reader, start - value.child_width, value.child_width);
    if (stored > (reader->size - start) / value.child_width) {
        reader->broken = true;
        return 0;
    }
    *count = (size_t)stored;
    return start;
}

fm_flex_value fm_flex_root(fm_flex *reader)
{
    /* From the end: one byte width, one byte packed type, before them the root's slot. */
    unsigned width = reader->size >= 3 ? reader->data[reader->size - 1] : 0;
    if ((width != 1 && width != 2 && width != 4 && width != WORD_MAX) ||
        reader->size < 2 + (size_t)width) {
        reader->broken = true;
        return none;
    }
    return value_of(reader->size - 2 - width, width, reader->data[reader->size - 2]);
}

/* Whether the text at `position` is `key`, terminator and all. */
static bool is_key(const fm_flex *reader, size_t position, const char *key)
{
    size_t size = strlen(key) + 1;
    return position <= reader->size && size <= reader->size - position &&
           memcmp(reader->data + position, key, size) == 0;
}

fm_flex_value fm_flex_member(fm_flex *reader, fm_flex_value map, const char *key)
{
    size_t count = 0;
    size_t start = map.type == TYPE_MAP ? elements_of(reader, map, &count) : 0;
    size_t width = map.child_width;
    /* In front of the count: the offset of the key vector, and the width of its elements. */
    if (start < 3 * width || !holds(reader, start, count * width + count)) {
        reader->broken = true;
        return none;
    }
    size_t keys = follow(reader, start - 3 * width, map.child_width);
    uint64_t key_width = word_at(reader, start - 2 * width, map.child_width);
    if (reader->broken || (key_width != 1 && key_width != 2 && key_width != 4 && key_width != WORD_MAX)) {
        reader->broken = true;
        return none;
    }
    for (size_t i = 0; i < count && !reader->broken; i++) {
        size_t text = follow(reader, keys + i * (size_t)key_width, (unsigned)key_width);
        if (!reader->broken && is_key(reader, text, key))
            return value_of(start + i * width, map.child_width,
                            reader->data[start + count * width + i]);
    }
    reader->broken = true;
    return none;
}

int64_t fm_flex_int(fm_flex *reader, fm_flex_value value)
{
    if (value.type == TYPE_INT)
        return signed_at(reader, value.position, value.width);
    uint64_t word = value.type == TYPE_UINT ? word_at(reader, value.position, value.width) : UINT64_MAX;
    if (word > INT64_MAX) {
        reader->broken = true;
        return 0;
    }
    return (int64_t)word;
}

double fm_flex_number(fm_flex *reader, fm_flex_value value)
{
    if (value.type != TYPE_FLOAT)
        return (double)fm_flex_int(reader, value);
    uint64_t word = word_at(reader, value.position, value.width);
    if (value.width == sizeof(double)) {
        double number;
        memcpy(&number, &word, sizeof number);
        return number;
    }
    uint32_t half = (uint32_t)word;
    float number = 0;
    if (value.width == sizeof(float))
        memcpy(&number, &half, sizeof number);
    else
        reader->broken = true;
    return (double)number;
}

static bool is_vector(fm_flex_value value)
{
    return value.type == TYPE_VECTOR_INT || value.type == TYPE_VECTOR_UINT;
}

size_t fm_flex_count(fm_flex *reader, fm_flex_value vector)
{
    size_t count = 0;
    if (is_vector(vector))
        elements_of(reader, vector, &count);
    else
        reader->broken = true;
    return count;
}

int64_t fm_flex_int_at(fm_flex *reader, fm_flex_value vector, size_t index)
{
    size_t count = 0;
    size_t start = is_vector(vector) ? elements_of(reader, vector, &count) : 0;
    if (index >= count) {
        reader->broken = true;
        return 0;
    }
    int type = vector.type == TYPE_VECTOR_INT ? TYPE_INT : TYPE_UINT;
    return fm_flex_int(reader, (fm_flex_value){.position = start + index * vector.child_width,
                                               .width = vector.child_width,
                                               .type = type});
}
