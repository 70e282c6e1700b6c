/* The crop against a plain version of the same definition, its two paths, its symmetry, and its speed. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "face/detector.h"
#include "face/facemesh.h"
#include "face/image.h"
#include "face/image_grid.h"

enum { PADDING = 7 }; /* bytes after each row, so that a wrong stride shows */

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static double uniform(uint32_t *state, double low, double high)
{
    return low + (high - low) * (next_random(state) & 0xffff) / 65535.0;
}

/* Every plane is an allocation of its own, so that a sanitizer sees reads beyond it. */
static fm_image make_image(fm_pixel_format format, int width, int height, uint32_t seed)
{
    fm_image image = {.format = format, .width = width, .height = height};
    int planes = format == FM_PIXEL_RGB24 ? 1 : 3;
    for (int p = 0; p < planes; p++) {
        int w = p ? (width + 1) / 2 : width, h = p ? (height + 1) / 2 : height;
        int bytes = format == FM_PIXEL_RGB24 ? 3 * w : w;
        image.stride[p] = bytes + PADDING;
        size_t size = (size_t)image.stride[p] * (size_t)h;
        image.plane[p] = malloc(size);
        assert_non_null(image.plane[p]);
        for (size_t i = 0; i < size; i++)
            image.plane[p][i] = (uint8_t)next_random(&seed);
    }
    return image;
}

static void free_image(fm_image *image)
{
    for (int p = 0; p < 3; p++)
        free(image->plane[p]);
}

/* --- the plain version --------------------------------------------------- */

static double clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

/* Bilinear at index coordinates, the edge replicated. */
static double plain_sample(const uint8_t *data, ptrdiff_t stride, int step, int w, int h, double x,
                           double y)
{
    x = clamp(x, 0.0, w - 1);
    y = clamp(y, 0.0, h - 1);
    int x0 = (int)x, y0 = (int)y, x1 = x0 + 1 < w ? x0 + 1 : x0, y1 = y0 + 1 < h ? y0 + 1 : y0;
    double fx = x - x0, fy = y - y0;
    double a = data[y0 * stride + x0 * step], b = data[y0 * stride + x1 * step];
    double c = data[y1 * stride + x0 * step], d = data[y1 * stride + x1 * step];
    return (a * (1 - fx) + b * fx) * (1 - fy) + (c * (1 - fx) + d * fx) * fy;
}

static double inner_share(double q, int size)
{
    return clamp(fmin(q + 1.0, size - q), 0.0, 1.0);
}

static void plain_rgb(const fm_image *m, double x, double y, double rgb[3])
{
    if (m->format == FM_PIXEL_RGB24) {
        for (int i = 0; i < 3; i++)
            rgb[i] = plain_sample(m->plane[0] + i, m->stride[0], 3, m->width, m->height, x - 0.5,
                                  y - 0.5);
        return;
    }
    static const double kr[] = {0.299, 0.2126, 0.2627}, kb[] = {0.114, 0.0722, 0.0593};
    /* Position of the first chroma sample in luma coordinates. */
    double sx = m->chroma_site == FM_CHROMA_CENTER ? 1.0 : 0.5;
    double sy = m->chroma_site == FM_CHROMA_TOP_LEFT ? 0.5 : 1.0;
    int cw = (m->width + 1) / 2, ch = (m->height + 1) / 2;
    double cx = (x - sx) / 2, cy = (y - sy) / 2;
    double luma = plain_sample(m->plane[0], m->stride[0], 1, m->width, m->height, x - 0.5, y - 0.5);
    double u = plain_sample(m->plane[1], m->stride[1], 1, cw, ch, cx, cy) - 128.0;
    double v = plain_sample(m->plane[2], m->stride[2], 1, cw, ch, cx, cy) - 128.0;
    if (!m->full_range) {
        luma = (luma - 16.0) * 255.0 / 219.0;
        u *= 255.0 / 224.0;
        v *= 255.0 / 224.0;
    }
    double r = kr[m->matrix], b = kb[m->matrix], g = 1.0 - r - b;
    rgb[0] = clamp(luma + 2 * (1 - r) * v, 0, 255);
    rgb[1] = clamp(luma - 2 * b * (1 - b) / g * u - 2 * r * (1 - r) / g * v, 0, 255);
    rgb[2] = clamp(luma + 2 * (1 - b) * u, 0, 255);
}

/* The three tensor values at a position, in the order of the planes. */
static void plain_values(const fm_image *m, double x, double y, const fm_crop_options *o, float out[3])
{
    double share = o->border == FM_BORDER_ZERO
                       ? inner_share(x - 0.5, m->width) * inner_share(y - 0.5, m->height)
                       : 1.0;
    double rgb[3];
    plain_rgb(m, x, y, rgb);
    for (int c = 0; c < 3; c++) {
        double deviation = o->deviation[c] != 0.0f ? (double)o->deviation[c] : 1.0;
        out[o->bgr ? 2 - c : c] =
            (float)((rgb[c] * share * o->scale + o->bias - o->mean[c]) / deviation);
    }
}

static void plain_crop(const fm_image *m, const fm_roi *roi, const fm_crop_options *o, float *tensor)
{
    size_t n = (size_t)o->size, plane = n * n;
    for (size_t v = 0; v < n; v++) {
        for (size_t u = 0; u < n; u++) {
            double a = ((double)u + 0.5) / (double)n - 0.5, b = ((double)v + 0.5) / (double)n - 0.5;
            double x = roi->cx + (cos(roi->angle) * a - sin(roi->angle) * b) * roi->size;
            double y = roi->cy + (sin(roi->angle) * a + cos(roi->angle) * b) * roi->size;
            float values[3];
            plain_values(m, x, y, o, values);
            for (size_t c = 0; c < 3; c++)
                tensor[c * plane + v * n + u] = values[c];
        }
    }
}

static void plain_stretch(const fm_image *m, const fm_box *box, size_t width, size_t height,
                          const fm_crop_options *o, float *tensor)
{
    for (size_t v = 0; v < height; v++) {
        for (size_t u = 0; u < width; u++) {
            double x = box->x0 + ((double)u + 0.5) / (double)width * (box->x1 - box->x0);
            double y = box->y0 + ((double)v + 0.5) / (double)height * (box->y1 - box->y0);
            float values[3];
            plain_values(m, x, y, o, values);
            for (size_t c = 0; c < 3; c++)
                tensor[(c * height + v) * width + u] = values[c];
        }
    }
}

/* --- comparisons ---------------------------------------------------------- */

static double largest_difference(const float *a, const float *b, size_t count)
{
    double worst = 0.0;
    for (size_t i = 0; i < count; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        if (!(d <= worst)) /* a NaN counts as worst */
            worst = d;
    }
    return worst;
}

/* Largest difference in grey levels of 255. */
static double grey_difference(const float *a, const float *b, size_t count, const fm_crop_options *o)
{
    double gain = fabs((double)o->scale);
    double least = 1.0;
    for (int c = 0; c < 3; c++)
        if (o->deviation[c] != 0.0f)
            least = fmin(least, (double)o->deviation[c]);
    return largest_difference(a, b, count) * least / gain;
}

static void compare(const fm_image *image, const fm_roi *roi, const fm_crop_options *o)
{
    size_t count = 3 * (size_t)o->size * (size_t)o->size;
    float *fast = malloc(count * sizeof *fast), *plain = malloc(count * sizeof *plain);
    assert_non_null(fast);
    assert_non_null(plain);
    fm_image_crop(image, roi, o, fast);
    plain_crop(image, roi, o, plain);
    double grey = grey_difference(fast, plain, count, o);
    if (!(grey < 0.01))
        fail_msg("%dx%d format %d matrix %d range %d site %d border %d roi %g %g %g %g: off by %g",
                 image->width, image->height, image->format, image->matrix, image->full_range,
                 image->chroma_site, o->border, roi->cx, roi->cy, roi->size, roi->angle, grey);
    free(fast);
    free(plain);
}

static void compare_stretch(const fm_image *image, const fm_box *box, int width, int height,
                            const fm_crop_options *o)
{
    size_t count = 3 * (size_t)width * (size_t)height;
    float *fast = malloc(count * sizeof *fast), *plain = malloc(count * sizeof *plain);
    assert_non_null(fast);
    assert_non_null(plain);
    fm_image_stretch(image, box, width, height, o, fast);
    plain_stretch(image, box, (size_t)width, (size_t)height, o, plain);
    double grey = grey_difference(fast, plain, count, o);
    if (!(grey < 0.01))
        fail_msg("%dx%d format %d border %d box %g %g %g %g to %dx%d: off by %g", image->width,
                 image->height, image->format, o->border, box->x0, box->y0, box->x1, box->y1, width,
                 height, grey);
    free(fast);
    free(plain);
}

static fm_image random_image(int round, uint32_t *seed)
{
    static const int sizes[][2] = {{64, 48}, {63, 47}, {1, 1}, {2, 3}, {5, 1}, {200, 300}};
    const int *s = sizes[round % 6];
    fm_image image = make_image(round & 1 ? FM_PIXEL_YUV420P : FM_PIXEL_RGB24, s[0], s[1],
                                next_random(seed));
    image.matrix = (fm_color_matrix)(next_random(seed) % 3);
    image.chroma_site = (fm_chroma_site)(next_random(seed) % 3);
    image.full_range = next_random(seed) & 1;
    return image;
}

/* Every normalisation in use: one scale, means in BGR order, means and deviations. */
static fm_crop_options random_options(uint32_t *seed)
{
    const fm_crop_options kinds[] = {
        fm_facemesh_crop,
        fm_blazeface_crop,
        {.scale = 1.0f, .mean = {123.0f, 117.0f, 104.0f}, .bgr = true},
        {.scale = 1.0f / 255.0f, .mean = {0.485f, 0.456f, 0.406f}, .deviation = {0.229f, 0.224f, 0.225f}},
    };
    fm_crop_options o = kinds[next_random(seed) % 4];
    o.size = 1 + (int)(next_random(seed) % 40);
    o.border = (fm_border)(next_random(seed) & 1);
    return o;
}

static void test_against_plain_version(void **state)
{
    (void)state;
    uint32_t seed = 1;
    for (int round = 0; round < 400; round++) {
        fm_image image = random_image(round, &seed);
        double w = image.width, h = image.height;
        fm_crop_options o = random_options(&seed);
        fm_roi roi = {uniform(&seed, -0.2 * w, 1.2 * w), uniform(&seed, -0.2 * h, 1.2 * h),
                      uniform(&seed, 0.1, 1.5) * w, uniform(&seed, -3.2, 3.2)};
        compare(&image, &roi, &o);
        double x = uniform(&seed, -0.5 * w, w), y = uniform(&seed, -0.5 * h, h);
        fm_box box = {x, y, x + uniform(&seed, 0.1, 1.5) * w, y + uniform(&seed, 0.1, 1.5) * h};
        compare_stretch(&image, &box, 1 + (int)(next_random(&seed) % 50),
                        1 + (int)(next_random(&seed) % 50), &o);
        free_image(&image);
    }
}

/* Upright grids of every kind: one to one (whole pixels and between), shrunk, enlarged, flipped, over the edges. */
static fm_grid random_upright_grid(const fm_image *image, int round, uint32_t *seed)
{
    static const int sizes[] = {1, 2, 3, 16, 41, 64};
    fm_grid g = {.width = sizes[next_random(seed) % 6], .height = sizes[next_random(seed) % 6], .ux = 1, .vy = 1};
    if (round % 40 == 0)
        g.width = 4100; /* several blocks */
    const int kind = round % 4;
    if (kind == 0) { /* a whole number of pixels away */
        g.cx = 0.5 * g.width + (int)(next_random(seed) % 20) - 10;
        g.cy = 0.5 * g.height + (int)(next_random(seed) % 20) - 10;
        return g;
    }
    g.cx = uniform(seed, -0.2, 1.2) * image->width;
    g.cy = uniform(seed, -0.2, 1.2) * image->height;
    if (kind == 1)
        return g;
    g.ux = uniform(seed, kind == 2 ? 0.05 : -2, 4);
    g.vy = uniform(seed, kind == 2 ? 0.05 : -2, 4);
    return g;
}

/* What the fast path makes is what the general one makes, bit by bit. */
static void test_both_paths_agree(void **state)
{
    (void)state;
    uint32_t seed = 9;
    int compared = 0;
    for (int round = 0; round < 1200; round++) {
        fm_image image = random_image(round, &seed);
        const fm_crop_options o = random_options(&seed);
        const fm_grid g = random_upright_grid(&image, round, &seed);
        const size_t count = 3 * (size_t)g.width * (size_t)g.height;
        float *any = malloc(count * sizeof *any), *upright = malloc(count * sizeof *upright);
        assert_non_null(any);
        assert_non_null(upright);
        fm_grid_job job;
        assert_true(fm_grid_job_make(&job, &image, &g, &o, any));
        fm_grid_sample_any(&job);
        assert_true(fm_grid_job_make(&job, &image, &g, &o, upright));
        if (fm_grid_is_upright(&job)) {
            fm_grid_sample_upright(&job);
            compared++;
            if (memcmp(any, upright, count * sizeof *any) != 0)
                fail_msg("round %d, %dx%d format %d site %d border %d: %dx%d at %g %g by %g %g", round, image.width,
                         image.height, image.format, image.chroma_site, o.border, g.width, g.height, g.cx, g.cy,
                         g.ux, g.vy);
        }
        free(any);
        free(upright);
        free_image(&image);
    }
    assert_true(compared > 700);
    /* Turned grids are none of it. */
    fm_image image = make_image(FM_PIXEL_RGB24, 8, 8, 1);
    float tensor[12];
    fm_grid_job job;
    assert_true(fm_grid_job_make(&job, &image, &(fm_grid){4, 4, 1, 0.01, -0.01, 1, 2, 2},
                                 &(fm_crop_options){.scale = 1}, tensor));
    assert_false(fm_grid_is_upright(&job));
    free_image(&image);
}

/* A tensor pixel per picture pixel is a copy, whatever the plane order. */
static void test_stretch_copies_whole_pictures(void **state)
{
    (void)state;
    enum { W = 37, H = 23 };
    static float tensor[3 * W * H];
    fm_image image = make_image(FM_PIXEL_RGB24, W, H, 5);
    const fm_crop_options o = {.scale = 1.0f, .mean = {123, 117, 104}, .bgr = true};
    const float mean[3] = {123, 117, 104};
    fm_image_stretch(&image, &(fm_box){0, 0, W, H}, W, H, &o, tensor);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int c = 0; c < 3; c++)
                assert_true(tensor[((2 - c) * H + y) * W + x] ==
                            (float)image.plane[0][y * image.stride[0] + 3 * x + c] - mean[c]);
    /* Senseless boxes read as black. */
    const fm_box senseless[] = {{NAN, 0, 1, 1}, {0, 0, INFINITY, 1}, {0, 0, 1, 1e9}};
    for (size_t i = 0; i < sizeof senseless / sizeof senseless[0]; i++) {
        fm_image_stretch(&image, &senseless[i], W, H, &o, tensor);
        for (int k = 0; k < W * H; k++)
            assert_true(tensor[k] == -104 && tensor[2 * W * H + k] == -123);
    }
    fm_image_stretch(&image, &(fm_box){0, 0, W, H}, 0, H, &o, NULL); /* nothing to write */
    free_image(&image);
}

static void test_letterbox_is_exact_where_scales_are_one(void **state)
{
    (void)state;
    fm_image image = make_image(FM_PIXEL_RGB24, 16, 10, 7);
    fm_roi roi = fm_roi_letterbox(16, 10);
    assert_true(roi.cx == 8.0 && roi.cy == 5.0 && roi.size == 16.0 && roi.angle == 0.0);
    const fm_crop_options o = {.size = 16, .scale = 1.0f, .bias = -1.0f, .border = FM_BORDER_ZERO};
    float tensor[3 * 16 * 16];
    fm_image_crop(&image, &roi, &o, tensor);
    for (int y = 0; y < 16; y++) {
        for (int x = 0; x < 16; x++) {
            for (int c = 0; c < 3; c++) {
                bool inside = y >= 3 && y < 13;
                float want = inside ? image.plane[0][(y - 3) * image.stride[0] + 3 * x + c] : 0.0f;
                assert_true(tensor[c * 256 + y * 16 + x] == want - 1.0f);
            }
        }
    }
    free_image(&image);
}

static void test_outside_and_senseless_rois(void **state)
{
    (void)state;
    fm_image image = make_image(FM_PIXEL_YUV420P, 32, 32, 3);
    fm_crop_options o = {.size = 4, .scale = 1.0f, .bias = 0.25f, .border = FM_BORDER_ZERO};
    float tensor[48];
    const fm_roi bad[] = {{NAN, 0, 8, 0},  {0, INFINITY, 8, 0}, {0, 0, NAN, 0},     {0, 0, 8, NAN},
                          {1e30, 0, 8, 0}, {0, 0, 1e300, 0},    {500, 500, 8, 0.3}, {0, 0, INFINITY, 0}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memset(tensor, 0x7f, sizeof tensor);
        fm_image_crop(&image, &bad[i], &o, tensor);
        for (int k = 0; k < 48; k++)
            assert_true(tensor[k] == 0.25f);
    }
    /* Replicated, everything beyond the corner is the corner pixel. */
    o.border = FM_BORDER_REPLICATE;
    compare(&image, &(fm_roi){500, 500, 8, 0.3}, &o);
    compare(&image, &(fm_roi){-1e6, 16, 1000, 0.3}, &o);
    free_image(&image);
}

static fm_image flip_image(const fm_image *m)
{
    fm_image out = make_image(m->format, m->width, m->height, 0);
    out.matrix = m->matrix;
    out.full_range = m->full_range;
    out.chroma_site = m->chroma_site;
    int planes = m->format == FM_PIXEL_RGB24 ? 1 : 3, step = m->format == FM_PIXEL_RGB24 ? 3 : 1;
    for (int p = 0; p < planes; p++) {
        int w = p ? (m->width + 1) / 2 : m->width, h = p ? (m->height + 1) / 2 : m->height;
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++)
                memcpy(out.plane[p] + y * out.stride[p] + x * step,
                       m->plane[p] + y * m->stride[p] + (w - 1 - x) * step, (size_t)step);
    }
    return out;
}

/* The crop of the flipped picture is the flipped crop. (Chroma between the columns: only that flips onto itself.) */
static void test_flip_symmetry(void **state)
{
    (void)state;
    uint32_t seed = 5;
    enum { N = 48 };
    static float a[3 * N * N], b[3 * N * N];
    for (int round = 0; round < 40; round++) {
        fm_image image = make_image(round & 1 ? FM_PIXEL_YUV420P : FM_PIXEL_RGB24, 120, 90,
                                    next_random(&seed));
        image.chroma_site = FM_CHROMA_CENTER;
        fm_image flipped = flip_image(&image);
        fm_crop_options o = {.size = N, .scale = 1.0f, .bias = 0.0f,
                             .border = round & 2 ? FM_BORDER_ZERO : FM_BORDER_REPLICATE};
        fm_roi roi = {uniform(&seed, 0, 120), uniform(&seed, 0, 90), uniform(&seed, 20, 150),
                      uniform(&seed, -1, 1)};
        fm_roi mirrored = {120 - roi.cx, roi.cy, roi.size, -roi.angle};
        fm_image_crop(&image, &roi, &o, a);
        fm_image_crop(&flipped, &mirrored, &o, b);
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < N; y++)
                for (int x = 0; x < N; x++)
                    assert_float_equal(a[(c * N + y) * N + x], b[(c * N + y) * N + N - 1 - x], 1e-3);
        free_image(&image);
        free_image(&flipped);
    }
}

static void test_roi_mapping_round_trip(void **state)
{
    (void)state;
    const fm_roi roi = {100.0, 60.0, 40.0, 0.7};
    fm_point2 c = fm_roi_to_image(&roi, 0.5, 0.5);
    assert_float_equal(c.x, 100.0, 1e-5);
    assert_float_equal(c.y, 60.0, 1e-5);
    /* The middle of the right side, turned clockwise on screen. */
    fm_point2 r = fm_roi_to_image(&roi, 1.0, 0.5);
    assert_float_equal(r.x, 100.0f + 20.0f * cosf(0.7f), 1e-4);
    assert_float_equal(r.y, 60.0f + 20.0f * sinf(0.7f), 1e-4);
    for (int i = -10; i <= 20; i += 3) {
        float u = 0.1f * (float)i, v = 1.0f - 2.0f * u;
        fm_point2 p = fm_roi_to_image(&roi, u, v);
        fm_point2 q = fm_roi_from_image(&roi, p.x, p.y);
        assert_float_equal(q.x, u, 1e-5);
        assert_float_equal(q.y, v, 1e-5);
    }
}

/* Prints what a crop out of a 1080p frame costs; fails only when it is far off (slow builds, busy machines). */
static void test_speed(void **state)
{
    (void)state;
    fm_image image = make_image(FM_PIXEL_YUV420P, 1920, 1080, 11);
    static float tensor[3 * FM_FACEMESH_SIZE * FM_FACEMESH_SIZE];
    const struct {
        const char *what;
        fm_roi roi;
        fm_crop_options o;
    } cases[] = {
        {"face 192x192, inside", {960, 540, 700, 0.1}, fm_facemesh_crop},
        {"face 192x192, over the edge", {200, 540, 700, 0.1}, fm_facemesh_crop},
        {"whole frame 128x128", fm_roi_letterbox(1920, 1080), fm_blazeface_crop},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double best = 1e9;
        for (int run = 0; run < 30; run++) {
            struct timespec t0, t1;
            clock_gettime(CLOCK_MONOTONIC, &t0);
            fm_image_crop(&image, &cases[i].roi, &cases[i].o, tensor);
            clock_gettime(CLOCK_MONOTONIC, &t1);
            double ms = 1e3 * (double)(t1.tv_sec - t0.tv_sec) + 1e-6 * (double)(t1.tv_nsec - t0.tv_nsec);
            best = ms < best ? ms : best;
        }
        print_message("crop from 1080p YUV420P, %s: %.3f ms\n", cases[i].what, best);
        assert_true(best < 50.0);
    }
    free_image(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_plain_version),
        cmocka_unit_test(test_both_paths_agree),
        cmocka_unit_test(test_stretch_copies_whole_pictures),
        cmocka_unit_test(test_letterbox_is_exact_where_scales_are_one),
        cmocka_unit_test(test_outside_and_senseless_rois),
        cmocka_unit_test(test_flip_symmetry),
        cmocka_unit_test(test_roi_mapping_round_trip),
        cmocka_unit_test(test_speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
