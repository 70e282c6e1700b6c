#include "warp.h"

#include <math.h>

/* Parts of the inter-ocular distance unless said otherwise; tuned by eye on portraits. */
static const double brow_lift = 0.085;
static const double brow_fade_up = 0.42, brow_fade_side = 0.22;
static const double corner_out = 0.045, corner_up = 0.060;
static const double cheek_out = 0.007, cheek_up = 0.025;

/* Of the open eye's height: the lower lid meets the upper one here; the slit that is left keeps the map one-to-one. */
static const double lower_lid_rise = 0.12, closed_slit = 0.01;
/* Landmarks lie a little inside the lower lid margin: without this part of the opening's height a white line stays. */
static const double lower_margin = 0.15;
/* Of the eye's width: the opening goes on past the medial landmark, towards the caruncle. */
static const double canthus_reach = 0.16;

enum { FORWARD_STEPS_MAX = 100, NEWTON_STEPS = 6 };

static double clamp01(double x)
{
    return x < 0.0 ? 0.0 : x > 1.0 ? 1.0 : x;
}

/* 0 below 0, 1 above 1, slope 0 at both and at most 1.5 between. */
static double smooth_step(double x)
{
    const double t = clamp01(x);
    return t * t * (3.0 - 2.0 * t);
}

static fm_vec2 into(const fm_warp_frame *frame, fm_vec2 p)
{
    const double dx = p.x - frame->origin.x, dy = p.y - frame->origin.y;
    return (fm_vec2){dx * frame->axis.x + dy * frame->axis.y, dy * frame->axis.x - dx * frame->axis.y};
}

static fm_vec2 out_of(const fm_warp_frame *frame, fm_vec2 p)
{
    return (fm_vec2){frame->origin.x + p.x * frame->axis.x - p.y * frame->axis.y,
                     frame->origin.y + p.x * frame->axis.y + p.y * frame->axis.x};
}

/* --- blink ------------------------------------------------------------- */

static fm_vec2 into_eye(const fm_warp_eye *eye, fm_vec2 p)
{
    fm_vec2 local = into(&eye->frame, p);
    local.x -= eye->slant * local.y;
    return local;
}

static fm_vec2 out_of_eye(const fm_warp_eye *eye, fm_vec2 local)
{
    local.x += eye->slant * local.y;
    return out_of(&eye->frame, local);
}

/*
 * Lid margins of one column of the eye, and how far each moves at this amount.
 * The opening [upper, lower] is squeezed to the slit; the skin above stretches
 * by a smooth step, which leaves the lash line as thick as it is.
 */
typedef struct lid_column {
    double upper, lower;
    double down, up; /* travel of the upper lid (downwards) and of the lower lid (upwards) */
} lid_column;

static bool lid_column_at(const fm_warp_eye *eye, double blink, double x, lid_column *column)
{
    if (x <= 0.0 || x >= eye->width)
        return false;
    column->upper = fm_curve_at(&eye->upper, x);
    column->lower = fm_curve_at(&eye->lower, x);
    column->lower += lower_margin * fmax(column->lower - column->upper, 0.0);
    const double gap = column->lower - column->upper;
    if (gap <= 0.0)
        return false;
    column->up = blink * lower_lid_rise * gap;
    column->down = blink * (1.0 - lower_lid_rise - closed_slit) * gap;
    return true;
}

/* Solves height * s + travel * smooth_step(s) = y for s in 0..1; both skins only ever stretch, so travel >= 0. */
static double solve_skin(double height, double travel, double y)
{
    double s = clamp01(y / (height + travel));
    for (int i = 0; i < NEWTON_STEPS; i++) {
        const double f = height * s + travel * smooth_step(s) - y;
        s = clamp01(s - f / (height + 6.0 * travel * s * (1.0 - s)));
    }
    return s;
}

static double blink_forward(const fm_warp_eye *eye, const lid_column *c, double y)
{
    if (y < c->upper)
        return y + c->down * smooth_step((y - c->upper) / eye->skin_above + 1.0);
    if (y > c->lower)
        return y - c->up * smooth_step(1.0 - (y - c->lower) / eye->skin_below);
    const double t = (y - c->upper) / (c->lower - c->upper);
    return y + (1.0 - t) * c->down - t * c->up;
}

static double blink_inverse(const fm_warp_eye *eye, const lid_column *c, double y)
{
    const double upper = c->upper + c->down, lower = c->lower - c->up;
    if (y < upper) {
        const double top = c->upper - eye->skin_above;
        return y <= top ? y : top + eye->skin_above * solve_skin(eye->skin_above, c->down, y - top);
    }
    if (y > lower) {
        const double bottom = c->lower + eye->skin_below;
        return y >= bottom ? y : bottom - eye->skin_below * solve_skin(eye->skin_below, c->up, bottom - y);
    }
    const double t = (y - upper) / (lower - upper);
    return c->upper + t * (c->lower - c->upper);
}

typedef double blink_map(const fm_warp_eye *eye, const lid_column *column, double y);

/* The eyes' boxes do not meet, so one after the other is both at once. */
static fm_vec2 blink_apply(const fm_warp *warp, double blink, fm_vec2 p, blink_map *map)
{
    if (blink <= 0.0)
        return p;
    for (int i = 0; i < 2; i++) {
        const fm_warp_eye *eye = &warp->eye[i];
        fm_vec2 local = into_eye(eye, p);
        lid_column column;
        if (!lid_column_at(eye, blink, local.x, &column))
            continue;
        const double y = map(eye, &column, local.y);
        if (y != local.y) {
            local.y = y;
            return out_of_eye(eye, local);
        }
    }
    return p;
}

/* --- brows ------------------------------------------------------------- */

/* How far below its raised place the brow is at the raised point q (face frame), 0..lift. */
static double brow_drop(const fm_warp *warp, double lift, fm_vec2 q)
{
    const fm_curve *brow = &warp->brow;
    const double first = brow->x[0], last = brow->x[brow->count - 1];
    const double beyond = fmax(first - q.x, q.x - last);
    const double side = 1.0 - smooth_step(beyond / warp->brow_fade_side);
    if (side <= 0.0)
        return 0.0;
    const double below = q.y - (fm_curve_at(brow, q.x) - lift);
    const double fade = below < 0.0 ? -below / warp->brow_fade_up
                                    : (below - warp->brow_thickness) / (warp->brow_fade_down + lift);
    return lift * side * (1.0 - smooth_step(fade));
}

static fm_vec2 brow_inverse(const fm_warp *warp, double amount, fm_vec2 q)
{
    if (amount > 0.0)
        q.y += brow_drop(warp, amount * warp->brow_lift, q);
    return q;
}

/* --- bumps ------------------------------------------------------------- */

/* (1 - r^2)^2 on the ellipse: 1 at its centre, 0 with slope 0 on its edge. */
static double bump_weight(const fm_warp_bump *bump, double dx, double dy)
{
    const double rx = dx / (dx < 0.0 ? bump->radius_left : bump->radius_right);
    const double ry = dy / (dy < 0.0 ? bump->radius_up : bump->radius_down);
    const double left = 1.0 - rx * rx - ry * ry;
    return left > 0.0 ? left * left : 0.0;
}

/* The bump sits where the movement ends, so that `centre` is carried by exactly amount * move (-1..1). */
static fm_vec2 bump_inverse(const fm_warp_bump *bump, double amount, fm_vec2 q)
{
    if (amount == 0.0)
        return q;
    const fm_vec2 move = {amount * bump->move.x, amount * bump->move.y};
    const double w =
        bump_weight(bump, q.x - bump->centre.x - move.x, q.y - bump->centre.y - move.y);
    return (fm_vec2){q.x - w * move.x, q.y - w * move.y};
}

/* --- chain ------------------------------------------------------------- */

/* The amounts within their ranges, and whether any is there. */
static bool clamp_amount(const fm_warp_amount *amount, fm_warp_amount *out)
{
    out->blink = clamp01(amount->blink);
    out->brow = clamp01(amount->brow);
    for (int side = 0; side < 2; side++)
        out->smile[side] = fmin(fmax(amount->smile[side], -1.0), 1.0);
    return out->brow != 0.0 || out->smile[0] != 0.0 || out->smile[1] != 0.0;
}

/* Steps of the chain in the face frame, all closed-form in this direction. */
enum { STEP_BROW, STEP_CORNER, STEP_CHEEK = STEP_CORNER + 2, STEPS = STEP_CHEEK + 2 };

static fm_vec2 step_inverse(const fm_warp *warp, const fm_warp_amount *amount, int step, fm_vec2 q)
{
    if (step == STEP_BROW)
        return brow_inverse(warp, amount->brow, q);
    if (step < STEP_CHEEK)
        return bump_inverse(&warp->corner[step - STEP_CORNER], amount->smile[step - STEP_CORNER], q);
    return bump_inverse(&warp->cheek[step - STEP_CHEEK], amount->smile[step - STEP_CHEEK], q);
}

/* Finds q with inverse(q) = p: q <- q + (p - inverse(q)) contracts, since the displacement's slope is below 0.8. */
static fm_vec2 step_forward(const fm_warp *warp, const fm_warp_amount *amount, int step, fm_vec2 p)
{
    fm_vec2 q = p;
    for (int i = 0; i < FORWARD_STEPS_MAX; i++) {
        const fm_vec2 back = step_inverse(warp, amount, step, q);
        const double dx = p.x - back.x, dy = p.y - back.y;
        if (dx == 0.0 && dy == 0.0)
            break;
        q.x += dx;
        q.y += dy;
        if (dx * dx + dy * dy < 1e-18)
            break;
    }
    return q;
}

fm_vec2 fm_warp_forward(const fm_warp *warp, const fm_warp_amount *amount, fm_vec2 p)
{
    fm_warp_amount a;
    const bool moves = clamp_amount(amount, &a);
    p = blink_apply(warp, a.blink, p, blink_forward);
    if (!moves)
        return p;
    const fm_vec2 start = into(&warp->face, p);
    fm_vec2 q = start;
    for (int step = 0; step < STEPS; step++)
        q = step_forward(warp, &a, step, q);
    return q.x == start.x && q.y == start.y ? p : out_of(&warp->face, q);
}

fm_vec2 fm_warp_inverse(const fm_warp *warp, const fm_warp_amount *amount, fm_vec2 q)
{
    fm_warp_amount a;
    if (clamp_amount(amount, &a)) {
        const fm_vec2 start = into(&warp->face, q);
        fm_vec2 p = start;
        for (int step = STEPS - 1; step >= 0; step--)
            p = step_inverse(warp, &a, step, p);
        if (p.x != start.x || p.y != start.y)
            q = out_of(&warp->face, p);
    }
    return blink_apply(warp, a.blink, q, blink_inverse);
}

/* --- bounds ------------------------------------------------------------ */

static void rect_add(fm_warp_rect *rect, fm_vec2 p)
{
    rect->x0 = fmin(rect->x0, p.x);
    rect->y0 = fmin(rect->y0, p.y);
    rect->x1 = fmax(rect->x1, p.x);
    rect->y1 = fmax(rect->y1, p.y);
}

static void rect_add_box(fm_warp_rect *rect, const fm_warp_frame *frame, double x0, double y0,
                         double x1, double y1)
{
    rect_add(rect, out_of(frame, (fm_vec2){x0, y0}));
    rect_add(rect, out_of(frame, (fm_vec2){x1, y0}));
    rect_add(rect, out_of(frame, (fm_vec2){x0, y1}));
    rect_add(rect, out_of(frame, (fm_vec2){x1, y1}));
}

static void knots_range(const fm_curve *curve, double *low, double *high)
{
    *low = *high = curve->y[0];
    for (int i = 1; i < curve->count; i++) {
        *low = fmin(*low, curve->y[i]);
        *high = fmax(*high, curve->y[i]);
    }
}

static void rect_add_eye(fm_warp_rect *rect, const fm_warp_eye *eye)
{
    double top, bottom, unused;
    knots_range(&eye->upper, &top, &unused);
    knots_range(&eye->lower, &unused, &bottom);
    top -= eye->skin_above;
    bottom += lower_margin * (bottom - top) + eye->skin_below;
    rect_add(rect, out_of_eye(eye, (fm_vec2){0.0, top}));
    rect_add(rect, out_of_eye(eye, (fm_vec2){eye->width, top}));
    rect_add(rect, out_of_eye(eye, (fm_vec2){0.0, bottom}));
    rect_add(rect, out_of_eye(eye, (fm_vec2){eye->width, bottom}));
}

static void rect_add_bump(fm_warp_rect *rect, const fm_warp_frame *face, const fm_warp_bump *bump)
{
    const double mx = fabs(bump->move.x), my = fabs(bump->move.y);
    const double x = bump->centre.x, y = bump->centre.y;
    rect_add_box(rect, face, x - mx - bump->radius_left, y - my - bump->radius_up,
                 x + mx + bump->radius_right, y + my + bump->radius_down);
}

fm_warp_rect fm_warp_eye_bounds(const fm_warp *warp, fm_side side)
{
    fm_warp_rect rect = {INFINITY, INFINITY, -INFINITY, -INFINITY};
    rect_add_eye(&rect, &warp->eye[side]);
    return rect;
}

fm_warp_rect fm_warp_bounds(const fm_warp *warp)
{
    fm_warp_rect rect = fm_warp_eye_bounds(warp, FM_SIDE_LEFT);
    rect_add_eye(&rect, &warp->eye[FM_SIDE_RIGHT]);
    double top, bottom;
    knots_range(&warp->brow, &top, &bottom);
    rect_add_box(&rect, &warp->face, warp->brow.x[0] - warp->brow_fade_side,
                 top - warp->brow_lift - warp->brow_fade_up,
                 warp->brow.x[warp->brow.count - 1] + warp->brow_fade_side,
                 bottom + warp->brow_thickness + warp->brow_fade_down);
    for (int side = 0; side < 2; side++) {
        rect_add_bump(&rect, &warp->face, &warp->corner[side]);
        rect_add_bump(&rect, &warp->face, &warp->cheek[side]);
    }
    return rect;
}

/* --- fit --------------------------------------------------------------- */

static fm_vec2 vec(fm_point3 p)
{
    return (fm_vec2){(double)p.x, (double)p.y};
}

/* False when a and b are the same point or not finite. */
static bool frame_between(fm_warp_frame *frame, fm_vec2 a, fm_vec2 b, double *length)
{
    const double dx = b.x - a.x, dy = b.y - a.y;
    *length = hypot(dx, dy);
    if (!isfinite(*length) || *length < 1.0)
        return false;
    frame->origin = a;
    frame->axis = (fm_vec2){dx / *length, dy / *length};
    return true;
}

/* Mean of dx/dy between facing lid landmarks. False when the eye is shut in the still: there is nothing to close. */
static bool fit_slant(fm_warp_eye *eye, const fm_point3 *points, const fm_side_points *side,
                      double inter_ocular)
{
    double dx = 0.0, dy = 0.0;
    for (int i = 0; i < 3; i++) {
        const fm_vec2 upper = into(&eye->frame, vec(points[side->upper_lid[i]]));
        const fm_vec2 lower = into(&eye->frame, vec(points[side->lower_lid[i]]));
        if (!(lower.y - upper.y >= 0.02 * inter_ocular))
            return false;
        dx += lower.x - upper.x;
        dy += lower.y - upper.y;
    }
    eye->slant = dx / dy;
    return true;
}

/* Canthi at both ends of the eye's frame; the knots run image-left to image-right. */
static bool fit_eye(fm_warp_eye *eye, const fm_point3 *points, const fm_side_points *side,
                    bool outer_first, double inter_ocular)
{
    const fm_vec2 outer = vec(points[side->eye_outer]);
    fm_vec2 inner = vec(points[side->eye_inner]);
    inner.x += canthus_reach * (inner.x - outer.x);
    inner.y += canthus_reach * (inner.y - outer.y);
    if (!frame_between(&eye->frame, outer_first ? outer : inner, outer_first ? inner : outer,
                       &eye->width)
        || !fit_slant(eye, points, side, inter_ocular))
        return false;
    double xu[5] = {0.0}, yu[5] = {0.0}, xl[5] = {0.0}, yl[5] = {0.0};
    for (int i = 0; i < 3; i++) { /* lateral, middle, medial */
        const int knot = outer_first ? 1 + i : 3 - i;
        const fm_vec2 upper = into_eye(eye, vec(points[side->upper_lid[i]]));
        const fm_vec2 lower = into_eye(eye, vec(points[side->lower_lid[i]]));
        xu[knot] = upper.x;
        yu[knot] = upper.y;
        xl[knot] = lower.x;
        yl[knot] = lower.y;
    }
    xu[4] = xl[4] = eye->width;
    if (!fm_curve_fit(&eye->upper, xu, yu, 5) || !fm_curve_fit(&eye->lower, xl, yl, 5))
        return false;
    const fm_vec2 brow = into_eye(eye, vec(points[side->brow_middle]));
    const double room = yu[2] - brow.y; /* from the brow's upper contour to the lid */
    if (room < 0.05 * inter_ocular)
        return false;
    eye->skin_above = 0.75 * room;
    eye->skin_below = 0.12 * inter_ocular;
    return true;
}

static bool fit_brows(fm_warp *warp, const fm_point3 *points, const fm_topology *topology)
{
    const fm_side_points *right = &topology->side[FM_SIDE_RIGHT], *left = &topology->side[FM_SIDE_LEFT];
    const int knots[6] = {right->brow_outer, right->brow_middle, right->brow_inner,
                          left->brow_inner,  left->brow_middle,  left->brow_outer};
    double x[6], y[6];
    for (int i = 0; i < 6; i++) {
        const fm_vec2 p = into(&warp->face, vec(points[knots[i]]));
        x[i] = p.x;
        y[i] = p.y;
    }
    if (!fm_curve_fit(&warp->brow, x, y, 6))
        return false;
    double thickness = 0.0, room = INFINITY;
    for (int s = 0; s < 2; s++) {
        const fm_side_points *side = &topology->side[s];
        const fm_vec2 low = into(&warp->face, vec(points[side->brow_inner_lower]));
        const fm_vec2 high = into(&warp->face, vec(points[side->brow_inner]));
        thickness = fmax(thickness, low.y - high.y);
        for (int i = 0; i < 3; i++) {
            const fm_vec2 lid = into(&warp->face, vec(points[side->upper_lid[i]]));
            room = fmin(room, lid.y - fm_curve_at(&warp->brow, lid.x));
        }
    }
    /* The skin between brow and lid gives; a low brow gets less thickness to leave it some. */
    warp->brow_thickness = fmin(fmax(thickness, 0.0), 0.5 * room);
    warp->brow_lift = brow_lift * warp->inter_ocular;
    warp->brow_fade_up = brow_fade_up * warp->inter_ocular;
    warp->brow_fade_side = brow_fade_side * warp->inter_ocular;
    warp->brow_fade_down = room - warp->brow_thickness;
    return room > 0.08 * warp->inter_ocular;
}

/* A bump whose medial edge ends at `medial` from its centre, on the side that `out` (+1: image-right) points away from. */
static fm_warp_bump make_bump(fm_vec2 centre, fm_vec2 move, double out, double medial, double lateral,
                              double up, double down)
{
    return (fm_warp_bump){
        .centre = centre,
        .move = {out * move.x, -move.y},
        .radius_left = out > 0.0 ? medial : lateral,
        .radius_right = out > 0.0 ? lateral : medial,
        .radius_up = up,
        .radius_down = down,
    };
}

static bool fit_smile(fm_warp *warp, const fm_point3 *points, const fm_topology *topology, fm_side index)
{
    const fm_side_points *side = &topology->side[index];
    const double unit = warp->inter_ocular, out = index == FM_SIDE_LEFT ? 1.0 : -1.0;
    const fm_vec2 corner = into(&warp->face, vec(points[side->mouth_corner]));
    const fm_vec2 eye = into(&warp->face, vec(points[side->eye_outer]));
    const fm_vec2 top = into(&warp->face, vec(points[topology->upper_lip_top]));
    const fm_vec2 bottom = into(&warp->face, vec(points[topology->lower_lip_bottom]));
    const double middle = out > 0.0 ? fmax(top.x, bottom.x) : fmin(top.x, bottom.x);
    const fm_vec2 cheek = {0.35 * corner.x + 0.65 * eye.x, 0.45 * corner.y + 0.55 * eye.y};

    /* Even drawn in, the bumps end 5 % short of the midline: each side moves alone. */
    const double corner_medial = 0.95 * (out * (corner.x - middle) - corner_out * unit);
    const double cheek_medial = 0.95 * (out * (cheek.x - middle) - cheek_out * unit);
    if (corner_medial < 0.15 * unit || cheek_medial < 0.1 * unit || corner.y - eye.y < 0.2 * unit)
        return false;
    warp->corner[index] = make_bump(corner, (fm_vec2){corner_out * unit, corner_up * unit}, out,
                                    corner_medial, 0.42 * unit, 0.36 * unit, 0.42 * unit);
    warp->cheek[index] = make_bump(cheek, (fm_vec2){cheek_out * unit, cheek_up * unit}, out, cheek_medial,
                                   0.34 * unit, 0.30 * unit, 0.42 * unit);
    return true;
}

bool fm_warp_create(fm_warp *warp, const fm_point3 *points, const fm_topology *topology)
{
    const fm_side_points *right = &topology->side[FM_SIDE_RIGHT], *left = &topology->side[FM_SIDE_LEFT];
    const fm_vec2 a = vec(points[right->eye_outer]), b = vec(points[left->eye_outer]);
    if (!frame_between(&warp->face, a, b, &warp->inter_ocular) || warp->inter_ocular < 8.0)
        return false;
    warp->face.origin = (fm_vec2){0.5 * (a.x + b.x), 0.5 * (a.y + b.y)};
    return fit_eye(&warp->eye[FM_SIDE_RIGHT], points, right, true, warp->inter_ocular)
        && fit_eye(&warp->eye[FM_SIDE_LEFT], points, left, false, warp->inter_ocular)
        && fit_brows(warp, points, topology)
        && fit_smile(warp, points, topology, FM_SIDE_LEFT)
        && fit_smile(warp, points, topology, FM_SIDE_RIGHT);
}
