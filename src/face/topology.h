/*
 * Named points of a landmark topology, so that no other file holds bare
 * indices. One const table per topology: MediaPipe's face mesh (468 points, and
 * 478 with irises) and WFLW (98). Indices are 0-based into the landmark array.
 *
 * Thread-safety: Safe (constant data).
 */
#ifndef FM_FACE_TOPOLOGY_H
#define FM_FACE_TOPOLOGY_H

#include "image.h"

enum { FM_LANDMARKS_MAX = 478, FM_MIDLINE_POINTS_MAX = 40 };

/* Points of one eye, one brow... for one side of the face. */
typedef struct fm_side_points {
    int eye_outer, eye_inner;     /* canthi */
    int upper_lid[3], lower_lid[3]; /* lateral, middle, medial; facing pairs for the aspect ratio */
    int brow_outer, brow_middle, brow_inner; /* upper contour of the brow */
    int brow_inner_lower;         /* lower contour at the medial end */
    int mouth_corner;             /* outer commissure */
    int mouth_corner_inner;
    int nose_wing;                /* ala */
    int upper_lip_side;           /* upper vermilion border, midway from the midline to the corner */
} fm_side_points;

typedef struct fm_topology {
    const char *name;
    int count;
    fm_side_points side[2]; /* indexed by fm_side (midline.h): the patient's left, right */
    int midline[FM_MIDLINE_POINTS_MAX]; /* top to bottom */
    int midline_count;
    int nasion, nose_tip, subnasale;
    int upper_lip_top, upper_lip_inner, lower_lip_inner, lower_lip_bottom; /* on the midline */
    int chin;
    const int *mirror;      /* count entries: the partner of each point across the midline */
    int iris[2];            /* pupil centre per side, or -1 where the mesh has none */
    /*
     * Mean 3D face, count entries: x to the patient's left, y down, z into the
     * head, origin at the mean of the canthi, unit: distance of the outer
     * canthi. NULL where the landmarks bring their own depth (depth.h).
     */
    const fm_point3 *mean_face;
} fm_topology;

extern const fm_topology fm_topology_mesh468; /* MediaPipe's face mesh */
extern const fm_topology fm_topology_mesh478; /* the same with irises (attention.h) */
extern const fm_topology fm_topology_wflw98;  /* WFLW's 98 points, which come flat (depth.h) */

#endif
