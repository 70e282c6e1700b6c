/* The landmarks of a mirrored face against a symmetric face made from a formula, in both topologies and any pose. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "face/mirrored_face.h"
#include "face/pose.h"
#include "synthetic_face.h"

static const fm_topology *const topologies[] = {&fm_topology_mesh478, &fm_topology_wflw98};
enum { TOPOLOGIES = sizeof topologies / sizeof topologies[0] };

/* The midline of a frontal face whose eyes' middle is at (cx, cy), leaning by `roll` degrees. */
static fm_line midline(double cx, double cy, double roll)
{
    return (fm_line){cx, cy, -sin(radians(roll)), cos(radians(roll))};
}

static bool near(const fm_point3 *a, const fm_point3 *b, int count, double limit)
{
    for (int i = 0; i < count; i++)
        if (hypot(a[i].x - b[i].x, a[i].y - b[i].y) > limit)
            return false;
    return true;
}

/* A symmetric face is its own mirrored face, from either half. */
static void test_symmetric(void **state)
{
    (void)state;
    for (int k = 0; k < TOPOLOGIES; k++)
        for (int roll = -30; roll <= 30; roll += 15) {
            const fm_topology *t = topologies[k];
            const synthetic_face face = synthetic_face_make(t);
            fm_point3 points[FM_LANDMARKS_MAX], out[FM_LANDMARKS_MAX];
            synthetic_view(&face, t->count, 0, 0, roll, 100, 250, 200, points);
            const fm_line line = midline(250, 200, roll);
            fm_mirrored_points(points, t, &line, FM_SIDE_LEFT, out);
            assert_true(near(out, points, t->count, 1e-3));
            fm_mirrored_points(points, t, &line, FM_SIDE_RIGHT, out);
            assert_true(near(out, points, t->count, 1e-3));
        }
}

/* A smile on the patient's left alone: kept, it is on both sides; else on neither. */
static void test_one_side_moves(void **state)
{
    (void)state;
    for (int k = 0; k < TOPOLOGIES; k++) {
        const fm_topology *t = topologies[k];
        const synthetic_face rest = synthetic_face_make(t);
        synthetic_face smile = rest, lopsided = rest;
        const int corner = t->side[FM_SIDE_LEFT].mouth_corner;
        synthetic_move(&smile, t, corner, 0.05f, -0.08f);
        lopsided.point[corner] = smile.point[corner];
        fm_point3 source[FM_LANDMARKS_MAX], both[FM_LANDMARKS_MAX], none[FM_LANDMARKS_MAX], out[FM_LANDMARKS_MAX];
        synthetic_view(&lopsided, t->count, 0, 0, 10, 100, 250, 200, source);
        synthetic_view(&smile, t->count, 0, 0, 10, 100, 250, 200, both);
        synthetic_view(&rest, t->count, 0, 0, 10, 100, 250, 200, none);
        const fm_line line = midline(250, 200, 10);
        fm_mirrored_points(source, t, &line, FM_SIDE_LEFT, out);
        assert_true(near(out, both, t->count, 1e-3));
        fm_mirrored_points(source, t, &line, FM_SIDE_RIGHT, out);
        assert_true(near(out, none, t->count, 1e-3));
    }
}

/* A half that looks 20 % too wide gets its width back, and its heights stay. */
static void test_width(void **state)
{
    (void)state;
    for (int k = 0; k < TOPOLOGIES; k++) {
        const fm_topology *t = topologies[k];
        const synthetic_face face = synthetic_face_make(t);
        fm_point3 points[FM_LANDMARKS_MAX], wide[FM_LANDMARKS_MAX];
        synthetic_view(&face, t->count, 0, 0, 0, 100, 250, 200, points);
        for (int i = 0; i < t->count; i++) {
            wide[i] = points[i];
            wide[i].x = 250 + 1.2f * (points[i].x - 250);
        }
        fm_pose pose;
        assert_true(fm_pose_estimate(points, t, &pose));
        const fm_line line = midline(250, 200, 0);
        fm_mirrored_restore_width(wide, t, &line, pose.inter_ocular);
        assert_true(near(wide, points, t->count, 0.05));
    }
    /* Nothing sensible can be done with no face, and nothing is. */
    fm_point3 flat[FM_LANDMARKS_MAX] = {{0}};
    const fm_line line = midline(0, 0, 0);
    fm_mirrored_restore_width(flat, topologies[0], &line, 100);
    assert_true(flat[33].x == 0 && flat[33].y == 0);
}

static void test_relation(void **state)
{
    (void)state;
    const fm_box_relation r = fm_mirrored_relation(&(fm_box_relation){0.1, -0.2, 1.1, 1.3});
    assert_true(r.x == 0 && r.y == -0.2 && r.width == 1.1 && r.height == 1.3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_symmetric),
        cmocka_unit_test(test_one_side_moves),
        cmocka_unit_test(test_width),
        cmocka_unit_test(test_relation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
