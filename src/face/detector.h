/*
 * Decoding of MediaPipe BlazeFace (short range, 128x128): raw tensors in,
 * faces in image pixels out. Knows no inference runtime.
 *
 * Contract of the network: input RGB, letterboxed, x / 127.5 - 1; outputs
 * `regressors` [896][16] and `classificators` [896][1]. Anchors: 16x16 cells
 * x 2 (stride 8), then 8x8 x 6 (stride 16). Source: MediaPipe's
 * face_detection_short_range graph (SsdAnchorsCalculator,
 * TensorsToDetectionsCalculator, NonMaxSuppressionCalculator WEIGHTED 0.3).
 *
 * Thread-safety: Safe (pure functions).
 */
#ifndef FM_FACE_DETECTOR_H
#define FM_FACE_DETECTOR_H

#include "image.h"

enum { FM_BLAZEFACE_ANCHORS = 896, FM_BLAZEFACE_VALUES = 16, FM_BLAZEFACE_SIZE = 128, FM_DETECTION_POINTS = 6 };

/* Keypoint order of the network, by the side of the *image* it is on for an unmirrored camera. */
enum {
    FM_KEY_IMAGE_LEFT_EYE, /* the patient's right eye */
    FM_KEY_IMAGE_RIGHT_EYE,
    FM_KEY_NOSE,
    FM_KEY_MOUTH,
    FM_KEY_IMAGE_LEFT_EAR,
    FM_KEY_IMAGE_RIGHT_EAR
};

typedef struct fm_detection {
    float x0, y0, x1, y1; /* box, image pixels; may reach outside the picture */
    float score;          /* 0..1 */
    fm_point2 key[FM_DETECTION_POINTS];
} fm_detection;

/* How the input tensor is cropped: fm_image_crop with these, over fm_roi_letterbox. */
extern const fm_crop_options fm_blazeface_crop;

/*
 * Decodes, keeps scores >= min_score, applies weighted non-maximum
 * suppression (IoU > 0.3 merges), undoes the letterbox `roi`, and writes at
 * most `max` faces by falling score. Returns how many were written. Values
 * that are not finite are dropped.
 */
int fm_blazeface_decode(const float *regressors, const float *scores, float min_score,
                        const fm_roi *roi, fm_detection *out, int max);

/*
 * The landmark roi of a detection: centre of the box, long side x 1.5, turned
 * so that the eyes lie flat (MediaPipe DetectionsToRects + RectTransformation).
 */
fm_roi fm_roi_from_detection(const fm_detection *detection);

/*
 * Index of the face to follow: largest and most central (score = area of the
 * box / frame area, weighed down by the distance of its centre from the frame
 * centre), or the one nearest to `previous` (may be NULL) so that the choice
 * is stable. -1 when count is 0.
 */
int fm_detection_choose(const fm_detection *detections, int count, int width, int height,
                        const fm_roi *previous);

#endif
