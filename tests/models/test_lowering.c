/* Small models, built by hand, imported, run by ONNX Runtime and compared with plain NHWC loops. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "built_model.h"

enum { SAME = 0, VALID = 1 };

/* A picture in TFLite's order. */
typedef struct picture {
    int h, w, c;
    float data[4096];
} picture;

static picture random_picture(int h, int w, int c)
{
    picture out = {.h = h, .w = w, .c = c};
    assert_true((size_t)(h * w * c) <= sizeof out.data / sizeof *out.data);
    bm_fill(out.data, (size_t)(h * w * c));
    return out;
}

static float *at(picture *p, int y, int x, int c)
{
    return &p->data[(y * p->w + x) * p->c + c];
}

static void check_picture(const tb_model *model, fm_import_style style, picture *input,
                          picture *expected, ow_summary *summary)
{
    size_t count = 0;
    float *output = bm_run(model, style, input->data, summary, &count);
    assert_int_equal(count, expected->h * expected->w * expected->c);
    for (int c = 0, i = 0; c < expected->c; c++)
        for (int y = 0; y < expected->h; y++)
            for (int x = 0; x < expected->w; x++, i++)
                if (!(fabsf(output[i] - *at(expected, y, x, c)) < 1e-5f))
                    fail_msg("channel %d, row %d, column %d: %g where %g is right", c, y, x,
                             (double)output[i], (double)*at(expected, y, x, c));
    free(output);
}

static tb_op *add_window_op(tb_model *model, int code, int input, int kernel, int bias, int output)
{
    tb_op *op = tb_add_op(model, code, output);
    tb_op_input(op, input);
    tb_op_input(op, kernel);
    if (bias >= 0)
        tb_op_input(op, bias);
    op->options_type = code == CONV_2D ? 1 : 2;
    return op;
}

/* Padding before, as TFLite's SAME defines it. */
static int same_before(int size, int result, int kernel, int stride, int dilation)
{
    int total = (result - 1) * stride + (kernel - 1) * dilation + 1 - size;
    return total > 0 ? total / 2 : 0;
}

/* Window geometry of the reference loops. */
typedef struct geometry {
    int kh, kw, sh, sw, dh, dw, top, left;
} geometry;

/* kernel [O][kh][kw][I per group]. */
static void reference_conv(picture *in, const float *kernel, const float *bias, int in_per_group,
                           int out_per_group, geometry g, picture *out)
{
    for (int y = 0; y < out->h; y++)
        for (int x = 0; x < out->w; x++)
            for (int o = 0; o < out->c; o++) {
                double sum = bias ? (double)bias[o] : 0;
                for (int ky = 0; ky < g.kh; ky++)
                    for (int kx = 0; kx < g.kw; kx++) {
                        int iy = y * g.sh + ky * g.dh - g.top, ix = x * g.sw + kx * g.dw - g.left;
                        if (iy < 0 || ix < 0 || iy >= in->h || ix >= in->w)
                            continue;
                        for (int i = 0; i < in_per_group; i++)
                            sum += (double)*at(in, iy, ix, o / out_per_group * in_per_group + i) *
                                   (double)kernel[((o * g.kh + ky) * g.kw + kx) * in_per_group + i];
                    }
                *at(out, y, x, o) = (float)sum;
            }
}

static void test_conv_same_is_asymmetric(void **state)
{
    (void)state;
    float kernel[5 * 3 * 4 * 3], bias[5];
    bm_fill(kernel, sizeof kernel / sizeof *kernel);
    bm_fill(bias, 5);
    picture in = random_picture(7, 9, 3), out = {.h = 4, .w = 5, .c = 5};
    tb_model model = tb_begin(7, 9, 3);
    int k = tb_constant(&model, "kernel", TB_FLOAT32, TB_DIMS(5, 3, 4, 3), kernel);
    int b = tb_constant(&model, "bias", TB_FLOAT32, TB_DIMS(5), bias);
    int o = tb_value(&model, "output", TB_DIMS(1, 4, 5, 5));
    tb_op *op = add_window_op(&model, CONV_2D, 0, k, b, o);
    memcpy(op->options, (int32_t[]){SAME, 2, 2, 3 /* RELU6 */, 1, 1}, 6 * sizeof(int32_t));
    tb_output(&model, o);

    geometry g = {3, 4, 2, 2, 1, 1, same_before(7, 4, 3, 2, 1), same_before(9, 5, 4, 2, 1)};
    assert_int_equal(g.left, 1); /* three columns in all: two stand behind */
    reference_conv(&in, kernel, bias, 3, 5, g, &out);
    for (int i = 0; i < 4 * 5 * 5; i++)
        out.data[i] = out.data[i] < 0 ? 0 : out.data[i] > 6 ? 6 : out.data[i];
    ow_summary summary;
    check_picture(&model, FM_IMPORT_PLAIN, &in, &out, &summary);
    assert_int_equal(ow_count(&summary, "Clip"), 1);
    assert_int_equal(ow_count(&summary, "Transpose"), 0);
    assert_string_equal(summary.outputs[0].name, "output");
}

static void test_conv_dilated_in_groups(void **state)
{
    (void)state;
    float kernel[6 * 2 * 3 * 2];
    bm_fill(kernel, sizeof kernel / sizeof *kernel);
    picture in = random_picture(6, 8, 4), out = {.h = 4, .w = 4, .c = 6};
    tb_model model = tb_begin(6, 8, 4);
    int k = tb_constant(&model, "kernel", TB_FLOAT32, TB_DIMS(6, 2, 3, 2), kernel);
    int o = tb_value(&model, "output", TB_DIMS(1, 4, 4, 6));
    tb_op *op = add_window_op(&model, CONV_2D, 0, k, -1, o);
    memcpy(op->options, (int32_t[]){VALID, 1, 1, 0, 2, 2}, 6 * sizeof(int32_t));
    tb_output(&model, o);
    geometry g = {2, 3, 1, 1, 2, 2, 0, 0};
    reference_conv(&in, kernel, NULL, 2, 3, g, &out);
    ow_summary summary;
    check_picture(&model, FM_IMPORT_PLAIN, &in, &out, &summary);
}

/* Half of n/1024 for |n| < 2048: enough to build exact float16 weights. */
static uint16_t half_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (value == 0.0f)
        return 0;
    return (uint16_t)((bits >> 16 & 0x8000) | (((bits >> 23 & 0xff) - 112) << 10 & 0x7c00) |
                      (bits >> 13 & 0x3ff));
}

static void test_depthwise_of_float16_weights(void **state)
{
    (void)state;
    /* Two outputs a channel; the kernel is [1,h,w,C*2]. */
    float kernel[3 * 3 * 6], by_output[6 * 3 * 3];
    uint16_t halves[3 * 3 * 6];
    bm_fill(kernel, sizeof kernel / sizeof *kernel);
    for (int i = 0; i < 54; i++) {
        kernel[i] = roundf(kernel[i] * 512) / 512;
        halves[i] = half_bits(kernel[i]);
        by_output[i % 6 * 9 + i / 6] = kernel[i];
    }
    picture in = random_picture(5, 6, 3), out = {.h = 5, .w = 6, .c = 6};
    tb_model model = tb_begin(5, 6, 3);
    int h = tb_constant(&model, "kernel", TB_FLOAT16, TB_DIMS(1, 3, 3, 6), halves);
    int k = tb_value(&model, "kernel_dequantize", TB_DIMS(1, 3, 3, 6));
    int o = tb_value(&model, "output", TB_DIMS(1, 5, 6, 6));
    tb_op_input(tb_add_op(&model, DEQUANTIZE, k), h);
    tb_op *op = add_window_op(&model, DEPTHWISE, 0, k, -1, o);
    memcpy(op->options, (int32_t[]){SAME, 1, 1, 2, 0, 1, 1}, 7 * sizeof(int32_t));
    tb_output(&model, o);
    geometry g = {3, 3, 1, 1, 1, 1, 1, 1};
    reference_conv(&in, by_output, NULL, 1, 2, g, &out);
    ow_summary summary;
    check_picture(&model, FM_IMPORT_PLAIN, &in, &out, &summary);
    assert_int_equal(summary.nodes, 1);
}

/* float16 of every class: zeros, subnormals, normals, the largest, infinity. */
static void test_float16_values(void **state)
{
    (void)state;
    static const uint16_t halves[8] = {0x0000, 0x0001, 0x03ff, 0x0400, 0x8001, 0x3c00, 0x7bff, 0xfc00};
    static const float values[8] = {0, 0x1p-24f, 0x1.ff8p-15f, 0x1p-14f, -0x1p-24f, 1, 65504, -INFINITY};
    picture in = {.h = 1, .w = 1, .c = 8};
    tb_model model = tb_begin(1, 1, 8);
    int h = tb_constant(&model, "half", TB_FLOAT16, TB_DIMS(8), halves);
    int f = tb_value(&model, "float", TB_DIMS(8));
    int o = tb_value(&model, "output", TB_DIMS(1, 1, 1, 8));
    tb_op_input(tb_add_op(&model, DEQUANTIZE, f), h);
    tb_op *op = tb_add_op(&model, ADD, o);
    tb_op_input(op, 0);
    tb_op_input(op, f);
    tb_output(&model, o);
    ow_summary summary;
    size_t count;
    float *output = bm_run(&model, FM_IMPORT_PLAIN, in.data, &summary, &count);
    for (int i = 0; i < 8; i++)
        assert_true(output[i] == values[i]);
    free(output);
}

static void add_pad(tb_model *model, int input, int paddings, int output)
{
    tb_op *op = tb_add_op(model, PAD, output);
    tb_op_input(op, input);
    tb_op_input(op, paddings);
}

static void test_spatial_pad_goes_into_the_convolution(void **state)
{
    (void)state;
    float kernel[2 * 3 * 3 * 2];
    bm_fill(kernel, sizeof kernel / sizeof *kernel);
    static const int32_t paddings[8] = {0, 0, 0, 1, 2, 0, 0, 0};
    picture in = random_picture(6, 6, 2), out = {.h = 3, .w = 3, .c = 2};
    tb_model model = tb_begin(6, 6, 2);
    int p = tb_constant(&model, "paddings", TB_INT32, TB_DIMS(4, 2), paddings);
    int padded = tb_value(&model, "padded", TB_DIMS(1, 7, 8, 2));
    int k = tb_constant(&model, "kernel", TB_FLOAT32, TB_DIMS(2, 3, 3, 2), kernel);
    int o = tb_value(&model, "output", TB_DIMS(1, 3, 3, 2));
    add_pad(&model, 0, p, padded);
    tb_op *op = add_window_op(&model, CONV_2D, padded, k, -1, o);
    memcpy(op->options, (int32_t[]){VALID, 2, 2, 0, 1, 1}, 6 * sizeof(int32_t));
    tb_output(&model, o);
    geometry g = {3, 3, 2, 2, 1, 1, 0, 2};
    reference_conv(&in, kernel, NULL, 2, 2, g, &out);
    ow_summary summary;
    check_picture(&model, FM_IMPORT_PLAIN, &in, &out, &summary);
    assert_int_equal(ow_count(&summary, "Pad"), 0);
    assert_int_equal(summary.nodes, 1);
}

/* Zeros win over negative values in TFLite, padding never wins in ONNX's MaxPool. */
static void test_pad_before_max_pool(void **state)
{
    (void)state;
    static const int32_t paddings[8] = {0, 0, 1, 0, 1, 0, 0, 0};
    for (int after_relu = 0; after_relu <= 1; after_relu++) {
        picture in = random_picture(5, 5, 2), out = {.h = 3, .w = 3, .c = 2};
        for (int i = 0; i < 50; i++)
            in.data[i] -= after_relu ? 0.0f : 2.0f; /* all negative: the padding must show */
        tb_model model = tb_begin(5, 5, 2);
        int value = 0;
        if (after_relu) {
            value = tb_value(&model, "rectified", TB_DIMS(1, 5, 5, 2));
            tb_op_input(tb_add_op(&model, RELU, value), 0);
        }
        int p = tb_constant(&model, "paddings", TB_INT32, TB_DIMS(4, 2), paddings);
        int padded = tb_value(&model, "padded", TB_DIMS(1, 6, 6, 2));
        int o = tb_value(&model, "output", TB_DIMS(1, 3, 3, 2));
        add_pad(&model, value, p, padded);
        tb_op *op = tb_add_op(&model, MAX_POOL, o);
        tb_op_input(op, padded);
        op->options_type = 5;
        memcpy(op->options, (int32_t[]){VALID, 2, 2, 2, 2, 0}, 6 * sizeof(int32_t));
        tb_output(&model, o);
        for (int y = 0; y < 3; y++)
            for (int x = 0; x < 3; x++)
                for (int c = 0; c < 2; c++) {
                    float best = -INFINITY;
                    for (int k = 0; k < 4; k++) {
                        int iy = 2 * y + k / 2 - 1, ix = 2 * x + k % 2 - 1;
                        float v = iy < 0 || ix < 0 ? 0 : *at(&in, iy, ix, c);
                        best = fmaxf(best, after_relu ? fmaxf(v, 0) : v);
                    }
                    *at(&out, y, x, c) = best;
                }
        ow_summary summary;
        check_picture(&model, FM_IMPORT_PLAIN, &in, &out, &summary);
        assert_int_equal(ow_count(&summary, "Pad"), after_relu ? 0 : 1);
    }
}

/* The pad of channels stays a node, and one whose result is read twice too. */
static void test_channel_pad(void **state)
{
    (void)state;
    static const int32_t paddings[8] = {0, 0, 0, 0, 0, 0, 1, 2};
    picture in = random_picture(3, 4, 2), out = {.h = 3, .w = 4, .c = 5};
    tb_model model = tb_begin(3, 4, 2);
    int p = tb_constant(&model, "paddings", TB_INT32, TB_DIMS(4, 2), paddings);
    int o = tb_value(&model, "output", TB_DIMS(1, 3, 4, 5));
    add_pad(&model, 0, p, o);
    tb_output(&model, o);
    for (int y = 0; y < 3; y++)
        for (int x = 0; x < 4; x++)
            for (int c = 0; c < 2; c++)
                *at(&out, y, x, c + 1) = *at(&in, y, x, c);
    ow_summary summary;
    check_picture(&model, FM_IMPORT_PLAIN, &in, &out, &summary);
    assert_int_equal(ow_count(&summary, "Pad"), 1);
}

static void check_prelu(const float *slopes)
{
    picture in = random_picture(4, 5, 16), out = in;
    tb_model model = tb_begin(4, 5, 16);
    int s = tb_constant(&model, "slope", TB_FLOAT32, TB_DIMS(1, 1, 16), slopes);
    int o = tb_value(&model, "output", TB_DIMS(1, 4, 5, 16));
    tb_op *op = tb_add_op(&model, PRELU, o);
    tb_op_input(op, 0);
    tb_op_input(op, s);
    tb_output(&model, o);
    for (int i = 0; i < 4 * 5 * 16; i++)
        out.data[i] *= in.data[i] < 0 ? slopes[i % 16] : 1;
    ow_summary summary;
    check_picture(&model, FM_IMPORT_PLAIN, &in, &out, &summary);
    assert_int_equal(ow_count(&summary, "PRelu"), 1);
    check_picture(&model, FM_IMPORT_BLOCKED, &in, &out, &summary);
    assert_int_equal(ow_count(&summary, "PRelu"), 0);
    assert_int_equal(ow_count(&summary, "Conv"), 2);
}

static void test_prelu_in_both_styles(void **state)
{
    (void)state;
    float slopes[16];
    bm_fill(slopes, 16); /* of both signs, below 1 */
    check_prelu(slopes);
    slopes[3] = 1.25f;
    slopes[7] = 1.0f;
    slopes[9] = -1.5f;
    check_prelu(slopes);
}

/* As in BlazeFace's heads: pictures become rows, rows of two sizes are joined. */
static void test_reshape_and_concatenation(void **state)
{
    (void)state;
    picture in = random_picture(2, 3, 4);
    tb_model model = tb_begin(2, 3, 4);
    int rows = tb_value(&model, "rows", TB_DIMS(1, 12, 2));
    int joined = tb_value(&model, "joined", TB_DIMS(1, 24, 2));
    tb_op_input(tb_add_op(&model, RESHAPE, rows), 0);
    tb_op *op = tb_add_op(&model, CONCATENATION, joined);
    tb_op_input(op, rows);
    tb_op_input(op, rows);
    op->options_type = 10;
    op->options[0] = -2;
    tb_output(&model, joined);
    ow_summary summary;
    size_t count;
    float *output = bm_run(&model, FM_IMPORT_PLAIN, in.data, &summary, &count);
    assert_int_equal(count, 48);
    for (int i = 0; i < 48; i++)
        assert_true(output[i] == in.data[i % 24]);
    assert_int_equal(ow_count(&summary, "Transpose"), 1);
    assert_int_equal(summary.outputs[0].rank, 3);
    assert_int_equal(summary.outputs[0].dims[1], 24);
    free(output);
}

/* A vector needs no Transpose on its way out of and into a picture. */
static void test_reshape_of_one_pixel(void **state)
{
    (void)state;
    picture in = random_picture(1, 1, 6), out = in;
    tb_model model = tb_begin(1, 1, 6);
    int row = tb_value(&model, "row", TB_DIMS(1, 6));
    int pixel = tb_value(&model, "pixel", TB_DIMS(1, 1, 1, 6));
    int o = tb_value(&model, "output", TB_DIMS(1, 1, 1, 6));
    tb_op_input(tb_add_op(&model, RESHAPE, row), 0);
    tb_op_input(tb_add_op(&model, RESHAPE, pixel), row);
    tb_op *op = tb_add_op(&model, ADD, o);
    tb_op_input(op, 0);
    tb_op_input(op, pixel);
    tb_output(&model, o);
    for (int i = 0; i < 6; i++)
        out.data[i] *= 2;
    ow_summary summary;
    check_picture(&model, FM_IMPORT_PLAIN, &in, &out, &summary);
    assert_int_equal(ow_count(&summary, "Transpose"), 0);
}

static void test_arithmetic_broadcasts_constants(void **state)
{
    (void)state;
    float per_channel[3], per_row[4];
    bm_fill(per_channel, 3);
    bm_fill(per_row, 4);
    picture in = random_picture(4, 5, 3), out = {.h = 4, .w = 5, .c = 6};
    tb_model model = tb_begin(4, 5, 3);
    int a = tb_constant(&model, "addend", TB_FLOAT32, TB_DIMS(3), per_channel);
    int m = tb_constant(&model, "factor", TB_FLOAT32, TB_DIMS(4, 1, 1), per_row);
    /* Equal and empty names are legal in TFLite, not in ONNX. */
    int sum = tb_value(&model, "", TB_DIMS(1, 4, 5, 3));
    int product = tb_value(&model, "input", TB_DIMS(1, 4, 5, 3));
    int o = tb_value(&model, "output", TB_DIMS(1, 4, 5, 6));
    tb_op *op = tb_add_op(&model, ADD, sum);
    tb_op_input(op, 0);
    tb_op_input(op, a);
    op = tb_add_op(&model, MUL, product);
    tb_op_input(op, sum);
    tb_op_input(op, m);
    op->options_type = 21;
    op->options[0] = 1; /* RELU */
    op = tb_add_op(&model, CONCATENATION, o);
    tb_op_input(op, product);
    tb_op_input(op, 0);
    op->options_type = 10;
    op->options[0] = 3;
    tb_output(&model, o);
    for (int y = 0; y < 4; y++)
        for (int x = 0; x < 5; x++)
            for (int c = 0; c < 3; c++) {
                *at(&out, y, x, c) = fmaxf((*at(&in, y, x, c) + per_channel[c]) * per_row[y], 0);
                *at(&out, y, x, c + 3) = *at(&in, y, x, c);
            }
    ow_summary summary;
    check_picture(&model, FM_IMPORT_PLAIN, &in, &out, &summary);
    assert_int_equal(ow_count(&summary, "Transpose"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv_same_is_asymmetric),
        cmocka_unit_test(test_conv_dilated_in_groups),
        cmocka_unit_test(test_depthwise_of_float16_weights),
        cmocka_unit_test(test_float16_values),
        cmocka_unit_test(test_spatial_pad_goes_into_the_convolution),
        cmocka_unit_test(test_pad_before_max_pool),
        cmocka_unit_test(test_channel_pad),
        cmocka_unit_test(test_prelu_in_both_styles),
        cmocka_unit_test(test_reshape_and_concatenation),
        cmocka_unit_test(test_reshape_of_one_pixel),
        cmocka_unit_test(test_arithmetic_broadcasts_constants),
    };
    return cmocka_run_group_tests_name("lowering", tests, NULL, NULL);
}
