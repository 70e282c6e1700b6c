#include "face/facemesh.h"

#include <math.h>

const fm_crop_options fm_facemesh_crop = {
    .size = FM_FACEMESH_SIZE,
    .scale = 1.0f / 255.0f,
    .bias = 0.0f,
    .border = FM_BORDER_REPLICATE,
};

float fm_sigmoid(float x)
{
    /* exp of a non-positive number only, so it never overflows. */
    if (x >= 0.0f)
        return 1.0f / (1.0f + expf(-x));
    float e = expf(x);
    return e / (1.0f + e);
}

bool fm_landmarks_from_network(const float *raw, int count, int units, const fm_roi *roi, fm_point3 *out)
{
    const double unit = 1.0 / units;
    const double c = cos(roi->angle) * roi->size, s = sin(roi->angle) * roi->size;
    for (int i = 0; i < count; i++) {
        const float *p = raw + (size_t)i * 3;
        if (!isfinite(p[0]) || !isfinite(p[1]) || !isfinite(p[2]))
            return false;
        double u = p[0] * unit - 0.5, v = p[1] * unit - 0.5;
        out[i].x = (float)(roi->cx + c * u - s * v);
        out[i].y = (float)(roi->cy + s * u + c * v);
        out[i].z = (float)(p[2] * unit * roi->size);
    }
    return true;
}
