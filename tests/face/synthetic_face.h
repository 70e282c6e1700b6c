/*
 * A symmetric face with all points of a topology, made from a formula, in the head
 * frame (unit: distance between the outer eye corners; x to the patient's
 * left, y down, z into the head), and its picture under any head pose.
 * Coordinates of a frontal, unscaled face are exactly symmetric.
 */
#ifndef FM_TESTS_SYNTHETIC_FACE_H
#define FM_TESTS_SYNTHETIC_FACE_H

#include <math.h>

#include "facemirror/run.h"
#include "face/image.h"
#include "face/topology.h"

typedef struct synthetic_face {
    fm_point3 point[FM_LANDMARKS_MAX]; /* head frame */
} synthetic_face;

static inline double radians(double degrees)
{
    return degrees * 3.14159265358979323846 / 180;
}

/* Depth of the skin at (x, y): an ellipsoid with a nose on it. */
static inline float synthetic_depth(float x, float y)
{
    const float dy = y - 0.2f;
    const float nose = expf(-x * x / 0.02f) * expf(-(y - 0.35f) * (y - 0.35f) / 0.012f);
    return 0.6f * x * x + 0.15f * dy * dy - 0.28f * nose - 0.1f;
}

/* Places a point and its partner. x is the distance from the midline. */
static inline void synthetic_place(synthetic_face *face, const fm_topology *t, int left, float x,
                                   float y)
{
    const int right = t->mirror[left];
    const float z = synthetic_depth(x, y);
    face->point[left] = (fm_point3){x, y, z};
    face->point[right] = (fm_point3){-x, y, z};
}

static inline synthetic_face synthetic_face_make(const fm_topology *t)
{
    synthetic_face f;
    /* Unnamed points: a sunflower pattern over the half face, so that no two coincide. */
    const int left_probe = t->side[FM_SIDE_LEFT].eye_outer;
    const int left_is_high = left_probe > t->mirror[left_probe];
    for (int i = 0; i < t->count; i++) {
        const int partner = t->mirror[i];
        const int is_left = t->mean_face ? t->mean_face[i].x > 0 : (partner < i) == left_is_high;
        if (partner == i || !is_left)
            continue;
        const float radius = sqrtf((float)(i + 1) / (float)t->count);
        const float angle = 2.399963f * (float)i;
        const float x = 0.02f + 0.65f * radius * fabsf(cosf(angle));
        synthetic_place(&f, t, i, x, 0.2f + 0.9f * radius * sinf(angle));
    }
    const fm_side_points *l = &t->side[FM_SIDE_LEFT];
    const struct {
        int index;
        float x, y;
    } named[] = {
        {l->eye_outer, 0.5f, 0},           {l->eye_inner, 0.19f, 0},
        {l->upper_lid[0], 0.42f, -0.04f},  {l->upper_lid[1], 0.345f, -0.055f},
        {l->upper_lid[2], 0.27f, -0.045f}, {l->lower_lid[0], 0.42f, 0.035f},
        {l->lower_lid[1], 0.345f, 0.045f}, {l->lower_lid[2], 0.27f, 0.035f},
        {l->brow_outer, 0.58f, -0.16f},    {l->brow_middle, 0.4f, -0.25f},
        {l->brow_inner, 0.12f, -0.2f},     {l->brow_inner_lower, 0.13f, -0.15f},
        {l->mouth_corner, 0.28f, 0.7f},    {l->mouth_corner_inner, 0.26f, 0.7f},
        {l->nose_wing, 0.19f, 0.42f},      {l->upper_lip_side, 0.14f, 0.64f},
    };
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++)
        synthetic_place(&f, t, named[i].index, named[i].x, named[i].y);

    /* Hairline to chin by named points, in between linearly. */
    const struct {
        int index;
        float y;
    } profile[] = {
        {t->midline[0], -0.75f},      {t->nasion, -0.08f},          {t->nose_tip, 0.38f},
        {t->subnasale, 0.48f},        {t->upper_lip_top, 0.61f},    {t->upper_lip_inner, 0.69f},
        {t->lower_lip_inner, 0.7f},   {t->lower_lip_bottom, 0.78f}, {t->chin, 1.15f},
    };
    int next = t->midline[0] == t->nasion ? 2 : 1, since = 0; /* WFLW begins at the nasion */
    for (int i = 0; i < t->midline_count; i++) {
        int gap = 1;
        while (t->midline[since + gap] != profile[next].index)
            gap++;
        const float part = (float)(i - since) / (float)gap;
        const float y = profile[next - 1].y + part * (profile[next].y - profile[next - 1].y);
        f.point[t->midline[i]] = (fm_point3){0, y, synthetic_depth(0, y)};
        if (t->midline[i] == profile[next].index && i + 1 < t->midline_count) {
            next++;
            since = i;
        }
    }
    return f;
}

/* Moves a point of the patient's left and its partner by the mirrored amount: (out, down). */
static inline void synthetic_move(synthetic_face *face, const fm_topology *t, int left, float out,
                                  float down)
{
    face->point[left].x += out;
    face->point[left].y += down;
    face->point[t->mirror[left]].x -= out;
    face->point[t->mirror[left]].y += down;
}

/*
 * The picture (orthographic) under a pose in degrees, with the signs of
 * pose.h: R = Ry(yaw) Rx(pitch) Rz(roll), written out from its meaning.
 */
static inline void synthetic_view(const synthetic_face *face, int count, double yaw, double pitch,
                                  double roll, double scale, double cx, double cy, fm_point3 *out)
{
    const double sy = sin(radians(yaw)), cyaw = cos(radians(yaw));
    const double sp = sin(radians(pitch)), cp = cos(radians(pitch));
    const double sr = sin(radians(roll)), cr = cos(radians(roll));
    for (int i = 0; i < count; i++) {
        const fm_point3 p = face->point[i];
        /* Roll: the patient's left (+x) goes down (+y). */
        const double x1 = cr * p.x - sr * p.y, y1 = sr * p.x + cr * p.y;
        /* Pitch: what is below (+y) comes forward (-z). */
        const double y2 = cp * y1 + sp * p.z, z2 = -sp * y1 + cp * p.z;
        /* Yaw: the patient's left (+x) goes back (+z). */
        const double x3 = cyaw * x1 - sy * z2, z3 = sy * x1 + cyaw * z2;
        out[i] = (fm_point3){(float)(cx + scale * x3), (float)(cy + scale * y2), (float)(scale * z3)};
    }
}

/* The landmarks of the horizontally flipped picture. */
static inline void synthetic_flip(const fm_point3 *in, const fm_topology *t, float width,
                                  fm_point3 *out)
{
    for (int i = 0; i < t->count; i++) {
        const fm_point3 p = in[t->mirror[i]];
        out[i] = (fm_point3){width - p.x, p.y, p.z};
    }
}

#endif
