#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "face/draw.h"
#include "face/font.h"
#include "synthetic_face.h"

static const fm_topology *const mesh = &fm_topology_mesh468;
static const fm_colour white = {255, 255, 255}, red = {255, 0, 0};

enum { GUARD = 4096, MARK = 0x5A, BACKGROUND = 60, NEUTRAL = 128 };

/* A picture between two guards, which no drawing may touch. */
typedef struct picture {
    fm_image image;
    uint8_t *memory;
    size_t size;
} picture;

static picture picture_make(int width, int height)
{
    const int cw = (width + 1) / 2, ch = (height + 1) / 2;
    const size_t luma = (size_t)width * (size_t)height, chroma = (size_t)cw * (size_t)ch;
    picture p = {.size = luma + 2 * chroma + 2 * GUARD};
    p.memory = malloc(p.size);
    assert_non_null(p.memory);
    memset(p.memory, MARK, p.size);
    p.image = (fm_image){.format = FM_PIXEL_YUV420P,
                         .width = width,
                         .height = height,
                         .plane = {p.memory + GUARD, p.memory + GUARD + luma,
                                   p.memory + GUARD + luma + chroma},
                         .stride = {width, cw, cw},
                         .matrix = FM_MATRIX_BT709};
    memset(p.image.plane[0], BACKGROUND, luma);
    memset(p.image.plane[1], NEUTRAL, 2 * chroma);
    return p;
}

static void picture_check_and_free(picture *p)
{
    for (size_t i = 0; i < GUARD; i++) {
        assert_int_equal(p->memory[i], MARK);
        assert_int_equal(p->memory[p->size - 1 - i], MARK);
    }
    free(p->memory);
}

static int luma(const picture *p, int x, int y)
{
    return p->image.plane[0][y * p->image.stride[0] + x];
}

/* Drawn area in pixels: the luma change over that of a full pixel. */
static double area(const picture *p, int full)
{
    double sum = 0;
    for (int y = 0; y < p->image.height; y++)
        for (int x = 0; x < p->image.width; x++)
            sum += (luma(p, x, y) - BACKGROUND) / (double)(full - BACKGROUND);
    return sum;
}

/* Known triples: BT.601 and BT.709 red, black and white in both ranges. */
static void test_colours(void **state)
{
    (void)state;
    const struct {
        fm_color_matrix matrix;
        bool full;
        fm_colour colour;
        int y, u, v;
    } cases[] = {
        {FM_MATRIX_BT601, false, {255, 0, 0}, 81, 90, 240},
        {FM_MATRIX_BT709, false, {255, 0, 0}, 63, 102, 240},
        {FM_MATRIX_BT601, true, {255, 0, 0}, 76, 85, 255},
        {FM_MATRIX_BT601, false, {0, 0, 255}, 41, 240, 110},
        {FM_MATRIX_BT2020, false, {255, 255, 255}, 235, 128, 128},
        {FM_MATRIX_BT709, true, {255, 255, 255}, 255, 128, 128},
        {FM_MATRIX_BT709, false, {0, 0, 0}, 16, 128, 128},
        {FM_MATRIX_BT601, true, {0, 0, 0}, 0, 128, 128},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        picture p = picture_make(16, 16);
        p.image.matrix = cases[i].matrix;
        p.image.full_range = cases[i].full;
        fm_draw_rect(&p.image, 0, 0, 16, 16, cases[i].colour, 1);
        assert_in_range(luma(&p, 8, 8) - cases[i].y + 1, 0, 2);
        assert_in_range(p.image.plane[1][20] - cases[i].u + 1, 0, 2);
        assert_in_range(p.image.plane[2][20] - cases[i].v + 1, 0, 2);
        picture_check_and_free(&p);
    }
}

static void test_dot(void **state)
{
    (void)state;
    for (double radius = 1; radius <= 12; radius += 2.5) {
        picture p = picture_make(61, 47);
        fm_draw_dot(&p.image, 30.3, 20.7, radius, white);
        const double want = 3.14159265 * radius * radius;
        assert_true(fabs(area(&p, 235) - want) < 0.06 * want + 0.3);
        assert_int_equal(luma(&p, 30, 20), 235);
        assert_int_equal(luma(&p, 30 + (int)radius + 2, 20), BACKGROUND);
        picture_check_and_free(&p);
    }
}

static void test_line(void **state)
{
    (void)state;
    for (double degrees = 0; degrees < 360; degrees += 15) {
        picture p = picture_make(100, 100);
        const double dx = 40 * cos(radians(degrees)), dy = 40 * sin(radians(degrees));
        fm_draw_line(&p.image, 50 - dx, 50 - dy, 50 + dx, 50 + dy, 3, white);
        const double want = 80 * 3 + 3.14159265 * 1.5 * 1.5;
        assert_true(fabs(area(&p, 235) - want) < 0.05 * want);
        picture_check_and_free(&p);
    }
}

/* Chroma goes where luma goes: a red square colours its own samples only. */
static void test_rect(void **state)
{
    (void)state;
    picture p = picture_make(40, 30);
    fm_draw_rect(&p.image, 10, 8, 12, 6, red, 1);
    int inside = 0;
    for (int y = 0; y < 30; y++)
        for (int x = 0; x < 40; x++) {
            const bool in = x >= 10 && x < 22 && y >= 8 && y < 14;
            assert_int_equal(luma(&p, x, y) != BACKGROUND, in);
            assert_int_equal(p.image.plane[2][y / 2 * 20 + x / 2] > NEUTRAL, in);
            inside += in;
        }
    assert_int_equal(inside, 72);
    fm_draw_rect(&p.image, 30, 20, 4, 4, white, 0.5);
    assert_int_equal(luma(&p, 31, 21), (BACKGROUND + 235 + 1) / 2);
    picture_check_and_free(&p);
}

/* Everything is clipped: far out, across the borders, not finite, odd and tiny pictures. */
static void test_clipping(void **state)
{
    (void)state;
    const int sizes[][2] = {{1, 1}, {2, 1}, {1, 2}, {33, 17}, {64, 64}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        picture p = picture_make(sizes[i][0], sizes[i][1]);
        const double far[] = {-1e12, -70, -1, 0, 0.5, 16, 33, 64, 70, 1e12, NAN, INFINITY};
        for (size_t a = 0; a < sizeof far / sizeof far[0]; a++)
            for (size_t b = 0; b < sizeof far / sizeof far[0]; b++) {
                fm_draw_dot(&p.image, far[a], far[b], 3, red);
                fm_draw_line(&p.image, far[a], far[b], far[b], far[a], 2, red);
            }
        fm_draw_dot(&p.image, 0, 0, 1e9, white);
        assert_int_equal(luma(&p, 0, 0), 235);
        fm_draw_rect(&p.image, -2000000000, -5, 2000000000, 1000, red, 0.5);
        fm_draw_rect(&p.image, -5, -5, 2000000000, 2000000000, red, 0.5);
        fm_draw_rect(&p.image, 3, 3, -4, 2, red, 1);
        fm_draw_text(&p.image, -20, -4, 14, "clipped at the left", white);
        fm_draw_text(&p.image, 60, 60, 21, "and right", white);
        fm_draw_text(&p.image, 0, 0, 0, "no height", white);
        fm_draw_debug(&p.image, NULL, mesh, NULL, NULL);
        picture_check_and_free(&p);
    }
}

/* At one pixel a dot the text is the bitmap, pixel for pixel. */
static void test_text_is_crisp(void **state)
{
    (void)state;
    picture p = picture_make(60, 20);
    const int end = fm_draw_text(&p.image, 5, 4, FM_FONT_CAPITAL, "Rg", white);
    assert_int_equal(end, 5 + 6 + 5);
    for (int letter = 0; letter < 2; letter++)
        for (int row = 0; row < FM_FONT_ROWS; row++)
            for (int column = 0; column < FM_FONT_COLUMNS; column++) {
                const uint8_t bits = fm_font["Rg"[letter] - FM_FONT_FIRST][row];
                const bool dot = bits >> (FM_FONT_COLUMNS - 1 - column) & 1;
                const int got = luma(&p, 5 + 6 * letter + column, 4 + row);
                assert_int_equal(got, dot ? 235 : BACKGROUND);
            }
    picture_check_and_free(&p);
}

static void test_text_scales(void **state)
{
    (void)state;
    for (int height = 7; height <= 70; height += 21) {
        picture p = picture_make(600, 120);
        const int end = fm_draw_text(&p.image, 10, 10, height, "HHH", white);
        assert_true(fabs(end - 10 - height * 17.0 / 7) <= 1);
        /* The left stem of the first letter runs over the whole height. */
        const int stem = 10 + height / 14;
        assert_int_equal(luma(&p, stem, 10 + height / 2), 235);
        assert_int_equal(luma(&p, stem, 10 + height - 1 - height / 14), 235);
        assert_int_equal(luma(&p, stem, 10 + height + height / 7 + 1), BACKGROUND);
        picture_check_and_free(&p);
    }
}

static void test_font_is_whole(void **state)
{
    (void)state;
    for (int c = FM_FONT_FIRST + 1; c <= FM_FONT_LAST; c++) {
        int dots = 0;
        for (int row = 0; row < FM_FONT_ROWS; row++) {
            assert_true(fm_font[c - FM_FONT_FIRST][row] < 32);
            dots += fm_font[c - FM_FONT_FIRST][row] != 0;
        }
        assert_true(dots > 0);
        for (int other = FM_FONT_FIRST; other < c; other++)
            assert_memory_not_equal(fm_font[c - FM_FONT_FIRST], fm_font[other - FM_FONT_FIRST],
                                    FM_FONT_ROWS);
    }
}

/* --- the overlay ------------------------------------------------------ */

/* Draws a face of a given yaw and returns U and V of the banner's corner. */
static void banner_of(double yaw, int *u, int *v)
{
    picture p = picture_make(640, 480);
    const synthetic_face face = synthetic_face_make(mesh);
    fm_point3 points[FM_LANDMARKS_MAX] = {{0}};
    synthetic_view(&face, mesh->count, yaw, 0, 0, 130, 320, 200, points);
    fm_pose pose;
    fm_line line;
    assert_true(fm_pose_estimate(points, mesh, &pose));
    assert_true(fm_midline_fit(points, mesh, FM_MIDLINE_ROBUST, &line));
    fm_draw_debug(&p.image, points, mesh, &line, &pose);
    *u = p.image.plane[1][2];
    *v = p.image.plane[2][2];
    picture_check_and_free(&p);
}

static void test_banner_colours(void **state)
{
    (void)state;
    int u, v;
    banner_of(2.9, &u, &v); /* green */
    assert_true(u < NEUTRAL && v < NEUTRAL);
    banner_of(-2.9, &u, &v);
    assert_true(u < NEUTRAL && v < NEUTRAL);
    banner_of(4.5, &u, &v); /* yellow */
    assert_true(u < 60 && v > NEUTRAL);
    banner_of(-5.5, &u, &v); /* red */
    assert_true(u > 90 && u < NEUTRAL && v > 190);
    picture p = picture_make(640, 480);
    fm_draw_debug(&p.image, NULL, mesh, NULL, NULL); /* grey */
    assert_int_equal(p.image.plane[1][2], NEUTRAL);
    assert_int_equal(p.image.plane[2][2], NEUTRAL);
    assert_true(luma(&p, 2, 2) > BACKGROUND + 20);
    assert_int_equal(luma(&p, 320, 240), BACKGROUND); /* and nothing else */
    picture_check_and_free(&p);
}

static void test_overlay(void **state)
{
    (void)state;
    const int sizes[][2] = {{480, 480}, {1081, 1921}, {3840, 2160}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const int w = sizes[i][0], h = sizes[i][1];
        const double eyes = h * 0.25;
        picture p = picture_make(w, h);
        const synthetic_face face = synthetic_face_make(mesh);
        fm_point3 points[FM_LANDMARKS_MAX] = {{0}};
        synthetic_view(&face, mesh->count, 0, 0, 0, eyes, w * 0.5, h * 0.4, points);
        fm_pose pose;
        fm_line line;
        assert_true(fm_pose_estimate(points, mesh, &pose));
        assert_true(fm_midline_fit(points, mesh, FM_MIDLINE_ROBUST, &line));
        fm_draw_debug(&p.image, points, mesh, &line, &pose);
        /* The midline reaches the last row; a dot is at a canthus; most of the face stays visible. */
        const int cw = (w + 1) / 2, ch = (h + 1) / 2;
        assert_true(p.image.plane[2][(ch - 1) * cw + (int)(w * 0.25)] > 160);
        const fm_point3 eye = points[mesh->side[FM_SIDE_LEFT].eye_outer];
        assert_true(luma(&p, (int)eye.x, (int)eye.y) > BACKGROUND + 50);
        int hidden = 0, all = 0;
        for (int y = (int)(h * 0.4); y < (int)(h * 0.4 + eyes); y++)
            for (int x = (int)(w * 0.5 - eyes * 0.5); x < (int)(w * 0.5 + eyes * 0.5); x++) {
                hidden += luma(&p, x, y) != BACKGROUND;
                all++;
            }
        assert_true(hidden < all / 5 && hidden > all / 200);
        picture_check_and_free(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_colours),       cmocka_unit_test(test_dot),
        cmocka_unit_test(test_line),          cmocka_unit_test(test_rect),
        cmocka_unit_test(test_clipping),      cmocka_unit_test(test_text_is_crisp),
        cmocka_unit_test(test_text_scales),   cmocka_unit_test(test_font_is_whole),
        cmocka_unit_test(test_banner_colours), cmocka_unit_test(test_overlay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
