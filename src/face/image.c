#include "face/image.h"

#include <math.h>

/*
 * Sample positions are 32.32 fixed point: a step along a row is one addition,
 * the integer part is a shift, and the error after thousands of steps is
 * still below a millionth of a pixel, unlike with float increments.
 */
#define Q_ONE 4294967296.0

/* Positions beyond this (pixels) are refused, so that no sum of two overflows 64 bits. */
#define POSITION_MAX 5e8

/* One 8-bit channel inside a plane. */
typedef struct channel {
    const uint8_t *data;
    ptrdiff_t stride; /* bytes between rows */
    ptrdiff_t step;   /* bytes between pixels */
    int width, height;
} channel;

/* Where one output row samples: index coordinates (pixel centres are integers), Q32. */
typedef struct scan {
    int64_t x, y;
    int64_t dx, dy;
    int count;
} scan;

static int64_t to_q32(double v)
{
    return (int64_t)llrint(v * Q_ONE);
}

/* 24 bits of the fraction: exact in a float, and signed, which converts faster. */
static float fraction(int64_t q)
{
    return (float)(int32_t)((uint32_t)q >> 8) * 0x1p-24f;
}

static float lerp(float a, float b, float t)
{
    return a + (b - a) * t;
}

static bool within(int64_t q, int size)
{
    return q >= 0 && q < (int64_t)(size - 1) * INT64_C(4294967296);
}

/* True when every sample of the row has its four neighbours inside: a line is inside if its ends are. */
static bool scan_is_inside(const scan *s, int width, int height)
{
    int64_t last = s->count - 1;
    return within(s->x, width) && within(s->y, height) && within(s->x + last * s->dx, width) &&
           within(s->y + last * s->dy, height);
}

static void sample_inside(const channel *c, const scan *s, float *out)
{
    const ptrdiff_t stride = c->stride, step = c->step;
    int64_t x = s->x, y = s->y;
    for (int i = 0; i < s->count; i++) {
        const uint8_t *p = c->data + (ptrdiff_t)(y >> 32) * stride + (ptrdiff_t)(x >> 32) * step;
        float fx = fraction(x);
        float top = lerp(p[0], p[step], fx);
        float bottom = lerp(p[stride], p[stride + step], fx);
        out[i] = lerp(top, bottom, fraction(y));
        x += s->dx;
        y += s->dy;
    }
}

/* Two channels of equal layout at the same positions: chroma, at little more than the price of one. */
static void sample_inside_pair(const channel *c, const uint8_t *second, const scan *s, float *out,
                               float *out2)
{
    const ptrdiff_t stride = c->stride;
    int64_t x = s->x, y = s->y;
    for (int i = 0; i < s->count; i++) {
        ptrdiff_t offset = (ptrdiff_t)(y >> 32) * stride + (ptrdiff_t)(x >> 32);
        const uint8_t *p = c->data + offset, *q = second + offset;
        float fx = fraction(x), fy = fraction(y);
        out[i] = lerp(lerp(p[0], p[1], fx), lerp(p[stride], p[stride + 1], fx), fy);
        out2[i] = lerp(lerp(q[0], q[1], fx), lerp(q[stride], q[stride + 1], fx), fy);
        x += s->dx;
        y += s->dy;
    }
}

static int64_t clamp_q32(int64_t q, int size)
{
    int64_t last = (int64_t)(size - 1) * INT64_C(4294967296);
    return q < 0 ? 0 : q > last ? last : q;
}

/* Replicating the edge is the same as clamping the position to the outermost pixel centres. */
static void sample_clamped(const channel *c, const scan *s, float *out)
{
    int64_t qx = s->x, qy = s->y;
    for (int i = 0; i < s->count; i++) {
        int64_t x = clamp_q32(qx, c->width), y = clamp_q32(qy, c->height);
        int ix = (int)(x >> 32), iy = (int)(y >> 32);
        ptrdiff_t right = ix + 1 < c->width ? c->step : 0;
        ptrdiff_t down = iy + 1 < c->height ? c->stride : 0;
        const uint8_t *p = c->data + iy * c->stride + ix * c->step;
        float fx = fraction(x);
        float top = lerp(p[0], p[right], fx);
        float bottom = lerp(p[down], p[down + right], fx);
        out[i] = lerp(top, bottom, fraction(y));
        qx += s->dx;
        qy += s->dy;
    }
}

static void sample(const channel *c, const scan *s, float *out)
{
    if (scan_is_inside(s, c->width, c->height))
        sample_inside(c, s, out);
    else
        sample_clamped(c, s, out);
}

/* Share of the bilinear weight along one axis that lies on real pixels. */
static float coverage_1d(int64_t q, int size)
{
    float v = (float)((double)q / Q_ONE);
    float before = v + 1.0f, after = (float)size - v;
    float least = before < after ? before : after;
    return least <= 0.0f ? 0.0f : least >= 1.0f ? 1.0f : least;
}

/* The affine map from 0..255 to the tensor, for one colour. */
typedef struct tone {
    float gain, black;
    float *plane; /* of the current row */
} tone;

/* Tensor rows of one output row, R, G, B; the planes follow each other in the tensor's own order. */
static void make_tones(const fm_crop_options *o, tone out[3])
{
    for (int c = 0; c < 3; c++) {
        float divisor = o->deviation[c] != 0.0f ? o->deviation[c] : 1.0f;
        out[c] = (tone){o->scale / divisor, (o->bias - o->mean[c]) / divisor, NULL};
    }
}

static void set_row(tone tones[3], float *row, size_t plane, bool bgr)
{
    for (size_t c = 0; c < 3; c++)
        tones[c].plane = row + (bgr ? 2 - c : c) * plane;
}

/*
 * Black outside: a bilinear sample in which outer pixels are 0 equals the
 * edge-replicated sample times the share of inner weight (both are separable).
 */
static void fade_outside(const scan *s, int width, int height, const tone tones[3])
{
    int64_t x = s->x, y = s->y;
    for (int i = 0; i < s->count; i++) {
        float cover = coverage_1d(x, width) * coverage_1d(y, height);
        for (int c = 0; c < 3; c++) {
            float *v = &tones[c].plane[i];
            *v = tones[c].black + (*v - tones[c].black) * cover;
        }
        x += s->dx;
        y += s->dy;
    }
}

/* Y'CbCr (0..255 samples) to R'G'B' in tensor units, before clipping. */
typedef struct yuv_matrix {
    float ry, gy, by;         /* gains of luma */
    float rv, gu, gv, bu;     /* gains of chroma */
    float r0, g0, b0;         /* offsets */
    float low[3], high[3];    /* the tensor values of 0 and 255, ordered */
} yuv_matrix;

/* ITU-R BT.601, BT.709, BT.2020 (non-constant luminance): Kr and Kb; ranges from H.273. */
static yuv_matrix make_matrix(const fm_image *image, const tone tones[3])
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
    yuv_matrix m = {
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
static void convert_row(const yuv_matrix *m, int count, float *restrict a, float *restrict b,
                        float *restrict c)
{
    const yuv_matrix k = *m;
    for (int i = 0; i < count; i++) {
        float y = a[i], u = b[i], v = c[i];
        a[i] = clip(y * k.ry + k.rv * v + k.r0, k.low[0], k.high[0]);
        b[i] = clip(y * k.gy + k.gu * u + k.gv * v + k.g0, k.low[1], k.high[1]);
        c[i] = clip(y * k.by + k.bu * u + k.b0, k.low[2], k.high[2]);
    }
}

static void scale_row(const tone *t, int count)
{
    const float gain = t->gain, black = t->black;
    for (int i = 0; i < count; i++)
        t->plane[i] = t->plane[i] * gain + black;
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

static scan make_scan(double x, double y, double dx, double dy, int count)
{
    return (scan){to_q32(x), to_q32(y), to_q32(dx), to_q32(dy), count};
}

static void fill(float *tensor, size_t count, float value)
{
    for (size_t i = 0; i < count; i++)
        tensor[i] = value;
}

/* Where the tensor's pixels read, in image pixels. */
typedef struct grid {
    double cx, cy; /* the middle of the tensor */
    double ux, uy; /* one pixel to the right */
    double vx, vy; /* one pixel down */
    int width, height;
} grid;

static bool grid_is_usable(const grid *g)
{
    double reach_x = fabs(g->ux) * g->width + fabs(g->vx) * g->height;
    double reach_y = fabs(g->uy) * g->width + fabs(g->vy) * g->height;
    /* Written so that a value that is not finite fails. */
    return fabs(g->cx) + reach_x < POSITION_MAX && fabs(g->cy) + reach_y < POSITION_MAX;
}

static void crop_rgb_row(const fm_image *image, const scan *s, const tone tones[3])
{
    for (int i = 0; i < 3; i++) {
        channel c = {image->plane[0] + i, image->stride[0], 3, image->width, image->height};
        sample(&c, s, tones[i].plane);
        scale_row(&tones[i], s->count);
    }
}

static void crop_yuv_row(const fm_image *image, const scan *luma, const scan *chroma,
                         const yuv_matrix *matrix, const tone tones[3])
{
    int cw = image->width / 2 + image->width % 2, ch = image->height / 2 + image->height % 2;
    channel y = {image->plane[0], image->stride[0], 1, image->width, image->height};
    channel u = {image->plane[1], image->stride[1], 1, cw, ch};
    channel v = {image->plane[2], image->stride[2], 1, cw, ch};
    float *r = tones[0].plane, *g = tones[1].plane, *b = tones[2].plane;
    sample(&y, luma, r);
    if (u.stride == v.stride && scan_is_inside(chroma, cw, ch)) {
        sample_inside_pair(&u, v.data, chroma, g, b);
    } else {
        sample(&u, chroma, g);
        sample(&v, chroma, b);
    }
    convert_row(matrix, luma->count, r, g, b);
}

static void crop_grid(const fm_image *image, const grid *g, const fm_crop_options *options,
                      float *tensor)
{
    if (g->width <= 0 || g->height <= 0)
        return;
    const size_t plane = (size_t)g->width * (size_t)g->height;
    tone tones[3];
    make_tones(options, tones);
    set_row(tones, tensor, plane, options->bgr);
    if (!grid_is_usable(g) || image->width < 1 || image->height < 1) {
        for (int c = 0; c < 3; c++)
            fill(tones[c].plane, plane, tones[c].black);
        return;
    }
    const bool yuv = image->format == FM_PIXEL_YUV420P;
    const yuv_matrix matrix = yuv ? make_matrix(image, tones) : (yuv_matrix){0};
    const chroma_offset site = make_chroma_offset(image->chroma_site);

    for (int v = 0; v < g->height; v++) {
        /* Each row starts afresh, so that rounding never adds up over rows. */
        double left = 0.5 - 0.5 * g->width, down = v + 0.5 - 0.5 * g->height;
        double x = g->cx + g->ux * left + g->vx * down, y = g->cy + g->uy * left + g->vy * down;
        scan luma = make_scan(x - 0.5, y - 0.5, g->ux, g->uy, g->width);
        set_row(tones, tensor + (size_t)v * (size_t)g->width, plane, options->bgr);
        if (yuv) {
            scan chroma = make_scan(0.5 * x - site.x, 0.5 * y - site.y, 0.5 * g->ux, 0.5 * g->uy,
                                    g->width);
            crop_yuv_row(image, &luma, &chroma, &matrix, tones);
        } else {
            crop_rgb_row(image, &luma, tones);
        }
        if (options->border == FM_BORDER_ZERO && !scan_is_inside(&luma, image->width, image->height))
            fade_outside(&luma, image->width, image->height, tones);
    }
}

void fm_image_crop(const fm_image *image, const fm_roi *roi, const fm_crop_options *options,
                   float *tensor)
{
    const double pitch = roi->size / options->size;
    const double dx = cos(roi->angle) * pitch, dy = sin(roi->angle) * pitch;
    const grid g = {roi->cx, roi->cy, dx, dy, -dy, dx, options->size, options->size};
    crop_grid(image, &g, options, tensor);
}

void fm_image_stretch(const fm_image *image, const fm_box *box, int width, int height,
                      const fm_crop_options *options, float *tensor)
{
    const grid g = {
        .cx = 0.5 * (box->x0 + box->x1),
        .cy = 0.5 * (box->y0 + box->y1),
        .ux = (box->x1 - box->x0) / width,
        .vy = (box->y1 - box->y0) / height,
        .width = width,
        .height = height,
    };
    crop_grid(image, &g, options, tensor);
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
