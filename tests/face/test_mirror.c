#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "face/mirror.h"

static const double pi = 3.14159265358979323846;

/* --- pictures -------------------------------------------------------- */

typedef struct picture {
    fm_image image;
    uint8_t *memory;
    size_t size;
} picture;

static int chroma(int extent)
{
    return (extent + 1) / 2;
}

static int plane_width(const fm_image *image, int plane)
{
    return plane == 0 ? image->width : chroma(image->width);
}

static int plane_height(const fm_image *image, int plane)
{
    return plane == 0 ? image->height : chroma(image->height);
}

/* Strides exceed the width, and the rows' slack holds a mark that must survive. */
enum { SLACK = 5, MARK = 0xA5 };

static picture picture_make(int width, int height, fm_chroma_site site)
{
    picture p = {.image = {.format = FM_PIXEL_YUV420P,
                           .width = width,
                           .height = height,
                           .matrix = FM_MATRIX_BT709,
                           .chroma_site = site}};
    size_t offset[4] = {0};
    for (int i = 0; i < 3; i++) {
        p.image.stride[i] = plane_width(&p.image, i) + SLACK;
        offset[i + 1] = offset[i] + (size_t)p.image.stride[i] * (size_t)plane_height(&p.image, i);
    }
    p.size = offset[3];
    p.memory = malloc(p.size);
    assert_non_null(p.memory);
    memset(p.memory, MARK, p.size);
    for (int i = 0; i < 3; i++)
        p.image.plane[i] = p.memory + offset[i];
    return p;
}

static void picture_free(picture *p)
{
    free(p->memory);
}

static uint8_t *sample(const fm_image *image, int plane, int x, int y)
{
    return image->plane[plane] + y * image->stride[plane] + x;
}

/* Centre of a sample in luma pixels. */
static void sample_centre(const fm_image *image, int plane, int x, int y, double *px, double *py)
{
    if (plane == 0) {
        *px = x + 0.5;
        *py = y + 0.5;
        return;
    }
    *px = 2 * x + (image->chroma_site == FM_CHROMA_CENTER ? 1.0 : 0.5);
    *py = 2 * y + (image->chroma_site == FM_CHROMA_TOP_LEFT ? 0.5 : 1.0);
}

/* A smooth scene, defined at every point of the plane: sampled at each sample's true position. */
static double scene(int plane, double x, double y)
{
    return 128 + 50 * sin(x / 23 + 1.3 * plane) + 40 * cos(y / 31 - x / 57 + plane);
}

static void fill_smooth(fm_image *image)
{
    for (int plane = 0; plane < 3; plane++)
        for (int y = 0; y < plane_height(image, plane); y++)
            for (int x = 0; x < plane_width(image, plane); x++) {
                double px, py;
                sample_centre(image, plane, x, y, &px, &py);
                *sample(image, plane, x, y) = (uint8_t)(scene(plane, px, py) + 0.5);
            }
}

static void fill_random(fm_image *image, unsigned seed)
{
    for (int plane = 0; plane < 3; plane++)
        for (int y = 0; y < plane_height(image, plane); y++)
            for (int x = 0; x < plane_width(image, plane); x++) {
                seed = seed * 1664525u + 1013904223u;
                *sample(image, plane, x, y) = (uint8_t)(seed >> 24);
            }
}

static fm_line line_through(double x, double y, double degrees)
{
    return (fm_line){x, y, -sin(degrees * pi / 180), cos(degrees * pi / 180)};
}

/* --- the definition, written as plainly as possible ------------------- */

static double reference_bilinear(const fm_image *image, int plane, double x, double y)
{
    const int w = plane_width(image, plane), h = plane_height(image, plane);
    x = fmin(fmax(x, 0), w - 1);
    y = fmin(fmax(y, 0), h - 1);
    const int x0 = (int)x, y0 = (int)y;
    const int x1 = x0 + 1 < w ? x0 + 1 : x0, y1 = y0 + 1 < h ? y0 + 1 : y0;
    const double u = x - x0, v = y - y0;
    return (1 - v) * ((1 - u) * *sample(image, plane, x0, y0) + u * *sample(image, plane, x1, y0)) +
           v * ((1 - u) * *sample(image, plane, x0, y1) + u * *sample(image, plane, x1, y1));
}

/* Value at a sample; *edge is set where rounding may decide between picture and black. */
static double reference_value(const fm_image *src, int plane, int x, int y, const fm_line *line,
                              fm_side keep, double seam, bool *edge)
{
    double px, py, ax, ay;
    sample_centre(src, plane, x, y, &px, &py);
    sample_centre(src, plane, 0, 0, &ax, &ay);
    const double s = (px - line->ox) * line->dy - (py - line->oy) * line->dx;
    const double t = keep == FM_SIDE_LEFT ? s : -s;
    const double rx = px - 2 * s * line->dy, ry = py + 2 * s * line->dx;
    const double own = *sample(src, plane, x, y);
    const double e = 1e-6;
    *edge = fabs(rx) < e || fabs(ry) < e || fabs(rx - src->width) < e || fabs(ry - src->height) < e ||
            fabs(t) < e;
    if (t >= seam)
        return own;
    const bool outside = rx < 0 || ry < 0 || rx > src->width || ry > src->height;
    if (outside)
        return t >= 0 ? own : plane > 0 ? 128 : src->full_range ? 0 : 16;
    const double pitch = plane == 0 ? 1 : 2;
    const double reflected = reference_bilinear(src, plane, (rx - ax) / pitch, (ry - ay) / pitch);
    if (t <= -seam)
        return reflected;
    const double k = 0.5 + 0.5 * t / seam;
    return k * own + (1 - k) * reflected;
}

static void check_against_reference(const fm_image *src, const fm_image *dst, const fm_line *line,
                                    fm_side keep, double seam)
{
    for (int plane = 0; plane < 3; plane++)
        for (int y = 0; y < plane_height(src, plane); y++)
            for (int x = 0; x < plane_width(src, plane); x++) {
                bool edge;
                const double want = reference_value(src, plane, x, y, line, keep, seam, &edge);
                const int got = *sample(dst, plane, x, y);
                if (!edge && fabs(got - want) > 1)
                    fail_msg("plane %d (%d, %d) is %d, want %.2f (line %g %g dir %g %g keep %d)",
                             plane, x, y, got, want, line->ox, line->oy, line->dx, line->dy,
                             (int)keep);
            }
}

static void test_matches_reference(void **state)
{
    (void)state;
    const int sizes[][2] = {{64, 48}, {63, 47}, {1, 1}, {2, 1}, {1, 9}, {33, 2}, {97, 80}};
    const double angles[] = {0, 0.01, 3, -7, 45, -45, 89.99, 90, -90, 135, 180, -175, 270};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const int w = sizes[i][0], h = sizes[i][1];
        const double origins[][2] = {{w / 2.0, h / 2.0}, {w * 0.3 + 0.2, h * 0.6}, {-5.3, 3},
                                     {w + 4.0, h * 0.5}, {w * 0.5, -1e6},         {1e9, 1e9}};
        for (int site = FM_CHROMA_LEFT; site <= FM_CHROMA_TOP_LEFT; site++) {
            picture src = picture_make(w, h, (fm_chroma_site)site);
            picture dst = picture_make(w, h, (fm_chroma_site)site);
            src.image.full_range = dst.image.full_range = site == FM_CHROMA_CENTER;
            fill_random(&src.image, (unsigned)i);
            for (size_t a = 0; a < sizeof angles / sizeof angles[0]; a++)
                for (size_t o = 0; o < sizeof origins / sizeof origins[0]; o++)
                    for (int k = 0; k < 4; k++) {
                        const fm_side keep = k & 1 ? FM_SIDE_RIGHT : FM_SIDE_LEFT;
                        const double seam = k & 2 ? 0 : FM_MIRROR_SEAM_DEFAULT;
                        const fm_line line = line_through(origins[o][0], origins[o][1], angles[a]);
                        fm_mirror_yuv420(&src.image, &dst.image, &line, keep, seam);
                        check_against_reference(&src.image, &dst.image, &line, keep, seam);
                    }
            for (int plane = 0; plane < 3; plane++)
                for (int y = 0; y < plane_height(&dst.image, plane); y++)
                    for (int x = 0; x < SLACK; x++)
                        assert_int_equal(*sample(&dst.image, plane, plane_width(&dst.image, plane) + x, y),
                                         MARK);
            picture_free(&src);
            picture_free(&dst);
        }
    }
}

/* --- laws ------------------------------------------------------------ */

/* Upright line between or on pixels: the picture equals its own flip about the line, to the bit. */
static void test_upright_is_exactly_symmetric(void **state)
{
    (void)state;
    picture src = picture_make(120, 40, FM_CHROMA_CENTER);
    picture dst = picture_make(120, 40, FM_CHROMA_CENTER);
    fill_random(&src.image, 3);
    const double positions[] = {60, 50.5, 71.5, 44};
    for (size_t i = 0; i < sizeof positions / sizeof positions[0]; i++)
        for (int keep = FM_SIDE_LEFT; keep <= FM_SIDE_RIGHT; keep++) {
            const fm_line line = {positions[i], 20, 0, 1};
            const size_t kept = fm_mirror_yuv420(&src.image, &dst.image, &line, (fm_side)keep, FM_MIRROR_SEAM_DEFAULT);
            /* The half's width but for the seam, in one plane of 40 rows and two of 20. */
            const double half = keep == FM_SIDE_LEFT ? 120 - positions[i] : positions[i];
            assert_true(fabs((double)kept - 60 * (half - FM_MIRROR_SEAM_DEFAULT)) <= 60);
            const int twice = (int)(2 * positions[i]);
            int compared = 0;
            for (int y = 0; y < 40; y++)
                for (int x = 0; x < 120; x++) {
                    const int partner = twice - 1 - x; /* centres x + .5 and partner + .5 */
                    if (partner < 0 || partner >= 120)
                        continue;
                    assert_int_equal(*sample(&dst.image, 0, x, y), *sample(&dst.image, 0, partner, y));
                    compared++;
                }
            assert_true(compared > 40 * 80);
        }
    picture_free(&src);
    picture_free(&dst);
}

/* Any line, all planes, by the true sample positions: symmetric to one grey level. */
static void test_slanted_is_symmetric(void **state)
{
    (void)state;
    for (int site = FM_CHROMA_LEFT; site <= FM_CHROMA_TOP_LEFT; site++) {
        picture src = picture_make(201, 151, (fm_chroma_site)site);
        picture dst = picture_make(201, 151, (fm_chroma_site)site);
        fill_smooth(&src.image);
        for (double degrees = -180; degrees < 180; degrees += 17) {
            const fm_line line = line_through(97.3, 71.8, degrees);
            fm_mirror_yuv420(&src.image, &dst.image, &line, FM_SIDE_RIGHT, FM_MIRROR_SEAM_DEFAULT);
            int compared = 0;
            /* Two samples from the picture's edge, where the partner's neighbours are known too. */
            for (int plane = 0; plane < 3; plane++)
                for (int y = 2; y < plane_height(&dst.image, plane) - 2; y++)
                    for (int x = 2; x < plane_width(&dst.image, plane) - 2; x++) {
                        double px, py, ax, ay;
                        sample_centre(&dst.image, plane, x, y, &px, &py);
                        sample_centre(&dst.image, plane, 0, 0, &ax, &ay);
                        const double s = fm_line_distance(&line, px, py);
                        const double pitch = plane == 0 ? 1 : 2;
                        const double u = (px - 2 * s * line.dy - ax) / pitch;
                        const double v = (py + 2 * s * line.dx - ay) / pitch;
                        if (fabs(s) < 6 || u < 2 || v < 2 || u > plane_width(&dst.image, plane) - 3 ||
                            v > plane_height(&dst.image, plane) - 3)
                            continue;
                        const double partner = reference_bilinear(&dst.image, plane, u, v);
                        assert_true(fabs(*sample(&dst.image, plane, x, y) - partner) <= 1);
                        compared++;
                    }
            assert_true(compared > 4000);
        }
        picture_free(&src);
        picture_free(&dst);
    }
}

/* Chroma is reflected where its samples are: the result equals the scene at the mirrored place. */
static void test_chroma_siting(void **state)
{
    (void)state;
    for (int site = FM_CHROMA_LEFT; site <= FM_CHROMA_TOP_LEFT; site++) {
        picture src = picture_make(160, 120, (fm_chroma_site)site);
        picture dst = picture_make(160, 120, (fm_chroma_site)site);
        fill_smooth(&src.image);
        const fm_line line = line_through(81.3, 60, 5);
        fm_mirror_yuv420(&src.image, &dst.image, &line, FM_SIDE_LEFT, FM_MIRROR_SEAM_DEFAULT);
        for (int plane = 0; plane < 3; plane++)
            for (int y = 8; y < plane_height(&dst.image, plane) - 8; y++)
                for (int x = 8; x < plane_width(&dst.image, plane); x++) {
                    double px, py;
                    sample_centre(&dst.image, plane, x, y, &px, &py);
                    const double s = fm_line_distance(&line, px, py);
                    const double rx = px - 2 * s * line.dy, ry = py + 2 * s * line.dx;
                    if (s > -2 || rx > 158 || ry < 2 || ry > 118)
                        continue;
                    assert_true(fabs(*sample(&dst.image, plane, x, y) - scene(plane, rx, ry)) <= 1.2);
                }
        picture_free(&src);
        picture_free(&dst);
    }
}

/* The patient's left is the image's right; that half stays byte for byte. */
static void test_kept_half(void **state)
{
    (void)state;
    picture src = picture_make(90, 70, FM_CHROMA_LEFT);
    picture dst = picture_make(90, 70, FM_CHROMA_LEFT);
    fill_random(&src.image, 11);
    for (int keep = FM_SIDE_LEFT; keep <= FM_SIDE_RIGHT; keep++) {
        const fm_line line = line_through(45, 35, 6);
        fm_mirror_yuv420(&src.image, &dst.image, &line, (fm_side)keep, FM_MIRROR_SEAM_DEFAULT);
        for (int plane = 0; plane < 3; plane++)
            for (int y = 0; y < plane_height(&src.image, plane); y++)
                for (int x = 0; x < plane_width(&src.image, plane); x++) {
                    double px, py;
                    sample_centre(&src.image, plane, x, y, &px, &py);
                    const double s = fm_line_distance(&line, px, py);
                    if (keep == FM_SIDE_LEFT ? s >= FM_MIRROR_SEAM_DEFAULT : s <= -FM_MIRROR_SEAM_DEFAULT)
                        assert_int_equal(*sample(&dst.image, plane, x, y), *sample(&src.image, plane, x, y));
                }
        const int kept_x = keep == FM_SIDE_LEFT ? 85 : 4, lost_x = keep == FM_SIDE_LEFT ? 4 : 85;
        assert_int_equal(*sample(&dst.image, 0, kept_x, 35), *sample(&src.image, 0, kept_x, 35));
        int differing = 0;
        for (int y = 0; y < 70; y++)
            differing += *sample(&dst.image, 0, lost_x, y) != *sample(&src.image, 0, lost_x, y);
        assert_true(differing > 60);
    }
    picture_free(&src);
    picture_free(&dst);
}

/* Largest difference of luma away from the line and where both partners are inside. */
static int difference(const fm_image *a, const fm_image *b, const fm_line *line, double away, int plane)
{
    int worst = 0;
    for (int y = 0; y < plane_height(a, plane); y++)
        for (int x = 0; x < plane_width(a, plane); x++) {
            double px, py;
            sample_centre(a, plane, x, y, &px, &py);
            const double s = fm_line_distance(line, px, py);
            const double rx = px - 2 * s * line->dy, ry = py + 2 * s * line->dx;
            if (fabs(s) < away || rx < 4 || ry < 4 || rx > a->width - 4 || ry > a->height - 4)
                continue;
            const int d = abs(*sample(a, plane, x, y) - *sample(b, plane, x, y));
            worst = d > worst ? d : worst;
        }
    return worst;
}

static void test_mirroring_twice_is_once(void **state)
{
    (void)state;
    picture src = picture_make(200, 150, FM_CHROMA_LEFT);
    picture once = picture_make(200, 150, FM_CHROMA_LEFT);
    picture twice = picture_make(200, 150, FM_CHROMA_LEFT);
    fill_random(&src.image, 5);
    const fm_line line = line_through(101.2, 70, -9);
    fm_mirror_yuv420(&src.image, &once.image, &line, FM_SIDE_LEFT, FM_MIRROR_SEAM_DEFAULT);
    fm_mirror_yuv420(&once.image, &twice.image, &line, FM_SIDE_LEFT, FM_MIRROR_SEAM_DEFAULT);
    /* Random content, so beyond the seam and its interpolation neighbours the bytes must agree. */
    for (int plane = 0; plane < 3; plane++)
        assert_int_equal(difference(&once.image, &twice.image, &line, 5, plane), 0);
    picture_free(&src);
    picture_free(&once);
    picture_free(&twice);
}

/*
 * Keep left, then rebuild the left from the right half of that: the left half
 * has been reflected twice and must be itself again.
 */
static void test_reflecting_twice_restores(void **state)
{
    (void)state;
    picture src = picture_make(200, 150, FM_CHROMA_LEFT);
    picture once = picture_make(200, 150, FM_CHROMA_LEFT);
    picture back = picture_make(200, 150, FM_CHROMA_LEFT);
    fill_smooth(&src.image);
    const fm_line line = line_through(99.4, 75, 4);
    fm_mirror_yuv420(&src.image, &once.image, &line, FM_SIDE_LEFT, FM_MIRROR_SEAM_DEFAULT);
    fm_mirror_yuv420(&once.image, &back.image, &line, FM_SIDE_RIGHT, FM_MIRROR_SEAM_DEFAULT);
    int compared = 0;
    for (int plane = 0; plane < 3; plane++)
        for (int y = 6; y < plane_height(&src.image, plane) - 6; y++)
            for (int x = 0; x < plane_width(&src.image, plane) - 6; x++) {
                double px, py;
                sample_centre(&src.image, plane, x, y, &px, &py);
                const double s = fm_line_distance(&line, px, py);
                const double rx = px - 2 * s * line.dy, ry = py + 2 * s * line.dx;
                if (s < 6 || rx < 6 || ry < 6 || ry > 144)
                    continue;
                assert_true(abs(*sample(&back.image, plane, x, y) - *sample(&src.image, plane, x, y)) <= 1);
                compared++;
            }
    assert_true(compared > 10000);
    picture_free(&src);
    picture_free(&once);
    picture_free(&back);
}

/* Beyond the seam nothing of the lost half shows; inside it is a symmetric blend. */
static void test_no_leak_beyond_seam(void **state)
{
    (void)state;
    picture src = picture_make(100, 20, FM_CHROMA_LEFT);
    picture dst = picture_make(100, 20, FM_CHROMA_LEFT);
    for (int y = 0; y < 20; y++)
        for (int x = 0; x < 100; x++)
            *sample(&src.image, 0, x, y) = x < 50 ? 200 : 40;
    memset(src.image.plane[1], 128, (size_t)src.image.stride[1] * 10);
    memset(src.image.plane[2], 128, (size_t)src.image.stride[2] * 10);
    const fm_line line = {50, 0, 0, 1};
    fm_mirror_yuv420(&src.image, &dst.image, &line, FM_SIDE_LEFT, FM_MIRROR_SEAM_DEFAULT);
    for (int x = 0; x < 100; x++) {
        const int v = *sample(&dst.image, 0, x, 7);
        if (fabs(x + 0.5 - 50) >= FM_MIRROR_SEAM_DEFAULT)
            assert_int_equal(v, 40);
        else
            assert_true(v > 40 && v < 120); /* the kept half always weighs more */
        assert_int_equal(v, *sample(&dst.image, 0, 99 - x, 7));
    }
    picture_free(&src);
    picture_free(&dst);
}

static void test_black_outside(void **state)
{
    (void)state;
    for (int full = 0; full <= 1; full++) {
        picture src = picture_make(100, 40, FM_CHROMA_LEFT);
        picture dst = picture_make(100, 40, FM_CHROMA_LEFT);
        src.image.full_range = dst.image.full_range = full == 1;
        memset(src.memory, 200, src.size);
        const fm_line line = {30, 0, 0, 1}; /* keep the 30 columns at the image's left: 60 are known */
        fm_mirror_yuv420(&src.image, &dst.image, &line, FM_SIDE_RIGHT, FM_MIRROR_SEAM_DEFAULT);
        for (int x = 0; x < 100; x++)
            assert_int_equal(*sample(&dst.image, 0, x, 20), x < 60 ? 200 : full ? 0 : 16);
        for (int x = 0; x < 50; x++)
            for (int plane = 1; plane < 3; plane++)
                assert_int_equal(*sample(&dst.image, plane, x, 10), x < 30 ? 200 : 128);
        /* The whole picture on the lost side of a far line: nothing is known at all. */
        const fm_line far_away = {5000, 0, 0, 1};
        fm_mirror_yuv420(&src.image, &dst.image, &far_away, FM_SIDE_LEFT, FM_MIRROR_SEAM_DEFAULT);
        assert_int_equal(*sample(&dst.image, 0, 50, 20), full ? 0 : 16);
        fm_mirror_yuv420(&src.image, &dst.image, &far_away, FM_SIDE_RIGHT, FM_MIRROR_SEAM_DEFAULT);
        assert_int_equal(*sample(&dst.image, 0, 50, 20), 200);
        picture_free(&src);
        picture_free(&dst);
    }
}

/* dst one larger repeats the edge; the rest is as without. */
static void test_padding(void **state)
{
    (void)state;
    for (int i = 0; i < 16; i++) {
        const int w = 30 + (i & 1), h = 20 + (i >> 1 & 1), dw = i >> 2 & 1, dh = i >> 3 & 1;
        picture src = picture_make(w, h, FM_CHROMA_LEFT);
        picture same = picture_make(w, h, FM_CHROMA_LEFT);
        picture large = picture_make(w + dw, h + dh, FM_CHROMA_LEFT);
        fill_random(&src.image, 9);
        const fm_line line = line_through(14.2, 9, 8);
        for (int copy = 0; copy <= 1; copy++) {
            if (copy) {
                assert_int_equal(fm_copy_yuv420(&src.image, &same.image), w * h + 2 * ((w + 1) / 2) * ((h + 1) / 2));
                fm_copy_yuv420(&src.image, &large.image);
            } else {
                fm_mirror_yuv420(&src.image, &same.image, &line, FM_SIDE_LEFT, FM_MIRROR_SEAM_DEFAULT);
                fm_mirror_yuv420(&src.image, &large.image, &line, FM_SIDE_LEFT, FM_MIRROR_SEAM_DEFAULT);
            }
            for (int plane = 0; plane < 3; plane++)
                for (int y = 0; y < plane_height(&large.image, plane); y++)
                    for (int x = 0; x < plane_width(&large.image, plane); x++) {
                        const int cx = x < plane_width(&src.image, plane) ? x : x - 1;
                        const int cy = y < plane_height(&src.image, plane) ? y : y - 1;
                        const int got = *sample(&large.image, plane, x, y);
                        assert_int_equal(got, *sample(&same.image, plane, cx, cy));
                        if (copy)
                            assert_int_equal(got, *sample(&src.image, plane, cx, cy));
                    }
        }
        picture_free(&src);
        picture_free(&same);
        picture_free(&large);
    }
}

static void test_bad_line_copies(void **state)
{
    (void)state;
    picture src = picture_make(20, 10, FM_CHROMA_LEFT);
    picture dst = picture_make(20, 10, FM_CHROMA_LEFT);
    fill_random(&src.image, 2);
    const fm_line line = {NAN, 0, 0, 1};
    fm_mirror_yuv420(&src.image, &dst.image, &line, FM_SIDE_LEFT, FM_MIRROR_SEAM_DEFAULT);
    assert_memory_equal(src.memory, dst.memory, src.size);
    picture_free(&src);
    picture_free(&dst);
}

/* Prints the time of one 1080p output; the bound is loose, for slow and shared machines. */
static void test_speed(void **state)
{
    (void)state;
    picture src = picture_make(1920, 1080, FM_CHROMA_LEFT);
    picture dst = picture_make(1920, 1080, FM_CHROMA_LEFT);
    fill_random(&src.image, 1);
    const double angles[] = {0, 3, 15};
    for (int a = 0; a < 3; a++) {
        const fm_line line = line_through(960.3, 500, angles[a]);
        double best = 1e9;
        for (int i = 0; i < 8; i++) {
            struct timespec t0, t1;
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t0);
            fm_mirror_yuv420(&src.image, &dst.image, &line, FM_SIDE_LEFT, FM_MIRROR_SEAM_DEFAULT);
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t1);
            best = fmin(best, (double)(t1.tv_sec - t0.tv_sec) * 1e3 +
                                  (double)(t1.tv_nsec - t0.tv_nsec) * 1e-6);
        }
        print_message("mirror 1920x1080, line at %g degrees: %.2f ms\n", angles[a], best);
        assert_true(best < 200);
    }
    picture_free(&src);
    picture_free(&dst);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches_reference),
        cmocka_unit_test(test_upright_is_exactly_symmetric),
        cmocka_unit_test(test_slanted_is_symmetric),
        cmocka_unit_test(test_chroma_siting),
        cmocka_unit_test(test_kept_half),
        cmocka_unit_test(test_mirroring_twice_is_once),
        cmocka_unit_test(test_reflecting_twice_restores),
        cmocka_unit_test(test_no_leak_beyond_seam),
        cmocka_unit_test(test_black_outside),
        cmocka_unit_test(test_padding),
        cmocka_unit_test(test_bad_line_copies),
        cmocka_unit_test(test_speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
