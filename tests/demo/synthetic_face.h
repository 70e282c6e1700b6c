/*
 * A face made of its named landmarks only, at the proportions of a real one,
 * for tests of pure geometry. The unnamed points fill the face's oval.
 */
#ifndef FM_TESTS_SYNTHETIC_FACE_H
#define FM_TESTS_SYNTHETIC_FACE_H

#include <math.h>

#include "face/image.h"
#include "face/topology.h"
#include "facemirror/run.h"

typedef struct synthetic_pose {
    double x, y;  /* between the eyes, pixels */
    double unit;  /* inter-ocular distance, pixels */
    double angle; /* radians, clockwise on screen */
} synthetic_pose;

static void synthetic_put(fm_point3 *points, int index, const synthetic_pose *pose, double u, double v)
{
    const double c = cos(pose->angle) * pose->unit, s = sin(pose->angle) * pose->unit;
    points[index] = (fm_point3){(float)(pose->x + c * u - s * v), (float)(pose->y + s * u + c * v), 0.0f};
}

/* u from the midline outwards, v down from the line of the eyes, in inter-ocular distances. */
static void synthetic_face(fm_point3 *points, const fm_topology *t, const synthetic_pose *pose)
{
    for (int i = 0; i < t->count; i++) {
        const double r = sqrt((i + 0.5) / t->count), a = 2.399963 * i; /* sunflower pattern */
        synthetic_put(points, i, pose, 0.75 * r * cos(a), 0.35 + 0.9 * r * sin(a));
    }
    for (int side = 0; side < 2; side++) {
        const fm_side_points *p = &t->side[side];
        const double s = side == FM_SIDE_LEFT ? 1.0 : -1.0;
        const double lid_u[3] = {0.42, 0.345, 0.27};
        synthetic_put(points, p->eye_outer, pose, s * 0.50, 0.0);
        synthetic_put(points, p->eye_inner, pose, s * 0.19, 0.0);
        for (int i = 0; i < 3; i++) {
            const double open = i == 1 ? 1.0 : 0.8;
            synthetic_put(points, p->upper_lid[i], pose, s * lid_u[i], -0.06 * open);
            /* the mesh's lower partner lies nearer to the nose */
            synthetic_put(points, p->lower_lid[i], pose, s * (lid_u[i] - 0.03), 0.05 * open);
        }
        synthetic_put(points, p->brow_outer, pose, s * 0.60, -0.19);
        synthetic_put(points, p->brow_middle, pose, s * 0.42, -0.26);
        synthetic_put(points, p->brow_inner, pose, s * 0.15, -0.23);
        synthetic_put(points, p->brow_inner_lower, pose, s * 0.14, -0.17);
        synthetic_put(points, p->mouth_corner, pose, s * 0.34, 0.64);
        synthetic_put(points, p->mouth_corner_inner, pose, s * 0.31, 0.64);
        synthetic_put(points, p->nose_wing, pose, s * 0.19, 0.38);
        synthetic_put(points, p->upper_lip_side, pose, s * 0.17, 0.59);
    }
    for (int i = 0; i < t->midline_count; i++)
        synthetic_put(points, t->midline[i], pose, 0.0, -0.5 + 1.7 * i / (t->midline_count - 1));
    synthetic_put(points, t->upper_lip_top, pose, 0.0, 0.60);
    synthetic_put(points, t->upper_lip_inner, pose, 0.0, 0.64);
    synthetic_put(points, t->lower_lip_inner, pose, 0.0, 0.66);
    synthetic_put(points, t->lower_lip_bottom, pose, 0.0, 0.74);
    synthetic_put(points, t->chin, pose, 0.0, 1.15);
}

#endif
