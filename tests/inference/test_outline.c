/* The outline of a graph, of good bytes, cut bytes and noise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "inference/outline.h"
#include "models/onnx_graph.h"

typedef struct model {
    uint8_t *data;
    size_t size;
} model;

static model make_model(void)
{
    fm_onnx g;
    fm_onnx_init(&g, 1 << 20);
    const int64_t dims[] = {2, 3}, shape[] = {3, 2};
    fm_onnx_input(&g, "x", dims, 2);
    fm_onnx_output(&g, "y", shape, 2);
    uint8_t *room = fm_onnx_constant_f32(&g, "w", dims, 2, 6);
    assert_non_null(room);
    memset(room, 0, 24);
    fm_onnx_constant_i64(&g, "s", shape, 2);
    fm_onnx_node_begin(&g, "Add", "add \"quoted\"\n");
    fm_onnx_node_input(&g, "x");
    fm_onnx_node_input(&g, "w");
    fm_onnx_node_output(&g, "sum");
    fm_onnx_node_end(&g);
    fm_onnx_node_begin(&g, "Reshape", "reshape");
    fm_onnx_node_input(&g, "sum");
    fm_onnx_node_input(&g, "s");
    fm_onnx_node_output(&g, "y");
    fm_onnx_node_end(&g);
    model m = {0};
    assert_int_equal(fm_onnx_finish(&g, "test", &m.data, &m.size), FM_PB_FINE);
    fm_onnx_free(&g);
    return m;
}

static void assert_view(fm_view view, const char *text)
{
    assert_true(fm_view_equal(view, (fm_view){text, strlen(text)}));
}

static void test_reads_graph(void **state)
{
    (void)state;
    model m = make_model();
    fm_outline o;
    fm_error err = {0};
    assert_int_equal(fm_outline_read(&o, m.data, m.size, "test", &err), FM_OK);
    assert_int_equal(o.node_count, 2);
    assert_view(o.nodes[0].name, "add \"quoted\"\n");
    assert_view(o.nodes[0].op_type, "Add");
    assert_int_equal(o.nodes[1].input_count, 2);
    assert_view(o.inputs[o.nodes[1].first_input], "sum");
    assert_view(o.outputs[o.nodes[1].first_output], "y");
    assert_int_equal(o.parameters, 6);            /* not the shape */
    assert_int_equal(o.weight_bytes, 24 + 16);
    fm_outline_free(&o);
    free(m.data);
}

/* Every cut, and every byte changed: refused or read, and never read beyond the end (a sanitizer build sees that). */
static void test_hostile_bytes(void **state)
{
    (void)state;
    model m = make_model();
    for (size_t size = 0; size < m.size; size++) {
        uint8_t *exact = malloc(size ? size : 1);
        assert_non_null(exact);
        memcpy(exact, m.data, size);
        fm_outline o;
        fm_error err = {0};
        if (fm_outline_read(&o, exact, size, "cut", &err) != FM_OK)
            assert_int_equal(err.status, FM_E_MODEL);
        fm_outline_free(&o);
        free(exact);
    }
    for (size_t at = 0; at < m.size; at++) {
        const uint8_t was = m.data[at];
        for (unsigned value = 0; value < 256; value += 5) {
            m.data[at] = (uint8_t)value;
            fm_outline o;
            fm_error err = {0};
            if (fm_outline_read(&o, m.data, m.size, "changed", &err) != FM_OK)
                assert_int_equal(err.status, FM_E_MODEL);
            fm_outline_free(&o);
        }
        m.data[at] = was;
    }
    free(m.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reads_graph), cmocka_unit_test(test_hostile_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
