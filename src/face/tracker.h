/*
 * Face tracking over a clip: decides for each frame whether to detect or to
 * follow, which face, and where the landmark network looks; turns its raw
 * output into landmarks in image pixels, raw and smoothed.
 *
 * Use, for each frame in presentation order:
 *
 *     fm_roi roi;
 *     bool have = fm_tracker_begin(t, width, height, seconds, &roi);
 *     if (!have) { run the detector; have = fm_tracker_detected(t, dets, n, &roi); }
 *     if (have)  { run the landmarker on roi; fm_tracker_landmarks(t, raw, logit); }
 *     // a face that was followed and lost gets one second chance in the same frame:
 *     if (fm_tracker_wants_detection(t)) { detector and landmarker once more }
 *     fm_tracker_end(t, &face);
 *
 * The roi of the next frame comes from the raw landmarks, so that smoothing
 * never lets the face slip out of it. Smoothing starts afresh when the face was
 * lost, jumped by more than its own size, changed size by half, or 0.5 s are
 * missing. While there was a face before, a new detection near its last place
 * is preferred (fm_detection_choose).
 *
 * Thread-safety: Unsafe; one tracker for one clip, one thread at a time.
 */
#ifndef FM_FACE_TRACKER_H
#define FM_FACE_TRACKER_H

#include "detector.h"
#include "facemirror/error.h"
#include "topology.h"

enum { FM_FACEMESH_SIZE = 192 };
/* How the FaceMesh input tensor is cropped: RGB in 0..1, edge replicated. */
extern const fm_crop_options fm_facemesh_crop;

typedef struct fm_face {
    bool found;       /* landmarks are valid and of this frame */
    bool detected;    /* the detector had to run in this frame */
    float confidence; /* 0..1: face-presence score; 0 when not found */
    int count;        /* landmarks, 0 when not found */
    fm_point3 raw[FM_LANDMARKS_MAX];    /* as measured in this frame */
    fm_point3 points[FM_LANDMARKS_MAX]; /* smoothed (equal to raw when smoothing is off) */
    fm_roi roi;       /* where the network looked */
} fm_face;

typedef struct fm_tracker_options {
    float min_presence;   /* 0.5; below it the face counts as lost */
    bool smooth;          /* One-Euro filter on the landmarks */
    double min_cutoff_hz; /* lower: less jitter at rest */
    double beta;          /* higher: less lag in motion */
} fm_tracker_options;

/* Defaults: presence 0.5, smoothing on, constants explained in one_euro.h. */
fm_tracker_options fm_tracker_defaults(void);

typedef struct fm_tracker fm_tracker;

/* `topology` and `options` (NULL: defaults) are copied or constant. On error *out is NULL. */
fm_status fm_tracker_create(fm_tracker **out, const fm_topology *topology,
                            const fm_tracker_options *options, fm_error *err);
void fm_tracker_destroy(fm_tracker **tracker); /* NULL and *NULL are fine */

/* Starts a frame at `seconds` (strictly rising). True: follow *roi. False: run the detector. */
bool fm_tracker_begin(fm_tracker *t, int width, int height, double seconds, fm_roi *roi);

/* Hands in the detector's faces. True: run the landmarker on *roi. */
bool fm_tracker_detected(fm_tracker *t, const fm_detection *detections, int count, fm_roi *roi);

/*
 * Hands in the landmarker's output for the last *roi: `raw` = count * 3 values
 * in units of the network's input pixels, `presence_logit` before the sigmoid.
 */
void fm_tracker_landmarks(fm_tracker *t, const float *raw, float presence_logit);

/*
 * After the landmarks of a detection's crop: true when the network should look once more, at the crop that
 * these landmarks give. A detection's box and angle are coarse, and the network answers a crop that is
 * turned by a degree with points that are turned too. Then give its output to fm_tracker_landmarks.
 */
bool fm_tracker_refine(fm_tracker *t, fm_roi *roi);

/* True when following failed in this frame and the detector has not run in it yet. */
bool fm_tracker_wants_detection(const fm_tracker *t);

/* Ends the frame and gives its face. */
void fm_tracker_end(fm_tracker *t, fm_face *face);

/*
 * Turns raw network output into image landmarks: x = u/size, rotated, scaled
 * and moved by roi; z scales like x. Returns false when a value is not finite.
 */
bool fm_landmarks_from_network(const float *raw, int count, int network_size, const fm_roi *roi,
                               fm_point3 *out);

/*
 * The roi of the next frame: axis-aligned box of all points, long side x 1.5,
 * turned by the line from the image-left to the image-right outer eye corner.
 */
fm_roi fm_roi_from_landmarks(const fm_point3 *points, const fm_topology *topology);

/* sigmoid(x), safe for any x. */
float fm_sigmoid(float x);

#endif
