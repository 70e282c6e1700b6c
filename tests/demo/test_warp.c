/* The expressions' warp: one-to-one, local, on the right side, closing the eyes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "demo/warp.h"
#include "synthetic_face.h"

static const fm_topology *const topology = &fm_topology_mesh468;

static const synthetic_pose poses[] = {
    {200.0, 150.0, 62.0, 0.0},
    {900.0, 700.0, 410.0, 0.35},
    {120.5, 90.25, 40.0, -0.30},
};
enum { POSES = sizeof poses / sizeof poses[0] };

static const fm_warp_amount amounts[] = {
    {1.0, 0.0, {0.0, 0.0}},   {0.0, 1.0, {0.0, 0.0}},  {0.0, 0.0, {1.0, 0.0}},  {0.0, 0.0, {0.0, 1.0}},
    {0.0, 0.0, {-1.0, -1.0}}, {0.5, 0.0, {0.0, 0.0}},  {0.0, 0.3, {-1.0, 0.6}}, {0.0, 0.0, {0.5, -0.5}},
    {1.0, 1.0, {1.0, 1.0}},   {1.0, 1.0, {-1.0, 1.0}},
};
enum { AMOUNTS = sizeof amounts / sizeof amounts[0] };

static fm_warp make(const synthetic_pose *pose, fm_point3 *points)
{
    fm_warp warp;
    synthetic_face(points, topology, pose);
    assert_true(fm_warp_create(&warp, points, topology));
    return warp;
}

static fm_vec2 at(const fm_point3 *points, int index)
{
    return (fm_vec2){(double)points[index].x, (double)points[index].y};
}

static double distance(fm_vec2 a, fm_vec2 b)
{
    return hypot(a.x - b.x, a.y - b.y);
}

/* Over the whole face, not only where landmarks are: stays far below the promised 0.05 pixels. */
static void inverse_undoes_forward(void **state)
{
    (void)state;
    double worst = 0.0;
    for (int p = 0; p < POSES; p++) {
        fm_point3 points[FM_LANDMARKS_MAX];
        const fm_warp warp = make(&poses[p], points);
        const fm_warp_rect box = fm_warp_bounds(&warp);
        for (int a = 0; a < AMOUNTS; a++) {
            for (int i = 0; i < 100 * 100; i++) {
                const fm_vec2 point = {box.x0 + (box.x1 - box.x0) * (i % 100) / 99.0,
                                       box.y0 + (box.y1 - box.y0) * (i / 100) / 99.0};
                const fm_vec2 there = fm_warp_forward(&warp, &amounts[a], point);
                worst = fmax(worst, distance(point, fm_warp_inverse(&warp, &amounts[a], there)));
            }
        }
    }
    print_message("largest residual: %.2e pixels\n", worst);
    assert_true(worst < 1e-5);
}

/* One-to-one shows as a positive Jacobian of the inverse everywhere: no tearing, no double edge. */
static void nothing_folds(void **state)
{
    (void)state;
    double least = INFINITY;
    const double h = 0.01;
    for (int a = 0; a < AMOUNTS; a++) {
        fm_point3 points[FM_LANDMARKS_MAX];
        const fm_warp warp = make(&poses[0], points);
        const fm_warp_rect box = fm_warp_bounds(&warp);
        for (int i = 0; i < 150 * 150; i++) {
            const fm_vec2 q = {box.x0 + (box.x1 - box.x0) * (i % 150) / 149.0,
                               box.y0 + (box.y1 - box.y0) * (i / 150) / 149.0};
            const fm_vec2 o = fm_warp_inverse(&warp, &amounts[a], q);
            const fm_vec2 x = fm_warp_inverse(&warp, &amounts[a], (fm_vec2){q.x + h, q.y});
            const fm_vec2 y = fm_warp_inverse(&warp, &amounts[a], (fm_vec2){q.x, q.y + h});
            least = fmin(least, ((x.x - o.x) * (y.y - o.y) - (x.y - o.y) * (y.x - o.x)) / (h * h));
        }
    }
    print_message("least area factor: %.3f\n", least);
    assert_true(least > 0.05);
}

static void nothing_moves_outside_the_bounds(void **state)
{
    (void)state;
    for (int p = 0; p < POSES; p++) {
        fm_point3 points[FM_LANDMARKS_MAX];
        const fm_warp warp = make(&poses[p], points);
        const fm_warp_rect box = fm_warp_bounds(&warp);
        const double w = box.x1 - box.x0, h = box.y1 - box.y0;
        for (int a = 0; a < AMOUNTS; a++) {
            for (int i = 0; i < 60 * 60; i++) {
                const fm_vec2 q = {box.x0 - w + 3.0 * w * (i % 60) / 59.0, box.y0 - h + 3.0 * h * (i / 60) / 59.0};
                if (q.x > box.x0 && q.x < box.x1 && q.y > box.y0 && q.y < box.y1)
                    continue;
                const fm_vec2 back = fm_warp_inverse(&warp, &amounts[a], q);
                const fm_vec2 there = fm_warp_forward(&warp, &amounts[a], q);
                assert_true(back.x == q.x && back.y == q.y);
                assert_true(there.x == q.x && there.y == q.y);
            }
        }
    }
}

static void no_expression_is_the_identity(void **state)
{
    (void)state;
    fm_point3 points[FM_LANDMARKS_MAX];
    const fm_warp warp = make(&poses[2], points);
    const fm_warp_amount none = {0.0, 0.0, {0.0, 0.0}};
    for (int i = 0; i < topology->count; i++) {
        const fm_vec2 p = at(points, i), q = fm_warp_forward(&warp, &none, p);
        assert_true(p.x == q.x && p.y == q.y);
    }
}

/* From both corners drawn in to a smile of one side: the other half of the face must not notice. */
static void smile_moves_one_side_only(void **state)
{
    (void)state;
    const fm_warp_amount calm = {0.0, 0.0, {-1.0, -1.0}};
    for (int p = 0; p < POSES; p++) {
        fm_point3 points[FM_LANDMARKS_MAX];
        const fm_warp warp = make(&poses[p], points);
        const double c = cos(poses[p].angle), s = sin(poses[p].angle), unit = poses[p].unit;
        for (int side = 0; side < 2; side++) {
            fm_warp_amount smile = calm;
            smile.smile[side] = 0.6;
            const double out = side == FM_SIDE_LEFT ? 1.0 : -1.0;
            for (int i = 0; i < topology->count; i++) {
                const fm_vec2 p0 = at(points, i);
                const double u = out * ((p0.x - poses[p].x) * c + (p0.y - poses[p].y) * s);
                if (u < 0.01 * unit)
                    assert_true(distance(fm_warp_forward(&warp, &calm, p0), fm_warp_forward(&warp, &smile, p0)) < 1e-6);
            }
            const fm_vec2 corner = at(points, topology->side[side].mouth_corner);
            const fm_vec2 from = fm_warp_forward(&warp, &calm, corner), to = fm_warp_forward(&warp, &smile, corner);
            const double dx = to.x - from.x, dy = to.y - from.y;
            const double outward = out * (dx * c + dy * s) / unit, up = -(dy * c - dx * s) / unit;
            assert_true(outward > 0.06 && up > 0.09);
            assert_true(hypot(outward, up) > 0.11 && hypot(outward, up) < 0.15);
        }
    }
}

static void blink_closes_both_eyes(void **state)
{
    (void)state;
    const fm_warp_amount blink = {1.0, 0.0, {0.0, 0.0}};
    for (int p = 0; p < POSES; p++) {
        fm_point3 points[FM_LANDMARKS_MAX];
        const fm_warp warp = make(&poses[p], points);
        for (int side = 0; side < 2; side++) {
            const fm_side_points *named = &topology->side[side];
            for (int i = 0; i < 3; i++) {
                const fm_vec2 upper = at(points, named->upper_lid[i]), lower = at(points, named->lower_lid[i]);
                const fm_vec2 shut_upper = fm_warp_forward(&warp, &blink, upper);
                const fm_vec2 shut_lower = fm_warp_forward(&warp, &blink, lower);
                assert_true(distance(shut_upper, shut_lower) < 0.10 * distance(upper, lower));
                /* it is the upper lid that comes down */
                assert_true(distance(upper, shut_upper) > 0.7 * distance(upper, lower));
            }
            const fm_vec2 outer = at(points, named->eye_outer), brow = at(points, named->brow_middle);
            assert_true(distance(outer, fm_warp_forward(&warp, &blink, outer)) < 1e-3);
            assert_true(distance(brow, fm_warp_forward(&warp, &blink, brow)) < 1e-9);
        }
    }
}

static void brow_raise_lifts_brows_and_leaves_eyes(void **state)
{
    (void)state;
    const fm_warp_amount raise = {0.0, 1.0, {0.0, 0.0}};
    for (int p = 0; p < POSES; p++) {
        fm_point3 points[FM_LANDMARKS_MAX];
        const fm_warp warp = make(&poses[p], points);
        const double unit = poses[p].unit;
        for (int side = 0; side < 2; side++) {
            const fm_side_points *named = &topology->side[side];
            const int brow[4] = {named->brow_outer, named->brow_middle, named->brow_inner, named->brow_inner_lower};
            for (int i = 0; i < 4; i++) {
                const fm_vec2 from = at(points, brow[i]), to = fm_warp_forward(&warp, &raise, from);
                assert_true(fabs(distance(from, to) / unit - 0.085) < 0.012);
                assert_true(to.y < from.y);
            }
            for (int i = 0; i < 3; i++) {
                const fm_vec2 upper = at(points, named->upper_lid[i]);
                assert_true(distance(upper, fm_warp_forward(&warp, &raise, upper)) < 0.01 * unit);
            }
        }
    }
}

static void faces_that_cannot_move_are_refused(void **state)
{
    (void)state;
    fm_point3 points[FM_LANDMARKS_MAX];
    fm_warp warp;
    const fm_side_points *left = &topology->side[FM_SIDE_LEFT];

    synthetic_face(points, topology, &poses[0]);
    points[left->upper_lid[1]] = points[left->lower_lid[1]]; /* shut */
    assert_false(fm_warp_create(&warp, points, topology));

    synthetic_face(points, topology, &poses[0]);
    points[left->eye_outer] = points[topology->side[FM_SIDE_RIGHT].eye_outer];
    assert_false(fm_warp_create(&warp, points, topology));

    synthetic_face(points, topology, &poses[0]);
    points[left->brow_middle].x = NAN;
    assert_false(fm_warp_create(&warp, points, topology));

    synthetic_face(points, topology, &poses[0]);
    points[left->mouth_corner] = points[topology->upper_lip_top]; /* in profile */
    assert_false(fm_warp_create(&warp, points, topology));
}

static void curve_keeps_its_knots_and_does_not_overshoot(void **state)
{
    (void)state;
    const double x[5] = {0.0, 1.0, 2.0, 4.0, 5.0}, y[5] = {0.0, 2.0, 2.0, -1.0, 0.0};
    fm_curve curve;
    assert_true(fm_curve_fit(&curve, x, y, 5));
    for (int i = 0; i < 5; i++)
        assert_true(fabs(fm_curve_at(&curve, x[i]) - y[i]) < 1e-12);
    for (double t = -1.0; t <= 6.0; t += 0.01) {
        const double v = fm_curve_at(&curve, t);
        assert_true(v >= -1.0 - 1e-12 && v <= 2.0 + 1e-12);
        if (t >= 1.0 && t <= 2.0)
            assert_true(fabs(v - 2.0) < 1e-12);
    }
    const double backwards[3] = {0.0, 2.0, 1.0}, broken[3] = {0.0, NAN, 1.0};
    assert_false(fm_curve_fit(&curve, backwards, y, 3));
    assert_false(fm_curve_fit(&curve, x, broken, 3));
    assert_false(fm_curve_fit(&curve, x, y, 1));
    assert_false(fm_curve_fit(&curve, x, y, FM_CURVE_KNOTS_MAX + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inverse_undoes_forward),
        cmocka_unit_test(nothing_folds),
        cmocka_unit_test(nothing_moves_outside_the_bounds),
        cmocka_unit_test(no_expression_is_the_identity),
        cmocka_unit_test(smile_moves_one_side_only),
        cmocka_unit_test(blink_closes_both_eyes),
        cmocka_unit_test(brow_raise_lifts_brows_and_leaves_eyes),
        cmocka_unit_test(faces_that_cannot_move_are_refused),
        cmocka_unit_test(curve_keeps_its_knots_and_does_not_overshoot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
