#include "face/attention.h"

#include <string.h>

#include "face/topology.h"

/* Mesh point of each point of the lips output: outer to inner contours, lower and upper in turn. */
static const int lips_points[FM_ATTENTION_LIPS] = {
    /* clang-format off */
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291,  185, 40, 39, 37, 0, 267, 269, 270, 409,
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308,   191, 80, 81, 82, 13, 312, 311, 310, 415,
    76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306,   184, 74, 73, 72, 11, 302, 303, 304, 408,
    62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292,   183, 42, 41, 38, 12, 268, 271, 272, 407,
    /* clang-format on */
};

/* The same for the image-left eye: its contour first, then lids, brow and cheek. The right eye has the partners. */
enum { EYE_CONTOUR = 16 };
static const int left_eye_points[FM_ATTENTION_EYE] = {
    /* clang-format off */
    33, 7, 163, 144, 145, 153, 154, 155, 133,           246, 161, 160, 159, 158, 157, 173,
    130, 25, 110, 24, 23, 22, 26, 112, 243,             247, 30, 29, 27, 28, 56, 190,
    226, 31, 228, 229, 230, 231, 232, 233, 244,         113, 225, 224, 223, 222, 221, 189,
    35, 124, 46, 53, 52, 65,                            143, 111, 117, 118, 119, 120, 121, 128, 245,
    156, 70, 63, 105, 66, 107, 55, 193,
    /* clang-format on */
};

static void put_xy(float *out, int point, const float *xy)
{
    out[3 * point] = xy[0];
    out[3 * point + 1] = xy[1];
}

/* An eye and its iris, which has no depth of its own: it gets the mean of the eye's contour. */
static void refine_eye(const float *eye, const float *iris, const int *mirror, int first_iris_point,
                       float *out)
{
    float depth = 0.0f;
    for (int i = 0; i < FM_ATTENTION_EYE; i++) {
        int point = mirror ? mirror[left_eye_points[i]] : left_eye_points[i];
        put_xy(out, point, eye + 2 * i);
        if (i < EYE_CONTOUR)
            depth += out[3 * point + 2];
    }
    for (int i = 0; i < FM_ATTENTION_IRIS; i++) {
        put_xy(out, first_iris_point + i, iris + 2 * i);
        out[3 * (first_iris_point + i) + 2] = depth / EYE_CONTOUR;
    }
}

void fm_attention_refine(const fm_attention_parts *parts, float *out)
{
    memmove(out, parts->mesh, FM_ATTENTION_MESH * 3 * sizeof *out);
    for (int i = 0; i < FM_ATTENTION_LIPS; i++)
        put_xy(out, lips_points[i], parts->lips + 2 * i);
    refine_eye(parts->left_eye, parts->left_iris, NULL, FM_ATTENTION_MESH, out);
    refine_eye(parts->right_eye, parts->right_iris, fm_topology_mesh478.mirror,
               FM_ATTENTION_MESH + FM_ATTENTION_IRIS, out);
}
