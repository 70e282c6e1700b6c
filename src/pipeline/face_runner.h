/*
 * Detector and landmarker at work: from picture to faces and points, each step
 * in its profiler scope. Each stage that looks for faces has a runner of its
 * own (buffers for one thread); the models are shared.
 *
 * Thread-safety: Unsafe.
 */
#ifndef FM_PIPELINE_FACE_RUNNER_H
#define FM_PIPELINE_FACE_RUNNER_H

#include "face/tracker.h"
#include "pipeline/detector_run.h" /* FM_FACES_MAX */
#include "pipeline/face_models.h"

typedef struct fm_face_runner fm_face_runner;

typedef enum fm_face_runner_flags {
    FM_FACE_RUNNER_PLAIN = 0,
    FM_FACE_RUNNER_DETECTS = 1,      /* can also run the detector */
    FM_FACE_RUNNER_AVERAGES_FLIP = 2 /* track() takes the mean of the picture and its mirror image */
} fm_face_runner_flags;

/* The models must outlive the runner. */
fm_status fm_face_runner_create(fm_face_runner **out, const fm_face_models *models,
                                fm_face_runner_flags flags, fm_error *err);
void fm_face_runner_destroy(fm_face_runner **runner);

/* Finds faces in the whole picture; *count of them, by falling score. */
fm_status fm_face_runner_detect(fm_face_runner *runner, const fm_image *image,
                                fm_detection faces[FM_FACES_MAX], int *count, fm_error *err);

/*
 * Runs the landmarker on the roi: the topology's points in image pixels, with depth, and the face's presence, 0..1.
 * NAN: the network does not tell (STAR). 0: it gave no landmarks, and the points are not valid.
 */
fm_status fm_face_runner_landmarks(fm_face_runner *runner, const fm_image *image, const fm_roi *roi,
                                   fm_point3 points[FM_LANDMARKS_MAX], float *presence, fm_error *err);

/* One frame of tracking: detector when needed, landmarker, tracker. */
fm_status fm_face_runner_track(fm_face_runner *runner, fm_tracker *tracker, const fm_image *image,
                               double seconds, fm_face *face, fm_error *err);

/* What a tracker for these models needs; fm_tracker_defaults else. */
fm_tracker_options fm_face_runner_tracking(const fm_face_models *models);

#endif
