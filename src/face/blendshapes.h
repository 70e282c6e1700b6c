/*
 * Scores of a face's movements from MediaPipe's blendshape network (52 names,
 * 0..1), which looks at 146 of the 478 points of a mesh with irises
 * (fm_topology_mesh478). Knows no inference runtime.
 *
 * Contract of the network: input [146][2], x and y of the points in pixels of
 * the picture (it takes off their mean and divides by their mean distance from
 * it, so that only the shape counts; fractions of the picture's width and height
 * would bend it), output [52], behind the sigmoid. Depth plays no part.
 *
 * Left and Right in the names are the patient's, as everywhere here, in a
 * picture that is not mirrored: eyeBlinkLeft is the eye of points 362 and 263.
 *
 * Source: mediapipe/tasks/cc/vision/face_landmarker/face_blendshapes_graph.cc (points, names, their order);
 * checked against Google's own build by tests/face/test_reference.c.
 * Thread-safety: Safe (pure functions).
 */
#ifndef FM_FACE_BLENDSHAPES_H
#define FM_FACE_BLENDSHAPES_H

#include "image.h"

enum { FM_BLENDSHAPES = 52, FM_BLENDSHAPE_POINTS = 146 };

/* Writes FM_BLENDSHAPE_POINTS x 2 values. `points`: the mesh's 478, in pixels; what is not finite passes through. */
void fm_blendshapes_input(const fm_point3 *points, float *out);

/* MediaPipe's name of score 0..FM_BLENDSHAPES-1, such as "eyeBlinkLeft"; the first, "_neutral", says nothing. */
const char *fm_blendshape_name(int index);

/* The score of that name, or -1. */
int fm_blendshape_find(const char *name);

#endif
