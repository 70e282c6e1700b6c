#include "curve.h"

#include <math.h>

static bool usable(const double *x, const double *y, int count)
{
    if (count < 2 || count > FM_CURVE_KNOTS_MAX)
        return false;
    for (int i = 0; i < count; i++) {
        if (!isfinite(x[i]) || !isfinite(y[i]) || (i > 0 && x[i] <= x[i - 1]))
            return false;
    }
    return true;
}

bool fm_curve_fit(fm_curve *curve, const double *x, const double *y, int count)
{
    if (!usable(x, y, count))
        return false;
    double secant[FM_CURVE_KNOTS_MAX] = {0};
    for (int i = 0; i < count; i++) {
        curve->x[i] = x[i];
        curve->y[i] = y[i];
        if (i + 1 < count)
            secant[i] = (y[i + 1] - y[i]) / (x[i + 1] - x[i]);
    }
    curve->count = count;
    curve->slope[0] = secant[0];
    curve->slope[count - 1] = secant[count - 2];
    for (int i = 1; i + 1 < count; i++) {
        const double a = secant[i - 1], b = secant[i];
        /* The harmonic mean keeps both pieces within the Fritsch-Carlson region. */
        curve->slope[i] = a * b > 0.0 ? 2.0 * a * b / (a + b) : 0.0;
    }
    return true;
}

double fm_curve_at(const fm_curve *curve, double x)
{
    const int last = curve->count - 1;
    if (x <= curve->x[0])
        return curve->y[0];
    if (x >= curve->x[last])
        return curve->y[last];
    int i = 0;
    while (x > curve->x[i + 1])
        i++;
    const double h = curve->x[i + 1] - curve->x[i];
    const double t = (x - curve->x[i]) / h;
    const double t2 = t * t, t3 = t2 * t;
    return (2.0 * t3 - 3.0 * t2 + 1.0) * curve->y[i] + (t3 - 2.0 * t2 + t) * h * curve->slope[i]
         + (3.0 * t2 - 2.0 * t3) * curve->y[i + 1] + (t3 - t2) * h * curve->slope[i + 1];
}
