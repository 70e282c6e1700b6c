#include "face/look.h"

#include <math.h>

#include "face/star.h"
#include "facemirror/run.h" /* fm_side */

#define ROI_SCALE 1.5
/* A detector's box and the landmarks that were found in it are about as large and in one place. */
#define RELATION_SIZE_MAX 3.0
#define RELATION_SHIFT_MAX 1.0

fm_box fm_box_of_points(const fm_point3 *points, int count)
{
    fm_box box = {points[0].x, points[0].y, points[0].x, points[0].y};
    for (int i = 1; i < count; i++) {
        box.x0 = fmin(box.x0, points[i].x);
        box.x1 = fmax(box.x1, points[i].x);
        box.y0 = fmin(box.y0, points[i].y);
        box.y1 = fmax(box.y1, points[i].y);
    }
    return box;
}

static bool is_within(double value, double least, double most)
{
    return value >= least && value <= most; /* a NaN is not */
}

bool fm_box_relate(const fm_box *of_detector, const fm_box *of_points, fm_box_relation *out)
{
    const double width = of_points->x1 - of_points->x0, height = of_points->y1 - of_points->y0;
    if (!(width > 0) || !(height > 0))
        return false;
    const fm_box_relation r = {
        .x = 0.5 * (of_detector->x0 + of_detector->x1 - of_points->x0 - of_points->x1) / width,
        .y = 0.5 * (of_detector->y0 + of_detector->y1 - of_points->y0 - of_points->y1) / height,
        .width = (of_detector->x1 - of_detector->x0) / width,
        .height = (of_detector->y1 - of_detector->y0) / height,
    };
    if (!is_within(fabs(r.x), 0, RELATION_SHIFT_MAX) || !is_within(fabs(r.y), 0, RELATION_SHIFT_MAX) ||
        !is_within(r.width, 1 / RELATION_SIZE_MAX, RELATION_SIZE_MAX) ||
        !is_within(r.height, 1 / RELATION_SIZE_MAX, RELATION_SIZE_MAX))
        return false;
    *out = r;
    return true;
}

fm_box fm_box_expected(const fm_box *of_points, const fm_box_relation *relation)
{
    const double width = of_points->x1 - of_points->x0, height = of_points->y1 - of_points->y0;
    const double cx = 0.5 * (of_points->x0 + of_points->x1) + relation->x * width;
    const double cy = 0.5 * (of_points->y0 + of_points->y1) + relation->y * height;
    const double half_width = 0.5 * relation->width * width, half_height = 0.5 * relation->height * height;
    return (fm_box){cx - half_width, cy - half_height, cx + half_width, cy + half_height};
}

static double area(const fm_box *b)
{
    return fmax(b->x1 - b->x0, 0) * fmax(b->y1 - b->y0, 0);
}

double fm_box_overlap(const fm_box *a, const fm_box *b)
{
    const fm_box both = {fmax(a->x0, b->x0), fmax(a->y0, b->y0), fmin(a->x1, b->x1), fmin(a->y1, b->y1)};
    const double either = area(a) + area(b) - area(&both);
    return either > 0 ? area(&both) / either : 0;
}

bool fm_look_at_detection(fm_look look, const fm_detection *detection, fm_roi *out)
{
    if (look == FM_LOOK_UPRIGHT)
        return fm_star_roi(&(fm_box){detection->x0, detection->y0, detection->x1, detection->y1}, out);
    *out = fm_roi_from_detection(detection);
    return true;
}

bool fm_look_at_landmarks(fm_look look, const fm_point3 *points, const fm_topology *topology,
                          const fm_box_relation *relation, fm_roi *out)
{
    if (look == FM_LOOK_UPRIGHT) {
        const fm_box tight = fm_box_of_points(points, topology->count);
        const fm_box expected = fm_box_expected(&tight, relation);
        return fm_star_roi(&expected, out);
    }
    *out = fm_roi_from_landmarks(points, topology);
    return true;
}

fm_roi fm_roi_from_landmarks(const fm_point3 *points, const fm_topology *topology)
{
    const fm_box box = fm_box_of_points(points, topology->count);
    /* The patient's right eye is at the image's left. */
    const fm_point3 *left = &points[topology->side[FM_SIDE_RIGHT].eye_outer];
    const fm_point3 *right = &points[topology->side[FM_SIDE_LEFT].eye_outer];
    return (fm_roi){
        .cx = 0.5 * (box.x0 + box.x1),
        .cy = 0.5 * (box.y0 + box.y1),
        .size = ROI_SCALE * fmax(box.x1 - box.x0, box.y1 - box.y0),
        .angle = atan2((double)right->y - left->y, (double)right->x - left->x),
    };
}
