#include "face/image_grid.h"

#include <math.h>

/* Positions beyond this (pixels) are refused, so that no sum of two overflows 64 bits. */
#define POSITION_MAX 5e8

/* Tensor planes R, G, B; they follow each other in the tensor's own order. */
static void make_tones(const fm_crop_options *o, float *tensor, size_t plane, fm_tone out[3])
{
    for (size_t c = 0; c < 3; c++) {
        const float divisor = o->deviation[c] != 0.0f ? o->deviation[c] : 1.0f;
        out[c] = (fm_tone){o->scale / divisor, (o->bias - o->mean[c]) / divisor, tensor + (o->bgr ? 2 - c : c) * plane};
    }
}

/* ITU-R BT.601, BT.709, BT.2020 (non-constant luminance): Kr and Kb; ranges from H.273. */
static fm_yuv_matrix make_matrix(const fm_image *image, const fm_tone tones[3])
{
    static const double kr_kb[3][2] = {{0.299, 0.114}, {0.2126, 0.0722}, {0.2627, 0.0593}};
    const double *k = kr_kb[image->matrix <= FM_MATRIX_BT2020 ? image->matrix : FM_MATRIX_BT709];
    double kr = k[0], kb = k[1], kg = 1.0 - kr - kb;
    double luma = image->full_range ? 1.0 : 255.0 / 219.0;
    double chroma = image->full_range ? 1.0 : 255.0 / 224.0;
    double foot = image->full_range ? 0.0 : 16.0 * luma;
    double r = tones[0].gain, g = tones[1].gain, b = tones[2].gain;
    double rv = chroma * 2.0 * (1.0 - kr), bu = chroma * 2.0 * (1.0 - kb);
    double gu = -bu * kb / kg, gv = -rv * kr / kg;
    fm_yuv_matrix m = {
        .ry = (float)(r * luma),
        .gy = (float)(g * luma),
        .by = (float)(b * luma),
        .rv = (float)(r * rv),
        .gu = (float)(g * gu),
        .gv = (float)(g * gv),
        .bu = (float)(b * bu),
        .r0 = (float)(tones[0].black - r * (foot + 128.0 * rv)),
        .g0 = (float)(tones[1].black - g * (foot + 128.0 * (gu + gv))),
        .b0 = (float)(tones[2].black - b * (foot + 128.0 * bu)),
    };
    for (int c = 0; c < 3; c++) {
        float at0 = tones[c].black, at255 = tones[c].black + 255.0f * tones[c].gain;
        m.low[c] = at0 < at255 ? at0 : at255;
        m.high[c] = at0 < at255 ? at255 : at0;
    }
    return m;
}

static float clip(float v, float low, float high)
{
    v = v < low ? low : v;
    return v > high ? high : v;
}

/* In place: the three rows hold Y, U, V and then R, G, B. */
static void convert_row(const fm_yuv_matrix *m, int count, float *restrict a, float *restrict b,
                        float *restrict c)
{
    const fm_yuv_matrix k = *m;
    for (int i = 0; i < count; i++) {
        float y = a[i], u = b[i], v = c[i];
        a[i] = clip(y * k.ry + k.rv * v + k.r0, k.low[0], k.high[0]);
        b[i] = clip(y * k.gy + k.gu * u + k.gv * v + k.g0, k.low[1], k.high[1]);
        c[i] = clip(y * k.by + k.bu * u + k.b0, k.low[2], k.high[2]);
    }
}

static void scale_row(const fm_tone *t, int count, float *row)
{
    const float gain = t->gain, black = t->black;
    for (int i = 0; i < count; i++)
        row[i] = row[i] * gain + black;
}

void fm_grid_finish_row(const fm_grid_job *job, int count, float *restrict a, float *restrict b, float *restrict c)
{
    if (job->yuv) {
        convert_row(&job->matrix, count, a, b, c);
        return;
    }
    scale_row(&job->tones[0], count, a);
    scale_row(&job->tones[1], count, b);
    scale_row(&job->tones[2], count, c);
}

/* Continuous luma position -> index position in a chroma plane, times two: x / 2 - offset. */
typedef struct chroma_offset {
    double x, y;
} chroma_offset;

static chroma_offset make_chroma_offset(fm_chroma_site site)
{
    /* Sample i lies at luma position 2i + 1 (centred) or 2i + 0.5 (co-sited with the even pixel). */
    switch (site) {
    case FM_CHROMA_CENTER:
        return (chroma_offset){0.5, 0.5};
    case FM_CHROMA_TOP_LEFT:
        return (chroma_offset){0.25, 0.25};
    case FM_CHROMA_LEFT:
        break;
    }
    return (chroma_offset){0.25, 0.5};
}

static int64_t to_q32(double v)
{
    return (int64_t)llrint(v * (double)FM_Q_ONE);
}

/* Each row starts afresh, so that rounding never adds up over rows. */
static void row_start(const fm_grid *g, int row, double *x, double *y)
{
    const double left = 0.5 - 0.5 * g->width, down = row + 0.5 - 0.5 * g->height;
    *x = g->cx + g->ux * left + g->vx * down;
    *y = g->cy + g->uy * left + g->vy * down;
}

fm_scan fm_grid_scan(const fm_grid_job *job, int row)
{
    const fm_grid *g = &job->grid;
    double x, y;
    row_start(g, row, &x, &y);
    return (fm_scan){to_q32(x - 0.5), to_q32(y - 0.5), to_q32(g->ux), to_q32(g->uy), g->width};
}

fm_scan fm_grid_chroma_scan(const fm_grid_job *job, int row)
{
    const fm_grid *g = &job->grid;
    const chroma_offset site = make_chroma_offset(job->image->chroma_site);
    double x, y;
    row_start(g, row, &x, &y);
    return (fm_scan){to_q32(0.5 * x - site.x), to_q32(0.5 * y - site.y), to_q32(0.5 * g->ux), to_q32(0.5 * g->uy),
                     g->width};
}

float fm_coverage(int64_t q, int size)
{
    const float v = (float)((double)q / (double)FM_Q_ONE);
    const float before = v + 1.0f, after = (float)size - v;
    const float least = before < after ? before : after;
    return least <= 0.0f ? 0.0f : least >= 1.0f ? 1.0f : least;
}

static void set_channels(fm_grid_job *job)
{
    const fm_image *m = job->image;
    const int half_width = m->width / 2 + m->width % 2, half_height = m->height / 2 + m->height % 2;
    for (int i = 0; i < 3; i++) {
        if (!job->yuv)
            job->channels[i] = (fm_channel){m->plane[0] + i, m->stride[0], 3, m->width, m->height};
        else
            job->channels[i] = (fm_channel){m->plane[i], m->stride[i], 1, i ? half_width : m->width,
                                            i ? half_height : m->height};
    }
}

static bool grid_is_usable(const fm_grid *g)
{
    const double reach_x = fabs(g->ux) * g->width + fabs(g->vx) * g->height;
    const double reach_y = fabs(g->uy) * g->width + fabs(g->vy) * g->height;
    /* Written so that a value that is not finite fails. */
    return fabs(g->cx) + reach_x < POSITION_MAX && fabs(g->cy) + reach_y < POSITION_MAX;
}

static void fill(float *tensor, size_t count, float value)
{
    for (size_t i = 0; i < count; i++)
        tensor[i] = value;
}

bool fm_grid_job_make(fm_grid_job *out, const fm_image *image, const fm_grid *grid, const fm_crop_options *options,
                      float *tensor)
{
    if (grid->width <= 0 || grid->height <= 0)
        return false;
    const size_t plane = (size_t)grid->width * (size_t)grid->height;
    *out = (fm_grid_job){.image = image, .grid = *grid, .yuv = image->format == FM_PIXEL_YUV420P,
                         .fade = options->border == FM_BORDER_ZERO};
    make_tones(options, tensor, plane, out->tones);
    if (!grid_is_usable(grid) || image->width < 1 || image->height < 1) {
        for (int c = 0; c < 3; c++)
            fill(out->tones[c].plane, plane, out->tones[c].black);
        return false;
    }
    set_channels(out);
    if (out->yuv)
        out->matrix = make_matrix(image, out->tones);
    return true;
}
