/* STAR's crop and decoding against upstream's own steps: matrix, warp, denormalisation, inverse matrix. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "face/star.h"

enum { W = 150, H = 110, N = FM_STAR_SIZE };

/* demo.py's matrix: index coordinates of the picture -> index coordinates of the crop. */
typedef struct warp {
    double zoom, dx, dy;
} warp;

static warp make_warp(const fm_box *box)
{
    const int x1 = (int)box->x0, y1 = (int)box->y0, x2 = (int)box->x1, y2 = (int)box->y1;
    const double scale = fmin(x2 - x1, y2 - y1) / 200 * 1.05;
    const double zoom = 256 / (scale * 200);
    return (warp){zoom, 255 / 2.0 - zoom * (x1 + x2) / 2.0, 255 / 2.0 - zoom * (y1 + y2) / 2.0};
}

static double pixel(const uint8_t *rgb, int x, int y, int channel)
{
    return x >= 0 && x < W && y >= 0 && y < H ? rgb[(y * W + x) * 3 + channel] : 0;
}

/* cv2.warpPerspective with INTER_LINEAR and borderValue 0, without its rounding. */
static double warped(const uint8_t *rgb, const warp *m, int u, int v, int channel)
{
    const double x = (u - m->dx) / m->zoom, y = (v - m->dy) / m->zoom;
    const int ix = (int)floor(x), iy = (int)floor(y);
    const double fx = x - ix, fy = y - iy;
    return (pixel(rgb, ix, iy, channel) * (1 - fx) + pixel(rgb, ix + 1, iy, channel) * fx) * (1 - fy) +
           (pixel(rgb, ix, iy + 1, channel) * (1 - fx) + pixel(rgb, ix + 1, iy + 1, channel) * fx) * fy;
}

static const fm_box boxes[] = {
    {40.9, 20.2, 100.7, 90.9},
    {-20.6, -10.5, 70.2, 60.8}, /* truncated towards zero; the crop leaves the picture */
    {90.0, 10.0, 170.5, 140.0},
    {3, 4, 8, 7},
};
enum { BOXES = sizeof boxes / sizeof boxes[0] };

static void test_crop(void **state)
{
    (void)state;
    static uint8_t rgb[W * H * 3];
    static float tensor[3 * N * N];
    uint32_t seed = 9;
    for (size_t i = 0; i < sizeof rgb; i++) {
        seed = seed * 1664525u + 1013904223u;
        rgb[i] = (uint8_t)(seed >> 24);
    }
    const fm_image image = {.format = FM_PIXEL_RGB24, .width = W, .height = H, .plane = {rgb},
                            .stride = {3 * W}};
    for (int b = 0; b < BOXES; b++) {
        fm_roi roi;
        assert_true(fm_star_roi(&boxes[b], &roi));
        fm_image_crop(&image, &roi, &fm_star_crop, tensor);
        const warp m = make_warp(&boxes[b]);
        double worst = 0;
        for (int c = 0; c < 3; c++) /* B, G, R */
            for (int v = 0; v < N; v++)
                for (int u = 0; u < N; u++) {
                    const double expected = warped(rgb, &m, u, v, 2 - c) / 127.5 - 1;
                    worst = fmax(worst, fabs(tensor[(c * N + v) * N + u] - expected));
                }
        assert_true(worst < 1e-4);
    }
}

static void test_decode(void **state)
{
    (void)state;
    float output[FM_STAR_POINTS * 2];
    fm_point3 points[FM_STAR_POINTS];
    for (int i = 0; i < FM_STAR_POINTS; i++) {
        output[2 * i] = -1 + 2 * (float)i / (FM_STAR_POINTS - 1); /* -1 to 1 */
        output[2 * i + 1] = cosf((float)i);
    }
    for (int b = 0; b < BOXES; b++) {
        fm_roi roi;
        assert_true(fm_star_roi(&boxes[b], &roi));
        assert_true(fm_star_decode(output, &roi, points));
        const warp m = make_warp(&boxes[b]);
        for (int i = 0; i < FM_STAR_POINTS; i++) {
            const double u = ((output[2 * i] + 1.0) * 256 - 1) / 2;
            const double v = ((output[2 * i + 1] + 1.0) * 256 - 1) / 2;
            /* Index coordinates to ours: half a pixel. */
            assert_true(fabs(points[i].x - ((u - m.dx) / m.zoom + 0.5)) < 1e-4);
            assert_true(fabs(points[i].y - ((v - m.dy) / m.zoom + 0.5)) < 1e-4);
            assert_true(points[i].z == 0);
        }
    }
}

/* A mark in the picture is found where it is: the crop's brightest pixel, decoded, is the mark's centre. */
static void test_round_trip(void **state)
{
    (void)state;
    static uint8_t rgb[W * H * 3];
    static float tensor[3 * N * N];
    enum { X = 71, Y = 43 };
    for (int c = 0; c < 3; c++)
        rgb[(Y * W + X) * 3 + c] = 255;
    const fm_image image = {.format = FM_PIXEL_RGB24, .width = W, .height = H, .plane = {rgb},
                            .stride = {3 * W}};
    fm_roi roi;
    assert_true(fm_star_roi(&boxes[0], &roi));
    fm_image_crop(&image, &roi, &fm_star_crop, tensor);
    int brightest = 0;
    for (int i = 0; i < N * N; i++)
        if (tensor[i] > tensor[brightest])
            brightest = i;
    float output[FM_STAR_POINTS * 2] = {0};
    output[0] = (2 * (float)(brightest % N) + 1) / N - 1; /* alignmentDataset.py, _norm_points */
    output[1] = (2 * (float)(brightest / N) + 1) / N - 1;
    fm_point3 points[FM_STAR_POINTS];
    assert_true(fm_star_decode(output, &roi, points));
    assert_true(fabs(points[0].x - (X + 0.5)) < 0.5 * roi.size / N + 1e-3);
    assert_true(fabs(points[0].y - (Y + 0.5)) < 0.5 * roi.size / N + 1e-3);
    /* The middle of the output is the middle of the crop. */
    assert_true(fabs(points[1].x - roi.cx) < 1e-4 && fabs(points[1].y - roi.cy) < 1e-4);
}

static void test_refusals(void **state)
{
    (void)state;
    fm_roi roi;
    const fm_box bad[] = {{NAN, 0, 10, 10}, {0, 0, INFINITY, 10}, {0, 0, 10, 0.9}, {10, 0, 5, 10},
                          {0, 0, 1e9, 1e9}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(fm_star_roi(&bad[i], &roi));
    float output[FM_STAR_POINTS * 2] = {0};
    fm_point3 points[FM_STAR_POINTS];
    assert_true(fm_star_roi(&boxes[0], &roi));
    output[195] = NAN;
    assert_false(fm_star_decode(output, &roi, points));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crop),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
