/*
 * Where a landmark network looks: the crop that it wants, from a detection and
 * from the landmarks of a moment ago, and the face's box that a detector would
 * have given between detections.
 *
 * Thread-safety: Safe (pure functions).
 */
#ifndef FM_FACE_LOOK_H
#define FM_FACE_LOOK_H

#include "detector.h"
#include "topology.h"

typedef enum fm_look {
    FM_LOOK_TURNED, /* MediaPipe's meshes: 1.5 times the box, turned so that the eyes lie flat */
    FM_LOOK_UPRIGHT /* STAR: the box as a detector gives it, unturned (star.h) */
} fm_look;

/* How a detector's box lies about the upright box of the landmarks, in sizes of the latter. */
typedef struct fm_box_relation {
    double x, y;          /* from its centre to the detector's */
    double width, height; /* 1: as large */
} fm_box_relation;

/* The upright box of the points; count >= 1. */
fm_box fm_box_of_points(const fm_point3 *points, int count);
/* False, leaving *out alone, when a box has no area or is not finite, or when they do not belong together. */
bool fm_box_relate(const fm_box *of_detector, const fm_box *of_points, fm_box_relation *out);
/* The detector's box for these landmarks. */
fm_box fm_box_expected(const fm_box *of_points, const fm_box_relation *relation);
/* Area of what both have over the area of what either has; 0..1. */
double fm_box_overlap(const fm_box *a, const fm_box *b);

/* The crop for a detection. False: its box is no place to look at. */
bool fm_look_at_detection(fm_look look, const fm_detection *detection, fm_roi *out);
/* The crop for landmarks of the frame before, or of a picture that shows them mirrored. */
bool fm_look_at_landmarks(fm_look look, const fm_point3 *points, const fm_topology *topology,
                          const fm_box_relation *relation, fm_roi *out);

/*
 * MediaPipe's crop for landmarks: axis-aligned box of all points, long side x 1.5,
 * turned by the line from the image-left to the image-right outer eye corner.
 */
fm_roi fm_roi_from_landmarks(const fm_point3 *points, const fm_topology *topology);

#endif
