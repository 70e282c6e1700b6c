#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "face/midline.h"
#include "face/pose.h"
#include "synthetic_face.h"

/* In double precision: cmocka's assert_float_equal rounds to float first. */
#define assert_near(a, b, tolerance) assert_true(fabs((a) - (b)) <= (tolerance))

static const fm_topology *const mesh = &fm_topology_mesh468;
static const double eye_pixels = 200, centre_x = 500, centre_y = 400;

/* Scatter of real landmarks: up to 0.5 % of the eye distance, the same in each run. */
static void jitter(fm_point3 *points, unsigned seed)
{
    for (int i = 0; i < mesh->count; i++) {
        seed = seed * 1664525u + 1013904223u;
        points[i].x += ((float)(seed >> 16) / 65536.f - 0.5f) * 2;
        seed = seed * 1664525u + 1013904223u;
        points[i].y += ((float)(seed >> 16) / 65536.f - 0.5f) * 2;
    }
}

static void view(const synthetic_face *face, double roll, fm_point3 *points)
{
    synthetic_view(face, mesh->count, 0, 0, roll, eye_pixels, centre_x, centre_y, points);
}

/* Largest distance of the true midline (through the centre, turned by roll) to `line` over the face. */
static double error_over_face(const fm_line *line, double roll)
{
    double worst = 0;
    for (double t = -0.75; t <= 1.15; t += 0.05) {
        const double x = centre_x - eye_pixels * t * sin(radians(roll));
        const double y = centre_y + eye_pixels * t * cos(radians(roll));
        worst = fmax(worst, fabs(fm_line_distance(line, x, y)));
    }
    return worst;
}

/* What the robust fit is measured against: unweighted orthogonal regression over the midline points. */
static fm_line least_squares(const fm_point3 *points)
{
    double mx = 0, my = 0, xx = 0, xy = 0, yy = 0;
    for (int i = 0; i < mesh->midline_count; i++) {
        mx += (double)points[mesh->midline[i]].x / mesh->midline_count;
        my += (double)points[mesh->midline[i]].y / mesh->midline_count;
    }
    for (int i = 0; i < mesh->midline_count; i++) {
        const double x = points[mesh->midline[i]].x - mx, y = points[mesh->midline[i]].y - my;
        xx += x * x;
        xy += x * y;
        yy += y * y;
    }
    const double angle = 0.5 * atan2(2 * xy, xx - yy);
    return (fm_line){mx, my, cos(angle), sin(angle)};
}

/* Mouth, chin and nose tip go to the patient's left by `pull` eye distances, most at the mouth. */
static void pull_aside(synthetic_face *face, float pull)
{
    for (int i = 0; i < mesh->count; i++)
        if (face->point[i].y > 0.55f)
            face->point[i].x += pull;
    face->point[mesh->nose_tip].x += pull;
    face->point[1].x += pull; /* the tip's lower neighbours in the mesh */
    face->point[19].x += pull;
}

static void test_line_functions(void **state)
{
    (void)state;
    const fm_line upright = {100, 50, 0, 1};
    /* Positive at the image's right: the patient's left. */
    assert_near(fm_line_distance(&upright, 130, 7), 30, 0);
    const fm_point2 p = fm_line_reflect(&upright, 130, 7);
    assert_near(p.x, 70, 0);
    assert_near(p.y, 7, 0);
    const fm_line slanted = {3, 4, 0.6, 0.8};
    const fm_point2 q = fm_line_reflect(&slanted, 11, -2);
    assert_near(fm_line_distance(&slanted, q.x, q.y), -fm_line_distance(&slanted, 11, -2), 1e-5);
    const fm_point2 back = fm_line_reflect(&slanted, q.x, q.y);
    assert_near(back.x, 11, 1e-5);
    assert_near(back.y, -2, 1e-5);
}

static void test_symmetric_face(void **state)
{
    (void)state;
    const synthetic_face face = synthetic_face_make(mesh);
    for (int mode = FM_MIDLINE_ROBUST; mode <= FM_MIDLINE_PUPILS; mode++) {
        for (double roll = -40; roll <= 40; roll += 10) {
            fm_point3 points[FM_LANDMARKS_MAX] = {{0}};
            view(&face, roll, points);
            fm_line line;
            assert_true(fm_midline_fit(points, mesh, (fm_midline_mode)mode, &line));
            assert_true(error_over_face(&line, roll) < 1e-2);
            assert_near(hypot(line.dx, line.dy), 1, 1e-12);
            assert_true(line.dy > 0); /* forehead to chin */
        }
    }
}

/* Upside down the direction still runs from the forehead to the chin. */
static void test_direction(void **state)
{
    (void)state;
    const synthetic_face face = synthetic_face_make(mesh);
    for (int mode = FM_MIDLINE_ROBUST; mode <= FM_MIDLINE_PUPILS; mode++) {
        fm_point3 points[FM_LANDMARKS_MAX] = {{0}};
        view(&face, 180, points);
        fm_line line;
        assert_true(fm_midline_fit(points, mesh, (fm_midline_mode)mode, &line));
        assert_near(line.dy, -1, 1e-6);
    }
}

static void test_palsy(void **state)
{
    (void)state;
    synthetic_face face = synthetic_face_make(mesh);
    pull_aside(&face, 0.10f);
    for (unsigned seed = 1; seed <= 20; seed++) {
        for (double roll = -20; roll <= 20; roll += 20) {
            fm_point3 points[FM_LANDMARKS_MAX] = {{0}};
            view(&face, roll, points);
            jitter(points, seed);
            fm_line robust, brow_chin;
            assert_true(fm_midline_fit(points, mesh, FM_MIDLINE_ROBUST, &robust));
            assert_true(fm_midline_fit(points, mesh, FM_MIDLINE_BROW_CHIN, &brow_chin));
            const fm_line plain = least_squares(points);
            const double e = error_over_face(&robust, roll);
            assert_true(e < 0.02 * eye_pixels);
            assert_true(e < 0.25 * error_over_face(&plain, roll));
            assert_true(e < 0.25 * error_over_face(&brow_chin, roll));
        }
    }
}

/* A pull too small to be thrown out whole still counts for little. */
static void test_slight_palsy(void **state)
{
    (void)state;
    synthetic_face face = synthetic_face_make(mesh);
    pull_aside(&face, 0.03f);
    fm_point3 points[FM_LANDMARKS_MAX] = {{0}};
    view(&face, 0, points);
    fm_line robust, brow_chin;
    assert_true(fm_midline_fit(points, mesh, FM_MIDLINE_ROBUST, &robust));
    assert_true(fm_midline_fit(points, mesh, FM_MIDLINE_BROW_CHIN, &brow_chin));
    assert_true(error_over_face(&robust, 0) < 0.5 * error_over_face(&brow_chin, 0));
}

/*
 * Turned 15 degrees, a healthy face's nose lies far beside its mouth. The line
 * must still be the projection of the plane of symmetry, along the head's axis.
 */
static void test_turned_head(void **state)
{
    (void)state;
    const synthetic_face face = synthetic_face_make(mesh);
    for (double yaw = -15; yaw <= 15; yaw += 15)
        for (double pitch = -12; pitch <= 12; pitch += 12) {
            fm_point3 points[FM_LANDMARKS_MAX] = {{0}};
            synthetic_view(&face, mesh->count, yaw, pitch, 0, eye_pixels, centre_x, centre_y, points);
            fm_pose pose;
            assert_true(fm_pose_estimate(points, mesh, &pose));
            fm_line line;
            assert_true(fm_midline_fit(points, mesh, FM_MIDLINE_ROBUST, &line));
            const float *down = pose.axis[1];
            const double length = hypot(down[0], down[1]);
            assert_near(line.dx, down[0] / length, 1e-3);
            /* Between the nose, which stands out, and the eyes, which lie deeper. */
            const double tip = fm_line_distance(&line, points[mesh->nose_tip].x, points[mesh->nose_tip].y);
            assert_true(yaw == 0 ? fabs(tip) < 0.1 : tip * yaw > 0);
            assert_true(fabs(fm_line_distance(&line, centre_x, centre_y)) < 0.08 * eye_pixels);
        }
}

static void test_flip(void **state)
{
    (void)state;
    synthetic_face face = synthetic_face_make(mesh);
    pull_aside(&face, 0.06f);
    fm_point3 points[FM_LANDMARKS_MAX] = {{0}}, flipped[FM_LANDMARKS_MAX] = {{0}};
    view(&face, 11, points);
    jitter(points, 7);
    /* Steps of 1/64 pixel, so that W - x is exact in single precision. */
    for (int i = 0; i < mesh->count; i++)
        points[i].x = roundf(points[i].x * 64) / 64;
    synthetic_flip(points, mesh, 1000, flipped);
    for (int mode = FM_MIDLINE_ROBUST; mode <= FM_MIDLINE_PUPILS; mode++) {
        fm_line a, b;
        assert_true(fm_midline_fit(points, mesh, (fm_midline_mode)mode, &a));
        assert_true(fm_midline_fit(flipped, mesh, (fm_midline_mode)mode, &b));
        assert_near(a.ox, 1000 - b.ox, 1e-6);
        assert_near(a.oy, b.oy, 1e-6);
        assert_near(a.dx, -b.dx, 1e-9);
        assert_near(a.dy, b.dy, 1e-9);
    }
}

static void test_pupils(void **state)
{
    (void)state;
    const synthetic_face face = synthetic_face_make(mesh);
    fm_point3 points[FM_LANDMARKS_MAX] = {{0}};
    view(&face, 0, points);
    /* With an iris it is used: both pupils 6 pixels to the right move the line by 6. */
    fm_topology with_iris = *mesh;
    with_iris.count = 470;
    with_iris.iris[FM_SIDE_LEFT] = 468;
    with_iris.iris[FM_SIDE_RIGHT] = 469;
    points[468] = (fm_point3){566, 400, 0};
    points[469] = (fm_point3){446, 400, 0};
    fm_line line;
    assert_true(fm_midline_fit(points, &with_iris, FM_MIDLINE_PUPILS, &line));
    assert_near(fm_line_distance(&line, 506, 700), 0, 1e-6);
    assert_true(fm_midline_fit(points, mesh, FM_MIDLINE_PUPILS, &line));
    assert_near(fm_line_distance(&line, 500, 700), 0, 1e-3);
}

static void test_degenerate(void **state)
{
    (void)state;
    fm_point3 points[FM_LANDMARKS_MAX] = {{0}};
    const synthetic_face face = synthetic_face_make(mesh);
    for (int mode = FM_MIDLINE_ROBUST; mode <= FM_MIDLINE_PUPILS; mode++) {
        const fm_line before = {1, 2, 0, 1};
        fm_line line = before;
        for (int i = 0; i < mesh->count; i++)
            points[i] = (fm_point3){300, 300, 0};
        assert_false(fm_midline_fit(points, mesh, (fm_midline_mode)mode, &line));
        view(&face, 0, points);
        points[mesh->side[FM_SIDE_LEFT].eye_outer].x = NAN;
        assert_false(fm_midline_fit(points, mesh, (fm_midline_mode)mode, &line));
        view(&face, 0, points);
        points[mesh->chin] = points[mesh->nasion]; /* no length */
        points[mesh->chin].y = 400;
        assert_false(fm_midline_fit(points, mesh, (fm_midline_mode)mode, &line));
        assert_memory_equal(&line, &before, sizeof line);
    }
}

/* --- filter ---------------------------------------------------------- */

static fm_line line_at(double degrees_from_upright, double x, double y)
{
    const double a = radians(degrees_from_upright);
    return (fm_line){x, y, -sin(a), cos(a)};
}

static void test_filter_calms_noise(void **state)
{
    (void)state;
    fm_midline_filter filter;
    fm_midline_filter_init(&filter, 1.0, 0.0);
    double raw = 0, smooth = 0;
    for (int i = 0; i < 200; i++) {
        const double noise = i % 2 ? 1 : -1;
        const fm_line in = line_at(noise, 500 + noise, 400);
        const fm_line out = fm_midline_filter_apply(&filter, &in, 500, 400, 200, i / 30.0);
        if (i < 60)
            continue;
        raw = fmax(raw, fabs(fm_line_distance(&in, 500, 600)));
        smooth = fmax(smooth, fabs(fm_line_distance(&out, 500, 600)));
    }
    assert_true(smooth < 0.3 * raw);
}

/* Upside down the angle crosses +-180 degrees back and forth: no jump may come out. */
static void test_filter_wraps(void **state)
{
    (void)state;
    fm_midline_filter filter;
    fm_midline_filter_init(&filter, 1.0, 0.0);
    for (int i = 0; i < 100; i++) {
        const fm_line in = line_at(90 + (i % 2 ? 2 : -2), 500, 400); /* dx near -1 */
        const fm_line out = fm_midline_filter_apply(&filter, &in, 500, 400, 200, i / 30.0);
        assert_true(out.dx < -0.999);
        assert_near(hypot(out.dx, out.dy), 1, 1e-12);
    }
}

static void test_filter_keeps_still_line(void **state)
{
    (void)state;
    fm_midline_filter filter;
    fm_midline_filter_init(&filter, 0.5, 1.0);
    const fm_line in = line_at(13, 470, 300);
    for (int i = 0; i < 50; i++) {
        const fm_line out = fm_midline_filter_apply(&filter, &in, 500, 400, 200, i / 25.0);
        assert_near(fm_line_distance(&out, 470, 300), 0, 1e-9);
        assert_near(out.dx, in.dx, 1e-12);
    }
}

/* After a gap, a jump of the face or a cut the line passes as it is. */
static void test_filter_resets(void **state)
{
    (void)state;
    const fm_line old = line_at(0, 500, 400), fresh = line_at(8, 520, 400);
    const fm_line elsewhere = line_at(8, 820, 400), swung = line_at(50, 500, 400);
    const struct {
        const fm_line *line;
        double cx, size, seconds;
        bool passes;
    } cases[] = {
        {&fresh, 505, 200, 10.04, false}, {&fresh, 505, 200, 11.0, true},
        {&fresh, 505, 200, 9.0, true},    {&elsewhere, 800, 200, 10.04, true},
        {&fresh, 505, 320, 10.04, true},  {&fresh, 505, 120, 10.04, true},
        {&swung, 500, 200, 10.04, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fm_midline_filter filter;
        fm_midline_filter_init(&filter, 0.5, 0.0);
        fm_midline_filter_apply(&filter, &old, 500, 400, 200, 9.96);
        fm_midline_filter_apply(&filter, &old, 500, 400, 200, 10.0);
        const fm_line out = fm_midline_filter_apply(&filter, cases[i].line, cases[i].cx, 400,
                                                    cases[i].size, cases[i].seconds);
        const bool same = fabs(out.dx - cases[i].line->dx) < 1e-9 &&
                          fabs(fm_line_distance(&out, cases[i].line->ox, cases[i].line->oy)) < 1e-9;
        assert_int_equal(same, cases[i].passes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line_functions),
        cmocka_unit_test(test_symmetric_face),
        cmocka_unit_test(test_direction),
        cmocka_unit_test(test_palsy),
        cmocka_unit_test(test_slight_palsy),
        cmocka_unit_test(test_turned_head),
        cmocka_unit_test(test_flip),
        cmocka_unit_test(test_pupils),
        cmocka_unit_test(test_degenerate),
        cmocka_unit_test(test_filter_calms_noise),
        cmocka_unit_test(test_filter_wraps),
        cmocka_unit_test(test_filter_keeps_still_line),
        cmocka_unit_test(test_filter_resets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
