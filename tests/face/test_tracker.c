/*
 * The tracker with a made-up network: it "sees" a face whose points are known,
 * through whatever roi it is given, so that geometry, states and symmetry can
 * be checked without a model.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "face/facemesh.h"
#include "face/tracker.h"
#include "facemirror/run.h"

enum { COUNT = 468, WIDTH = 640, HEIGHT = 480 };
static const fm_topology *const topology = &fm_topology_mesh468;

typedef struct scene {
    fm_point3 points[COUNT];
} scene;

/* A face-like cloud, mirror-symmetric in its own frame, then turned, moved and made uneven. */
static void make_scene(scene *s, double cx, double cy, double size, double angle, uint32_t seed)
{
    for (int i = 0; i < COUNT; i++) {
        int j = topology->mirror[i], first = i < j ? i : j;
        double x = i == j ? 0.0 : 0.15 + 0.35 * ((first * 37) % 101) / 101.0;
        double y = -0.5 + ((first * 53) % 97) / 97.0;
        if (first == 33 || first == 263) {
            x = 0.4;
            y = -0.2;
        }
        bool left = i == j ? false : i > j; /* of the patient: the higher index, image right */
        x = left ? x : -x;
        seed = seed * 1664525u + 1013904223u;
        double noise = 0.002 * ((seed >> 16) / 65536.0 - 0.5);
        s->points[i].x = (float)(cx + size * (cos(angle) * x - sin(angle) * y + noise));
        s->points[i].y = (float)(cy + size * (sin(angle) * x + cos(angle) * y - noise));
        s->points[i].z = (float)(size * 0.1 * (y + noise));
    }
}

static void flip_scene(const scene *in, scene *out)
{
    for (int i = 0; i < COUNT; i++) {
        out->points[topology->mirror[i]] = in->points[i];
        out->points[topology->mirror[i]].x = (float)WIDTH - in->points[i].x;
    }
}

/* What the network would say about the scene in this roi. */
static void see(const scene *s, const fm_roi *roi, float *raw)
{
    for (int i = 0; i < COUNT; i++) {
        fm_point2 p = fm_roi_from_image(roi, s->points[i].x, s->points[i].y);
        raw[3 * i] = p.x * FM_FACEMESH_SIZE;
        raw[3 * i + 1] = p.y * FM_FACEMESH_SIZE;
        raw[3 * i + 2] = (float)(s->points[i].z / roi->size * FM_FACEMESH_SIZE);
    }
}

static fm_detection detect(const scene *s)
{
    fm_detection d = {1e9f, 1e9f, -1e9f, -1e9f, 0.9f, {{0, 0}}};
    for (int i = 0; i < COUNT; i++) {
        d.x0 = fminf(d.x0, s->points[i].x);
        d.x1 = fmaxf(d.x1, s->points[i].x);
        d.y0 = fminf(d.y0, s->points[i].y);
        d.y1 = fmaxf(d.y1, s->points[i].y);
    }
    d.key[FM_KEY_IMAGE_LEFT_EYE] = (fm_point2){s->points[33].x, s->points[33].y};
    d.key[FM_KEY_IMAGE_RIGHT_EYE] = (fm_point2){s->points[263].x, s->points[263].y};
    return d;
}

/* One frame by the book (tracker.h). Counts how often each network ran. `logit` is the landmarker's answer. */
typedef struct runs {
    int detector, landmarker;
} runs;

static runs step(fm_tracker *t, const scene *s, const scene *other, double seconds, float logit,
                 fm_face *face)
{
    static float raw[3 * COUNT];
    static fm_point3 points[COUNT];
    runs n = {0, 0};
    fm_roi roi;
    bool have = fm_tracker_begin(t, WIDTH, HEIGHT, seconds, &roi);
    for (int attempt = 0; attempt < 2; attempt++) {
        if (!have) {
            fm_detection d[2];
            int count = 0;
            if (s)
                d[count++] = detect(s);
            if (other)
                d[count++] = detect(other);
            have = fm_tracker_detected(t, d, count, &roi);
            n.detector++;
        }
        if (have) {
            const scene *seen = s ? s : other;
            if (s && other) { /* the one in the middle of the roi */
                double to_s = hypot(s->points[4].x - roi.cx, s->points[4].y - roi.cy);
                double to_other = hypot(other->points[4].x - roi.cx, other->points[4].y - roi.cy);
                seen = to_s <= to_other ? s : other;
            }
            memset(raw, 0, sizeof raw);
            if (seen)
                see(seen, &roi, raw);
            for (int i = 0; i < COUNT; i++)
                points[i].x = points[i].y = points[i].z = NAN;
            fm_landmarks_from_network(raw, COUNT, FM_FACEMESH_SIZE, &roi, points);
            fm_tracker_landmarks(t, points, seen ? fm_sigmoid(logit) : 0.0f);
            n.landmarker++;
        }
        if (!fm_tracker_wants_detection(t))
            break;
        have = false;
    }
    fm_tracker_end(t, face);
    return n;
}

static fm_tracker *make_tracker(bool smooth)
{
    fm_tracker_options o = fm_tracker_defaults();
    o.smooth = smooth;
    fm_error err = {0};
    fm_tracker *t = NULL;
    if (fm_tracker_create(&t, topology, &o, &err) != FM_OK)
        fail_msg("%s", err.message);
    return t;
}

static double farthest(const fm_point3 *a, const fm_point3 *b)
{
    double worst = 0.0;
    for (int i = 0; i < COUNT; i++) {
        worst = fmax(worst, hypot((double)a[i].x - b[i].x, (double)a[i].y - b[i].y));
        worst = fmax(worst, fabs((double)a[i].z - b[i].z));
    }
    return worst;
}

/* --- tests ------------------------------------------------------------------ */

static void test_sigmoid(void **state)
{
    (void)state;
    assert_true(fm_sigmoid(0.0f) == 0.5f);
    assert_true(fm_sigmoid(1e30f) == 1.0f);
    assert_true(fm_sigmoid(-1e30f) == 0.0f);
    assert_float_equal(fm_sigmoid(1.5f) + fm_sigmoid(-1.5f), 1.0f, 1e-6);
}

static void test_topology_is_an_involution(void **state)
{
    (void)state;
    bool on_midline[COUNT] = {false};
    assert_int_equal(topology->count, COUNT);
    for (int i = 0; i < topology->midline_count; i++)
        on_midline[topology->midline[i]] = true;
    int pairs = 0;
    for (int i = 0; i < COUNT; i++) {
        int j = topology->mirror[i];
        assert_in_range(j, 0, COUNT - 1);
        assert_int_equal(topology->mirror[j], i);
        assert_int_equal(j == i, on_midline[i]);
        pairs += j > i;
    }
    assert_int_equal(pairs, 220);
    assert_int_equal(topology->midline_count, 28);
}

static void test_sides_mirror_each_other(void **state)
{
    (void)state;
    /* All members are ints, so the two sides can be walked as arrays. */
    enum { MEMBERS = sizeof(fm_side_points) / sizeof(int) };
    int left[MEMBERS], right[MEMBERS];
    memcpy(left, &topology->side[FM_SIDE_LEFT], sizeof left);
    memcpy(right, &topology->side[FM_SIDE_RIGHT], sizeof right);
    for (int i = 0; i < MEMBERS; i++) {
        assert_int_not_equal(left[i], right[i]);
        assert_int_equal(topology->mirror[left[i]], right[i]);
    }
    assert_int_equal(topology->side[FM_SIDE_LEFT].eye_outer, 263);
    const int middle[] = {topology->nasion,          topology->nose_tip,
                          topology->subnasale,       topology->upper_lip_top,
                          topology->upper_lip_inner, topology->lower_lip_inner,
                          topology->lower_lip_bottom, topology->chin};
    for (size_t i = 0; i < sizeof middle / sizeof *middle; i++)
        assert_int_equal(topology->mirror[middle[i]], middle[i]);
}

static void test_network_round_trip(void **state)
{
    (void)state;
    static scene s;
    static float raw[3 * COUNT];
    static fm_point3 back[COUNT];
    make_scene(&s, 300, 200, 150, 0.4, 1);
    const fm_roi roi = {280, 210, 260, -0.3};
    see(&s, &roi, raw);
    assert_true(fm_landmarks_from_network(raw, COUNT, FM_FACEMESH_SIZE, &roi, back));
    assert_true(farthest(s.points, back) < 1e-3);
    raw[1000] = NAN;
    assert_false(fm_landmarks_from_network(raw, COUNT, FM_FACEMESH_SIZE, &roi, back));
}

static void test_bad_options(void **state)
{
    (void)state;
    const fm_look look = FM_LOOK_TURNED;
    const fm_tracker_options bad[] = {
        {1.5f, true, 1.0, 1.0, look, 0}, {NAN, true, 1.0, 1.0, look, 0},       {0.5f, true, 0.0, 1.0, look, 0},
        {0.5f, true, NAN, 1.0, look, 0}, {0.5f, true, 1.0, -1.0, look, 0},     {0.5f, true, 1.0, INFINITY, look, 0},
        {0.5f, true, 1.0, 1.0, look, -1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        fm_error err = {0};
        fm_tracker *t = NULL;
        assert_int_equal(fm_tracker_create(&t, topology, &bad[i], &err), FM_E_USAGE);
        assert_null(t);
        assert_true(strlen(err.message) > 0);
    }
    fm_tracker *none = NULL;
    fm_tracker_destroy(&none);
    fm_tracker_destroy(NULL);
}

static void test_detects_once_then_follows(void **state)
{
    (void)state;
    static scene s;
    static fm_face face;
    fm_tracker *t = make_tracker(false);
    for (int i = 0; i < 20; i++) {
        make_scene(&s, 200 + 8 * i, 240, 150, 0.02 * i, (uint32_t)i);
        runs n = step(t, &s, NULL, i / 30.0, 9.0f, &face);
        assert_int_equal(n.detector, i == 0);
        assert_int_equal(n.landmarker, 1);
        assert_true(face.found);
        assert_int_equal(face.detected, i == 0);
        assert_int_equal(face.cause, i == 0 ? FM_DETECT_SEARCH : FM_DETECT_NONE);
        assert_int_equal(face.seen, i == 0);
        assert_int_equal(face.looks, 1);
        assert_int_equal(face.count, COUNT);
        assert_float_equal(face.confidence, fm_sigmoid(9.0f), 1e-6);
        assert_true(farthest(face.raw, s.points) < 1e-3);
        assert_true(farthest(face.points, s.points) < 1e-3);
        if (i > 0) /* it looks where the face was, turned as the face was */
            assert_true(fabs(face.roi.angle - 0.02 * (i - 1)) < 0.01);
    }
    fm_tracker_destroy(&t);
}

static void test_second_chance_in_the_same_frame(void **state)
{
    (void)state;
    static scene s;
    static fm_face face;
    fm_tracker *t = make_tracker(true);
    make_scene(&s, 320, 240, 150, 0, 1);
    step(t, &s, NULL, 0.0, 9.0f, &face);
    assert_true(face.found);
    /* A poor answer while following: the detector and the landmarker run once more, then it is lost. */
    runs n = step(t, &s, NULL, 0.1, -3.0f, &face);
    assert_int_equal(n.detector, 1);
    assert_int_equal(n.landmarker, 2);
    assert_false(face.found);
    assert_true(face.detected);
    assert_int_equal(face.cause, FM_DETECT_LOST);
    assert_int_equal(face.looks, 2);
    assert_int_equal(face.count, 0);
    assert_true(face.confidence == 0.0f);
    /* An empty picture: one detection a frame, nothing else. */
    n = step(t, NULL, NULL, 0.2, 9.0f, &face);
    assert_int_equal(n.detector, 1);
    assert_int_equal(n.landmarker, 0);
    assert_false(face.found);
    /* It comes back; the first frame is not dragged towards the past. */
    make_scene(&s, 330, 250, 150, 0, 2);
    n = step(t, &s, NULL, 0.3, 9.0f, &face);
    assert_true(face.found && face.detected);
    assert_true(farthest(face.points, face.raw) == 0.0);
    fm_tracker_destroy(&t);
}

static void test_not_finite_output_is_a_lost_face(void **state)
{
    (void)state;
    static scene s;
    static fm_face face;
    fm_tracker *t = make_tracker(true);
    make_scene(&s, 320, 240, 150, 0, 1);
    step(t, &s, NULL, 0.0, 9.0f, &face);
    s.points[77].y = NAN;
    step(t, &s, NULL, 0.3, 9.0f, &face);
    assert_false(face.found);
    fm_tracker_destroy(&t);
}

static void test_smoothing_restarts_after_a_jump(void **state)
{
    (void)state;
    static scene s;
    static fm_face face;
    fm_tracker *t = make_tracker(true);
    for (int i = 0; i < 5; i++) {
        make_scene(&s, 250, 240, 100, 0, (uint32_t)i);
        step(t, &s, NULL, i / 30.0, 9.0f, &face);
    }
    assert_true(farthest(face.points, face.raw) > 0.0);
    make_scene(&s, 400, 240, 100, 0, 9); /* a cut: more than its own size away */
    step(t, &s, NULL, 5 / 30.0, 9.0f, &face);
    assert_true(farthest(face.points, face.raw) == 0.0);
    make_scene(&s, 401, 240, 100, 0, 10);
    step(t, &s, NULL, 6 / 30.0, 9.0f, &face);
    assert_true(farthest(face.points, face.raw) > 0.0);
    make_scene(&s, 401, 240, 100, 0, 11);
    step(t, &s, NULL, 3.0, 9.0f, &face); /* a gap in time */
    assert_true(farthest(face.points, face.raw) == 0.0);
    make_scene(&s, 401, 240, 180, 0, 12); /* another size */
    step(t, &s, NULL, 3.03, 9.0f, &face);
    assert_true(farthest(face.points, face.raw) == 0.0);
    fm_tracker_destroy(&t);
}

static void test_stays_with_the_same_person(void **state)
{
    (void)state;
    static scene patient, other;
    static fm_face face;
    fm_tracker *t = make_tracker(false);
    make_scene(&patient, 200, 240, 130, 0, 1);
    step(t, &patient, NULL, 0.0, 9.0f, &face);
    /* Someone larger and more central comes in while the patient is lost for a moment. */
    make_scene(&other, 420, 240, 180, 0, 2);
    step(t, &patient, &other, 0.1, -5.0f, &face);
    assert_false(face.found);
    step(t, &patient, &other, 0.2, 9.0f, &face);
    assert_true(face.found);
    assert_true(farthest(face.raw, patient.points) < 1e-3);
    fm_tracker_destroy(&t);
}

static void test_face_that_leaves_the_picture(void **state)
{
    (void)state;
    static scene s;
    static fm_face face;
    fm_tracker *t = make_tracker(true);
    make_scene(&s, 320, 240, 150, 0, 1);
    step(t, &s, NULL, 0.0, 9.0f, &face);
    make_scene(&s, 900, 240, 150, 0, 1); /* the network claims a face that is outside */
    step(t, &s, NULL, 0.1, 9.0f, &face);
    runs n = step(t, NULL, NULL, 0.2, 9.0f, &face);
    assert_int_equal(n.detector, 1); /* not followed out there */
    assert_int_equal(n.landmarker, 0);
    fm_tracker_destroy(&t);
}

/* The flipped clip gives the flipped landmarks: raw, smoothed and rois. */
static void test_flip_symmetry(void **state)
{
    (void)state;
    static scene s, f;
    static fm_face face, mirrored;
    fm_tracker *a = make_tracker(true), *b = make_tracker(true);
    for (int i = 0; i < 60; i++) {
        make_scene(&s, 250 + 60 * sin(0.2 * i), 240 + 10 * cos(0.3 * i), 150 + 10 * sin(0.1 * i),
                   0.3 * sin(0.15 * i), (uint32_t)i);
        flip_scene(&s, &f);
        step(a, &s, NULL, i / 30.0, 9.0f, &face);
        step(b, &f, NULL, i / 30.0, 9.0f, &mirrored);
        assert_true(face.found && mirrored.found);
        assert_true(fabs(face.roi.cx + mirrored.roi.cx - WIDTH) < 2e-3);
        assert_true(fabs(face.roi.cy - mirrored.roi.cy) < 2e-3);
        assert_true(fabs(face.roi.angle + mirrored.roi.angle) < 1e-4);
        assert_true(fabs(face.roi.size - mirrored.roi.size) < 2e-3);
        static scene back;
        memcpy(s.points, face.points, sizeof s.points);
        flip_scene(&s, &back);
        assert_true(farthest(back.points, mirrored.points) < 2e-3);
    }
    fm_tracker_destroy(&a);
    fm_tracker_destroy(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sigmoid),
        cmocka_unit_test(test_topology_is_an_involution),
        cmocka_unit_test(test_sides_mirror_each_other),
        cmocka_unit_test(test_network_round_trip),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_detects_once_then_follows),
        cmocka_unit_test(test_second_chance_in_the_same_frame),
        cmocka_unit_test(test_not_finite_output_is_a_lost_face),
        cmocka_unit_test(test_smoothing_restarts_after_a_jump),
        cmocka_unit_test(test_stays_with_the_same_person),
        cmocka_unit_test(test_face_that_leaves_the_picture),
        cmocka_unit_test(test_flip_symmetry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
