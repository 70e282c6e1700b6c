/*
 * Face tracking over a clip: decides for each frame whether to detect or to
 * follow, which face, and where the landmark network looks; smooths what it
 * finds.
 *
 * Use, for each frame in presentation order:
 *
 *     fm_roi roi;
 *     bool have = fm_tracker_begin(t, width, height, seconds, &roi);
 *     if (!have) { run the detector; have = fm_tracker_detected(t, dets, n, &roi); }
 *     if (have)  { run the landmarker on roi; fm_tracker_landmarks(t, points, presence); }
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
 * Between detections a face is believed by the network's presence score. A
 * network without one (STAR) draws a face on anything, so there the points must
 * fit the mean face and may not jump, and the detector has to see the face
 * again every few frames (detect_every): a face that it no longer sees is lost.
 * With a presence score a face that the detector misses is followed on. A
 * detection belongs to the followed face when their boxes overlap by
 * FM_TRACKER_SAME_FACE.
 *
 * Thread-safety: Unsafe; one tracker for one clip, one thread at a time.
 */
#ifndef FM_FACE_TRACKER_H
#define FM_FACE_TRACKER_H

#include "facemirror/error.h"
#include "look.h"

#define FM_TRACKER_SAME_FACE 0.3

/* Why the detector ran in a frame. */
typedef enum fm_detect_cause {
    FM_DETECT_NONE,   /* it did not */
    FM_DETECT_SEARCH, /* there was no face to follow */
    FM_DETECT_LOST,   /* the followed face was not there */
    FM_DETECT_CHECK   /* detect_every said so, while a face was followed */
} fm_detect_cause;

typedef struct fm_face {
    bool found;       /* landmarks are valid and of this frame */
    bool detected;    /* the detector had to run in this frame */
    fm_detect_cause cause; /* why */
    bool confirmed;   /* FM_DETECT_CHECK: it saw the face that was followed */
    int seen;         /* faces that it saw */
    int looks;        /* of the landmark network in this frame */
    float confidence; /* 0..1: presence score; the latest detection's score where there is none; 0 when not found */
    int count;        /* landmarks, 0 when not found */
    fm_point3 raw[FM_LANDMARKS_MAX];    /* as measured in this frame */
    fm_point3 points[FM_LANDMARKS_MAX]; /* smoothed (equal to raw when smoothing is off) */
    fm_roi roi;       /* where the network looked */
    fm_box box;       /* as a detector gives it: its own in this frame, else the one it would have given */
    fm_box_relation box_relation; /* of that box to the box of the landmarks, as last detected */
} fm_face;

typedef struct fm_tracker_options {
    float min_presence;   /* 0.5; below it the face counts as lost */
    bool smooth;          /* One-Euro filter on the landmarks */
    double min_cutoff_hz; /* lower: less jitter at rest */
    double beta;          /* higher: less lag in motion */
    fm_look look;         /* where the landmark network wants to look */
    int detect_every;     /* frames after which the detector must see a followed face again; 0: when it is lost */
} fm_tracker_options;

/* Defaults: presence 0.5, smoothing on, constants explained in one_euro.h; a mesh's look, detected when lost. */
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
 * Hands in the landmarker's answer for the last *roi: the topology's points in
 * image pixels, and the face's presence, 0..1, or NAN from a network that does
 * not tell. Points that are not finite are a lost face.
 */
void fm_tracker_landmarks(fm_tracker *t, const fm_point3 *points, float presence);

/*
 * After the landmarks of a detection's crop: true when the network should look once more, at the crop that
 * these landmarks give. A detection's box and angle are coarse, and a mesh answers a crop that is turned by a
 * degree with points that are turned too. Then give its output to fm_tracker_landmarks. Never for an upright look.
 */
bool fm_tracker_refine(fm_tracker *t, fm_roi *roi);

/* True when following failed in this frame and the detector has not run in it yet. */
bool fm_tracker_wants_detection(const fm_tracker *t);

/* Ends the frame and gives its face. */
void fm_tracker_end(fm_tracker *t, fm_face *face);

#endif
