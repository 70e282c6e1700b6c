#include "flex_builder.h"

#include <assert.h>
#include <string.h>

/* Packed types: the format's number, and width code 2 for words of four bytes. */
enum { INT32_TYPE = 1 << 2 | 2, FLOAT32_TYPE = 3 << 2 | 2, MAP_TYPE = 9 << 2 | 2, INTS_TYPE = 11 << 2 | 2 };

static void put(fx_map *map, const void *data, size_t size)
{
    assert(map->size + size <= sizeof map->data);
    memcpy(map->data + map->size, data, size);
    map->size += size;
}

static void put_word(fx_map *map, uint32_t word)
{
    const uint8_t bytes[4] = {(uint8_t)word, (uint8_t)(word >> 8), (uint8_t)(word >> 16),
                              (uint8_t)(word >> 24)};
    put(map, bytes, sizeof bytes);
}

/* A word that tells how far back `target` lies. */
static void put_offset(fx_map *map, size_t target)
{
    put_word(map, (uint32_t)(map->size - target));
}

static void add(fx_map *map, const char *key, uint8_t type, uint32_t word)
{
    assert(map->count < FX_MEMBERS_MAX);
    map->keys[map->count] = map->size;
    put(map, key, strlen(key) + 1);
    map->types[map->count] = type;
    map->words[map->count++] = word;
}

void fx_int(fx_map *map, const char *key, int32_t value)
{
    add(map, key, INT32_TYPE, (uint32_t)value);
}

void fx_float(fx_map *map, const char *key, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    add(map, key, FLOAT32_TYPE, bits);
}

void fx_ints(fx_map *map, const char *key, const int32_t *values, int count)
{
    add(map, key, INTS_TYPE, 0);
    put_word(map, (uint32_t)count);
    map->vectors[map->count - 1] = map->size;
    for (int i = 0; i < count; i++)
        put_word(map, (uint32_t)values[i]);
}

void fx_finish(fx_map *map)
{
    put_word(map, (uint32_t)map->count);
    const size_t keys = map->size;
    for (int i = 0; i < map->count; i++)
        put_offset(map, map->keys[i]);
    put_offset(map, keys);
    put_word(map, 4);
    put_word(map, (uint32_t)map->count);
    const size_t values = map->size;
    for (int i = 0; i < map->count; i++) {
        if (map->vectors[i])
            put_offset(map, map->vectors[i]);
        else
            put_word(map, map->words[i]);
    }
    put(map, map->types, (size_t)map->count);
    put_offset(map, values);
    const uint8_t end[2] = {MAP_TYPE, 4};
    put(map, end, sizeof end);
}
