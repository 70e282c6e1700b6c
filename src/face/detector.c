#include "face/detector.h"

#include <math.h>

#include "face/facemesh.h" /* fm_sigmoid */

#define MERGE_IOU 0.3f
#define SCORE_LOGIT_MAX 100.0f /* score_clipping_thresh of the graph */
#define ROI_SCALE 1.5

const fm_crop_options fm_blazeface_crop = {
    .size = FM_BLAZEFACE_SIZE,
    .scale = 1.0f / 127.5f,
    .bias = -1.0f,
    .border = FM_BORDER_ZERO,
};

/*
 * Centre of an anchor in the unit square. Row-major cells, the anchors of one
 * cell next to each other; all anchors have size 1 x 1.
 */
static fm_point2 anchor_centre(int index)
{
    enum { FINE_GRID = 16, FINE_PER_CELL = 2, COARSE_GRID = 8, COARSE_PER_CELL = 6 };
    enum { FINE_COUNT = FINE_GRID * FINE_GRID * FINE_PER_CELL };
    int grid = FINE_GRID, cell = index / FINE_PER_CELL;
    if (index >= FINE_COUNT) {
        grid = COARSE_GRID;
        cell = (index - FINE_COUNT) / COARSE_PER_CELL;
    }
    return (fm_point2){((float)(cell % grid) + 0.5f) / (float)grid,
                       ((float)(cell / grid) + 0.5f) / (float)grid};
}

static bool all_finite(const float *values, int count)
{
    for (int i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

/* One anchor's values -> detection in the unit square. False when it is not a box. */
static bool decode_anchor(const float *r, int index, float score, fm_detection *out)
{
    const float unit = 1.0f / (float)FM_BLAZEFACE_SIZE;
    fm_point2 a = anchor_centre(index);
    float cx = r[0] * unit + a.x, cy = r[1] * unit + a.y;
    float half_w = 0.5f * r[2] * unit, half_h = 0.5f * r[3] * unit;
    if (!all_finite(r, FM_BLAZEFACE_VALUES) || half_w <= 0.0f || half_h <= 0.0f)
        return false;
    *out = (fm_detection){cx - half_w, cy - half_h, cx + half_w, cy + half_h, score, {{0, 0}}};
    for (int k = 0; k < FM_DETECTION_POINTS; k++) {
        out->key[k].x = r[4 + 2 * k] * unit + a.x;
        out->key[k].y = r[5 + 2 * k] * unit + a.y;
    }
    return true;
}

static float box_area(const fm_detection *d)
{
    return (d->x1 - d->x0) * (d->y1 - d->y0);
}

static float intersection_over_union(const fm_detection *a, const fm_detection *b)
{
    float w = fminf(a->x1, b->x1) - fmaxf(a->x0, b->x0);
    float h = fminf(a->y1, b->y1) - fmaxf(a->y0, b->y0);
    if (w <= 0.0f || h <= 0.0f)
        return 0.0f;
    float both = w * h;
    return both / (box_area(a) + box_area(b) - both);
}

static void add_weighted(fm_detection *sum, const fm_detection *d)
{
    sum->x0 += d->score * d->x0;
    sum->y0 += d->score * d->y0;
    sum->x1 += d->score * d->x1;
    sum->y1 += d->score * d->y1;
    sum->score += d->score;
    for (int k = 0; k < FM_DETECTION_POINTS; k++) {
        sum->key[k].x += d->score * d->key[k].x;
        sum->key[k].y += d->score * d->key[k].y;
    }
}

/*
 * Takes the best of the `*count` candidates, merges all that overlap it (the
 * score-weighted mean of corners and key points; the score stays the best's)
 * and removes them from the list, keeping its order.
 */
static fm_detection take_best_group(fm_detection *list, int *count)
{
    int best = 0;
    for (int i = 1; i < *count; i++)
        if (list[i].score > list[best].score)
            best = i;
    const fm_detection top = list[best];
    fm_detection sum = {0};
    int kept = 0;
    for (int i = 0; i < *count; i++) {
        if (i == best || intersection_over_union(&top, &list[i]) > MERGE_IOU)
            add_weighted(&sum, &list[i]);
        else
            list[kept++] = list[i];
    }
    *count = kept;
    float inverse = 1.0f / sum.score;
    fm_detection merged = {sum.x0 * inverse, sum.y0 * inverse, sum.x1 * inverse, sum.y1 * inverse,
                           top.score,        {{0, 0}}};
    for (int k = 0; k < FM_DETECTION_POINTS; k++) {
        merged.key[k].x = sum.key[k].x * inverse;
        merged.key[k].y = sum.key[k].y * inverse;
    }
    return merged;
}

/* Unit square -> image. The letterbox is never turned, so boxes stay boxes. */
static fm_detection undo_letterbox(const fm_detection *d, const fm_roi *roi)
{
    fm_point2 a = fm_roi_to_image(roi, d->x0, d->y0), b = fm_roi_to_image(roi, d->x1, d->y1);
    fm_detection out = {a.x, a.y, b.x, b.y, d->score, {{0, 0}}};
    for (int k = 0; k < FM_DETECTION_POINTS; k++)
        out.key[k] = fm_roi_to_image(roi, d->key[k].x, d->key[k].y);
    return out;
}

int fm_blazeface_decode(const float *regressors, const float *scores, float min_score,
                        const fm_roi *roi, fm_detection *out, int max)
{
    fm_detection candidates[FM_BLAZEFACE_ANCHORS];
    int count = 0;
    for (int i = 0; i < FM_BLAZEFACE_ANCHORS; i++) {
        if (!isfinite(scores[i]))
            continue;
        float logit = fminf(fmaxf(scores[i], -SCORE_LOGIT_MAX), SCORE_LOGIT_MAX);
        float score = fm_sigmoid(logit);
        if (score >= min_score && score > 0.0f &&
            decode_anchor(regressors + (size_t)i * FM_BLAZEFACE_VALUES, i, score,
                          &candidates[count]))
            count++;
    }
    int written = 0;
    while (count > 0 && written < max) {
        fm_detection merged = take_best_group(candidates, &count);
        out[written++] = undo_letterbox(&merged, roi);
    }
    return written;
}

fm_roi fm_roi_from_detection(const fm_detection *d)
{
    double w = (double)d->x1 - d->x0, h = (double)d->y1 - d->y0;
    const fm_point2 *left = &d->key[FM_KEY_IMAGE_LEFT_EYE];
    const fm_point2 *right = &d->key[FM_KEY_IMAGE_RIGHT_EYE];
    return (fm_roi){
        .cx = 0.5 * ((double)d->x0 + d->x1),
        .cy = 0.5 * ((double)d->y0 + d->y1),
        .size = ROI_SCALE * (w > h ? w : h),
        .angle = atan2((double)right->y - left->y, (double)right->x - left->x),
    };
}

static double centre_distance(const fm_detection *d, double x, double y)
{
    return hypot(0.5 * ((double)d->x0 + d->x1) - x, 0.5 * ((double)d->y0 + d->y1) - y);
}

/* Large and central: the area halves its worth at half the way to a corner. */
static double prominence(const fm_detection *d, int width, int height)
{
    double off = centre_distance(d, 0.5 * width, 0.5 * height) / (0.5 * hypot(width, height));
    return (double)box_area(d) / ((double)width * height) / (1.0 + 4.0 * off * off);
}

int fm_detection_choose(const fm_detection *detections, int count, int width, int height,
                        const fm_roi *previous)
{
    int near = -1, prominent = -1;
    double near_distance = 0.0, best = 0.0;
    for (int i = 0; i < count; i++) {
        double worth = prominence(&detections[i], width, height);
        if (prominent < 0 || worth > best) {
            prominent = i;
            best = worth;
        }
        if (!previous)
            continue;
        double distance = centre_distance(&detections[i], previous->cx, previous->cy);
        if (distance <= previous->size && (near < 0 || distance < near_distance)) {
            near = i;
            near_distance = distance;
        }
    }
    return near >= 0 ? near : prominent;
}
