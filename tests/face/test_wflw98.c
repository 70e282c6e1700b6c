/*
 * WFLW's 98 flat points: the table itself, depth from the mean face, and pose,
 * midline and action units on top of it.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "face/action_units.h"
#include "face/depth.h"
#include "face/midline.h"
#include "face/pose.h"
#include "synthetic_face.h"

static const fm_topology *const wflw = &fm_topology_wflw98;
static const double eye_pixels = 200, centre_x = 500, centre_y = 400;

static synthetic_face mean_face(void)
{
    synthetic_face face;
    memcpy(face.point, wflw->mean_face, (size_t)wflw->count * sizeof face.point[0]);
    return face;
}

/* What STAR would give: the picture without depth. */
static void flat_view(const synthetic_face *face, double yaw, double pitch, double roll,
                      fm_point3 *points)
{
    synthetic_view(face, wflw->count, yaw, pitch, roll, eye_pixels, centre_x, centre_y, points);
    for (int i = 0; i < wflw->count; i++)
        points[i].z = 0;
}

static void lifted_view(const synthetic_face *face, double yaw, double pitch, double roll,
                        fm_point3 *points)
{
    flat_view(face, yaw, pitch, roll, points);
    assert_true(fm_depth_from_mean_face(points, wflw));
}

static fm_pose lifted_pose(const synthetic_face *face, double yaw, double pitch, double roll)
{
    fm_point3 points[FM_LANDMARKS_MAX];
    fm_pose pose;
    lifted_view(face, yaw, pitch, roll, points);
    assert_true(fm_pose_estimate(points, wflw, &pose));
    return pose;
}

/* --- the table ------------------------------------------------------- */

/* The pairs of the annotation, written out; what is in none of them is on the midline. */
static void test_pairs(void **state)
{
    (void)state;
    static const int listed[][2] = {
        {33, 46}, {34, 45}, {35, 44}, {36, 43}, {37, 42}, {38, 50}, {39, 49}, {40, 48}, {41, 47},
        {55, 59}, {56, 58}, {60, 72}, {61, 71}, {62, 70}, {63, 69}, {64, 68}, {65, 75}, {66, 74},
        {67, 73}, {76, 82}, {77, 81}, {78, 80}, {87, 83}, {86, 84}, {88, 92}, {89, 91}, {95, 93},
        {96, 97},
    };
    int partner[98];
    for (int i = 0; i < 98; i++)
        partner[i] = i <= 32 ? 32 - i : i;
    for (size_t i = 0; i < sizeof listed / sizeof listed[0]; i++) {
        partner[listed[i][0]] = listed[i][1];
        partner[listed[i][1]] = listed[i][0];
    }
    assert_int_equal(wflw->count, 98);
    int on_midline = 0;
    for (int i = 0; i < 98; i++) {
        assert_int_equal(wflw->mirror[i], partner[i]);
        on_midline += partner[i] == i;
    }
    assert_int_equal(on_midline, wflw->midline_count);
    for (int i = 0; i < wflw->midline_count; i++)
        assert_int_equal(partner[wflw->midline[i]], wflw->midline[i]);
}

/* Each name of one side is the partner of the same name of the other. */
static void test_sides_are_partners(void **state)
{
    (void)state;
    const int *l = (const int *)&wflw->side[FM_SIDE_LEFT], *r = (const int *)&wflw->side[FM_SIDE_RIGHT];
    for (size_t i = 0; i < sizeof(fm_side_points) / sizeof(int); i++) {
        assert_int_equal(wflw->mirror[l[i]], r[i]);
        assert_true(wflw->mean_face[l[i]].x > 0);
    }
    assert_int_equal(wflw->mirror[wflw->iris[FM_SIDE_LEFT]], wflw->iris[FM_SIDE_RIGHT]);
    assert_true(wflw->mean_face[wflw->iris[FM_SIDE_LEFT]].x > 0);
}

/* The mean face has its features where faces have them. */
static void test_mean_face(void **state)
{
    (void)state;
    const fm_point3 *m = wflw->mean_face;
    for (int i = 0; i < wflw->count; i++) {
        const fm_point3 *p = &m[wflw->mirror[i]];
        assert_true(m[i].x == -p->x && m[i].y == p->y && m[i].z == p->z);
    }
    for (int i = 1; i < wflw->midline_count; i++)
        assert_true(m[wflw->midline[i]].y > m[wflw->midline[i - 1]].y);
    const fm_side_points *l = &wflw->side[FM_SIDE_LEFT];
    assert_float_equal(m[l->eye_outer].x, 0.5, 1e-4);
    assert_float_equal(m[l->eye_outer].y + m[l->eye_inner].y, 0, 1e-4);
    assert_true(m[l->eye_inner].x < m[l->upper_lid[2]].x && m[l->upper_lid[2]].x < m[l->upper_lid[1]].x &&
                m[l->upper_lid[1]].x < m[l->upper_lid[0]].x && m[l->upper_lid[0]].x < m[l->eye_outer].x);
    for (int i = 0; i < 3; i++) {
        assert_true(m[l->upper_lid[i]].y < m[l->lower_lid[i]].y);
        assert_float_equal(m[l->upper_lid[i]].x, m[l->lower_lid[i]].x, 0.06);
    }
    assert_true(m[l->brow_inner].x < m[l->brow_middle].x && m[l->brow_middle].x < m[l->brow_outer].x);
    assert_true(m[l->brow_inner].y < m[l->brow_inner_lower].y && m[l->brow_inner_lower].y < 0);
    assert_true(m[l->mouth_corner_inner].x < m[l->mouth_corner].x);
    for (int i = 0; i < wflw->count; i++)
        assert_true(m[wflw->nose_tip].z <= m[i].z);
}

/* --- depth ----------------------------------------------------------- */

/* A face of mean shape comes back exactly, depth and pose, at any turn, size and place. */
static void test_mean_shape_comes_back(void **state)
{
    (void)state;
    const synthetic_face face = mean_face();
    const float rest = lifted_pose(&face, 0, 0, 0).pitch;
    for (int yaw = -60; yaw <= 60; yaw += 20)
        for (int pitch = -20; pitch <= 20; pitch += 20)
            for (int roll = -40; roll <= 40; roll += 40) {
                fm_point3 truth[FM_LANDMARKS_MAX], points[FM_LANDMARKS_MAX];
                synthetic_view(&face, wflw->count, yaw, pitch, roll, eye_pixels, centre_x, centre_y,
                               truth);
                lifted_view(&face, yaw, pitch, roll, points);
                for (int i = 0; i < wflw->count; i++) {
                    assert_float_equal(points[i].x, truth[i].x, 0);
                    assert_float_equal(points[i].z, truth[i].z, 0.05);
                }
                if (pitch == 0 && roll == 0)
                    assert_float_equal(lifted_pose(&face, yaw, 0, 0).yaw, yaw, 0.05);
                if (yaw == 0 && roll == 0)
                    assert_float_equal(lifted_pose(&face, 0, pitch, 0).pitch - rest, pitch, 0.05);
            }
}

/* Frontal stays frontal whatever the shape; turns keep their sign, and their size in proportion to the depth. */
static void check_shape(const synthetic_face *face, double tolerance)
{
    const float rest = lifted_pose(face, 0, 0, 0).pitch;
    assert_float_equal(lifted_pose(face, 0, 0, 0).yaw, 0, 1e-3);
    for (int angle = -30; angle <= 30; angle += 10) {
        const double yaw = lifted_pose(face, angle, 0, 0).yaw;
        const double pitch = lifted_pose(face, 0, angle, 0).pitch - rest;
        assert_true(fabs(yaw - angle) <= tolerance * abs(angle) + 1e-3);
        assert_true(fabs(pitch - angle) <= tolerance * abs(angle) + 1e-3);
        assert_float_equal(lifted_pose(face, 0, 0, angle).roll, angle, 0.5);
    }
}

static void test_another_shape(void **state)
{
    (void)state;
    for (int sign = -1; sign <= 1; sign += 2) {
        synthetic_face face = mean_face();
        for (int i = 0; i < wflw->count; i++)
            face.point[i].z *= 1 + 0.2f * (float)sign;
        check_shape(&face, 0.25);
    }
    /* A face from a formula, with a nose of little more than half the mean's height. */
    const synthetic_face flat_nosed = synthetic_face_make(wflw);
    check_shape(&flat_nosed, 0.5);
}

static void test_flip(void **state)
{
    (void)state;
    synthetic_face face = synthetic_face_make(wflw);
    face.point[wflw->chin].x += 0.1f;
    fm_point3 points[FM_LANDMARKS_MAX], flipped[FM_LANDMARKS_MAX];
    flat_view(&face, 14, -6, 9, points);
    synthetic_flip(points, wflw, 1000, flipped);
    assert_true(fm_depth_from_mean_face(points, wflw));
    assert_true(fm_depth_from_mean_face(flipped, wflw));
    for (int i = 0; i < wflw->count; i++)
        assert_float_equal(points[i].z, flipped[wflw->mirror[i]].z, 0.01);
    fm_pose a, b;
    assert_true(fm_pose_estimate(points, wflw, &a));
    assert_true(fm_pose_estimate(flipped, wflw, &b));
    assert_float_equal(a.yaw, -b.yaw, 0.01);
    assert_float_equal(a.roll, -b.roll, 0.01);
}

/* An expression or a pulled mouth does not turn the head. */
static void test_lower_face_does_not_matter(void **state)
{
    (void)state;
    synthetic_face face = mean_face();
    const fm_pose before = lifted_pose(&face, 10, 5, 3);
    for (int i = 76; i < 96; i++)
        face.point[i].x += 0.1f;
    face.point[wflw->chin].y += 0.2f;
    face.point[wflw->side[FM_SIDE_RIGHT].brow_inner].y += 0.1f;
    const fm_pose after = lifted_pose(&face, 10, 5, 3);
    assert_float_equal(before.yaw, after.yaw, 1e-3);
    assert_float_equal(before.pitch, after.pitch, 1e-3);
    assert_float_equal(before.roll, after.roll, 1e-3);
}

static void test_refusals(void **state)
{
    (void)state;
    const synthetic_face face = mean_face();
    fm_point3 points[FM_LANDMARKS_MAX], before[FM_LANDMARKS_MAX];
    flat_view(&face, 0, 0, 0, points);
    points[13].y = NAN; /* on the contour: not even a point of the fit */
    assert_false(fm_depth_from_mean_face(points, wflw));
    for (int i = 0; i < wflw->count; i++)
        points[i] = (fm_point3){7, 7, 0};
    assert_false(fm_depth_from_mean_face(points, wflw));
    flat_view(&face, 80, 0, 0, points);
    memcpy(before, points, sizeof before);
    assert_false(fm_depth_from_mean_face(points, wflw));
    assert_memory_equal(before, points, (size_t)wflw->count * sizeof points[0]);
    /* All points on one line: no solution, but no crash and nothing that is not finite. */
    for (int i = 0; i < wflw->count; i++)
        points[i] = (fm_point3){10.f * (float)i, 0, 0};
    if (fm_depth_from_mean_face(points, wflw))
        for (int i = 0; i < wflw->count; i++)
            assert_true(isfinite(points[i].z));
}

/* A face that moves stays one; points that were shuffled or thrown about are none. */
static void test_misfit(void **state)
{
    (void)state;
    synthetic_face face = mean_face();
    fm_point3 points[FM_LANDMARKS_MAX] = {{0}};
    flat_view(&face, 0, 0, 30, points);
    assert_true(fm_mean_face_misfit(points, wflw) < 1e-4);
    for (int i = 0; i < wflw->count; i++)
        if (face.point[i].y > 0.6f) {
            face.point[i].x += 0.1f; /* palsy pulls the mouth aside, */
            face.point[i].y += 0.2f; /* which is wide open */
        }
    for (double yaw = -40; yaw <= 40; yaw += 20) {
        flat_view(&face, yaw, 15, 30, points);
        assert_in_range(1e3 * fm_mean_face_misfit(points, wflw), 50, 1e3 * 0.6 * FM_MISFIT_MAX);
    }
    uint32_t random = 1;
    for (int i = wflw->count - 1; i > 0; i--) {
        random = random * 1664525u + 1013904223u;
        const int j = (int)((random >> 8) % (uint32_t)(i + 1));
        const fm_point3 kept = points[i];
        points[i] = points[j];
        points[j] = kept;
    }
    assert_true(fm_mean_face_misfit(points, wflw) > 1.5 * FM_MISFIT_MAX);
    flat_view(&face, 0, 0, 0, points);
    for (int i = 0; i < wflw->count; i++)
        points[i].y *= 0.4f; /* squeezed flat */
    assert_true(fm_mean_face_misfit(points, wflw) > FM_MISFIT_MAX);
    points[7].x = NAN;
    assert_true(isinf(fm_mean_face_misfit(points, wflw)));
    for (int i = 0; i < wflw->count; i++)
        points[i] = (fm_point3){100, 100, 0};
    assert_true(isinf(fm_mean_face_misfit(points, wflw)));
    assert_true(fm_mean_face_misfit(points, &fm_topology_mesh468) == 0);
}

/* A mesh brings its own depth, which stays. */
static void test_mesh_is_left_alone(void **state)
{
    (void)state;
    const fm_topology *mesh = &fm_topology_mesh468;
    assert_null(mesh->mean_face);
    const synthetic_face face = synthetic_face_make(mesh);
    fm_point3 points[FM_LANDMARKS_MAX], before[FM_LANDMARKS_MAX];
    synthetic_view(&face, mesh->count, 20, 5, 0, 200, 500, 400, points);
    memcpy(before, points, sizeof before);
    assert_true(fm_depth_from_mean_face(points, mesh));
    assert_memory_equal(before, points, (size_t)mesh->count * sizeof points[0]);
}

/* --- midline --------------------------------------------------------- */

/* Largest distance of the true midline of a frontal face to the line, from nasion to chin. */
static double midline_error(const fm_line *line, double roll)
{
    double worst = 0;
    for (double t = -0.1; t <= 1.3; t += 0.1)
        worst = fmax(worst, fabs(fm_line_distance(line, centre_x - eye_pixels * t * sin(radians(roll)),
                                                  centre_y + eye_pixels * t * cos(radians(roll)))));
    return worst;
}

static void test_midline_of_symmetric_face(void **state)
{
    (void)state;
    const synthetic_face faces[] = {mean_face(), synthetic_face_make(wflw)};
    for (int i = 0; i < 2; i++)
        for (int mode = FM_MIDLINE_ROBUST; mode <= FM_MIDLINE_PUPILS; mode++)
            for (double roll = -30; roll <= 30; roll += 15) {
                fm_point3 points[FM_LANDMARKS_MAX];
                lifted_view(&faces[i], 0, 0, roll, points);
                fm_line line;
                assert_true(fm_midline_fit(points, wflw, (fm_midline_mode)mode, &line));
                assert_true(midline_error(&line, roll) < 0.01);
                assert_true(line.dy > 0);
            }
}

static void test_midline_under_palsy(void **state)
{
    (void)state;
    synthetic_face face = mean_face();
    for (int i = 0; i < wflw->count; i++)
        if (face.point[i].y > 0.6f)
            face.point[i].x += 0.1f;
    fm_point3 points[FM_LANDMARKS_MAX];
    lifted_view(&face, 0, 0, 10, points);
    fm_line robust, brow_chin;
    assert_true(fm_midline_fit(points, wflw, FM_MIDLINE_ROBUST, &robust));
    assert_true(fm_midline_fit(points, wflw, FM_MIDLINE_BROW_CHIN, &brow_chin));
    assert_true(midline_error(&robust, 10) < 0.02 * eye_pixels);
    assert_true(midline_error(&robust, 10) < 0.25 * midline_error(&brow_chin, 10));
}

/* With depth the parallax of a turned nose is taken out: the line runs along the head's axis. */
static void test_midline_of_turned_head(void **state)
{
    (void)state;
    const synthetic_face face = mean_face();
    for (double yaw = -15; yaw <= 15; yaw += 15) {
        fm_point3 points[FM_LANDMARKS_MAX];
        lifted_view(&face, yaw, 8, 0, points);
        fm_pose pose;
        fm_line line;
        assert_true(fm_pose_estimate(points, wflw, &pose));
        assert_true(fm_midline_fit(points, wflw, FM_MIDLINE_ROBUST, &line));
        const double length = hypot((double)pose.axis[1][0], (double)pose.axis[1][1]);
        assert_true(fabs(line.dx - pose.axis[1][0] / length) < 2e-3);
    }
}

/* --- action units ---------------------------------------------------- */

typedef void movement(synthetic_face *face);

static const fm_side_points *left(void)
{
    return &wflw->side[FM_SIDE_LEFT];
}

static void raise_outer_brow(synthetic_face *face)
{
    synthetic_move(face, wflw, left()->brow_outer, 0, -0.06f);
    synthetic_move(face, wflw, left()->brow_middle, 0, -0.03f);
}

static void smile(synthetic_face *face)
{
    synthetic_move(face, wflw, left()->mouth_corner, 0.068f, -0.073f);
    synthetic_move(face, wflw, left()->mouth_corner_inner, 0.06f, -0.06f);
}

static void part_lips(synthetic_face *face)
{
    face->point[wflw->lower_lip_inner].y += 0.08f;
    face->point[wflw->upper_lip_inner].y -= 0.04f;
}

static void close_eyes(synthetic_face *face)
{
    for (int i = 0; i < 3; i++) {
        const int up = left()->upper_lid[i], low = left()->lower_lid[i];
        synthetic_move(face, wflw, up, 0, 0.78f * (face->point[low].y - face->point[up].y));
    }
}

static fm_au_features measure(const synthetic_face *face, double yaw, double pitch)
{
    fm_point3 points[FM_LANDMARKS_MAX];
    fm_au_features f;
    lifted_view(face, yaw, pitch, yaw, points);
    assert_true(fm_au_measure(points, wflw, &f));
    return f;
}

static void test_action_units(void **state)
{
    (void)state;
    const struct {
        int number;
        movement *move;
    } units[] = {{2, raise_outer_brow}, {12, smile}, {25, part_lips}, {45, close_eyes}};
    const double turns[][2] = {{0, 0}, {12, 0}, {0, 10}, {-8, -8}};
    for (int shape = 0; shape < 2; shape++)
        for (int u = 0; u < 4; u++)
            for (int t = 0; t < 4; t++) {
                synthetic_face face = shape ? synthetic_face_make(wflw) : mean_face();
                const fm_au_features neutral = measure(&face, turns[t][0], turns[t][1]);
                units[u].move(&face);
                const fm_au_features now = measure(&face, turns[t][0], turns[t][1]);
                fm_au_result r;
                fm_au_intensities(&now, &neutral, &r);
                for (int i = 0; i < FM_AU_COUNT; i++)
                    if (fm_au_numbers[i] == units[u].number)
                        assert_true(r.intensity[i] > 3);
                    else if (!isnan(r.intensity[i]) && r.presence[i] > 0)
                        fail_msg("AU%02d moved AU%02d to %.2f (turn %d, shape %d)", units[u].number,
                                 fm_au_numbers[i], (double)r.intensity[i], t, shape);
            }
}

/* A turn of the head is no expression, for the mean shape. */
static void test_turn_is_no_expression(void **state)
{
    (void)state;
    const synthetic_face face = mean_face();
    const fm_au_features neutral = measure(&face, 0, 0);
    for (double yaw = -20; yaw <= 20; yaw += 10)
        for (double pitch = -15; pitch <= 15; pitch += 15) {
            const fm_au_features now = measure(&face, yaw, pitch);
            fm_au_result r;
            fm_au_intensities(&now, &neutral, &r);
            for (int i = 0; i < FM_AU_COUNT; i++)
                assert_true(isnan(r.intensity[i]) || r.intensity[i] < 0.1f);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_sides_are_partners),
        cmocka_unit_test(test_mean_face),
        cmocka_unit_test(test_mean_shape_comes_back),
        cmocka_unit_test(test_another_shape),
        cmocka_unit_test(test_flip),
        cmocka_unit_test(test_lower_face_does_not_matter),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_misfit),
        cmocka_unit_test(test_mesh_is_left_alone),
        cmocka_unit_test(test_midline_of_symmetric_face),
        cmocka_unit_test(test_midline_under_palsy),
        cmocka_unit_test(test_midline_of_turned_head),
        cmocka_unit_test(test_action_units),
        cmocka_unit_test(test_turn_is_no_expression),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
