#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "small_model.h"

#include "base/file.h"
#include "models/onnx_graph.h"

enum { KERNEL = 3 };

static void add_weights(fm_onnx *g, const char *name, unsigned seed, float factor)
{
    static const int64_t dims[] = {SMALL_CHANNELS, SMALL_CHANNELS, KERNEL, KERNEL};
    const size_t count = (size_t)SMALL_CHANNELS * SMALL_CHANNELS * KERNEL * KERNEL;
    uint8_t *room = fm_onnx_constant_f32(g, name, dims, 4, count);
    assert_non_null(room);
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u; /* Numerical Recipes, section 7.1 */
        const float value = factor * ((float)(seed >> 8) * 0x1p-24f - 0.5f);
        memcpy(room + i * sizeof value, &value, sizeof value); /* little-endian, as every machine that this runs on */
    }
}

static void add_node(fm_onnx *g, const char *op, const char *name, const char *a, const char *b)
{
    static const int64_t pads[] = {1, 1, 1, 1}, one[] = {1, 1};
    fm_onnx_node_begin(g, op, name);
    fm_onnx_node_input(g, a);
    if (b)
        fm_onnx_node_input(g, b);
    fm_onnx_node_output(g, name);
    if (strcmp(op, "Conv") == 0)
        fm_onnx_node_ints(g, "pads", pads, 4);
    if (strcmp(op, "LpPool") == 0)
        fm_onnx_node_ints(g, "kernel_shape", one, 2);
    fm_onnx_node_end(g);
}

static void write_model(const char *path, float factor, const int64_t output_dims[4])
{
    static const int64_t dims[] = {1, SMALL_CHANNELS, SMALL_SIDE, SMALL_SIDE};
    fm_onnx g;
    fm_onnx_init(&g, 1 << 20);
    fm_onnx_input(&g, "x", dims, 4);
    fm_onnx_output(&g, "y", output_dims, 4);
    add_weights(&g, "first_weights", 1, factor);
    add_weights(&g, "second_weights", 2, factor);
    add_node(&g, "Conv", "first", "x", "first_weights");
    add_node(&g, "Relu", "rectified", "first", NULL);
    add_node(&g, "Conv", "second", "rectified", "second_weights");
    add_node(&g, "Identity", "same", "second", NULL);
    add_node(&g, "Add", "sum", "same", "x");
    add_node(&g, "Relu", "positive", "sum", NULL);
    add_node(&g, "LpPool", "y", "positive", NULL);
    uint8_t *data = NULL;
    size_t size = 0;
    fm_error err = {0};
    assert_int_equal(fm_onnx_finish(&g, "small", &data, &size), FM_PB_FINE);
    fm_onnx_free(&g);
    assert_int_equal(fm_file_write(path, data, size, &err), FM_OK);
    free(data);
}

void small_model_write(const char *path, float factor)
{
    write_model(path, factor, (const int64_t[]){1, SMALL_CHANNELS, SMALL_SIDE, SMALL_SIDE});
}

void small_model_write_that_warns(const char *path)
{
    write_model(path, 1.0f, (const int64_t[]){1, SMALL_CHANNELS, SMALL_SIDE, SMALL_SIDE + 1});
}

void small_model_run(fm_session *session, float out[SMALL_ELEMENTS])
{
    fm_error err = {0};
    fm_binding *binding = NULL;
    assert_int_equal(fm_binding_create(&binding, session, &err), FM_OK);
    for (int i = 0; i < SMALL_ELEMENTS; i++)
        fm_binding_input(binding)[i] = (float)(i % 101) * 0.01f - 0.5f;
    assert_int_equal(fm_binding_run(binding, &err), FM_OK);
    memcpy(out, fm_binding_output(binding, 0), SMALL_ELEMENTS * sizeof *out);
    fm_binding_destroy(&binding);
}
