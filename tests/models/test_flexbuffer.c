/* The FlexBuffers reader: what it reads, and that no broken buffer leads it astray. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flex_builder.h"
#include "models/flexbuffer.h"

static fx_map sample(void)
{
    static const int32_t list[] = {0, 7, -3, 70000};
    fx_map map = {0};
    fx_float(&map, "angle", 0.25f);
    fx_int(&map, "height", 16);
    fx_ints(&map, "list", list, 4);
    fx_int(&map, "minus", -5);
    fx_finish(&map);
    return map;
}

static void test_reads_a_map(void **state)
{
    (void)state;
    fx_map map = sample();
    fm_flex flex = {.data = map.data, .size = map.size};
    fm_flex_value root = fm_flex_root(&flex);
    assert_int_equal(fm_flex_int(&flex, fm_flex_member(&flex, root, "height")), 16);
    assert_int_equal(fm_flex_int(&flex, fm_flex_member(&flex, root, "minus")), -5);
    assert_true(fm_flex_number(&flex, fm_flex_member(&flex, root, "angle")) == 0.25);
    assert_true(fm_flex_number(&flex, fm_flex_member(&flex, root, "height")) == 16.0);
    fm_flex_value list = fm_flex_member(&flex, root, "list");
    assert_int_equal(fm_flex_count(&flex, list), 4);
    assert_int_equal(fm_flex_int_at(&flex, list, 1), 7);
    assert_int_equal(fm_flex_int_at(&flex, list, 2), -3);
    assert_int_equal(fm_flex_int_at(&flex, list, 3), 70000);
    assert_false(flex.broken);
}

/* Written by the flatbuffers package of Python: {'list': [1, 300], 'size': 200, 'x': 1.5}; words of several widths. */
static void test_reads_narrow_words(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {
        0x6c, 0x69, 0x73, 0x74, 0x00, 0x00, 0x02, 0x00, 0x01, 0x00, 0x2c, 0x01,
        0x73, 0x69, 0x7a, 0x65, 0x00, 0x78, 0x00, 0x03, 0x14, 0x09, 0x05, 0x00,
        0x04, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00,
        0x1c, 0x00, 0x00, 0x00, 0xc8, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc0, 0x3f,
        0x2d, 0x0a, 0x0e, 0x0f, 0x26, 0x01,
    };
    fm_flex flex = {.data = bytes, .size = sizeof bytes};
    fm_flex_value root = fm_flex_root(&flex);
    fm_flex_value list = fm_flex_member(&flex, root, "list");
    assert_int_equal(fm_flex_count(&flex, list), 2);
    assert_int_equal(fm_flex_int_at(&flex, list, 0), 1);
    assert_int_equal(fm_flex_int_at(&flex, list, 1), 300);
    assert_int_equal(fm_flex_int(&flex, fm_flex_member(&flex, root, "size")), 200);
    assert_true(fm_flex_number(&flex, fm_flex_member(&flex, root, "x")) == 1.5);
    assert_false(flex.broken);
}

static void test_wrong_questions_break_the_reader(void **state)
{
    (void)state;
    fx_map map = sample();
    static const char *const missing[] = {"", "heigh", "heights", "zzz"};
    for (int i = 0; i < 4; i++) {
        fm_flex flex = {.data = map.data, .size = map.size};
        assert_int_equal(fm_flex_int(&flex, fm_flex_member(&flex, fm_flex_root(&flex), missing[i])), 0);
        assert_true(flex.broken);
    }
    fm_flex flex = {.data = map.data, .size = map.size};
    fm_flex_value root = fm_flex_root(&flex);
    assert_int_equal(fm_flex_int(&flex, fm_flex_member(&flex, root, "angle")), 0); /* a float is no integer */
    assert_true(flex.broken);
    flex.broken = false;
    assert_int_equal(fm_flex_count(&flex, fm_flex_member(&flex, root, "height")), 0);
    assert_true(flex.broken);
    flex.broken = false;
    assert_int_equal(fm_flex_int_at(&flex, fm_flex_member(&flex, root, "list"), 4), 0);
    assert_true(flex.broken);
    flex.broken = false;
    assert_int_equal(fm_flex_int(&flex, root), 0); /* a map is no integer */
    assert_true(flex.broken);
}

/* Asks everything of a buffer of exact size, so that sanitizers see every overrun. */
static bool read_all(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);
    assert_non_null(exact);
    if (size)
        memcpy(exact, data, size);
    fm_flex flex = {.data = size ? exact : NULL, .size = size};
    fm_flex_value root = fm_flex_root(&flex);
    fm_flex_int(&flex, fm_flex_member(&flex, root, "height"));
    fm_flex_int(&flex, fm_flex_member(&flex, root, "minus"));
    fm_flex_number(&flex, fm_flex_member(&flex, root, "angle"));
    fm_flex_value list = fm_flex_member(&flex, root, "list");
    size_t count = fm_flex_count(&flex, list);
    assert_true(count <= size);
    for (size_t i = 0; i < count; i++)
        fm_flex_int_at(&flex, list, i);
    free(exact);
    return !flex.broken;
}

static void test_broken_buffers(void **state)
{
    (void)state;
    fx_map map = sample();
    assert_true(read_all(map.data, map.size));
    /* The root stands at the end: neither a head nor a tail of the buffer is one. */
    for (size_t size = 0; size < map.size; size++) {
        assert_false(read_all(map.data, size));
        assert_false(read_all(map.data + map.size - size, size));
    }
    int refused = 0;
    for (size_t i = 0; i < map.size; i++) {
        for (int value = 0; value < 256; value++) {
            uint8_t kept = map.data[i];
            map.data[i] = (uint8_t)value;
            refused += !read_all(map.data, map.size);
            map.data[i] = kept;
        }
    }
    assert_true(refused > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_a_map),
        cmocka_unit_test(test_reads_narrow_words),
        cmocka_unit_test(test_wrong_questions_break_the_reader),
        cmocka_unit_test(test_broken_buffers),
    };
    return cmocka_run_group_tests_name("flexbuffer", tests, NULL, NULL);
}
