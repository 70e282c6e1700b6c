/*
 * Builds FlexBuffers maps for tests, apart from the reader under test. All
 * words have four bytes; keys must be added in sorted order, as the format
 * wants them.
 */
#ifndef TESTS_FLEX_BUILDER_H
#define TESTS_FLEX_BUILDER_H

#include <stddef.h>
#include <stdint.h>

enum { FX_MEMBERS_MAX = 12, FX_BYTES_MAX = 4096 };

typedef struct fx_map {
    uint8_t data[FX_BYTES_MAX]; /* after fx_finish: the buffer */
    size_t size;
    int count;
    size_t keys[FX_MEMBERS_MAX], vectors[FX_MEMBERS_MAX]; /* positions; vectors: 0 when inline */
    uint32_t words[FX_MEMBERS_MAX];
    uint8_t types[FX_MEMBERS_MAX];
} fx_map;

void fx_int(fx_map *map, const char *key, int32_t value);
void fx_float(fx_map *map, const char *key, float value);
void fx_ints(fx_map *map, const char *key, const int32_t *values, int count);
void fx_finish(fx_map *map);

#endif
