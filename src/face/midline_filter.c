#include "face/midline.h"

#include <math.h>

/* What no head does between two frames: the filter then starts afresh instead of gliding over. Our own choice. */
#define GAP_SECONDS 0.5
#define JUMP_SIZES 0.5 /* of the reference point, in face sizes */
#define JUMP_SCALE 1.5
#define JUMP_RADIANS 0.5

static const double TURN = 6.283185307179586;

void fm_midline_filter_init(fm_midline_filter *filter, double min_cutoff_hz, double beta)
{
    const fm_one_euro base = {
        .min_cutoff_hz = min_cutoff_hz, .beta = beta, .derivative_cutoff_hz = 1.0};
    *filter = (fm_midline_filter){.angle = base, .offset = base};
    fm_one_euro_reset(&filter->angle);
    fm_one_euro_reset(&filter->offset);
}

/* True when the frame does not continue the last one. */
static bool is_cut(const fm_midline_filter *f, double cx, double cy, double size, double turn,
                   double dt)
{
    const double moved = hypot(cx - f->last_cx, cy - f->last_cy);
    const double ratio = size / f->last_size;
    return !(dt > 0) || dt > GAP_SECONDS || moved > JUMP_SIZES * f->last_size ||
           ratio > JUMP_SCALE || ratio < 1 / JUMP_SCALE || fabs(turn) > JUMP_RADIANS;
}

fm_line fm_midline_filter_apply(fm_midline_filter *filter, const fm_line *line, double cx, double cy,
                                double face_size, double seconds)
{
    fm_midline_filter *f = filter;
    double angle = atan2(line->dy, line->dx);
    const double offset = fm_line_distance(line, cx, cy);
    if (!isfinite(angle) || !isfinite(offset) || !(face_size > 0) || !isfinite(face_size))
        return *line;

    const double dt = seconds - f->last_seconds;
    /* The nearest turn to the filtered angle, so that passing +-180 degrees is no jump. */
    const double turn = f->started ? remainder(angle - f->angle.value, TURN) : 0;
    if (f->started && is_cut(f, cx, cy, face_size, turn, dt)) {
        fm_one_euro_reset(&f->angle);
        fm_one_euro_reset(&f->offset);
    } else if (f->started) {
        angle = f->angle.value + turn;
    }
    f->started = true;
    f->last_seconds = seconds;
    f->last_cx = cx;
    f->last_cy = cy;
    f->last_size = face_size;

    /* One radian moves a point at one face size by one face size: both channels have the same unit. */
    angle = fm_one_euro_apply(&f->angle, angle, 1.0, dt);
    const double smooth = fm_one_euro_apply(&f->offset, offset, face_size, dt);
    const double dx = cos(angle), dy = sin(angle);
    return (fm_line){cx - smooth * dy, cy + smooth * dx, dx, dy};
}
