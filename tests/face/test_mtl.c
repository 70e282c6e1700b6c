/* The multi-task network's input and outputs against plain computations. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "face/mtl.h"

enum { N = FM_MTL_SIZE };

static double clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

/* A plain bilinear resize (pixel centres at halves) of the whole picture, then ToTensor and Normalize. */
static void test_crop(void **state)
{
    (void)state;
    static const int sizes[][2] = {{90, 130}, {301, 97}, {224, 224}};
    static const double mean[] = {0.485, 0.456, 0.406}, deviation[] = {0.229, 0.224, 0.225};
    static float tensor[3 * N * N];
    for (int k = 0; k < 3; k++) {
        const int w = sizes[k][0], h = sizes[k][1];
        uint8_t *rgb = malloc((size_t)(w * h) * 3);
        assert_non_null(rgb);
        uint32_t seed = 5;
        for (int i = 0; i < w * h * 3; i++) {
            seed = seed * 1664525u + 1013904223u;
            rgb[i] = (uint8_t)(seed >> 24);
        }
        const fm_image image = {.format = FM_PIXEL_RGB24, .width = w, .height = h, .plane = {rgb},
                                .stride = {3 * w}};
        fm_image_stretch(&image, &(fm_box){0, 0, w, h}, N, N, &fm_mtl_crop, tensor);
        double worst = 0;
        for (int c = 0; c < 3; c++)
            for (int v = 0; v < N; v++)
                for (int u = 0; u < N; u++) {
                    const double x = clamp((u + 0.5) * w / N - 0.5, 0, w - 1);
                    const double y = clamp((v + 0.5) * h / N - 0.5, 0, h - 1);
                    const int x0 = (int)x, y0 = (int)y;
                    const int x1 = x0 + 1 < w ? x0 + 1 : x0, y1 = y0 + 1 < h ? y0 + 1 : y0;
                    const double top = rgb[(y0 * w + x0) * 3 + c] * (1 - x + x0) +
                                       rgb[(y0 * w + x1) * 3 + c] * (x - x0);
                    const double low = rgb[(y1 * w + x0) * 3 + c] * (1 - x + x0) +
                                       rgb[(y1 * w + x1) * 3 + c] * (x - x0);
                    const double value = top * (1 - y + y0) + low * (y - y0);
                    const double expected = (value / 255 - mean[c]) / deviation[c];
                    worst = fmax(worst, fabs(tensor[(c * N + v) * N + u] - expected));
                }
        assert_true(worst < 1e-4);
        free(rgb);
    }
}

static void test_box(void **state)
{
    (void)state;
    fm_box out;
    assert_true(fm_mtl_box(&(fm_box){10.9, 20.9, 110.2, 220.7}, 0, 640, 480, &out));
    assert_true(out.x0 == 10 && out.y0 == 20 && out.x1 == 110 && out.y1 == 220);
    assert_true(fm_mtl_box(&(fm_box){100, 100, 200, 300}, 0.15, 640, 480, &out));
    assert_true(out.x0 == 85 && out.y0 == 70 && out.x1 == 215 && out.y1 == 330);
    assert_true(fm_mtl_box(&(fm_box){-50, -50, 700, 490}, 0.15, 640, 480, &out));
    assert_true(out.x0 == 0 && out.y0 == 0 && out.x1 == 640 && out.y1 == 480);
    assert_false(fm_mtl_box(&(fm_box){700, 10, 800, 20}, 0, 640, 480, &out)); /* beside the picture */
    assert_false(fm_mtl_box(&(fm_box){10, 10, 10.5, 20}, 0, 640, 480, &out));
    assert_false(fm_mtl_box(&(fm_box){NAN, 10, 100, 20}, 0, 640, 480, &out));
    assert_false(fm_mtl_box(&(fm_box){0, 10, INFINITY, 20}, 0.1, 640, 480, &out));
}

static const float some_gaze[2] = {0.3f, -0.2f};
static const float some_units[FM_MTL_UNITS] = {0, 0.1f, 0.49f, 0.5f, 0.51f, 0.9f, 1.2f, -0.1f};

static void test_emotion(void **state)
{
    (void)state;
    const float logits[FM_MTL_EMOTIONS] = {0.5f, -1, 2, 0, 3.5f, 3, -2, 1};
    double sum = 0;
    for (int i = 0; i < FM_MTL_EMOTIONS; i++)
        sum += exp((double)logits[i]);
    fm_mtl_result r;
    assert_true(fm_mtl_decode(logits, some_gaze, some_units, FM_MTL_UNITS, &r));
    for (int i = 0; i < FM_MTL_EMOTIONS; i++)
        assert_true(fabs(r.emotion[i] - exp((double)logits[i]) / sum) < 1e-6);
    assert_int_equal(r.best_emotion, 4);
    assert_string_equal(fm_mtl_emotion_name(r.best_emotion), "fear");
    assert_string_equal(fm_mtl_emotion_name(0), "neutral");
    assert_string_equal(fm_mtl_emotion_name(5), "disgust");
    assert_string_equal(fm_mtl_emotion_name(8), "");
    assert_string_equal(fm_mtl_emotion_name(-1), "");
    /* Logits that overflow exp still give probabilities. */
    const float large[FM_MTL_EMOTIONS] = {1000, 998, -1000, 0, 0, 0, 0, 0};
    assert_true(fm_mtl_decode(large, some_gaze, some_units, FM_MTL_UNITS, &r));
    assert_true(fabs(r.emotion[0] - 1 / (1 + exp(-2))) < 1e-6);
    assert_float_equal(r.emotion[2], 0, 1e-6);
}

static void test_gaze(void **state)
{
    (void)state;
    const float logits[FM_MTL_EMOTIONS] = {0};
    const struct {
        float yaw, pitch;
        double x, y, z;
    } looks[] = {
        {0, 0, 0, 0, -1},                                            /* into the camera */
        {0.5235988f, 0, -0.5, 0, -0.8660254},                        /* 30 degrees to the image's left */
        {0, 0.5235988f, 0, -0.5, -0.8660254},                        /* up */
        {-0.7853982f, -0.5235988f, 0.6123724, 0.5, -0.6123724},      /* right and down */
    };
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        fm_mtl_result r;
        assert_true(fm_mtl_decode(logits, (float[]){looks[i].yaw, looks[i].pitch}, some_units, FM_MTL_UNITS, &r));
        assert_float_equal(r.gaze_yaw, looks[i].yaw, 0);
        assert_float_equal(r.gaze_pitch, looks[i].pitch, 0);
        assert_float_equal(r.gaze.x, looks[i].x, 1e-6);
        assert_float_equal(r.gaze.y, looks[i].y, 1e-6);
        assert_float_equal(r.gaze.z, looks[i].z, 1e-6);
    }
}

/* The table is written out: output by output, its column in the CSV. */
static void test_action_units(void **state)
{
    (void)state;
    const float logits[FM_MTL_EMOTIONS] = {0};
    static const struct {
        int number;
        float intensity, presence;
    } expected[FM_MTL_UNITS] = {
        {1, 0, 0},  {2, 0.5f, 0},  {4, 2.45f, 0}, {6, 2.5f, 1},
        {9, 2.55f, 1}, {12, 4.5f, 1}, {25, 5, 1},    {26, 0, 0},
    };
    fm_mtl_result r;
    fm_au_result table;
    assert_true(fm_mtl_decode(logits, some_gaze, some_units, FM_MTL_UNITS, &r));
    fm_mtl_action_units(&r, fm_mtl_au_numbers, &table);
    int known = 0;
    for (int column = 0; column < FM_AU_COUNT; column++) {
        int output = -1;
        for (int i = 0; i < FM_MTL_UNITS; i++)
            if (expected[i].number == fm_au_numbers[column])
                output = i;
        if (output < 0) {
            assert_true(isnan(table.intensity[column]) && isnan(table.presence[column]));
            continue;
        }
        assert_int_equal(fm_mtl_au_numbers[output], expected[output].number);
        assert_float_equal(table.intensity[column], expected[output].intensity, 1e-5);
        assert_float_equal(table.presence[column], expected[output].presence, 0);
        known++;
    }
    assert_int_equal(known, FM_MTL_UNITS); /* each output has a column */
}

/* Another network, by its pack's manifest: other units, in another order, one of which has no column. */
static void test_other_units(void **state)
{
    (void)state;
    static const int numbers[3] = {45, 24, 12};
    const float logits[FM_MTL_EMOTIONS] = {0};
    fm_mtl_result r;
    fm_au_result table;
    assert_true(fm_mtl_decode(logits, some_gaze, (float[]){0.6f, 0.9f, 0.2f, NAN}, 3, &r));
    assert_int_equal(r.unit_count, 3);
    fm_mtl_action_units(&r, numbers, &table);
    for (int column = 0; column < FM_AU_COUNT; column++) {
        const int number = fm_au_numbers[column];
        if (number == 45)
            assert_true(fabsf(table.intensity[column] - 3) < 1e-5f && table.presence[column] == 1);
        else if (number == 12)
            assert_true(fabsf(table.intensity[column] - 1) < 1e-5f && table.presence[column] == 0);
        else
            assert_true(isnan(table.intensity[column]) && isnan(table.presence[column]));
    }
}

static void test_refusals(void **state)
{
    (void)state;
    float emotion[FM_MTL_EMOTIONS] = {0}, gaze[2] = {0}, units[FM_MTL_UNITS] = {0};
    fm_mtl_result r = {.best_emotion = 77};
    emotion[7] = NAN;
    assert_false(fm_mtl_decode(emotion, gaze, units, FM_MTL_UNITS, &r));
    emotion[7] = 0;
    gaze[1] = INFINITY;
    assert_false(fm_mtl_decode(emotion, gaze, units, FM_MTL_UNITS, &r));
    gaze[1] = 0;
    units[3] = NAN;
    assert_false(fm_mtl_decode(emotion, gaze, units, FM_MTL_UNITS, &r));
    assert_int_equal(r.best_emotion, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crop),
        cmocka_unit_test(test_box),
        cmocka_unit_test(test_emotion),
        cmocka_unit_test(test_gaze),
        cmocka_unit_test(test_action_units),
        cmocka_unit_test(test_other_units),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
