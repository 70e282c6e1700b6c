#include "face/star.h"

#include <math.h>

#define CROP_SCALE 1.05 /* upstream: scale = min(w, h) / 200 * 1.05, zoom = 256 / (200 * scale) */
#define CORNER_MAX 1e6  /* pixels: no picture is that large */

const fm_crop_options fm_star_crop = {
    .size = FM_STAR_SIZE,
    .scale = 1.0f / 127.5f,
    .bias = -1.0f,
    .border = FM_BORDER_ZERO,
    .bgr = true,
};

bool fm_star_roi(const fm_box *box, fm_roi *out)
{
    const double x0 = trunc(box->x0), y0 = trunc(box->y0), x1 = trunc(box->x1), y1 = trunc(box->y1);
    /* Written so that a NaN fails. */
    if (!(fabs(x0) < CORNER_MAX && fabs(y0) < CORNER_MAX && fabs(x1) < CORNER_MAX &&
          fabs(y1) < CORNER_MAX))
        return false;
    const double side = fmin(x1 - x0, y1 - y0);
    if (side < 1)
        return false;
    *out = (fm_roi){0.5 * (x0 + x1) + 0.5, 0.5 * (y0 + y1) + 0.5, CROP_SCALE * side, 0};
    return true;
}

fm_point2 fm_star_fraction(const float point[2])
{
    return (fm_point2){0.5f * (point[0] + 1.0f), 0.5f * (point[1] + 1.0f)};
}

bool fm_star_decode(const float *output, const fm_roi *roi, fm_point3 *out)
{
    for (int i = 0; i < FM_STAR_POINTS; i++) {
        const fm_point2 in_crop = fm_star_fraction(&output[2 * i]);
        const fm_point2 p = fm_roi_to_image(roi, in_crop.x, in_crop.y);
        if (!isfinite(p.x) || !isfinite(p.y))
            return false;
        out[i] = (fm_point3){p.x, p.y, 0};
    }
    return true;
}
