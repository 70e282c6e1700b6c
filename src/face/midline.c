#include "face/midline.h"

#include <math.h>
#include <stdlib.h>

#include "face/pose.h"

/* Tukey's biweight at 95 % efficiency for normal noise (Huber and Ronchetti, "Robust Statistics", 2009). */
#define BIWEIGHT_C 4.685
/* MAD to standard deviation of a normal distribution. */
#define MAD_TO_SIGMA 1.4826

/*
 * Prior weights by region and the floor of the scale: our own choice. The
 * upper face is bone under thin skin and facial palsy moves it least; nose
 * tip, mouth and chin are pulled to the healthy side, and the mouth's many
 * landmarks move as one. The floor (in eye distances) is the scatter of mesh
 * landmarks about the midline of a healthy frontal face; it keeps an almost
 * perfect upper face from rejecting all else.
 */
#define PRIOR_UPPER 1.0
#define PRIOR_NOSE 0.5
#define PRIOR_LOWER 0.1
#define SCALE_FLOOR 0.006

enum { PAIRS_MAX = 6, SAMPLES_MAX = FM_MIDLINE_POINTS_MAX + PAIRS_MAX, ITERATIONS_MAX = 50 };

typedef struct sample {
    double x, y, z, prior, weight;
} sample;

typedef struct sample_set {
    sample item[SAMPLES_MAX];
    int count;
} sample_set;

typedef struct vec2 {
    double x, y;
} vec2;

double fm_line_distance(const fm_line *line, double x, double y)
{
    return (x - line->ox) * line->dy - (y - line->oy) * line->dx;
}

fm_point2 fm_line_reflect(const fm_line *line, double x, double y)
{
    const double s = fm_line_distance(line, x, y);
    return (fm_point2){(float)(x - 2 * s * line->dy), (float)(y + 2 * s * line->dx)};
}

/* --- landmarks ------------------------------------------------------- */

static vec2 at(const fm_point3 *points, int index)
{
    return (vec2){points[index].x, points[index].y};
}

/* Taken in double precision, so that a flipped face gives exactly the flipped middle. */
static vec2 middle(vec2 a, vec2 b)
{
    return (vec2){(a.x + b.x) / 2, (a.y + b.y) / 2};
}

static vec2 pair_middle(const fm_point3 *points, int left, int right)
{
    return middle(at(points, left), at(points, right));
}

static vec2 eye_centre(const fm_point3 *points, const fm_topology *topology, int side)
{
    if (topology->iris[side] >= 0)
        return at(points, topology->iris[side]);
    const fm_side_points *p = &topology->side[side];
    return pair_middle(points, p->eye_outer, p->eye_inner); /* canthi: a blink does not move them */
}

static double eye_distance(const fm_point3 *points, const fm_topology *topology)
{
    const vec2 l = at(points, topology->side[FM_SIDE_LEFT].eye_outer);
    const vec2 r = at(points, topology->side[FM_SIDE_RIGHT].eye_outer);
    return hypot(l.x - r.x, l.y - r.y);
}

/* The line through `origin` along (dx, dy), turned so that it runs to the chin. */
static bool make_line(vec2 origin, double dx, double dy, vec2 down, fm_line *line)
{
    const double length = hypot(dx, dy);
    if (!isfinite(length) || !isfinite(origin.x) || !isfinite(origin.y) || !(length > 0))
        return false;
    const double sign = dx * down.x + dy * down.y < 0 ? -1 : 1;
    *line = (fm_line){origin.x, origin.y, sign * dx / length, sign * dy / length};
    return true;
}

/* --- the three fits -------------------------------------------------- */

static bool fit_brow_chin(const fm_point3 *points, const fm_topology *topology, vec2 down,
                          fm_line *line)
{
    const fm_side_points *l = &topology->side[FM_SIDE_LEFT], *r = &topology->side[FM_SIDE_RIGHT];
    const vec2 glabella = middle(pair_middle(points, l->brow_inner, r->brow_inner),
                                 pair_middle(points, l->brow_inner_lower, r->brow_inner_lower));
    const vec2 chin = at(points, topology->chin);
    return make_line(glabella, chin.x - glabella.x, chin.y - glabella.y, down, line);
}

static bool fit_pupils(const fm_point3 *points, const fm_topology *topology, vec2 down,
                       fm_line *line)
{
    const vec2 l = eye_centre(points, topology, FM_SIDE_LEFT);
    const vec2 r = eye_centre(points, topology, FM_SIDE_RIGHT);
    return make_line(middle(l, r), -(l.y - r.y), l.x - r.x, down, line);
}

/* The middle of two points, or a point itself where both are the same. */
static void add_sample(sample_set *set, fm_point3 a, fm_point3 b, double prior)
{
    if (set->count < SAMPLES_MAX)
        set->item[set->count++] = (sample){((double)a.x + b.x) / 2, ((double)a.y + b.y) / 2,
                                           ((double)a.z + b.z) / 2, prior, 0};
}

static void collect_samples(const fm_point3 *points, const fm_topology *topology, sample_set *set)
{
    /* The midline runs top to bottom: bridge above the tip, tip to subnasale, mouth and chin. */
    double prior = PRIOR_UPPER;
    for (int i = 0; i < topology->midline_count && i < FM_MIDLINE_POINTS_MAX; i++) {
        const int index = topology->midline[i];
        if (index == topology->nose_tip)
            prior = PRIOR_NOSE;
        add_sample(set, points[index], points[index], prior);
        if (index == topology->subnasale)
            prior = PRIOR_LOWER;
    }
    const fm_side_points *l = &topology->side[FM_SIDE_LEFT], *r = &topology->side[FM_SIDE_RIGHT];
    const int pairs[PAIRS_MAX][2] = {
        {l->eye_outer, r->eye_outer},     {l->eye_inner, r->eye_inner},
        {l->brow_outer, r->brow_outer},   {l->brow_middle, r->brow_middle},
        {l->brow_inner, r->brow_inner},   {l->brow_inner_lower, r->brow_inner_lower},
    };
    for (int i = 0; i < PAIRS_MAX; i++)
        add_sample(set, points[pairs[i][0]], points[pairs[i][1]], PRIOR_UPPER);
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof values[0], compare_doubles);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

/*
 * On a turned head the profile bends the midline in the picture: what stands
 * out (the bridge and tip of the nose) shifts against what lies deeper. Each
 * sample is moved along the head's depth axis to the median depth, so that
 * what is left beside a straight line is asymmetry, not parallax. Errors of
 * the mesh's depth enter only times the sine of the turn.
 */
static bool remove_parallax(const fm_point3 *points, const fm_topology *topology, sample_set *set)
{
    fm_pose pose;
    if (!fm_pose_estimate(points, topology, &pose))
        return false;
    const float *axis = pose.axis[2];
    double depth[SAMPLES_MAX], sorted[SAMPLES_MAX];
    for (int i = 0; i < set->count; i++) {
        const sample *s = &set->item[i];
        depth[i] = axis[0] * (s->x - pose.origin.x) + axis[1] * (s->y - pose.origin.y) +
                   axis[2] * (s->z - pose.origin.z);
        sorted[i] = depth[i];
    }
    const double reference = median(sorted, set->count);
    for (int i = 0; i < set->count; i++) {
        set->item[i].x -= (depth[i] - reference) * axis[0];
        set->item[i].y -= (depth[i] - reference) * axis[1];
    }
    return true;
}

/* Weighted orthogonal regression: centroid and main axis of the scatter. */
static bool fit_orthogonal(const sample_set *set, double min_length, vec2 down, fm_line *line)
{
    double w = 0, mx = 0, my = 0;
    for (int i = 0; i < set->count; i++) {
        const sample *s = &set->item[i];
        w += s->weight;
        mx += s->weight * s->x;
        my += s->weight * s->y;
    }
    if (!(w > 0))
        return false;
    mx /= w;
    my /= w;
    double xx = 0, xy = 0, yy = 0;
    for (int i = 0; i < set->count; i++) {
        const sample *s = &set->item[i];
        const double x = s->x - mx, y = s->y - my;
        xx += s->weight * x * x;
        xy += s->weight * x * y;
        yy += s->weight * y * y;
    }
    /* A round or tiny cloud has no direction. */
    const double spread = hypot(xx - yy, 2 * xy) / w;
    if (!isfinite(spread) || spread < min_length * min_length)
        return false;
    const double angle = 0.5 * atan2(2 * xy, xx - yy);
    return make_line((vec2){mx, my}, cos(angle), sin(angle), down, line);
}

/* Sigma of the upper face about the line, from the median absolute residual. */
static double upper_scale(const sample_set *set, const fm_line *line)
{
    double residual[SAMPLES_MAX];
    int n = 0;
    for (int i = 0; i < set->count; i++)
        if (set->item[i].prior >= PRIOR_UPPER)
            residual[n++] = fabs(fm_line_distance(line, set->item[i].x, set->item[i].y));
    if (n == 0)
        return 0;
    return MAD_TO_SIGMA * median(residual, n);
}

static void biweight(sample_set *set, const fm_line *line, double reach)
{
    for (int i = 0; i < set->count; i++) {
        sample *s = &set->item[i];
        const double u = fm_line_distance(line, s->x, s->y) / reach;
        const double v = 1 - u * u;
        s->weight = v > 0 ? s->prior * v * v : 0;
    }
}

/*
 * The biweight redescends, so it has several minima: it must start near the
 * right one. It starts from the upper face alone, and the scale is that of the
 * upper face and stays fixed (an MM-estimate; Yohai, Annals of Statistics
 * 15(2), 1987), so that a badly pulled mouth cannot widen it to let itself in.
 */
static bool fit_robust(const fm_point3 *points, const fm_topology *topology, vec2 down,
                       double face_size, fm_line *line)
{
    sample_set set = {.count = 0};
    collect_samples(points, topology, &set);
    if (!remove_parallax(points, topology, &set))
        return false;
    for (int i = 0; i < set.count; i++)
        set.item[i].weight = set.item[i].prior >= PRIOR_UPPER ? 1 : 0;
    fm_line fit;
    if (!fit_orthogonal(&set, 0.05 * face_size, down, &fit))
        return false;
    const double reach = BIWEIGHT_C * fmax(upper_scale(&set, &fit), SCALE_FLOOR * face_size);
    for (int i = 0; i < ITERATIONS_MAX; i++) {
        const fm_line last = fit;
        biweight(&set, &fit, reach);
        if (!fit_orthogonal(&set, 0.05 * face_size, down, &fit))
            return false;
        const double turn = fabs(last.dx * fit.dy - last.dy * fit.dx);
        const double shift = fabs(fm_line_distance(&last, fit.ox, fit.oy));
        if (turn < 1e-12 && shift < 1e-12 * face_size)
            break;
    }
    *line = fit;
    return true;
}

bool fm_midline_fit(const fm_point3 *points, const fm_topology *topology, fm_midline_mode mode,
                    fm_line *line)
{
    const double size = eye_distance(points, topology);
    const vec2 eyes = middle(eye_centre(points, topology, FM_SIDE_LEFT),
                             eye_centre(points, topology, FM_SIDE_RIGHT));
    const vec2 chin = at(points, topology->chin);
    const vec2 down = {chin.x - eyes.x, chin.y - eyes.y};
    /* A pixel between the eyes is no face; a face is about as long as it is wide. */
    if (!isfinite(size) || size < 1 || !(hypot(down.x, down.y) > 0.1 * size))
        return false;

    fm_line fit;
    bool ok = false;
    switch (mode) {
    case FM_MIDLINE_ROBUST:
        ok = fit_robust(points, topology, down, size, &fit);
        break;
    case FM_MIDLINE_BROW_CHIN:
        ok = fit_brow_chin(points, topology, down, &fit);
        break;
    case FM_MIDLINE_PUPILS:
        ok = fit_pupils(points, topology, down, &fit);
        break;
    }
    if (!ok)
        return false;
    /* The origin is the foot of the middle of the eyes: a point that means the same in each frame. */
    const double s = fm_line_distance(&fit, eyes.x, eyes.y);
    fit.ox = eyes.x - s * fit.dy;
    fit.oy = eyes.y + s * fit.dx;
    if (!isfinite(fit.ox) || !isfinite(fit.oy))
        return false;
    *line = fit;
    return true;
}
