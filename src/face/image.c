#include "face/image.h"

#include <math.h>

#include "face/image_grid.h"

static void sample(const fm_image *image, const fm_grid *grid, const fm_crop_options *options, float *tensor)
{
    fm_grid_job job;
    if (!fm_grid_job_make(&job, image, grid, options, tensor))
        return;
    if (fm_grid_is_upright(&job))
        fm_grid_sample_upright(&job);
    else
        fm_grid_sample_any(&job);
}

void fm_image_crop(const fm_image *image, const fm_roi *roi, const fm_crop_options *options,
                   float *tensor)
{
    const double pitch = roi->size / options->size;
    const double dx = cos(roi->angle) * pitch, dy = sin(roi->angle) * pitch;
    const fm_grid g = {roi->cx, roi->cy, dx, dy, -dy, dx, options->size, options->size};
    sample(image, &g, options, tensor);
}

void fm_image_stretch(const fm_image *image, const fm_box *box, int width, int height,
                      const fm_crop_options *options, float *tensor)
{
    const fm_grid g = {
        .cx = 0.5 * (box->x0 + box->x1),
        .cy = 0.5 * (box->y0 + box->y1),
        .ux = (box->x1 - box->x0) / width,
        .vy = (box->y1 - box->y0) / height,
        .width = width,
        .height = height,
    };
    sample(image, &g, options, tensor);
}

fm_roi fm_roi_letterbox(int width, int height)
{
    return (fm_roi){0.5 * width, 0.5 * height, width > height ? width : height, 0.0};
}

fm_point2 fm_roi_to_image(const fm_roi *roi, double u, double v)
{
    double c = cos(roi->angle), s = sin(roi->angle);
    double a = (u - 0.5) * roi->size, b = (v - 0.5) * roi->size;
    return (fm_point2){(float)(roi->cx + c * a - s * b), (float)(roi->cy + s * a + c * b)};
}

fm_point2 fm_roi_from_image(const fm_roi *roi, double x, double y)
{
    double c = cos(roi->angle), s = sin(roi->angle);
    double a = x - roi->cx, b = y - roi->cy;
    return (fm_point2){(float)((c * a + s * b) / roi->size + 0.5),
                       (float)((c * b - s * a) / roi->size + 0.5)};
}
