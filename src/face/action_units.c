#include "face/action_units.h"

#include <math.h>

#include "facemirror/run.h" /* fm_side */

/*
 * Displacement of level 5 in inter-ocular distances. Millimetres are divided
 * by 90 mm, the adult distance between the outer canthi. Each is explained,
 * with its source, in docs/action-units.md; "own" marks our calibration.
 */
#define FULL_BROW_INNER_UP 0.090    /* brow excursion 7.6 to 9.0 mm (Souza Cruz and Cruz 2004) */
#define FULL_BROW_OUTER_UP 0.070    /* own: the lateral end moves least (Son et al. 2017) */
#define FULL_BROW_DOWN 0.055        /* own */
#define FULL_BROW_TOGETHER 0.030    /* own, each side */
#define FULL_UPPER_LID_UP 0.035     /* own, from the lid's rest 2 mm over the iris to white above it */
#define FULL_SMILE_UP 0.080         /* vertical part of the smile of Tarantili et al. 2005 */
#define SMILE_OUT_PER_UP 0.93       /* cot 47 degrees (Tarantili et al. 2005) */
#define UP_PER_OUT_MAX 3.0          /* own: the steepest smile */
#define FULL_CORNER_DOWN 0.060      /* own */
#define FULL_CORNER_OUT 0.080       /* own */
#define FULL_LIP_GAP 0.150          /* own */
#define FULL_CHIN_DROP 0.250        /* own */
#define CORNER_PER_CHIN 0.35        /* own: the commissure hangs between the jaws and follows part way */
#define CLOSED_FRACTION 0.25        /* own: eye aspect ratio of a closed eye over that of the open one */

enum {
    COLUMN_AU01,
    COLUMN_AU02,
    COLUMN_AU04,
    COLUMN_AU05,
    COLUMN_AU12 = 8,
    COLUMN_AU15 = 10,
    COLUMN_AU20 = 13,
    COLUMN_AU25 = 15,
    COLUMN_AU26,
    COLUMN_AU45
};

const int fm_au_numbers[FM_AU_COUNT] = {1,  2,  4,  5,  6,  7,  9,  10, 12,
                                        14, 15, 16, 17, 20, 23, 25, 26, 45};

const char *fm_au_feature_name(fm_au_feature feature)
{
    static const char *const names[FM_AU_FEATURES] = {
        [FM_AU_BROW_INNER_HEIGHT] = "brow_inner_height",
        [FM_AU_BROW_MIDDLE_HEIGHT] = "brow_middle_height",
        [FM_AU_BROW_OUTER_HEIGHT] = "brow_outer_height",
        [FM_AU_BROW_GAP] = "brow_gap",
        [FM_AU_EYE_OPENING] = "eye_opening",
        [FM_AU_UPPER_LID_HEIGHT] = "upper_lid_height",
        [FM_AU_MOUTH_CORNER_OUT] = "mouth_corner_out",
        [FM_AU_MOUTH_CORNER_HEIGHT] = "mouth_corner_height",
        [FM_AU_LIP_GAP] = "lip_gap",
        [FM_AU_CHIN_DROP] = "chin_drop",
    };
    return (unsigned)feature < FM_AU_FEATURES ? names[feature] : "";
}

/* --- features -------------------------------------------------------- */

static fm_point3 head_point(const fm_point3 *points, int index, const fm_pose *pose)
{
    fm_point3 out;
    fm_pose_normalise(&points[index], 1, pose, &out);
    return out;
}

/* In the head's frontal plane: the mesh's depth is too weak to measure with. */
static float plane_distance(fm_point3 a, fm_point3 b)
{
    return hypotf(a.x - b.x, a.y - b.y);
}

/* Eye aspect ratio (Soukupova and Cech, CVWW 2016) over three facing pairs of lid points. */
static float eye_opening(const fm_point3 *points, const fm_side_points *side, const fm_pose *pose)
{
    float gap = 0;
    for (int i = 0; i < 3; i++)
        gap += plane_distance(head_point(points, side->upper_lid[i], pose),
                              head_point(points, side->lower_lid[i], pose));
    const float width = plane_distance(head_point(points, side->eye_outer, pose),
                                       head_point(points, side->eye_inner, pose));
    return gap / (3 * width);
}

/* Adds half of each paired feature; out_sign is +1 on the patient's left, where head x is positive. */
static void add_side(const fm_point3 *points, const fm_side_points *side, const fm_pose *pose,
                     float out_sign, float *value)
{
    const fm_point3 outer = head_point(points, side->eye_outer, pose);
    const fm_point3 inner = head_point(points, side->eye_inner, pose);
    const fm_point3 brow_inner = head_point(points, side->brow_inner, pose);
    const fm_point3 brow_lower = head_point(points, side->brow_inner_lower, pose);
    const fm_point3 brow_middle = head_point(points, side->brow_middle, pose);
    const fm_point3 brow_outer = head_point(points, side->brow_outer, pose);
    const fm_point3 corner = head_point(points, side->mouth_corner, pose);
    const fm_point3 lid = head_point(points, side->upper_lid[1], pose);
    const float canthi = (outer.y + inner.y) / 2;

    value[FM_AU_BROW_INNER_HEIGHT] += (canthi - (brow_inner.y + brow_lower.y) / 2) / 2;
    value[FM_AU_BROW_MIDDLE_HEIGHT] += (canthi - brow_middle.y) / 2;
    value[FM_AU_BROW_OUTER_HEIGHT] += (canthi - brow_outer.y) / 2;
    value[FM_AU_BROW_GAP] += out_sign * (brow_inner.x + brow_lower.x) / 4;
    value[FM_AU_EYE_OPENING] += eye_opening(points, side, pose) / 2;
    value[FM_AU_UPPER_LID_HEIGHT] += (canthi - lid.y) / 2;
    value[FM_AU_MOUTH_CORNER_OUT] += out_sign * corner.x / 2;
    value[FM_AU_MOUTH_CORNER_HEIGHT] += (canthi - corner.y) / 2;
}

bool fm_au_measure(const fm_point3 *points, const fm_topology *topology, fm_au_features *out)
{
    fm_pose pose;
    if (!fm_pose_estimate(points, topology, &pose))
        return false;
    fm_au_features f = {{0}};
    add_side(points, &topology->side[FM_SIDE_LEFT], &pose, 1, f.value);
    add_side(points, &topology->side[FM_SIDE_RIGHT], &pose, -1, f.value);
    f.value[FM_AU_LIP_GAP] = head_point(points, topology->lower_lip_inner, &pose).y -
                             head_point(points, topology->upper_lip_inner, &pose).y;
    f.value[FM_AU_CHIN_DROP] = head_point(points, topology->chin, &pose).y;
    for (int i = 0; i < FM_AU_FEATURES; i++)
        if (!isfinite(f.value[i]))
            return false;
    *out = f;
    return true;
}

/* --- intensities ----------------------------------------------------- */

static double positive(double v)
{
    return v > 0 ? v : 0; /* the opposite movement belongs to another unit */
}

/* Share of the full scale, 0..1. */
static double share(double displacement, double full)
{
    return fmin(1, positive(displacement) / full);
}

static void set_unit(fm_au_result *out, int column, double fraction)
{
    const double level = 5 * fmin(1, positive(fraction));
    out->intensity[column] = (float)level;
    out->presence[column] = level >= 1 ? 1 : 0;
}

static void set_brows(const double *change, fm_au_result *out)
{
    const double inner = change[FM_AU_BROW_INNER_HEIGHT];
    const double middle = change[FM_AU_BROW_MIDDLE_HEIGHT];
    set_unit(out, COLUMN_AU01, inner / FULL_BROW_INNER_UP);
    set_unit(out, COLUMN_AU02, change[FM_AU_BROW_OUTER_HEIGHT] / FULL_BROW_OUTER_UP);
    /* Down and together are one oblique pull: the root mean square of both shares. */
    const double down = share(-(inner + middle) / 2, FULL_BROW_DOWN);
    const double together = share(-change[FM_AU_BROW_GAP], FULL_BROW_TOGETHER);
    set_unit(out, COLUMN_AU04, sqrt((down * down + together * together) / 2));
}

static void set_eyes(const fm_au_features *features, const fm_au_features *neutral,
                     const double *change, fm_au_result *out)
{
    set_unit(out, COLUMN_AU05, change[FM_AU_UPPER_LID_HEIGHT] / FULL_UPPER_LID_UP);
    const double open = neutral->value[FM_AU_EYE_OPENING];
    const double now = features->value[FM_AU_EYE_OPENING];
    const double range = open * (1 - CLOSED_FRACTION);
    set_unit(out, COLUMN_AU45, range > 0 ? (open - now) / range : 0);
}

/*
 * The commissure's path is taken apart: up is AU12, which brings its own
 * sideways share; sideways beyond that is AU20; down is AU15. What the jaw
 * carries along is given back first.
 */
static void set_mouth(const double *change, fm_au_result *out)
{
    const double jaw = positive(change[FM_AU_CHIN_DROP]);
    const double up = change[FM_AU_MOUTH_CORNER_HEIGHT] + CORNER_PER_CHIN * jaw;
    const double sideways = change[FM_AU_MOUTH_CORNER_OUT] - SMILE_OUT_PER_UP * positive(up);
    /* A smile goes outwards too; a corner that only rises is pushed up by the chin or lips. */
    const double smile = fmin(up, UP_PER_OUT_MAX * positive(change[FM_AU_MOUTH_CORNER_OUT]));
    set_unit(out, COLUMN_AU12, smile / FULL_SMILE_UP);
    set_unit(out, COLUMN_AU15, -up / FULL_CORNER_DOWN);
    set_unit(out, COLUMN_AU20, sideways / FULL_CORNER_OUT);
    set_unit(out, COLUMN_AU25, change[FM_AU_LIP_GAP] / FULL_LIP_GAP);
    set_unit(out, COLUMN_AU26, jaw / FULL_CHIN_DROP);
}

void fm_au_intensities(const fm_au_features *features, const fm_au_features *neutral,
                       fm_au_result *out)
{
    for (int i = 0; i < FM_AU_COUNT; i++)
        out->intensity[i] = out->presence[i] = NAN;
    double change[FM_AU_FEATURES];
    for (int i = 0; i < FM_AU_FEATURES; i++) {
        change[i] = (double)features->value[i] - (double)neutral->value[i];
        if (!isfinite(change[i]))
            return;
    }
    set_brows(change, out);
    set_eyes(features, neutral, change, out);
    set_mouth(change, out);
}
