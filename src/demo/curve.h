/*
 * A smooth curve y(x) through a few knots: cubic Hermite pieces with the
 * monotone tangents of Fritsch and Carlson ("Monotone piecewise cubic
 * interpolation", SIAM J. Numer. Anal. 17, 1980), so it never swings past its
 * knots. Constant outside them.
 *
 * Thread-safety: fm_curve_fit is Unsafe on one curve; fm_curve_at is Safe.
 */
#ifndef FM_DEMO_CURVE_H
#define FM_DEMO_CURVE_H

#include <stdbool.h>

enum { FM_CURVE_KNOTS_MAX = 8 };

typedef struct fm_curve {
    int count;
    double x[FM_CURVE_KNOTS_MAX];
    double y[FM_CURVE_KNOTS_MAX];
    double slope[FM_CURVE_KNOTS_MAX];
} fm_curve;

/* Fits 2..FM_CURVE_KNOTS_MAX knots. False when x does not rise strictly or a value is not finite. */
bool fm_curve_fit(fm_curve *curve, const double *x, const double *y, int count);

double fm_curve_at(const fm_curve *curve, double x);

#endif
