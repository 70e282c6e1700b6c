#include "face/tracker.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "face/one_euro.h"
#include "facemirror/run.h" /* fm_side */

#define ROI_SCALE 1.5
/* A face that moves by more than its size, or changes size by this factor, between two frames is another one. */
#define JUMP_DISTANCE 1.0
#define JUMP_RATIO 1.5
/* After a longer gap the last position says nothing about this one. */
#define GAP_MAX_SECONDS 0.5
#define ROI_SIZE_MIN 4.0 /* pixels */

const fm_crop_options fm_facemesh_crop = {
    .size = FM_FACEMESH_SIZE,
    .scale = 1.0f / 255.0f,
    .bias = 0.0f,
    .border = FM_BORDER_REPLICATE,
};

typedef struct point_filter {
    fm_one_euro x, y, z;
} point_filter;

struct fm_tracker {
    const fm_topology *topology;
    fm_tracker_options options;

    /* Between frames. */
    bool following;      /* next_roi is valid */
    fm_roi next_roi;
    bool seen;           /* last_roi is valid: there was a face at some time */
    fm_roi last_roi;
    bool smoothing;      /* filters hold a past */
    double smooth_seconds;
    fm_point2 last_centre; /* of the face at smooth_seconds */
    double last_size;
    point_filter filter[FM_LANDMARKS_MAX];

    /* Of the current frame. */
    int width, height;
    double seconds;
    fm_roi roi;          /* where the network looks */
    bool looking;        /* roi was handed out, its landmarks are awaited */
    bool lost_following; /* a followed face was not there */
    bool detected;
    bool found;
    float confidence;
    fm_point3 raw[FM_LANDMARKS_MAX];
};

float fm_sigmoid(float x)
{
    /* exp of a non-positive number only, so it never overflows. */
    if (x >= 0.0f)
        return 1.0f / (1.0f + expf(-x));
    float e = expf(x);
    return e / (1.0f + e);
}

bool fm_landmarks_from_network(const float *raw, int count, int network_size, const fm_roi *roi,
                               fm_point3 *out)
{
    const double unit = 1.0 / network_size;
    const double c = cos(roi->angle) * roi->size, s = sin(roi->angle) * roi->size;
    for (int i = 0; i < count; i++) {
        const float *p = raw + (size_t)i * 3;
        if (!isfinite(p[0]) || !isfinite(p[1]) || !isfinite(p[2]))
            return false;
        double u = p[0] * unit - 0.5, v = p[1] * unit - 0.5;
        out[i].x = (float)(roi->cx + c * u - s * v);
        out[i].y = (float)(roi->cy + s * u + c * v);
        out[i].z = (float)(p[2] * unit * roi->size);
    }
    return true;
}

fm_roi fm_roi_from_landmarks(const fm_point3 *points, const fm_topology *topology)
{
    double x0 = points[0].x, x1 = x0, y0 = points[0].y, y1 = y0;
    for (int i = 1; i < topology->count; i++) {
        x0 = fmin(x0, points[i].x);
        x1 = fmax(x1, points[i].x);
        y0 = fmin(y0, points[i].y);
        y1 = fmax(y1, points[i].y);
    }
    /* The patient's right eye is at the image's left. */
    const fm_point3 *left = &points[topology->side[FM_SIDE_RIGHT].eye_outer];
    const fm_point3 *right = &points[topology->side[FM_SIDE_LEFT].eye_outer];
    return (fm_roi){
        .cx = 0.5 * (x0 + x1),
        .cy = 0.5 * (y0 + y1),
        .size = ROI_SCALE * fmax(x1 - x0, y1 - y0),
        .angle = atan2((double)right->y - left->y, (double)right->x - left->x),
    };
}

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
    t->detected = false;
    t->found = false;
    t->lost_following = false;
    t->confidence = 0.0f;
    t->roi = (fm_roi){0};
    t->looking = t->following && roi_is_plausible(&t->next_roi, width, height);
    t->following = false; /* until this frame's landmarks say so */
    if (t->looking)
        *roi = t->roi = t->next_roi;
    return t->looking;
}

bool fm_tracker_detected(fm_tracker *t, const fm_detection *detections, int count, fm_roi *roi)
{
    t->detected = true;
    t->looking = false;
    int chosen = fm_detection_choose(detections, count, t->width, t->height,
                                     t->seen ? &t->last_roi : NULL);
    if (chosen < 0)
        return false;
    t->roi = fm_roi_from_detection(&detections[chosen]);
    t->looking = roi_is_plausible(&t->roi, t->width, t->height);
    if (t->looking)
        *roi = t->roi;
    return t->looking;
}

void fm_tracker_landmarks(fm_tracker *t, const float *raw, float presence_logit)
{
    if (!t->looking)
        return;
    t->looking = false;
    float presence = isfinite(presence_logit) ? fm_sigmoid(presence_logit) : 0.0f;
    if (presence >= t->options.min_presence &&
        fm_landmarks_from_network(raw, t->topology->count, FM_FACEMESH_SIZE, &t->roi, t->raw)) {
        t->found = true;
        t->confidence = presence;
    } else if (!t->detected) {
        t->lost_following = true;
    }
}

bool fm_tracker_refine(fm_tracker *t, fm_roi *roi)
{
    if (!t->found || !t->detected)
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

static bool is_other_face(const fm_tracker *t, fm_point2 centre, double size)
{
    double distance = hypot((double)centre.x - t->last_centre.x, (double)centre.y - t->last_centre.y);
    double larger = fmax(size, t->last_size), smaller = fmin(size, t->last_size);
    return distance > JUMP_DISTANCE * larger || larger > JUMP_RATIO * smaller ||
           t->seconds - t->smooth_seconds > GAP_MAX_SECONDS;
}

static void smooth_points(fm_tracker *t, fm_point3 *out)
{
    const double size = face_size(t->raw, t->topology);
    const fm_point2 centre = eye_centre(t->raw, t->topology);
    if (t->smoothing && is_other_face(t, centre, size))
        reset_smoothing(t);
    const double dt = t->smoothing ? t->seconds - t->smooth_seconds : 0.0;
    for (int i = 0; i < t->topology->count; i++) {
        point_filter *f = &t->filter[i];
        out[i].x = (float)fm_one_euro_apply(&f->x, t->raw[i].x, size, dt);
        out[i].y = (float)fm_one_euro_apply(&f->y, t->raw[i].y, size, dt);
        out[i].z = (float)fm_one_euro_apply(&f->z, t->raw[i].z, size, dt);
    }
    t->smoothing = true;
    t->smooth_seconds = t->seconds;
    t->last_centre = centre;
    t->last_size = size;
}

void fm_tracker_end(fm_tracker *t, fm_face *face)
{
    face->found = t->found;
    face->detected = t->detected;
    face->confidence = t->confidence;
    face->roi = t->roi;
    face->count = 0;
    t->looking = false;
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

    /* The raw points, since a lagging roi would let the face slip out of it. */
    t->next_roi = fm_roi_from_landmarks(t->raw, t->topology);
    t->following = true;
    t->last_roi = t->next_roi;
    t->seen = true;
}
