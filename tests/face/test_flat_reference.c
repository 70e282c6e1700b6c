/*
 * Real faces, flat: the face meshes of facemesh_expected.json at WFLW's
 * places, without their depth, must give nearly the pose and the midline that
 * the meshes give with it. Skipped where the shared reference folder is absent.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <jansson.h>

#include "base/file.h"
#include "face/depth.h"
#include "face/midline.h"
#include "face/pose.h"

enum { EXIT_SKIP = 77, MESH_POINTS = 468, FLAT_POINTS = 98 };

/* The mesh vertex nearest to each of WFLW's points. */
static const int vertex[FLAT_POINTS] = {
    /* clang-format off */
    127, 234, 93, 93, 132, 132, 58, 172, 172, 136, 150, 150, 149, 176, 176, 148, 152, /* contour */
    377, 400, 400, 378, 379, 379, 365, 397, 397, 288, 361, 361, 323, 323, 454, 356,
    70, 63, 105, 66, 107, 55, 65, 52, 53, 336, 296, 334, 293, 300, 283, 282, 295, 285, /* brows */
    168, 197, 5, 4, 98, 97, 2, 326, 327, /* nose */
    33, 160, 159, 158, 133, 153, 145, 144, 362, 385, 386, 387, 263, 373, 374, 380, /* eyes */
    61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 181, 91, 78, 81, 13, 311, 308, 402, 14, 178, /* mouth */
    159, 386, /* pupils: not in this mesh, and of no weight here */
    /* clang-format on */
};

static json_t *records; /* set by main, constant afterwards */

static void read_mesh(const json_t *landmarks, fm_point3 *out)
{
    for (size_t i = 0; i < MESH_POINTS; i++) {
        const json_t *p = json_array_get(landmarks, i);
        out[i] = (fm_point3){(float)json_number_value(json_array_get(p, 0)),
                             (float)json_number_value(json_array_get(p, 1)),
                             (float)json_number_value(json_array_get(p, 2))};
    }
}

/* Largest distance between two lines from the hairline to the chin. */
static double line_difference(const fm_line *a, const fm_line *b, const fm_point3 *mesh)
{
    const int ends[2] = {fm_topology_mesh468.midline[0], fm_topology_mesh468.chin};
    double worst = 0;
    for (int i = 0; i < 2; i++) {
        const fm_point3 p = mesh[ends[i]];
        worst = fmax(worst, fabs(fm_line_distance(a, p.x, p.y) - fm_line_distance(b, p.x, p.y)));
    }
    return worst;
}

static void compare(const char *image, int frame, const fm_point3 *mesh)
{
    fm_point3 flat[FLAT_POINTS];
    for (int i = 0; i < FLAT_POINTS; i++)
        flat[i] = (fm_point3){mesh[vertex[i]].x, mesh[vertex[i]].y, 0};
    fm_pose a, b;
    fm_line line_a, line_b;
    assert_true(fm_depth_from_mean_face(flat, &fm_topology_wflw98));
    assert_true(fm_pose_estimate(mesh, &fm_topology_mesh468, &a));
    assert_true(fm_pose_estimate(flat, &fm_topology_wflw98, &b));
    assert_true(fm_midline_fit(mesh, &fm_topology_mesh468, FM_MIDLINE_ROBUST, &line_a));
    assert_true(fm_midline_fit(flat, &fm_topology_wflw98, FM_MIDLINE_ROBUST, &line_b));
    const double apart = line_difference(&line_a, &line_b, mesh) / a.inter_ocular;
    const double misfit = fm_mean_face_misfit(flat, &fm_topology_wflw98);
    print_message("%-22s %3d: yaw %6.2f flat %6.2f  pitch %6.2f %6.2f  roll %5.2f %5.2f  midline %.2f %%  misfit %.3f\n",
                  image, frame, a.yaw, b.yaw, a.pitch, b.pitch, a.roll, b.roll, 100 * apart, misfit);
    assert_true(misfit < 0.5 * FM_MISFIT_MAX);
    assert_true(fabsf(a.yaw - b.yaw) < 4);
    assert_true(fabsf(a.roll - b.roll) < 0.6f);
    /* Both pitches are relative to a resting profile, of other points and of one person. */
    assert_true(fabsf(a.pitch - b.pitch) < 10);
    assert_true(apart < 0.025);
}

static void test_flat_faces(void **state)
{
    (void)state;
    static fm_point3 mesh[MESH_POINTS];
    size_t i;
    json_t *record;
    int compared = 0;
    json_array_foreach(records, i, record) {
        const char *model = json_string_value(json_object_get(record, "model"));
        const json_t *landmarks = json_object_get(record, "landmarks");
        if (strcmp(model, "facemesh-468") != 0 || json_array_size(landmarks) != MESH_POINTS)
            continue;
        read_mesh(landmarks, mesh);
        compare(json_string_value(json_object_get(record, "image")),
                (int)json_integer_value(json_object_get(record, "frame")), mesh);
        compared++;
    }
    assert_true(compared > 0);
}

int main(int argc, char **argv)
{
    char shared[FM_PATH_MAX], path[FM_PATH_MAX];
    const char *dir = getenv("FACEMIRROR_SHARED");
    json_error_t error;
    if (dir && *dir)
        snprintf(shared, sizeof shared, "%s", dir);
    else if (!fm_path_join(shared, argc > 1 ? argv[1] : ".", "../shared"))
        return 1;
    if (!fm_path_join(path, shared, "reference/facemesh_expected.json"))
        return 1;
    records = json_load_file(path, 0, &error);
    if (!records) {
        printf("skipped: no reference data (FACEMIRROR_SHARED)\n");
        return EXIT_SKIP;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_flat_faces)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(records);
    return failed;
}
