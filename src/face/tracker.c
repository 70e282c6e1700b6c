#include "face/tracker.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "face/depth.h"
#include "face/one_euro.h"
#include "facemirror/run.h" /* fm_side */

/* A face that moves by more than its size, or changes size by this factor, between two frames is another one. */
#define JUMP_DISTANCE 1.0
#define JUMP_RATIO 1.5
/* After a longer gap the last position says nothing about this one. */
#define GAP_MAX_SECONDS 0.5
#define ROI_SIZE_MIN 4.0 /* pixels */

typedef struct point_filter {
    fm_one_euro x, y, z;
} point_filter;

struct fm_tracker {
    const fm_topology *topology;
    fm_tracker_options options;

    /* Between frames. */
    bool following;      /* next_roi and box are valid */
    fm_roi next_roi;
    fm_box box;          /* of the face, as a detector gives it */
    fm_box_relation relation;
    bool has_presence;   /* the network tells it */
    float detection_score; /* of the latest detection */
    int undetected;      /* frames since then */
    bool seen;           /* last_roi is valid: there was a face at some time */
    fm_roi last_roi;
    double last_seconds; /* of the latest face */
    fm_point2 last_centre;
    double last_size;
    bool smoothing;      /* filters hold a past */
    point_filter filter[FM_LANDMARKS_MAX];

    /* Of the current frame. */
    int width, height;
    double seconds;
    fm_roi roi;          /* where the network looks */
    bool looking;        /* roi was handed out, its landmarks are awaited */
    bool checking;       /* the face is followed, and the detector shall see it again */
    bool anew;           /* roi is of a detection, not of the landmarks before */
    bool lost_following; /* a followed face was not there */
    bool detected;
    fm_detect_cause cause;
    bool confirmed;
    int seen_faces, looks;
    bool has_detection;  /* of this face, in this frame: */
    fm_box detection;
    bool found;
    float confidence;
    fm_point3 raw[FM_LANDMARKS_MAX];
};

fm_tracker_options fm_tracker_defaults(void)
{
    return (fm_tracker_options){
        .min_presence = 0.5f,
        .smooth = true,
        .min_cutoff_hz = FM_ONE_EURO_MIN_CUTOFF_HZ,
        .beta = FM_ONE_EURO_BETA,
    };
}

static fm_status check_options(const fm_tracker_options *o, fm_error *err)
{
    if (!(o->min_presence >= 0.0f && o->min_presence <= 1.0f))
        return fm_fail(err, FM_E_USAGE, "the least face presence is %g; give a value from 0 to 1",
                       (double)o->min_presence);
    if (o->detect_every < 0)
        return fm_fail(err, FM_E_USAGE, "the detector's interval is %d frames; give 0 or more", o->detect_every);
    if (!o->smooth)
        return FM_OK;
    if (!(o->min_cutoff_hz > 0.0) || !isfinite(o->min_cutoff_hz))
        return fm_fail(err, FM_E_USAGE, "the smoothing cut-off is %g Hz; give a value above 0",
                       o->min_cutoff_hz);
    if (!(o->beta >= 0.0) || !isfinite(o->beta))
        return fm_fail(err, FM_E_USAGE, "the smoothing beta is %g; give a value of 0 or more",
                       o->beta);
    return FM_OK;
}

static void reset_smoothing(fm_tracker *t)
{
    t->smoothing = false;
    for (int i = 0; i < t->topology->count; i++) {
        fm_one_euro_reset(&t->filter[i].x);
        fm_one_euro_reset(&t->filter[i].y);
        fm_one_euro_reset(&t->filter[i].z);
    }
}

fm_status fm_tracker_create(fm_tracker **out, const fm_topology *topology,
                            const fm_tracker_options *options, fm_error *err)
{
    *out = NULL;
    fm_tracker_options chosen = options ? *options : fm_tracker_defaults();
    fm_status status = check_options(&chosen, err);
    if (status != FM_OK)
        return status;
    if (topology->count < 1 || topology->count > FM_LANDMARKS_MAX)
        return fm_fail(err, FM_E_USAGE, "the topology '%s' has %d landmarks, at most %d are handled",
                       topology->name, topology->count, (int)FM_LANDMARKS_MAX);
    fm_tracker *t = calloc(1, sizeof *t);
    if (!t)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the face tracker");
    t->topology = topology;
    t->options = chosen;
    const fm_one_euro prototype = {
        .min_cutoff_hz = chosen.min_cutoff_hz,
        .beta = chosen.beta,
        .derivative_cutoff_hz = FM_ONE_EURO_DERIVATIVE_CUTOFF_HZ,
    };
    for (int i = 0; i < topology->count; i++)
        t->filter[i] = (point_filter){prototype, prototype, prototype};
    *out = t;
    return FM_OK;
}

void fm_tracker_destroy(fm_tracker **tracker)
{
    if (!tracker)
        return;
    free(*tracker);
    *tracker = NULL;
}

/* A roi that no longer touches the picture, or is a speck, shows no face. */
static bool roi_is_plausible(const fm_roi *roi, int width, int height)
{
    if (!isfinite(roi->cx) || !isfinite(roi->cy) || !isfinite(roi->size) || !isfinite(roi->angle))
        return false;
    double reach = 0.5 * roi->size;
    return roi->size >= ROI_SIZE_MIN && roi->cx > -reach && roi->cx < width + reach &&
           roi->cy > -reach && roi->cy < height + reach;
}

bool fm_tracker_begin(fm_tracker *t, int width, int height, double seconds, fm_roi *roi)
{
    t->width = width;
    t->height = height;
    t->seconds = seconds;
    t->detected = t->has_detection = t->confirmed = false;
    t->cause = FM_DETECT_NONE;
    t->seen_faces = t->looks = 0;
    t->found = false;
    t->lost_following = false;
    t->anew = false;
    t->confidence = 0.0f;
    t->roi = (fm_roi){0};
    const bool follows = t->following && roi_is_plausible(&t->next_roi, width, height);
    t->following = false; /* until this frame's landmarks say so */
    t->checking = follows && t->options.detect_every > 0 && t->undetected + 1 >= t->options.detect_every;
    t->looking = follows && !t->checking;
    if (t->looking)
        *roi = t->roi = t->next_roi;
    return t->looking;
}

static fm_box detection_box(const fm_detection *d)
{
    return (fm_box){d->x0, d->y0, d->x1, d->y1};
}

/* The detection of the face that is followed, or -1. */
static int find_followed(const fm_tracker *t, const fm_detection *detections, int count)
{
    int best = -1;
    double most = FM_TRACKER_SAME_FACE;
    for (int i = 0; i < count; i++) {
        const fm_box box = detection_box(&detections[i]);
        const double overlap = fm_box_overlap(&box, &t->box);
        if (overlap >= most) {
            most = overlap;
            best = i;
        }
    }
    return best;
}

static bool look_at(fm_tracker *t, const fm_roi *at, fm_roi *roi)
{
    t->looking = roi_is_plausible(at, t->width, t->height);
    if (t->looking)
        *roi = t->roi = *at;
    return t->looking;
}

static bool take_detection(fm_tracker *t, const fm_detection *detection, fm_roi *at)
{
    t->has_detection = true;
    t->detection = detection_box(detection);
    t->detection_score = detection->score;
    return fm_look_at_detection(t->options.look, detection, at);
}

bool fm_tracker_detected(fm_tracker *t, const fm_detection *detections, int count, fm_roi *roi)
{
    t->detected = true;
    t->looking = false;
    const bool checks = t->checking;
    const int followed = checks ? find_followed(t, detections, count) : -1;
    t->checking = false;
    t->cause = checks ? FM_DETECT_CHECK : t->lost_following ? FM_DETECT_LOST : FM_DETECT_SEARCH;
    t->confirmed = followed >= 0;
    t->seen_faces = count;
    fm_roi at;
    if (followed >= 0) {
        const bool usable = take_detection(t, &detections[followed], &at);
        /* A turned crop is better from landmarks than from a coarse box and angle. */
        return look_at(t, usable && t->options.look == FM_LOOK_UPRIGHT ? &at : &t->next_roi, roi);
    }
    if (checks && t->has_presence)
        return look_at(t, &t->next_roi, roi);
    const int chosen = fm_detection_choose(detections, count, t->width, t->height, t->seen ? &t->last_roi : NULL);
    if (chosen < 0 || !take_detection(t, &detections[chosen], &at))
        return false;
    t->anew = true;
    t->relation = (fm_box_relation){0, 0, 1, 1};
    return look_at(t, &at, roi);
}

/* Distance of the outer eye corners in three dimensions, so that turning the head does not shrink it. */
static double face_size(const fm_point3 *p, const fm_topology *topology)
{
    const fm_point3 *a = &p[topology->side[FM_SIDE_LEFT].eye_outer];
    const fm_point3 *b = &p[topology->side[FM_SIDE_RIGHT].eye_outer];
    double x = (double)a->x - b->x, y = (double)a->y - b->y, z = (double)a->z - b->z;
    return sqrt(x * x + y * y + z * z);
}

static fm_point2 eye_centre(const fm_point3 *p, const fm_topology *topology)
{
    const fm_point3 *a = &p[topology->side[FM_SIDE_LEFT].eye_outer];
    const fm_point3 *b = &p[topology->side[FM_SIDE_RIGHT].eye_outer];
    return (fm_point2){0.5f * (a->x + b->x), 0.5f * (a->y + b->y)};
}

/* Whether this frame's face is not the last one's. */
static bool is_other_face(const fm_tracker *t)
{
    const double size = face_size(t->raw, t->topology);
    const fm_point2 centre = eye_centre(t->raw, t->topology);
    double distance = hypot((double)centre.x - t->last_centre.x, (double)centre.y - t->last_centre.y);
    double larger = fmax(size, t->last_size), smaller = fmin(size, t->last_size);
    return distance > JUMP_DISTANCE * larger || larger > JUMP_RATIO * smaller ||
           t->seconds - t->last_seconds > GAP_MAX_SECONDS;
}

static bool take_points(fm_tracker *t, const fm_point3 *points)
{
    for (int i = 0; i < t->topology->count; i++)
        if (!isfinite(points[i].x) || !isfinite(points[i].y) || !isfinite(points[i].z))
            return false;
    memcpy(t->raw, points, (size_t)t->topology->count * sizeof *points);
    return true;
}

/* For a network that draws a face on whatever it is shown. */
static bool looks_like_the_face(const fm_tracker *t)
{
    if (!(fm_mean_face_misfit(t->raw, t->topology) <= FM_MISFIT_MAX))
        return false;
    return t->has_detection || !is_other_face(t);
}

void fm_tracker_landmarks(fm_tracker *t, const fm_point3 *points, float presence)
{
    if (!t->looking)
        return;
    t->looking = false;
    t->looks++;
    t->has_presence = !isnan(presence);
    const bool present = t->has_presence ? presence >= t->options.min_presence : true;
    if (present && take_points(t, points) && (t->has_presence || looks_like_the_face(t))) {
        t->found = true;
        t->confidence = t->has_presence ? presence : t->detection_score;
    } else if (!t->detected) {
        t->lost_following = true;
    }
}

bool fm_tracker_refine(fm_tracker *t, fm_roi *roi)
{
    if (!t->found || !t->anew || t->options.look == FM_LOOK_UPRIGHT)
        return false;
    const fm_roi closer = fm_roi_from_landmarks(t->raw, t->topology);
    if (!roi_is_plausible(&closer, t->width, t->height))
        return false;
    *roi = t->roi = closer;
    t->looking = true;
    return true;
}

bool fm_tracker_wants_detection(const fm_tracker *t)
{
    return t->lost_following && !t->detected;
}

static void smooth_points(fm_tracker *t, fm_point3 *out)
{
    const double size = face_size(t->raw, t->topology);
    if (t->smoothing && is_other_face(t))
        reset_smoothing(t);
    const double dt = t->smoothing ? t->seconds - t->last_seconds : 0.0;
    for (int i = 0; i < t->topology->count; i++) {
        point_filter *f = &t->filter[i];
        out[i].x = (float)fm_one_euro_apply(&f->x, t->raw[i].x, size, dt);
        out[i].y = (float)fm_one_euro_apply(&f->y, t->raw[i].y, size, dt);
        out[i].z = (float)fm_one_euro_apply(&f->z, t->raw[i].z, size, dt);
    }
    t->smoothing = true;
}

/* The face's box, and what it teaches about the boxes of the frames until the next detection. */
static void find_box(fm_tracker *t)
{
    const fm_box tight = fm_box_of_points(t->raw, t->topology->count);
    if (t->has_detection && fm_box_relate(&t->detection, &tight, &t->relation))
        t->box = t->detection;
    else
        t->box = fm_box_expected(&tight, &t->relation);
}

static void remember(fm_tracker *t)
{
    t->last_seconds = t->seconds;
    t->last_centre = eye_centre(t->raw, t->topology);
    t->last_size = face_size(t->raw, t->topology);
    /* The raw points, since a lagging roi would let the face slip out of it. */
    t->following = fm_look_at_landmarks(t->options.look, t->raw, t->topology, &t->relation, &t->next_roi);
    if (t->following) {
        t->last_roi = t->next_roi;
        t->seen = true;
    }
}

void fm_tracker_end(fm_tracker *t, fm_face *face)
{
    face->found = t->found;
    face->detected = t->detected;
    face->cause = t->cause;
    face->confirmed = t->confirmed;
    face->seen = t->seen_faces;
    face->looks = t->looks;
    face->confidence = t->confidence;
    face->roi = t->roi;
    face->count = 0;
    t->looking = false;
    t->undetected = t->detected ? 0 : t->undetected + 1;
    if (!t->found) {
        reset_smoothing(t);
        return;
    }
    const size_t bytes = (size_t)t->topology->count * sizeof *face->raw;
    face->count = t->topology->count;
    memcpy(face->raw, t->raw, bytes);
    if (t->options.smooth)
        smooth_points(t, face->points);
    else
        memcpy(face->points, t->raw, bytes);
    find_box(t);
    face->box = t->box;
    face->box_relation = t->relation;
    remember(t);
}
