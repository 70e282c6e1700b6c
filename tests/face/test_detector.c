/* Detector decoding on tensors made by hand, so that every expected number can be worked out. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "face/detector.h"
#include "face/facemesh.h"

typedef struct tensors {
    float regressors[FM_BLAZEFACE_ANCHORS][FM_BLAZEFACE_VALUES];
    float scores[FM_BLAZEFACE_ANCHORS];
} tensors;

static tensors *make_tensors(void)
{
    tensors *t = calloc(1, sizeof *t);
    assert_non_null(t);
    for (int i = 0; i < FM_BLAZEFACE_ANCHORS; i++)
        t->scores[i] = -100.0f;
    return t;
}

/* Anchor index of a cell: `grid` 16 has 2 anchors a cell, `grid` 8 has 6, after the first 512. */
static int anchor(int grid, int column, int row, int k)
{
    return grid == 16 ? (row * 16 + column) * 2 + k : 512 + (row * 8 + column) * 6 + k;
}

/* Values in network pixels relative to the anchor's centre; key point k at (k * 2, k * 3 - 6). */
static void put_face(tensors *t, int index, float dx, float dy, float w, float h, float logit)
{
    float *r = t->regressors[index];
    r[0] = dx;
    r[1] = dy;
    r[2] = w;
    r[3] = h;
    for (int k = 0; k < FM_DETECTION_POINTS; k++) {
        r[4 + 2 * k] = (float)(k * 2);
        r[5 + 2 * k] = (float)(k * 3 - 6);
    }
    t->scores[index] = logit;
}

static int decode(const tensors *t, const fm_roi *roi, fm_detection *out, int max)
{
    return fm_blazeface_decode(&t->regressors[0][0], t->scores, 0.5f, roi, out, max);
}

static void test_decodes_one_face_of_each_layer(void **state)
{
    (void)state;
    const fm_roi roi = fm_roi_letterbox(256, 128); /* two image pixels for one of the network, 64 rows of border */
    tensors *t = make_tensors();
    fm_detection d[4];
    assert_int_equal(decode(t, &roi, d, 4), 0);

    put_face(t, anchor(16, 4, 8, 1), 2.0f, -1.0f, 20.0f, 30.0f, 3.0f); /* centre (36, 68) */
    assert_int_equal(decode(t, &roi, d, 4), 1);
    assert_float_equal(d[0].x0, 2 * (36 + 2 - 10), 1e-3);
    assert_float_equal(d[0].x1, 2 * (36 + 2 + 10), 1e-3);
    assert_float_equal(d[0].y0, 2 * (68 - 1 - 15) - 64, 1e-3);
    assert_float_equal(d[0].y1, 2 * (68 - 1 + 15) - 64, 1e-3);
    assert_float_equal(d[0].score, 1.0f / (1.0f + expf(-3.0f)), 1e-6);
    assert_float_equal(d[0].key[FM_KEY_NOSE].x, 2 * (36 + 4), 1e-3);
    assert_float_equal(d[0].key[FM_KEY_NOSE].y, 2 * (68 + 0) - 64, 1e-3);

    put_face(t, anchor(8, 6, 4, 5), 0.0f, 0.0f, 16.0f, 16.0f, 5.0f); /* centre (104, 72) */
    assert_int_equal(decode(t, &roi, d, 4), 2);
    assert_float_equal(d[0].x0, 2 * (104 - 8), 1e-3); /* the better score comes first */
    assert_float_equal(d[0].y0, 2 * (72 - 8) - 64, 1e-3);
    assert_float_equal(d[1].x0, 2 * (36 + 2 - 10), 1e-3);
    assert_int_equal(decode(t, &roi, d, 1), 1);
    assert_float_equal(d[0].x0, 2 * (104 - 8), 1e-3);
    free(t);
}

static void test_merges_by_score(void **state)
{
    (void)state;
    const fm_roi roi = fm_roi_letterbox(128, 128);
    tensors *t = make_tensors();
    put_face(t, anchor(16, 8, 8, 0), 0.0f, 0.0f, 40.0f, 40.0f, 2.0f);
    put_face(t, anchor(16, 9, 8, 0), 0.0f, 0.0f, 40.0f, 40.0f, 0.5f); /* 8 px to the right: IoU 0.67 */
    put_face(t, anchor(16, 13, 8, 0), 0.0f, 0.0f, 40.0f, 40.0f, 1.0f); /* 40 px: no overlap with the best */
    fm_detection d[4];
    assert_int_equal(decode(t, &roi, d, 4), 2);
    float a = fm_sigmoid(2.0f), b = fm_sigmoid(0.5f);
    assert_float_equal(d[0].score, a, 1e-6);
    assert_float_equal(d[0].x0, 68 - 20 + 8 * b / (a + b), 1e-3);
    assert_float_equal(d[0].key[0].x, 68 + 8 * b / (a + b), 1e-3);
    assert_float_equal(d[1].x0, 108 - 20, 1e-3);
    free(t);
}

static void test_refuses_what_is_no_face(void **state)
{
    (void)state;
    const fm_roi roi = fm_roi_letterbox(128, 128);
    tensors *t = make_tensors();
    for (int i = 0; i < FM_BLAZEFACE_ANCHORS; i++)
        put_face(t, i, 0.0f, 0.0f, 10.0f, 10.0f, i % 2 ? NAN : INFINITY); /* infinite scores are no scores */
    fm_detection d[FM_BLAZEFACE_ANCHORS];
    assert_int_equal(decode(t, &roi, d, FM_BLAZEFACE_ANCHORS), 0);
    for (int i = 0; i < FM_BLAZEFACE_ANCHORS; i++) {
        put_face(t, i, 0.0f, 0.0f, 10.0f, 10.0f, 4.0f);
        switch (i % 4) {
        case 0:
            t->regressors[i][7] = NAN;
            break;
        case 1:
            t->regressors[i][0] = INFINITY;
            break;
        case 2:
            t->regressors[i][2] = -10.0f;
            break;
        default:
            t->scores[i] = -0.01f; /* just below one half */
        }
    }
    assert_int_equal(decode(t, &roi, d, FM_BLAZEFACE_ANCHORS), 0);
    /* All anchors at once are handled and come in falling order. */
    for (int i = 0; i < FM_BLAZEFACE_ANCHORS; i++)
        put_face(t, i, 0.0f, 0.0f, 1.0f, 1.0f, (float)(i % 97));
    int n = decode(t, &roi, d, FM_BLAZEFACE_ANCHORS);
    assert_int_equal(n, 256 + 64); /* one for each cell of both grids */
    for (int i = 1; i < n; i++)
        assert_true(d[i].score <= d[i - 1].score);
    free(t);
}

/* Tensors of the flipped picture, as a perfectly symmetric network would give them. */
static void flip_tensors(const tensors *in, tensors *out)
{
    static const int partner[FM_DETECTION_POINTS] = {1, 0, 2, 3, 5, 4};
    for (int i = 0; i < FM_BLAZEFACE_ANCHORS; i++) {
        int grid = i < 512 ? 16 : 8, per = i < 512 ? 2 : 6, base = i < 512 ? i : i - 512;
        int cell = base / per;
        int j = anchor(grid, grid - 1 - cell % grid, cell / grid, base % per);
        memcpy(out->regressors[j], in->regressors[i], sizeof in->regressors[i]);
        out->regressors[j][0] *= -1.0f;
        for (int k = 0; k < FM_DETECTION_POINTS; k++) {
            out->regressors[j][4 + 2 * partner[k]] = -in->regressors[i][4 + 2 * k];
            out->regressors[j][5 + 2 * partner[k]] = in->regressors[i][5 + 2 * k];
        }
        out->scores[j] = in->scores[i];
    }
}

static void test_flip_symmetry(void **state)
{
    (void)state;
    enum { WIDTH = 301, HEIGHT = 173 };
    const fm_roi roi = fm_roi_letterbox(WIDTH, HEIGHT);
    tensors *t = make_tensors(), *f = make_tensors();
    put_face(t, anchor(16, 3, 8, 1), 1.5f, 2.5f, 30.0f, 25.0f, 2.0f);
    put_face(t, anchor(16, 4, 8, 0), -2.5f, 1.5f, 28.0f, 31.0f, 1.0f);
    put_face(t, anchor(8, 6, 3, 2), 0.5f, 0.5f, 20.0f, 22.0f, 1.5f);
    flip_tensors(t, f);
    fm_detection a[4], b[4];
    assert_int_equal(decode(t, &roi, a, 4), 2);
    assert_int_equal(decode(f, &roi, b, 4), 2);
    for (int i = 0; i < 2; i++) {
        assert_float_equal(a[i].x0, WIDTH - b[i].x1, 1e-3);
        assert_float_equal(a[i].y1, b[i].y1, 1e-3);
        fm_roi ra = fm_roi_from_detection(&a[i]), rb = fm_roi_from_detection(&b[i]);
        assert_true(fabs(ra.cx - (WIDTH - rb.cx)) < 1e-3);
        assert_true(fabs(ra.cy - rb.cy) < 1e-3);
        assert_true(fabs(ra.size - rb.size) < 1e-3);
        assert_true(fabs(ra.angle + rb.angle) < 1e-5);
        assert_true(fabs(ra.angle) > 0.1);
    }
    assert_int_equal(fm_detection_choose(a, 2, WIDTH, HEIGHT, NULL),
                     fm_detection_choose(b, 2, WIDTH, HEIGHT, NULL));
    free(t);
    free(f);
}

static fm_detection box(float cx, float cy, float size)
{
    float h = 0.5f * size;
    return (fm_detection){cx - h, cy - h, cx + h, cy + h, 0.9f, {{0, 0}}};
}

static void test_roi_from_detection(void **state)
{
    (void)state;
    fm_detection d = {10, 20, 50, 50, 0.9f, {{20, 30}, {40, 40}}};
    fm_roi roi = fm_roi_from_detection(&d);
    assert_true(fabs(roi.cx - 30.0) < 1e-6 && fabs(roi.cy - 35.0) < 1e-6);
    assert_true(fabs(roi.size - 60.0) < 1e-6); /* the long side, 40, times 1.5 */
    assert_true(fabs(roi.angle - atan2(10.0, 20.0)) < 1e-6);
}

static void test_chooses_the_patient(void **state)
{
    (void)state;
    const fm_detection faces[] = {box(100, 100, 60), box(320, 240, 100), box(600, 400, 110)};
    assert_int_equal(fm_detection_choose(faces, 0, 640, 480, NULL), -1);
    /* The central one wins against a slightly larger one in the corner. */
    assert_int_equal(fm_detection_choose(faces, 3, 640, 480, NULL), 1);
    /* Whoever was followed stays, even when small. */
    const fm_roi followed = {110, 95, 90, 0};
    assert_int_equal(fm_detection_choose(faces, 3, 640, 480, &followed), 0);
    /* Nobody is left where the old one was: choose anew. */
    const fm_roi gone = {20, 460, 90, 0};
    assert_int_equal(fm_detection_choose(faces, 3, 640, 480, &gone), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decodes_one_face_of_each_layer),
        cmocka_unit_test(test_merges_by_score),
        cmocka_unit_test(test_refuses_what_is_no_face),
        cmocka_unit_test(test_flip_symmetry),
        cmocka_unit_test(test_roi_from_detection),
        cmocka_unit_test(test_chooses_the_patient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
