/* RetinaFace's decoding against a second one, written as upstream does it: all rows, a sort, greedy NMS. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "face/retinaface.h"

typedef struct tensors {
    size_t rows;
    float *loc, *conf, *landms;
} tensors;

static tensors make_tensors(int width, int height)
{
    const size_t n = fm_retinaface_priors(width, height);
    tensors t = {n, calloc(n, 4 * sizeof(float)), calloc(n, 2 * sizeof(float)),
                 calloc(n, 10 * sizeof(float))};
    assert_true(n > 0 && t.loc && t.conf && t.landms);
    return t;
}

static void free_tensors(tensors *t)
{
    free(t->loc);
    free(t->conf);
    free(t->landms);
}

static float uniform(uint32_t *seed, double low, double high)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (float)(low + (high - low) * (*seed >> 8) / 16777216.0);
}

/* --- the plain version ------------------------------------------------ */

typedef struct plain_face {
    double box[4], point[5][2], score;
} plain_face;

static int falling(const void *a, const void *b)
{
    const double x = ((const plain_face *)a)->score, y = ((const plain_face *)b)->score;
    return (y > x) - (y < x);
}

/* prior_box.py and box_utils.decode in normalised coordinates, then times the picture's size. */
static size_t plain_decode_all(const tensors *t, int width, int height, double factor, plain_face *out)
{
    static const int steps[] = {8, 16, 32};
    static const int sizes[3][2] = {{16, 32}, {64, 128}, {256, 512}};
    size_t n = 0;
    for (int level = 0; level < 3; level++)
        for (int i = 0; i < (int)ceil((double)height / steps[level]); i++)
            for (int j = 0; j < (int)ceil((double)width / steps[level]); j++)
                for (int m = 0; m < 2; m++, n++) {
                    const double w = width, h = height;
                    const double cx = (j + 0.5) * steps[level] / w, cy = (i + 0.5) * steps[level] / h;
                    const double sw = sizes[level][m] / w, sh = sizes[level][m] / h;
                    const float *l = &t->loc[4 * n];
                    const double x = cx + l[0] * 0.1 * sw, y = cy + l[1] * 0.1 * sh;
                    const double bw = sw * exp(l[2] * 0.2), bh = sh * exp(l[3] * 0.2);
                    plain_face *f = &out[n];
                    f->box[0] = (x - bw / 2) * w / factor;
                    f->box[1] = (y - bh / 2) * h / factor;
                    f->box[2] = (x + bw / 2) * w / factor;
                    f->box[3] = (y + bh / 2) * h / factor;
                    for (int k = 0; k < 5; k++) {
                        const float *p = &t->landms[10 * n + 2 * (size_t)k];
                        f->point[k][0] = (cx + p[0] * 0.1 * sw) * w / factor;
                        f->point[k][1] = (cy + p[1] * 0.1 * sh) * h / factor;
                    }
                    f->score = t->conf[2 * n + 1];
                }
    assert_int_equal(n, t->rows);
    return n;
}

static double plain_iou(const plain_face *a, const plain_face *b)
{
    const double w = fmin(a->box[2], b->box[2]) - fmax(a->box[0], b->box[0]) + 1;
    const double h = fmin(a->box[3], b->box[3]) - fmax(a->box[1], b->box[1]) + 1;
    const double both = fmax(0, w) * fmax(0, h);
    const double area_a = (a->box[2] - a->box[0] + 1) * (a->box[3] - a->box[1] + 1);
    const double area_b = (b->box[2] - b->box[0] + 1) * (b->box[3] - b->box[1] + 1);
    return both / (area_a + area_b - both);
}

static int plain_nms(plain_face *faces, size_t n, double min_score, double iou)
{
    int kept = 0;
    qsort(faces, n, sizeof *faces, falling);
    for (size_t i = 0; i < n && faces[i].score >= min_score; i++) {
        bool keep = true;
        for (int k = 0; k < kept && keep; k++)
            keep = plain_iou(&faces[k], &faces[i]) <= iou;
        if (keep)
            faces[kept++] = faces[i];
    }
    return kept;
}

/* --- tests ------------------------------------------------------------- */

static void test_prior_count(void **state)
{
    (void)state;
    assert_int_equal(fm_retinaface_priors(640, 640), 16800);
    assert_int_equal(fm_retinaface_priors(1, 1), 6);
    assert_int_equal(fm_retinaface_priors(33, 8), 2 * (5 + 3 + 2));
    assert_int_equal(fm_retinaface_priors(1920, 1080), 2 * (240 * 135 + 120 * 68 + 60 * 34));
    assert_int_equal(fm_retinaface_priors(0, 640), 0);
    assert_int_equal(fm_retinaface_priors(640, -1), 0);
    assert_int_equal(fm_retinaface_priors(FM_RETINAFACE_SIDE_MAX + 1, 640), 0);
    assert_true(fm_retinaface_priors(FM_RETINAFACE_SIDE_MAX, FM_RETINAFACE_SIDE_MAX) < 1u << 24);
}

static void test_against_plain_version(void **state)
{
    (void)state;
    static const int sizes[][2] = {{64, 64}, {97, 61}, {200, 40}, {33, 130}};
    uint32_t seed = 3;
    for (int round = 0; round < 40; round++) {
        const double factor = round % 3 == 0 ? 1.0 : round % 3 == 1 ? 0.5 : 1.5;
        const int w = sizes[round % 4][0], h = sizes[round % 4][1];
        tensors t = make_tensors(w, h);
        for (size_t i = 0; i < 4 * t.rows; i++)
            t.loc[i] = uniform(&seed, -3, 3);
        for (size_t i = 0; i < 10 * t.rows; i++)
            t.landms[i] = uniform(&seed, -8, 8);
        for (size_t i = 0; i < t.rows; i++) {
            t.conf[2 * i + 1] = uniform(&seed, 0, 1);
            t.conf[2 * i] = 1 - t.conf[2 * i + 1];
        }
        plain_face *plain = malloc(t.rows * sizeof *plain);
        fm_retinaface_face *got = malloc(t.rows * sizeof *got);
        assert_true(plain && got);
        const int expected = plain_nms(plain, plain_decode_all(&t, w, h, factor, plain), 0.5, 0.4);
        const fm_retinaface_input input = {w, h, {0, 0, w / factor, h / factor}};
        const int count =
            fm_retinaface_decode(t.loc, t.conf, t.landms, &input, 0.5f, 0.4f, got, (int)t.rows);
        assert_int_equal(count, expected);
        assert_true(count > 3);
        for (int i = 0; i < count; i++) {
            const float box[4] = {got[i].x0, got[i].y0, got[i].x1, got[i].y1};
            for (int k = 0; k < 4; k++)
                assert_true(fabs(box[k] - plain[i].box[k]) < 1e-2);
            for (int k = 0; k < 5; k++) {
                assert_true(fabs(got[i].point[k].x - plain[i].point[k][0]) < 1e-2);
                assert_true(fabs(got[i].point[k].y - plain[i].point[k][1]) < 1e-2);
            }
            assert_float_equal(got[i].score, plain[i].score, 0);
        }
        /* Fewer wanted: the same ones, the best first. */
        fm_retinaface_face first[2];
        assert_int_equal(fm_retinaface_decode(t.loc, t.conf, t.landms, &input, 0.5f, 0.4f, first, 2), 2);
        assert_memory_equal(first, got, sizeof first);
        assert_int_equal(fm_retinaface_decode(t.loc, t.conf, t.landms, &input, 0.5f, 0.4f, first, 0), 0);
        free(plain);
        free(got);
        free_tensors(&t);
    }
}

static void test_refuses_what_is_no_face(void **state)
{
    (void)state;
    tensors t = make_tensors(64, 64);
    const fm_retinaface_input input = {64, 64, {0, 0, 64, 64}};
    fm_retinaface_face got[8];
    for (size_t i = 0; i < t.rows; i++) {
        t.conf[2 * i + 1] = i % 3 == 0 ? NAN : i % 3 == 1 ? INFINITY : 0.9f;
        t.loc[4 * i + i % 2] = INFINITY;
    }
    assert_int_equal(fm_retinaface_decode(t.loc, t.conf, t.landms, &input, 0.5f, 0.4f, got, 8), 0);
    for (size_t i = 0; i < t.rows; i++) {
        t.conf[2 * i + 1] = 0.9f;
        t.loc[4 * i] = t.loc[4 * i + 1] = 0;
        t.loc[4 * i + 2] = 1e6f; /* exp overflows */
        t.landms[10 * i + 9] = i % 2 ? NAN : 0;
    }
    assert_int_equal(fm_retinaface_decode(t.loc, t.conf, t.landms, &input, 0.5f, 0.4f, got, 8), 0);
    const fm_retinaface_input none = {0, 64, {0, 0, 1, 64}};
    assert_int_equal(fm_retinaface_decode(t.loc, t.conf, t.landms, &none, 0.5f, 0.4f, got, 8), 0);
    free_tensors(&t);
}

static void test_scaled_input(void **state)
{
    (void)state;
    fm_retinaface_input in;
    assert_true(fm_retinaface_scaled(1920, 1080, 1.0, &in));
    assert_int_equal(in.width, 1920);
    assert_int_equal(in.height, 1080);
    assert_true(in.box.x0 == 0 && in.box.y0 == 0 && in.box.x1 == 1920 && in.box.y1 == 1080);
    assert_true(fm_retinaface_scaled(1919, 1079, 0.5, &in));
    assert_int_equal(in.width, 960); /* 959.5 to the even neighbour */
    assert_int_equal(in.height, 540);
    assert_true(in.box.x1 == 1920 && in.box.y1 == 1080); /* a tensor pixel is exactly two picture pixels */
    assert_false(fm_retinaface_scaled(100, 100, 0.001, &in));
    assert_false(fm_retinaface_scaled(100, 100, NAN, &in));
    assert_false(fm_retinaface_scaled(100, 100, -1, &in));
    assert_false(fm_retinaface_scaled(20000, 100, 1, &in));
}

/* The whole picture is inside, centred, with square pixels. */
static void test_letterboxed_input(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1920, 1080}, {1080, 1920}, {640, 640}, {31, 7}};
    for (int i = 0; i < 4; i++) {
        const double w = sizes[i][0], h = sizes[i][1];
        fm_retinaface_input in;
        assert_true(fm_retinaface_letterboxed(sizes[i][0], sizes[i][1], 640, 480, &in));
        assert_int_equal(in.width, 640);
        assert_int_equal(in.height, 480);
        const double bw = in.box.x1 - in.box.x0, bh = in.box.y1 - in.box.y0;
        assert_true(fabs(bw / 640 - bh / 480) < 1e-9);
        assert_true(fabs(in.box.x0 + in.box.x1 - w) < 1e-9 && fabs(in.box.y0 + in.box.y1 - h) < 1e-9);
        assert_true(in.box.x0 <= 1e-9 && in.box.y0 <= 1e-9);
        assert_true(fabs(in.box.x0) < 1e-9 || fabs(in.box.y0) < 1e-9); /* as large as it fits */
    }
    fm_retinaface_input in;
    assert_false(fm_retinaface_letterboxed(0, 10, 640, 640, &in));
    assert_false(fm_retinaface_letterboxed(10, 10, 640, 0, &in));
}

/* What the tensor's middle shows is where a face decoded there lies, whatever the letterbox. */
static void test_decode_undoes_the_input(void **state)
{
    (void)state;
    fm_retinaface_input in;
    assert_true(fm_retinaface_letterboxed(1920, 1080, 64, 64, &in));
    tensors t = make_tensors(64, 64);
    const size_t row = 2 * (8 * 3 + 5); /* stride 8, row 3, column 5, size 16: centre (44, 28) */
    t.conf[2 * row + 1] = 0.8f;
    t.landms[10 * row] = 5; /* 0.1 * 16 * 5 = 8 tensor pixels to the right */
    fm_retinaface_face f;
    assert_int_equal(fm_retinaface_decode(t.loc, t.conf, t.landms, &in, 0.5f, 0.4f, &f, 1), 1);
    assert_float_equal(f.x0, (44 - 8) * 30, 1e-2);
    assert_float_equal(f.x1, (44 + 8) * 30, 1e-2);
    assert_float_equal(f.y0, (28 - 8) * 30 - 420, 1e-2);
    assert_float_equal(f.point[0].x, (44 + 8) * 30, 1e-2);
    assert_float_equal(f.point[1].x, 44 * 30, 1e-2);
    free_tensors(&t);
}

static void test_detection(void **state)
{
    (void)state;
    const fm_retinaface_face face = {1, 2, 3, 4, 0.5f, {{10, 11}, {20, 21}, {30, 31}, {40, 42}, {50, 44}}};
    const fm_detection d = fm_retinaface_detection(&face);
    assert_true(d.x0 == 1 && d.y0 == 2 && d.x1 == 3 && d.y1 == 4 && d.score == 0.5f);
    assert_true(d.key[FM_KEY_IMAGE_LEFT_EYE].x == 10 && d.key[FM_KEY_IMAGE_RIGHT_EYE].y == 21);
    assert_true(d.key[FM_KEY_NOSE].x == 30);
    assert_true(d.key[FM_KEY_MOUTH].x == 45 && d.key[FM_KEY_MOUTH].y == 43);
    assert_true(isnan(d.key[FM_KEY_IMAGE_LEFT_EAR].x) && isnan(d.key[FM_KEY_IMAGE_RIGHT_EAR].y));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prior_count),
        cmocka_unit_test(test_against_plain_version),
        cmocka_unit_test(test_refuses_what_is_no_face),
        cmocka_unit_test(test_scaled_input),
        cmocka_unit_test(test_letterboxed_input),
        cmocka_unit_test(test_decode_undoes_the_input),
        cmocka_unit_test(test_detection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
