#include "models/flatbuffer.h"

#include <string.h>

enum { OFFSET_SIZE = 4, IDENTIFIER_SIZE = 4, VTABLE_HEADER = 4 };

uint16_t fm_le16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

uint32_t fm_le32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

/* Whether `length` bytes at `position` lie in the buffer; else the reader is broken from now on. */
static bool holds(fm_fb *reader, size_t position, size_t length)
{
    if (position <= reader->size && length <= reader->size - position)
        return true;
    reader->broken = true;
    return false;
}

/* Follows the unsigned offset that stands at `position`; 0 when it leads nowhere. */
static size_t follow(fm_fb *reader, size_t position)
{
    if (!holds(reader, position, OFFSET_SIZE))
        return 0;
    uint32_t offset = fm_le32(reader->data + position);
    if (offset == 0 || !holds(reader, position, offset) ||
        !holds(reader, position + offset, OFFSET_SIZE)) {
        reader->broken = true;
        return 0;
    }
    return position + offset;
}

static fm_fb_table table_at(fm_fb *reader, size_t position)
{
    fm_fb_table none = {0};
    if (position == 0 || !holds(reader, position, OFFSET_SIZE))
        return none;
    /* The vtable lies at the table minus a signed offset, so it may be on either side. */
    int64_t vtable = (int64_t)position - (int32_t)fm_le32(reader->data + position);
    if (vtable < 0 || !holds(reader, (size_t)vtable, VTABLE_HEADER)) {
        reader->broken = true;
        return none;
    }
    fm_fb_table table = {.position = position, .vtable = (size_t)vtable};
    table.vtable_size = fm_le16(reader->data + table.vtable);
    table.table_size = fm_le16(reader->data + table.vtable + 2);
    if (table.vtable_size < VTABLE_HEADER || table.vtable_size % 2 ||
        !holds(reader, table.vtable, table.vtable_size) ||
        !holds(reader, position, table.table_size)) {
        reader->broken = true;
        return none;
    }
    return table;
}

/* Position of a field's `size` bytes, 0 when the field is absent. */
static size_t field_at(fm_fb *reader, fm_fb_table table, int field, size_t size)
{
    size_t slot = VTABLE_HEADER + 2 * (size_t)field;
    if (table.position == 0 || slot + 2 > table.vtable_size)
        return 0;
    uint16_t offset = fm_le16(reader->data + table.vtable + slot);
    if (offset == 0)
        return 0;
    if (offset > table.table_size || size > (size_t)(table.table_size - offset)) {
        reader->broken = true;
        return 0;
    }
    return table.position + offset;
}

fm_fb_table fm_fb_root(fm_fb *reader, const char *identifier)
{
    fm_fb_table none = {0};
    if (!holds(reader, 0, OFFSET_SIZE + IDENTIFIER_SIZE))
        return none;
    if (memcmp(reader->data + OFFSET_SIZE, identifier, IDENTIFIER_SIZE) != 0) {
        reader->broken = true;
        return none;
    }
    return table_at(reader, follow(reader, 0));
}

bool fm_fb_present(fm_fb_table table)
{
    return table.position != 0;
}

uint8_t fm_fb_u8(fm_fb *reader, fm_fb_table table, int field, uint8_t absent)
{
    size_t at = field_at(reader, table, field, 1);
    return at ? reader->data[at] : absent;
}

int32_t fm_fb_i32(fm_fb *reader, fm_fb_table table, int field, int32_t absent)
{
    size_t at = field_at(reader, table, field, 4);
    return at ? (int32_t)fm_le32(reader->data + at) : absent;
}

fm_fb_table fm_fb_child(fm_fb *reader, fm_fb_table table, int field)
{
    fm_fb_table none = {0};
    size_t at = field_at(reader, table, field, OFFSET_SIZE);
    return at ? table_at(reader, follow(reader, at)) : none;
}

fm_fb_vector fm_fb_vector_of(fm_fb *reader, fm_fb_table table, int field, size_t element_size)
{
    fm_fb_vector none = {0};
    size_t at = field_at(reader, table, field, OFFSET_SIZE);
    size_t start = at ? follow(reader, at) : 0;
    if (start == 0)
        return none;
    fm_fb_vector vector = {.position = start + OFFSET_SIZE,
                           .count = fm_le32(reader->data + start)};
    if (vector.count > (reader->size - vector.position) / element_size) {
        reader->broken = true;
        return none;
    }
    return vector;
}

int32_t fm_fb_vector_i32(fm_fb *reader, fm_fb_vector vector, uint32_t index)
{
    if (index >= vector.count) {
        reader->broken = true;
        return 0;
    }
    return (int32_t)fm_le32(reader->data + vector.position + 4 * (size_t)index);
}

fm_fb_table fm_fb_vector_table(fm_fb *reader, fm_fb_vector vector, uint32_t index)
{
    fm_fb_table none = {0};
    if (index >= vector.count) {
        reader->broken = true;
        return none;
    }
    return table_at(reader, follow(reader, vector.position + OFFSET_SIZE * (size_t)index));
}

const uint8_t *fm_fb_bytes(const fm_fb *reader, fm_fb_vector vector)
{
    return vector.count ? reader->data + vector.position : NULL;
}
