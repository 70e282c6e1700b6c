#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "face/pose.h"
#include "synthetic_face.h"

static const fm_topology *const mesh = &fm_topology_mesh468;

static fm_pose pose_of(const synthetic_face *face, double yaw, double pitch, double roll)
{
    fm_point3 points[FM_LANDMARKS_MAX] = {{0}};
    synthetic_view(face, mesh->count, yaw, pitch, roll, 200, 500, 400, points);
    fm_pose pose;
    assert_true(fm_pose_estimate(points, mesh, &pose));
    return pose;
}

static void test_frontal(void **state)
{
    (void)state;
    const synthetic_face face = synthetic_face_make(mesh);
    const fm_pose pose = pose_of(&face, 0, 0, 0);
    assert_float_equal(pose.yaw, 0, 1e-4);
    assert_float_equal(pose.roll, 0, 1e-4);
    assert_float_equal(pose.inter_ocular, 200, 1e-3);
    assert_float_equal(pose.origin.x, 500, 1e-3);
    assert_float_equal(pose.origin.y, 400, 1e-3);
}

/* A known rotation comes back: one axis at a time, with its sign, against the resting profile. */
static void test_signs(void **state)
{
    (void)state;
    const synthetic_face face = synthetic_face_make(mesh);
    const float rest = pose_of(&face, 0, 0, 0).pitch;
    for (int degrees = -30; degrees <= 30; degrees += 15) {
        assert_float_equal(pose_of(&face, degrees, 0, 0).yaw, degrees, 0.01);
        assert_float_equal(pose_of(&face, 0, degrees, 0).pitch - rest, degrees, 0.01);
        /* The resting profile leans a little, and so tilts the axis of the roll. */
        assert_float_equal(pose_of(&face, 0, 0, degrees).roll, degrees, 0.5);
    }
}

/* The meaning of the signs in the picture, without any rotation formula. */
static void test_signs_in_picture(void **state)
{
    (void)state;
    const synthetic_face face = synthetic_face_make(mesh);
    fm_point3 frontal[FM_LANDMARKS_MAX] = {{0}}, turned[FM_LANDMARKS_MAX] = {{0}};
    synthetic_view(&face, mesh->count, 0, 0, 0, 200, 500, 400, frontal);

    synthetic_view(&face, mesh->count, 20, 0, 0, 200, 500, 400, turned);
    assert_true(turned[mesh->nose_tip].x > frontal[mesh->nose_tip].x + 10); /* to the image's right */
    synthetic_view(&face, mesh->count, 0, 20, 0, 200, 500, 400, turned);
    assert_true(turned[mesh->nose_tip].y < frontal[mesh->nose_tip].y - 5); /* up */
    synthetic_view(&face, mesh->count, 0, 0, 20, 200, 500, 400, turned);
    const int image_left_eye = mesh->side[FM_SIDE_RIGHT].eye_outer;
    const int image_right_eye = mesh->side[FM_SIDE_LEFT].eye_outer;
    assert_true(turned[image_left_eye].x < turned[image_right_eye].x);
    assert_true(turned[image_left_eye].y < turned[image_right_eye].y - 10); /* the higher one */
}

static void test_flip(void **state)
{
    (void)state;
    const synthetic_face face = synthetic_face_make(mesh);
    fm_point3 points[FM_LANDMARKS_MAX] = {{0}}, flipped[FM_LANDMARKS_MAX] = {{0}};
    synthetic_view(&face, mesh->count, 12, -7, 9, 200, 500, 400, points);
    synthetic_flip(points, mesh, 1000, flipped);
    fm_pose a, b;
    assert_true(fm_pose_estimate(points, mesh, &a));
    assert_true(fm_pose_estimate(flipped, mesh, &b));
    assert_float_equal(a.yaw, -b.yaw, 1e-3);
    assert_float_equal(a.roll, -b.roll, 1e-3);
    assert_float_equal(a.pitch, b.pitch, 1e-3);
    assert_true(fabsf(a.yaw) > 5 && fabsf(a.roll) > 5);
}

/* Mouth, chin and nose tip pulled aside, one brow hanging, jaw open: the head has not moved. */
static void test_palsy(void **state)
{
    (void)state;
    synthetic_face face = synthetic_face_make(mesh);
    const fm_pose before = pose_of(&face, 5, 3, 2);
    for (int i = 0; i < mesh->count; i++)
        if (face.point[i].y > 0.5f)
            face.point[i].x += 0.1f;
    face.point[mesh->nose_tip].x += 0.1f;
    face.point[mesh->chin].y += 0.2f;
    face.point[mesh->side[FM_SIDE_RIGHT].brow_outer].y += 0.1f;
    face.point[mesh->side[FM_SIDE_RIGHT].brow_inner].y += 0.1f;
    const fm_pose after = pose_of(&face, 5, 3, 2);
    assert_float_equal(before.yaw, after.yaw, 0.1);
    assert_float_equal(before.pitch, after.pitch, 0.1);
    assert_float_equal(before.roll, after.roll, 0.1);
}

/* Whatever the pose, the head frame gives the same face back. */
static void test_normalise(void **state)
{
    (void)state;
    const synthetic_face face = synthetic_face_make(mesh);
    fm_point3 points[FM_LANDMARKS_MAX] = {{0}}, frontal[FM_LANDMARKS_MAX] = {{0}}, turned[FM_LANDMARKS_MAX] = {{0}};
    fm_pose pose;
    synthetic_view(&face, mesh->count, 0, 0, 0, 200, 500, 400, points);
    assert_true(fm_pose_estimate(points, mesh, &pose));
    fm_pose_normalise(points, mesh->count, &pose, frontal);
    synthetic_view(&face, mesh->count, 18, -12, 25, 333, 90, -40, points);
    assert_true(fm_pose_estimate(points, mesh, &pose));
    fm_pose_normalise(points, mesh->count, &pose, turned);
    for (int i = 0; i < mesh->count; i++) {
        assert_float_equal(frontal[i].x, turned[i].x, 1e-3);
        assert_float_equal(frontal[i].y, turned[i].y, 1e-3);
        assert_float_equal(frontal[i].z, turned[i].z, 1e-3);
    }
    fm_pose_normalise(points, mesh->count, &pose, points); /* in place */
    assert_memory_equal(points, turned, (size_t)mesh->count * sizeof points[0]);
}

static void test_degenerate(void **state)
{
    (void)state;
    fm_point3 points[FM_LANDMARKS_MAX] = {{0}};
    for (int i = 0; i < mesh->count; i++)
        points[i] = (fm_point3){10, 10, 0};
    fm_pose pose;
    assert_false(fm_pose_estimate(points, mesh, &pose));
    const synthetic_face face = synthetic_face_make(mesh);
    synthetic_view(&face, mesh->count, 0, 0, 0, 200, 500, 400, points);
    points[mesh->subnasale].y = NAN;
    assert_false(fm_pose_estimate(points, mesh, &pose));
    points[mesh->subnasale] = points[mesh->midline[0]]; /* no length from top to bottom */
    assert_false(fm_pose_estimate(points, mesh, &pose));
    points[mesh->side[FM_SIDE_LEFT].eye_outer].z = INFINITY;
    assert_false(fm_pose_estimate(points, mesh, &pose));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frontal),   cmocka_unit_test(test_signs),
        cmocka_unit_test(test_signs_in_picture),
        cmocka_unit_test(test_flip),      cmocka_unit_test(test_palsy),
        cmocka_unit_test(test_normalise), cmocka_unit_test(test_degenerate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
