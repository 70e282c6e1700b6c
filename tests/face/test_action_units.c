#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "face/action_units.h"
#include "synthetic_face.h"

static const fm_topology *const mesh = &fm_topology_mesh468;

/* --- synthetic movements, each of full strength at amount 1 ----------- */

typedef void movement(synthetic_face *face, float amount);

static const fm_side_points *left(void)
{
    return &mesh->side[FM_SIDE_LEFT];
}

static void move_brow_inner(synthetic_face *face, float out, float down)
{
    synthetic_move(face, mesh, left()->brow_inner, out, down);
    synthetic_move(face, mesh, left()->brow_inner_lower, out, down);
}

static void raise_inner_brow(synthetic_face *face, float a)
{
    move_brow_inner(face, 0, -0.08f * a);
    synthetic_move(face, mesh, left()->brow_middle, 0, -0.03f * a);
}

static void raise_outer_brow(synthetic_face *face, float a)
{
    synthetic_move(face, mesh, left()->brow_outer, 0, -0.06f * a);
    synthetic_move(face, mesh, left()->brow_middle, 0, -0.03f * a);
}

static void lower_brow(synthetic_face *face, float a)
{
    move_brow_inner(face, -0.025f * a, 0.05f * a);
    synthetic_move(face, mesh, left()->brow_middle, -0.015f * a, 0.04f * a);
}

static void raise_upper_lid(synthetic_face *face, float a)
{
    for (int i = 0; i < 3; i++)
        synthetic_move(face, mesh, left()->upper_lid[i], 0, -0.03f * a);
}

/* The upper lid comes down to a slit above the lower one, which rises a little. */
static void close_eyes(synthetic_face *face, float a)
{
    for (int i = 0; i < 3; i++) {
        const int up = left()->upper_lid[i], low = left()->lower_lid[i];
        const float gap = face->point[low].y - face->point[up].y;
        synthetic_move(face, mesh, up, 0, 0.75f * gap * a);
        synthetic_move(face, mesh, low, 0, -0.05f * gap * a);
    }
}

/* Commissures up and out at 47 degrees; the lips follow half way. */
static void smile(synthetic_face *face, float a)
{
    synthetic_move(face, mesh, left()->mouth_corner, 0.068f * a, -0.073f * a);
    synthetic_move(face, mesh, left()->mouth_corner_inner, 0.06f * a, -0.06f * a);
    synthetic_move(face, mesh, left()->upper_lip_side, 0.03f * a, -0.03f * a);
}

static void depress_corners(synthetic_face *face, float a)
{
    synthetic_move(face, mesh, left()->mouth_corner, 0.005f * a, 0.055f * a);
    synthetic_move(face, mesh, left()->mouth_corner_inner, 0, 0.05f * a);
}

static void stretch_lips(synthetic_face *face, float a)
{
    synthetic_move(face, mesh, left()->mouth_corner, 0.07f * a, 0);
    synthetic_move(face, mesh, left()->mouth_corner_inner, 0.06f * a, 0);
}

static void part_lips(synthetic_face *face, float a)
{
    face->point[mesh->lower_lip_inner].y += 0.08f * a;
    face->point[mesh->upper_lip_inner].y -= 0.04f * a;
    face->point[mesh->lower_lip_bottom].y += 0.06f * a;
}

/* The jaw takes the lower lip along whole and the corners half way; the lips part. */
static void drop_jaw(synthetic_face *face, float a)
{
    face->point[mesh->chin].y += 0.22f * a;
    face->point[mesh->lower_lip_inner].y += 0.15f * a;
    face->point[mesh->lower_lip_bottom].y += 0.17f * a;
    synthetic_move(face, mesh, left()->mouth_corner, -0.02f * a, 0.07f * a);
    synthetic_move(face, mesh, left()->mouth_corner_inner, -0.02f * a, 0.07f * a);
}

static const struct unit {
    int number;
    movement *move;
    int also; /* a unit that anatomy raises together with it, 0: none */
} units[] = {
    {1, raise_inner_brow, 0}, {2, raise_outer_brow, 0}, {4, lower_brow, 0},
    {5, raise_upper_lid, 0},  {12, smile, 0},           {15, depress_corners, 0},
    {20, stretch_lips, 0},    {25, part_lips, 0},       {26, drop_jaw, 25},
    {45, close_eyes, 0},
};
enum { UNITS = sizeof units / sizeof units[0] };

/* --- helpers --------------------------------------------------------- */

static fm_au_features measure(const synthetic_face *face, double yaw, double pitch, double roll)
{
    fm_point3 points[FM_LANDMARKS_MAX] = {{0}};
    synthetic_view(face, mesh->count, yaw, pitch, roll, 180, 480, 300, points);
    fm_au_features f;
    assert_true(fm_au_measure(points, mesh, &f));
    return f;
}

static fm_au_features neutral_features(void)
{
    const synthetic_face face = synthetic_face_make(mesh);
    return measure(&face, 0, 0, 0);
}

static int column(int number)
{
    for (int i = 0; i < FM_AU_COUNT; i++)
        if (fm_au_numbers[i] == number)
            return i;
    fail_msg("AU%02d has no column", number);
    return 0;
}

static fm_au_result result_of(movement *move, float amount, double yaw, double pitch, double roll)
{
    synthetic_face face = synthetic_face_make(mesh);
    const fm_au_features neutral = measure(&face, yaw, pitch, roll);
    move(&face, amount);
    const fm_au_features now = measure(&face, yaw, pitch, roll);
    fm_au_result result;
    fm_au_intensities(&now, &neutral, &result);
    return result;
}

static bool reported(int number)
{
    for (int i = 0; i < UNITS; i++)
        if (units[i].number == number)
            return true;
    return false;
}

/* --- tests ----------------------------------------------------------- */

static void test_neutral_is_zero(void **state)
{
    (void)state;
    const fm_au_features neutral = neutral_features();
    fm_au_result result;
    fm_au_intensities(&neutral, &neutral, &result);
    for (int i = 0; i < FM_AU_COUNT; i++) {
        if (reported(fm_au_numbers[i])) {
            assert_float_equal(result.intensity[i], 0, 0);
            assert_float_equal(result.presence[i], 0, 0);
        } else {
            assert_true(isnan(result.intensity[i]) && isnan(result.presence[i]));
        }
    }
}

/* Each movement raises its own unit and leaves the others below presence. */
static void test_own_unit_and_cross_talk(void **state)
{
    (void)state;
    const double poses[][3] = {{0, 0, 0}, {10, 0, 0}, {0, 12, 0}, {0, 0, 20}, {-8, -10, -15}};
    for (size_t p = 0; p < sizeof poses / sizeof poses[0]; p++)
        for (int u = 0; u < UNITS; u++) {
            const fm_au_result r =
                result_of(units[u].move, 1, poses[p][0], poses[p][1], poses[p][2]);
            const int own = column(units[u].number);
            if (!(r.intensity[own] > 3) || r.presence[own] < 1)
                fail_msg("AU%02d is %.2f in pose %d", units[u].number, (double)r.intensity[own], (int)p);
            for (int i = 0; i < FM_AU_COUNT; i++) {
                const int number = fm_au_numbers[i];
                if (i == own || number == units[u].also || !reported(number))
                    continue;
                if (!(r.intensity[i] < 1) || r.presence[i] > 0)
                    fail_msg("AU%02d moved AU%02d to %.2f in pose %d", units[u].number, number,
                             (double)r.intensity[i], (int)p);
            }
        }
}

/* More movement never lowers the intensity; far beyond the full scale it stays 5. */
static void test_monotone_and_clamped(void **state)
{
    (void)state;
    for (int u = 0; u < UNITS; u++) {
        const int own = column(units[u].number);
        float last = -1;
        const float most = units[u].number == 45 ? 1.0f : 4.0f; /* lids cannot pass each other */
        for (int i = 0; i <= 20; i++) {
            const float v = result_of(units[u].move, most * (float)i / 20, 0, 0, 0).intensity[own];
            assert_true(v >= last - 1e-4f && v >= 0 && v <= 5);
            last = v;
        }
        assert_true(last > 4.5f);
    }
}

/* The opposite of a movement is not that unit. */
static void test_opposite_is_zero(void **state)
{
    (void)state;
    for (int u = 0; u < UNITS; u++) {
        const fm_au_result r = result_of(units[u].move, -0.5f, 0, 0, 0);
        assert_true(r.intensity[column(units[u].number)] < 0.5f);
    }
}

/* Size, place and a turn of the head are no expression. */
static void test_pose_is_no_expression(void **state)
{
    (void)state;
    const synthetic_face face = synthetic_face_make(mesh);
    const fm_au_features neutral = neutral_features();
    for (double yaw = -15; yaw <= 15; yaw += 5)
        for (double pitch = -15; pitch <= 15; pitch += 15) {
            const fm_au_features f = measure(&face, yaw, pitch, yaw);
            fm_au_result r;
            fm_au_intensities(&f, &neutral, &r);
            for (int i = 0; i < FM_AU_COUNT; i++)
                assert_true(isnan(r.intensity[i]) || r.intensity[i] < 0.1f);
        }
}

static void test_features_have_names(void **state)
{
    (void)state;
    for (int i = 0; i < FM_AU_FEATURES; i++) {
        const char *name = fm_au_feature_name((fm_au_feature)i);
        assert_true(strlen(name) > 3);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(name, fm_au_feature_name((fm_au_feature)k));
    }
}

static void test_degenerate(void **state)
{
    (void)state;
    fm_point3 points[FM_LANDMARKS_MAX] = {{0}};
    fm_au_features f;
    assert_false(fm_au_measure(points, mesh, &f));
    const synthetic_face face = synthetic_face_make(mesh);
    synthetic_view(&face, mesh->count, 0, 0, 0, 180, 480, 300, points);
    points[mesh->side[FM_SIDE_RIGHT].mouth_corner].x = NAN;
    assert_false(fm_au_measure(points, mesh, &f));

    fm_au_features neutral = neutral_features();
    const fm_au_features now = neutral;
    neutral.value[FM_AU_LIP_GAP] = NAN;
    fm_au_result r;
    fm_au_intensities(&now, &neutral, &r);
    for (int i = 0; i < FM_AU_COUNT; i++)
        assert_true(isnan(r.intensity[i]) && isnan(r.presence[i]));
}

/* --- neutral face ---------------------------------------------------- */

/* A clip: 30 % of the frames smile, 10 % blink, all jitter a little. */
static void test_neutral_of_a_clip(void **state)
{
    (void)state;
    fm_error err = {0};
    fm_au_neutral *neutral = NULL;
    assert_int_equal(fm_au_neutral_create(&neutral, &err), FM_OK);
    fm_au_features estimate;
    assert_false(fm_au_neutral_estimate(neutral, &estimate));

    unsigned seed = 4;
    for (int frame = 0; frame < 1000; frame++) {
        synthetic_face face = synthetic_face_make(mesh);
        if (frame % 10 < 3)
            smile(&face, 1);
        if (frame % 10 == 5)
            close_eyes(&face, 1);
        for (int i = 0; i < mesh->count; i++) {
            seed = seed * 1664525u + 1013904223u;
            face.point[i].y += ((float)(seed >> 16) / 65536.f - 0.5f) * 0.004f;
        }
        const fm_au_features f = measure(&face, 0, 0, 0);
        fm_au_neutral_add(neutral, &f);
    }
    assert_true(fm_au_neutral_estimate(neutral, &estimate));
    const fm_au_features truth = neutral_features();
    for (int i = 0; i < FM_AU_FEATURES; i++)
        assert_float_equal(estimate.value[i], truth.value[i], 0.01);
    /* With this neutral a blink and a smile still read as themselves, and rest as rest. */
    synthetic_face face = synthetic_face_make(mesh);
    fm_au_result r;
    fm_au_features f = measure(&face, 0, 0, 0);
    fm_au_intensities(&f, &estimate, &r);
    for (int i = 0; i < FM_AU_COUNT; i++)
        assert_true(isnan(r.intensity[i]) || r.intensity[i] < 0.5f);
    smile(&face, 1);
    close_eyes(&face, 1);
    f = measure(&face, 0, 0, 0);
    fm_au_intensities(&f, &estimate, &r);
    assert_true(r.intensity[column(12)] > 3 && r.intensity[column(45)] > 4);
    fm_au_neutral_destroy(&neutral);
    assert_null(neutral);
    fm_au_neutral_destroy(&neutral);
}

/* Constant memory, the same answer each time, and late frames count like early ones. */
static void test_neutral_of_a_long_clip(void **state)
{
    (void)state;
    fm_au_features estimate[2];
    for (int pass = 0; pass < 2; pass++) {
        fm_au_neutral *neutral = NULL;
        assert_int_equal(fm_au_neutral_create(&neutral, NULL), FM_OK);
        fm_au_features f = neutral_features();
        const int frames = 100000;
        for (int i = 0; i < frames; i++) {
            f.value[FM_AU_LIP_GAP] = (float)i / (float)frames; /* a ramp: the median is the middle */
            fm_au_neutral_add(neutral, &f);
        }
        fm_au_features bad = f;
        bad.value[FM_AU_EYE_OPENING] = NAN;
        fm_au_neutral_add(neutral, &bad);
        assert_true(fm_au_neutral_estimate(neutral, &estimate[pass]));
        assert_float_equal(estimate[pass].value[FM_AU_LIP_GAP], 0.5, 0.001);
        assert_true(isfinite(estimate[pass].value[FM_AU_EYE_OPENING]));
        fm_au_neutral_destroy(&neutral);
    }
    assert_memory_equal(&estimate[0], &estimate[1], sizeof estimate[0]);
}

static void test_neutral_of_one_frame(void **state)
{
    (void)state;
    fm_au_neutral *neutral = NULL;
    assert_int_equal(fm_au_neutral_create(&neutral, NULL), FM_OK);
    const fm_au_features f = neutral_features();
    fm_au_neutral_add(neutral, &f);
    fm_au_features estimate;
    assert_true(fm_au_neutral_estimate(neutral, &estimate));
    assert_memory_equal(&f, &estimate, sizeof f);
    fm_au_neutral_destroy(&neutral);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neutral_is_zero),
        cmocka_unit_test(test_own_unit_and_cross_talk),
        cmocka_unit_test(test_monotone_and_clamped),
        cmocka_unit_test(test_opposite_is_zero),
        cmocka_unit_test(test_pose_is_no_expression),
        cmocka_unit_test(test_features_have_names),
        cmocka_unit_test(test_degenerate),
        cmocka_unit_test(test_neutral_of_a_clip),
        cmocka_unit_test(test_neutral_of_a_long_clip),
        cmocka_unit_test(test_neutral_of_one_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
