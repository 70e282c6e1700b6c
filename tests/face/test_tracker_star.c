/*
 * The tracker with a landmark network like STAR: an upright crop from a
 * detector's box, no presence score, the detector every few frames. The network
 * is made up: it "sees" the mean face wherever a scene has it.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "face/star.h"
#include "face/tracker.h"

enum { WIDTH = 640, HEIGHT = 480, EVERY = 5 };

static const fm_topology *const topology = &fm_topology_wflw98;

/* A face of so many pixels between the outer canthi, whose middle is at (x, y). */
typedef struct scene {
    double x, y, size;
} scene;

static void place(const scene *s, fm_point3 *points)
{
    for (int i = 0; i < topology->count; i++) {
        const fm_point3 *m = &topology->mean_face[i];
        const double x = s->x + s->size * m->x, y = s->y + s->size * m->y, z = s->size * m->z;
        points[i] = (fm_point3){(float)x, (float)y, (float)z};
    }
}

/* A detector's box is taller than the points' and a little to one side. */
static fm_box box_of(const scene *s)
{
    fm_point3 points[FM_STAR_POINTS];
    place(s, points);
    fm_box b = fm_box_of_points(points, topology->count);
    const double width = b.x1 - b.x0, height = b.y1 - b.y0;
    return (fm_box){b.x0 - 0.05 * width, b.y0 - 0.3 * height, b.x1 + 0.1 * width, b.y1 + 0.05 * height};
}

static fm_detection detect(const scene *s, float score)
{
    const fm_box b = box_of(s);
    return (fm_detection){(float)b.x0, (float)b.y0, (float)b.x1, (float)b.y1, score, {{0, 0}}};
}

typedef struct frame {
    const scene *shown;    /* what the network sees in any crop; NULL: a face nobody has */
    const scene *found[2]; /* what the detector sees, NULL: nothing */
    float presence;
    bool detector_ran;     /* out */
    fm_roi first_roi;      /* out: where the network looked first */
} frame;

static void see(fm_tracker *t, frame *f, const fm_roi *roi)
{
    static fm_point3 points[FM_STAR_POINTS];
    if (f->first_roi.size == 0)
        f->first_roi = *roi;
    if (f->shown)
        place(f->shown, points);
    else
        for (int i = 0; i < topology->count; i++)
            points[i] = (fm_point3){(float)(roi->cx + (i * 37) % 101), (float)(roi->cy + (i * 53) % 97), 0};
    fm_tracker_landmarks(t, points, f->presence);
}

static bool run_detector(fm_tracker *t, frame *f, fm_roi *roi)
{
    fm_detection d[2];
    int count = 0;
    for (int i = 0; i < 2; i++)
        if (f->found[i])
            d[count++] = detect(f->found[i], 0.9f - 0.1f * (float)i);
    f->detector_ran = true;
    return fm_tracker_detected(t, d, count, roi);
}

/* One frame by the book (tracker.h). */
static void step(fm_tracker *t, int number, frame *f, fm_face *face)
{
    fm_roi roi;
    f->detector_ran = false;
    f->first_roi = (fm_roi){0};
    bool have = fm_tracker_begin(t, WIDTH, HEIGHT, number / 30.0, &roi);
    if (!have)
        have = run_detector(t, f, &roi);
    if (have)
        see(t, f, &roi);
    assert_false(fm_tracker_refine(t, &roi)); /* never: the box is as good as the points */
    if (fm_tracker_wants_detection(t) && run_detector(t, f, &roi))
        see(t, f, &roi);
    fm_tracker_end(t, face);
}

static fm_tracker *make_tracker(int every)
{
    fm_tracker_options o = fm_tracker_defaults();
    o.smooth = false;
    o.look = FM_LOOK_UPRIGHT;
    o.detect_every = every;
    fm_tracker *t = NULL;
    fm_error err = {0};
    if (fm_tracker_create(&t, topology, &o, &err) != FM_OK)
        fail_msg("%s", err.message);
    return t;
}

static void assert_near(const fm_roi *a, const fm_roi *b, double tolerance)
{
    assert_true(fabs(a->cx - b->cx) <= tolerance);
    assert_true(fabs(a->cy - b->cy) <= tolerance);
    assert_true(fabs(a->size - b->size) <= tolerance);
    assert_true(a->angle == b->angle);
}

/* --- boxes ------------------------------------------------------------------ */

static void test_relation(void **state)
{
    (void)state;
    const fm_box points = {100, 200, 300, 600}, box = {90, 100, 350, 640};
    fm_box_relation r;
    assert_true(fm_box_relate(&box, &points, &r));
    assert_true(fabs(r.x - 0.1) < 1e-9 && fabs(r.y + 0.075) < 1e-9);
    assert_true(fabs(r.width - 1.3) < 1e-9 && fabs(r.height - 1.35) < 1e-9);
    const fm_box back = fm_box_expected(&points, &r);
    assert_true(fabs(back.x0 - 90) + fabs(back.y0 - 100) + fabs(back.x1 - 350) + fabs(back.y1 - 640) < 1e-9);
    /* Moved and enlarged landmarks take their box along. */
    const fm_box larger = fm_box_expected(&(fm_box){0, 0, 400, 800}, &r);
    assert_true(fabs(larger.x1 - larger.x0 - 520) < 1e-9 && fabs(larger.y0 + 200) < 1e-9);
    const fm_box bad[] = {{100, 200, 100, 600}, {90, 100, 9000, 640}, {1000, 100, 1200, 640}, {NAN, 100, 350, 640}};
    assert_false(fm_box_relate(&box, &bad[0], &r));
    for (size_t i = 1; i < sizeof bad / sizeof *bad; i++)
        assert_false(fm_box_relate(&bad[i], &points, &r));
}

static void test_overlap(void **state)
{
    (void)state;
    const fm_box a = {0, 0, 10, 10}, half = {0, 0, 10, 5}, apart = {20, 20, 30, 30}, empty = {5, 5, 5, 5};
    assert_true(fm_box_overlap(&a, &a) == 1);
    assert_true(fm_box_overlap(&a, &half) == 0.5);
    assert_true(fm_box_overlap(&a, &apart) == 0);
    assert_true(fm_box_overlap(&empty, &empty) == 0);
}

/* --- tracking --------------------------------------------------------------- */

/* At a detection the crop is the box's; in between it is that of the box which a detection would have had. */
static void test_crop_between_detections(void **state)
{
    (void)state;
    static fm_face face;
    fm_tracker *t = make_tracker(EVERY);
    scene s = {300, 220, 90};
    fm_roi expected = {0};
    for (int i = 0; i < 3 * EVERY; i++) {
        frame f = {.shown = &s, .found = {&s}, .presence = NAN};
        const fm_box box = box_of(&s);
        step(t, i, &f, &face);
        assert_true(face.found);
        assert_int_equal(f.detector_ran, i % EVERY == 0);
        assert_int_equal(face.detected, f.detector_ran);
        assert_int_equal(face.cause, i == 0 ? FM_DETECT_SEARCH : f.detector_ran ? FM_DETECT_CHECK : FM_DETECT_NONE);
        assert_int_equal(face.confirmed, f.detector_ran && i > 0);
        assert_true(face.confidence == 0.9f); /* the latest detection's score */
        if (f.detector_ran)
            assert_true(fm_star_roi(&box, &expected));
        assert_near(&f.first_roi, &expected, f.detector_ran ? 1e-3 : 1.5); /* corners are cut to integers */
        assert_true(fabs(face.box.x0 - box.x0) < 0.01 && fabs(face.box.y1 - box.y1) < 0.01);
        assert_true(fm_star_roi(&box, &expected)); /* the next frame looks where this one's face was */
        s = (scene){s.x + 4, s.y - 2, s.size * 1.02};
    }
    fm_tracker_destroy(&t);
}

static void test_interval_of_zero_detects_once(void **state)
{
    (void)state;
    static fm_face face;
    fm_tracker *t = make_tracker(0);
    const scene s = {300, 220, 90};
    for (int i = 0; i < 40; i++) {
        frame f = {.shown = &s, .found = {&s}, .presence = NAN};
        step(t, i, &f, &face);
        assert_int_equal(f.detector_ran, i == 0);
    }
    fm_tracker_destroy(&t);
}

/* The network goes on drawing a face where there is none any more: the detector ends it. */
static void test_the_detector_ends_a_face_that_left(void **state)
{
    (void)state;
    static fm_face face;
    fm_tracker *t = make_tracker(EVERY);
    const scene s = {300, 220, 90};
    for (int i = 0; i < 2 * EVERY; i++) {
        frame f = {.shown = &s, .found = {i == 0 ? &s : NULL}, .presence = NAN};
        step(t, i, &f, &face);
        assert_int_equal(face.found, i < EVERY);
        assert_int_equal(f.detector_ran, i == 0 || i >= EVERY); /* then it looks in every frame */
    }
    frame f = {.shown = &s, .found = {&s}, .presence = NAN};
    step(t, 2 * EVERY, &f, &face);
    assert_true(face.found);
    fm_tracker_destroy(&t);
}

/* A network with a presence score knows better than a detector that misses a face. */
static void test_a_present_face_outlives_the_detector(void **state)
{
    (void)state;
    static fm_face face;
    fm_tracker *t = make_tracker(EVERY);
    const scene s = {300, 220, 90}, other = {100, 100, 60};
    for (int i = 0; i < 3 * EVERY; i++) {
        frame f = {.shown = &s, .found = {i == 0 ? &s : &other}, .presence = 0.8f};
        step(t, i, &f, &face);
        assert_true(face.found);
        assert_int_equal(f.detector_ran, i % EVERY == 0);
        assert_true(face.confidence == 0.8f);
        assert_true(fabs(face.box.x0 - box_of(&s).x0) < 0.01);
    }
    fm_tracker_destroy(&t);
}

static void test_a_jump_asks_the_detector(void **state)
{
    (void)state;
    static fm_face face;
    fm_tracker *t = make_tracker(1000);
    const scene here = {200, 220, 90}, there = {400, 220, 90}, larger = {400, 220, 150};
    const scene *const shown[] = {&here, &here, &there, &there, &larger};
    for (int i = 0; i < 5; i++) {
        frame f = {.shown = shown[i], .found = {shown[i]}, .presence = NAN};
        step(t, i, &f, &face);
        assert_true(face.found);
        assert_int_equal(f.detector_ran, i == 0 || shown[i] != shown[i - 1]);
    }
    /* The detector does not see it: then it was none. */
    frame f = {.shown = &here, .presence = NAN};
    step(t, 5, &f, &face);
    assert_true(f.detector_ran);
    assert_false(face.found);
    fm_tracker_destroy(&t);
}

static void test_what_is_no_face_is_lost(void **state)
{
    (void)state;
    static fm_face face;
    fm_tracker *t = make_tracker(1000);
    const scene s = {300, 220, 90};
    frame good = {.shown = &s, .found = {&s}, .presence = NAN};
    step(t, 0, &good, &face);
    assert_true(face.found);
    frame bad = {.shown = NULL, .found = {&s}, .presence = NAN};
    step(t, 1, &bad, &face);
    assert_true(bad.detector_ran);
    assert_false(face.found);
    assert_true(face.confidence == 0);
    step(t, 2, &good, &face);
    assert_true(face.found);
    fm_tracker_destroy(&t);
}

/* The check goes to the face that is followed, though another is larger, more central, and found first. */
static void test_detection_and_landmarks_agree_on_the_face(void **state)
{
    (void)state;
    static fm_face face;
    fm_tracker *t = make_tracker(EVERY);
    const scene patient = {120, 150, 60}, visitor = {380, 240, 110};
    for (int i = 0; i < 3 * EVERY; i++) {
        frame f = {.shown = &patient, .found = {&visitor, &patient}, .presence = NAN};
        if (i == 0)
            f.found[0] = NULL;
        step(t, i, &f, &face);
        assert_true(face.found);
        assert_true(fabs(face.box.x0 - box_of(&patient).x0) < 0.01);
        assert_true(fabsf(face.confidence - 0.8f) < 1e-6f); /* the patient's */
    }
    fm_tracker_destroy(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relation),
        cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_crop_between_detections),
        cmocka_unit_test(test_interval_of_zero_detects_once),
        cmocka_unit_test(test_the_detector_ends_a_face_that_left),
        cmocka_unit_test(test_a_present_face_outlives_the_detector),
        cmocka_unit_test(test_a_jump_asks_the_detector),
        cmocka_unit_test(test_what_is_no_face_is_lost),
        cmocka_unit_test(test_detection_and_landmarks_agree_on_the_face),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
