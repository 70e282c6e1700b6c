#include "face/one_euro.h"

#include <math.h>

/* Weight of the newest sample in a first-order low-pass (paper, equations 5 and 6). */
static double smoothing(double cutoff_hz, double dt)
{
    const double two_pi = 6.283185307179586;
    double tau_inverse = two_pi * cutoff_hz;
    return tau_inverse * dt / (tau_inverse * dt + 1.0);
}

void fm_one_euro_reset(fm_one_euro *filter)
{
    filter->started = false;
    filter->value = 0.0;
    filter->derivative = 0.0;
}

double fm_one_euro_apply(fm_one_euro *filter, double value, double scale, double dt)
{
    if (!isfinite(value)) /* one bad sample must not poison all later ones */
        return value;
    if (!filter->started || !(dt > 0.0) || !(scale > 0.0)) {
        filter->started = true;
        filter->value = value;
        filter->derivative = 0.0;
        return value;
    }
    double speed = (value - filter->value) / scale / dt;
    filter->derivative += smoothing(filter->derivative_cutoff_hz, dt) * (speed - filter->derivative);
    double cutoff = filter->min_cutoff_hz + filter->beta * fabs(filter->derivative);
    filter->value += smoothing(cutoff, dt) * (value - filter->value);
    return filter->value;
}
