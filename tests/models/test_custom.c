/*
 * MediaPipe's custom operators in small models, imported, run by ONNX Runtime
 * and compared with the operators' definitions written out in double precision.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "built_model.h"
#include "flex_builder.h"

enum { POINTS = 6 };

static tb_op *add_custom(tb_model *model, const char *name, int input, int matrix, int output,
                         const fx_map *options)
{
    tb_op *op = tb_add_op(model, CUSTOM, output);
    op->custom = name;
    op->version = 2;
    tb_op_input(op, input);
    if (matrix >= 0)
        tb_op_input(op, matrix);
    if (options) {
        op->custom_options = options->data;
        op->custom_options_size = options->size;
    }
    return op;
}

/* --- Landmarks2TransformMatrix --- */

typedef struct region {
    int32_t left, right, width, height;
    float scale_x, scale_y, target;
    int32_t subset[POINTS];
    int count;
} region;

static const region plain_region = {.left = 1, .right = 4, .width = 16, .height = 8, .scale_x = 1.5f,
                                    .scale_y = 1.25f, .subset = {0, 2, 3, 5, 4}, .count = 5};

static fx_map region_options(const region *r)
{
    fx_map map = {0};
    fx_int(&map, "left_rotation_idx", r->left);
    fx_int(&map, "output_height", r->height);
    fx_int(&map, "output_width", r->width);
    fx_int(&map, "right_rotation_idx", r->right);
    fx_float(&map, "scale_x", r->scale_x);
    fx_float(&map, "scale_y", r->scale_y);
    fx_ints(&map, "subset_idxs", r->subset, r->count);
    fx_float(&map, "target_rotation_radians", r->target);
    fx_finish(&map);
    return map;
}

/* Picture [1,1,POINTS,3] -> landmarks [1,POINTS,3] -> matrix. */
static tb_model region_model(const fx_map *options)
{
    tb_model model = tb_begin(1, POINTS, 3);
    int landmarks = tb_value(&model, "landmarks", TB_DIMS(1, POINTS, 3));
    int matrix = tb_value(&model, "matrix", TB_DIMS(1, 4, 4));
    tb_op_input(tb_add_op(&model, RESHAPE, landmarks), 0);
    add_custom(&model, "Landmarks2TransformMatrix", landmarks, -1, matrix, options);
    tb_output(&model, matrix);
    return model;
}

static void multiply(double a[16], const double b[16])
{
    double out[16];
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            out[4 * i + j] = 0;
            for (int k = 0; k < 4; k++)
                out[4 * i + j] += a[4 * i + k] * b[4 * k + j];
        }
    memcpy(a, out, sizeof out);
}

/* T(centre) R(-r) S(scale * size / grid) T(-grid / 2), with a real angle. */
static void expected_matrix(const region *r, const float *p, double out[16])
{
    double angle = atan2((double)p[3 * r->right + 1] - (double)p[3 * r->left + 1],
                         (double)p[3 * r->right] - (double)p[3 * r->left]);
    double turn = (double)r->target - angle;
    double high[2] = {-1e9, -1e9}, low[2] = {1e9, 1e9};
    for (int i = 0; i < r->count; i++) {
        double x = (double)p[3 * r->subset[i]], y = (double)p[3 * r->subset[i] + 1];
        double at[2] = {x * cos(turn) - y * sin(turn), x * sin(turn) + y * cos(turn)};
        for (int k = 0; k < 2; k++) {
            high[k] = fmax(high[k], at[k]);
            low[k] = fmin(low[k], at[k]);
        }
    }
    double mx = (high[0] + low[0]) / 2, my = (high[1] + low[1]) / 2, c = cos(-turn), s = sin(-turn);
    const double shift[16] = {1, 0, 0, mx * c - my * s, 0, 1, 0, mx * s + my * c, 0, 0, 1, 0, 0, 0, 0, 1};
    const double rotation[16] = {c, -s, 0, 0, s, c, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    const double scale[16] = {(double)r->scale_x * (high[0] - low[0]) / r->width, 0, 0, 0,
                              0, (double)r->scale_y * (high[1] - low[1]) / r->height, 0, 0,
                              0, 0, 1, 0, 0, 0, 0, 1};
    const double back[16] = {1, 0, 0, -r->width / 2.0, 0, 1, 0, -r->height / 2.0, 0, 0, 1, 0, 0, 0, 0, 1};
    memcpy(out, shift, sizeof shift);
    multiply(out, rotation);
    multiply(out, scale);
    multiply(out, back);
}

static void check_region(const region *r, const float *points)
{
    fx_map options = region_options(r);
    tb_model model = region_model(&options);
    size_t count = 0;
    float *out = bm_run(&model, FM_IMPORT_AUTO, points, NULL, &count);
    double expected[16];
    expected_matrix(r, points, expected);
    assert_int_equal(count, 16);
    for (int i = 0; i < 16; i++)
        if (!(fabs((double)out[i] - expected[i]) < 2e-5))
            fail_msg("element %d: %g where %g is right", i, (double)out[i], expected[i]);
    free(out);
}

static void test_matrix_of_landmarks(void **state)
{
    (void)state;
    const float points[3 * POINTS] = {10, 20, 1, 12, 24, 2, 18, 30, 3, 25, 11, 4, 30, 31, 5, 22, 35, 6};
    region r = plain_region;
    check_region(&r, points);
    r.target = 0.4f;
    check_region(&r, points);
    r.target = 0;
    r.left = 4; /* the line runs leftwards: more than a right angle */
    r.right = 1;
    check_region(&r, points);
    r.left = 2;
    r.right = 2; /* one point: the angle of no line is 0 */
    check_region(&r, points);
}

static void test_matrix_refuses_bad_options(void **state)
{
    (void)state;
    region bad[6] = {plain_region, plain_region, plain_region, plain_region, plain_region, plain_region};
    bad[0].left = POINTS;
    bad[1].right = -1;
    bad[2].subset[3] = POINTS;
    bad[3].width = 0;
    bad[4].scale_x = NAN;
    bad[5].target = INFINITY;
    for (int i = 0; i < 6; i++) {
        fx_map options = region_options(&bad[i]);
        tb_model model = region_model(&options);
        bm_refuse(&model, "operator", "options that do not fit its landmarks");
    }
    region empty = plain_region;
    empty.count = 0;
    fx_map options = region_options(&empty);
    tb_model model = region_model(&options);
    bm_refuse(&model, "operator", "no options that can be read");
    model = region_model(NULL);
    bm_refuse(&model, "operator", "no options that can be read");
    options = region_options(&plain_region);
    options.size -= 3;
    model = region_model(&options);
    bm_refuse(&model, "operator", "no options that can be read");
    options.size += 3;
    model = region_model(&options);
    model.ops[1].version = 1; /* another operator under the same name */
    bm_refuse(&model, "operator", "not supported");
    model.ops[1].version = 2;
    model.tensors[2].dims[2] = 3;
    bm_refuse(&model, "operator", "shapes");
}

/* --- TransformTensorBilinear --- */

enum { IN_H = 6, IN_W = 9, CHANNELS = 3, OUT_H = 4, OUT_W = 5 };

static fx_map grid_options(int height, int width)
{
    fx_map map = {0};
    fx_int(&map, "output_height", height);
    fx_int(&map, "output_width", width);
    fx_finish(&map);
    return map;
}

static tb_model sampling_model(const float *matrix, const fx_map *options)
{
    tb_model model = tb_begin(IN_H, IN_W, CHANNELS);
    int m = tb_constant(&model, "matrix", TB_FLOAT32, TB_DIMS(1, 4, 4), matrix);
    int out = tb_value(&model, "sampled", TB_DIMS(1, OUT_H, OUT_W, CHANNELS));
    add_custom(&model, "TransformTensorBilinear", 0, m, out, options);
    tb_output(&model, out);
    return model;
}

/* Nothing beyond the outermost pixel centres; how many cells lie there. */
static int expected_samples(const float *in, const float *m, float out[CHANNELS][OUT_H][OUT_W])
{
    int outside = 0;
    for (int y = 0; y < OUT_H; y++)
        for (int x = 0; x < OUT_W; x++) {
            double cx = x + 0.5, cy = y + 0.5;
            double sx = (double)m[0] * cx + (double)m[1] * cy + (double)m[3] - 0.5;
            double sy = (double)m[4] * cx + (double)m[5] * cy + (double)m[7] - 0.5;
            bool inside = sx >= 0 && sx <= IN_W - 1 && sy >= 0 && sy <= IN_H - 1;
            outside += !inside;
            for (int c = 0; c < CHANNELS; c++) {
                double sum = 0;
                for (int v = 0; inside && v < IN_H; v++)
                    for (int u = 0; u < IN_W; u++)
                        sum += fmax(0, 1 - fabs(sx - u)) * fmax(0, 1 - fabs(sy - v)) *
                               (double)in[(v * IN_W + u) * CHANNELS + c];
                out[c][y][x] = (float)sum;
            }
        }
    return outside;
}

static int check_sampling(const float *matrix)
{
    float in[IN_H * IN_W * CHANNELS], expected[CHANNELS][OUT_H][OUT_W];
    for (int i = 0; i < IN_H * IN_W * CHANNELS; i++)
        in[i] = 2 + sinf((float)(i * i % 97)); /* never zero */
    fx_map options = grid_options(OUT_H, OUT_W);
    tb_model model = sampling_model(matrix, &options);
    size_t count = 0;
    float *out = bm_run(&model, FM_IMPORT_AUTO, in, NULL, &count);
    int outside = expected_samples(in, matrix, expected);
    assert_int_equal(count, CHANNELS * OUT_H * OUT_W);
    for (int i = 0; i < CHANNELS * OUT_H * OUT_W; i++)
        if (!(fabsf(out[i] - (&expected[0][0][0])[i]) < 2e-5f))
            fail_msg("value %d: %g where %g is right", i, (double)out[i], (double)(&expected[0][0][0])[i]);
    free(out);
    return outside;
}

static void test_sampling(void **state)
{
    (void)state;
    static const float same[16] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    static const float turned[16] = {0.9f, -0.4f, 5, 2.3f, 0.3f, 0.8f, 5, 1.2f, 0, 0, 1, 0, 0, 0, 0, 1};
    /* Reaches half a pixel beyond each edge, where a sampler that pads with zeros would fade out. */
    static const float wide[16] = {2.2f, 0, 0, -0.7f, 0, 1.9f, 0, -0.5f, 0, 0, 1, 0, 0, 0, 0, 1};
    static const float away[16] = {1, 0, 0, 1000, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    assert_int_equal(check_sampling(same), 0);
    assert_int_equal(check_sampling(turned), 0);
    int outside = check_sampling(wide);
    assert_true(outside > 0 && outside < OUT_H * OUT_W);
    assert_int_equal(check_sampling(away), OUT_H * OUT_W);
}

static void test_sampling_refuses_bad_shapes(void **state)
{
    (void)state;
    static const float matrix[16] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    fx_map options = grid_options(OUT_H, OUT_W + 1);
    tb_model model = sampling_model(matrix, &options);
    bm_refuse(&model, "operator", "options that fit its output");
    options = grid_options(OUT_H, OUT_W);
    model = sampling_model(matrix, &options);
    model.ops[0].input_count = 1;
    bm_refuse(&model, "operator", "shapes");
    model.ops[0].input_count = 2;
    model.tensors[2].dims[3] = CHANNELS + 1;
    bm_refuse(&model, "operator", "shapes");
    model.tensors[2].dims[3] = CHANNELS;
    model.tensors[1].rank = 2;
    model.tensors[1].dims[0] = 4;
    bm_refuse(&model, "operator", "shapes");
}

/* --- TransformLandmarks --- */

static void test_landmarks_through_a_matrix(void **state)
{
    (void)state;
    static const float matrix[16] = {2, -3, 9, 4, 0.5f, 1.5f, 9, -6, 9, 9, 9, 9, 9, 9, 9, 9};
    const float points[2 * POINTS] = {1, 2, 3, 4, -5, 6, 0, 0, 0.25f, -8, 100, 50};
    tb_model model = tb_begin(1, POINTS, 2);
    int m = tb_constant(&model, "matrix", TB_FLOAT32, TB_DIMS(1, 4, 4), matrix);
    int rows = tb_value(&model, "rows", TB_DIMS(1, POINTS, 2));
    int out = tb_value(&model, "moved", TB_DIMS(1, POINTS, 2));
    tb_op_input(tb_add_op(&model, RESHAPE, rows), 0);
    add_custom(&model, "TransformLandmarks", rows, m, out, NULL);
    tb_output(&model, out);
    size_t count = 0;
    float *moved = bm_run(&model, FM_IMPORT_AUTO, points, NULL, &count);
    assert_int_equal(count, 2 * POINTS);
    for (int i = 0; i < POINTS; i++) {
        float x = points[2 * i], y = points[2 * i + 1];
        assert_true(fabsf(moved[2 * i] - (2 * x - 3 * y + 4)) < 1e-4f);
        assert_true(fabsf(moved[2 * i + 1] - (0.5f * x + 1.5f * y - 6)) < 1e-4f);
    }
    free(moved);
    model.tensors[out].dims[1] = POINTS - 1;
    bm_refuse(&model, "operator", "shapes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matrix_of_landmarks),
        cmocka_unit_test(test_matrix_refuses_bad_options),
        cmocka_unit_test(test_sampling),
        cmocka_unit_test(test_sampling_refuses_bad_shapes),
        cmocka_unit_test(test_landmarks_through_a_matrix),
    };
    return cmocka_run_group_tests_name("custom", tests, NULL, NULL);
}
