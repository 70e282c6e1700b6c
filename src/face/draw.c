#include "face/draw.h"

#include <math.h>
#include <string.h>

#include "face/font.h"

/* --- colours and pixels ---------------------------------------------- */

typedef struct ink {
    uint8_t value[3]; /* Y, U, V */
} ink;

/* Weights of red and blue in luma: ITU-R BT.601, BT.709, BT.2020 (non-constant luminance). */
static void luma_weights(fm_color_matrix matrix, double *kr, double *kb)
{
    switch (matrix) {
    case FM_MATRIX_BT709:
        *kr = 0.2126, *kb = 0.0722;
        return;
    case FM_MATRIX_BT2020:
        *kr = 0.2627, *kb = 0.0593;
        return;
    case FM_MATRIX_BT601:
        break;
    }
    *kr = 0.299, *kb = 0.114;
}

/* Comparisons, since fmin and fmax are calls: they must tell what a NaN means. Here it is 0. */
static double clamp(double v, double low, double high)
{
    return v > low ? (v < high ? v : high) : low;
}

static uint8_t to_byte(double v)
{
    return (uint8_t)clamp(v + 0.5, 0, 255);
}

static ink make_ink(const fm_image *image, fm_colour c)
{
    double kr, kb;
    luma_weights(image->matrix, &kr, &kb);
    const double r = c.r / 255.0, g = c.g / 255.0, b = c.b / 255.0;
    const double y = kr * r + (1 - kr - kb) * g + kb * b;
    const double u = 0.5 * (b - y) / (1 - kb), v = 0.5 * (r - y) / (1 - kr);
    if (image->full_range)
        return (ink){{to_byte(255 * y), to_byte(128 + 255 * u), to_byte(128 + 255 * v)}};
    return (ink){{to_byte(16 + 219 * y), to_byte(128 + 224 * u), to_byte(128 + 224 * v)}};
}

static void mix(uint8_t *pixel, uint8_t value, double alpha)
{
    if (alpha > 0)
        *pixel = to_byte(*pixel + (alpha < 1 ? alpha : 1) * (value - *pixel));
}

/* The sample grid of a plane: sample (i, j) lies at (x0 + pitch i, y0 + pitch j) in luma pixels. */
typedef struct grid {
    int width, height;
    double pitch, x0, y0;
} grid;

static grid make_grid(const fm_image *image, int plane)
{
    if (plane == 0)
        return (grid){image->width, image->height, 1, 0.5, 0.5};
    return (grid){(image->width + 1) / 2, (image->height + 1) / 2, 2,
                  image->chroma_site == FM_CHROMA_CENTER ? 1.0 : 0.5,
                  image->chroma_site == FM_CHROMA_TOP_LEFT ? 0.5 : 1.0};
}

/* Samples of [low, high] (luma pixels) along an axis: [*from, *to), clipped to the plane. */
static void clip_span(double low, double high, double first, double pitch, int count, int *from, int *to)
{
    const double a = ceil((low - first) / pitch), b = floor((high - first) / pitch) + 1;
    *from = a > 0 ? (int)fmin(a, count) : 0;
    *to = b > 0 ? (int)fmin(b, count) : 0;
}

/* --- shapes ---------------------------------------------------------- */

/*
 * A capsule: all points within `radius` of a segment. A dot is one whose ends
 * meet. Its edge is one sample wide, so it looks smooth in luma and chroma.
 */
typedef struct capsule {
    double x0, y0, x1, y1, radius;
} capsule;

static double capsule_depth(const capsule *c, double x, double y)
{
    const double dx = c->x1 - c->x0, dy = c->y1 - c->y0;
    const double square = dx * dx + dy * dy;
    double ex = x - c->x0, ey = y - c->y0; /* from the segment's nearest point */
    if (square > 0) {
        const double t = clamp((ex * dx + ey * dy) / square, 0, 1);
        ex -= t * dx;
        ey -= t * dy;
    }
    return c->radius - sqrt(ex * ex + ey * ey); /* pixels are no lengths that could overflow */
}

/* Horizontal extent of the capsule, widened by `margin`, on the row at y; false when the row misses it. */
static bool capsule_row(const capsule *c, double y, double margin, double *low, double *high)
{
    const double reach = c->radius + margin;
    const double dy = c->y1 - c->y0;
    double t0 = 0, t1 = 1; /* the part of the segment within reach of the row */
    if (fabs(dy) > 1e-9) {
        const double a = (y - reach - c->y0) / dy, b = (y + reach - c->y0) / dy;
        t0 = fmax(0, fmin(a, b));
        t1 = fmin(1, fmax(a, b));
    } else if (fabs(y - c->y0) > reach) {
        return false;
    }
    if (t0 > t1)
        return false;
    const double xa = c->x0 + t0 * (c->x1 - c->x0), xb = c->x0 + t1 * (c->x1 - c->x0);
    *low = fmin(xa, xb) - reach;
    *high = fmax(xa, xb) + reach;
    return true;
}

static void paint_capsule(fm_image *image, const capsule *c, fm_colour colour)
{
    if (!isfinite(c->x0 + c->y0 + c->x1 + c->y1) || !(c->radius > 0))
        return;
    const ink paint = make_ink(image, colour);
    for (int plane = 0; plane < 3; plane++) {
        const grid g = make_grid(image, plane);
        int top, bottom;
        clip_span(fmin(c->y0, c->y1) - c->radius - g.pitch, fmax(c->y0, c->y1) + c->radius + g.pitch,
                  g.y0, g.pitch, g.height, &top, &bottom);
        for (int j = top; j < bottom; j++) {
            uint8_t *row = image->plane[plane] + j * image->stride[plane];
            const double y = g.y0 + g.pitch * j;
            double low, high;
            if (!capsule_row(c, y, g.pitch, &low, &high))
                continue;
            int from, to;
            clip_span(low, high, g.x0, g.pitch, g.width, &from, &to);
            for (int i = from; i < to; i++)
                mix(&row[i], paint.value[plane],
                    0.5 + capsule_depth(c, g.x0 + g.pitch * i, y) / g.pitch);
        }
    }
}

void fm_draw_dot(fm_image *image, double x, double y, double radius, fm_colour colour)
{
    const capsule dot = {x, y, x, y, radius};
    paint_capsule(image, &dot, colour);
}

void fm_draw_line(fm_image *image, double x0, double y0, double x1, double y1, double width,
                  fm_colour colour)
{
    const capsule line = {x0, y0, x1, y1, width / 2};
    paint_capsule(image, &line, colour);
}

void fm_draw_rect(fm_image *image, int x, int y, int width, int height, fm_colour colour,
                  double opacity)
{
    if (width <= 0 || height <= 0)
        return;
    const ink paint = make_ink(image, colour);
    for (int plane = 0; plane < 3; plane++) {
        uint8_t mixed[256]; /* what each sample value becomes */
        for (int i = 0; i < 256; i++) {
            mixed[i] = (uint8_t)i;
            mix(&mixed[i], paint.value[plane], opacity);
        }
        const grid g = make_grid(image, plane);
        int left, right, top, bottom;
        clip_span(x, (double)x + width - 1e-6, g.x0, g.pitch, g.width, &left, &right);
        clip_span(y, (double)y + height - 1e-6, g.y0, g.pitch, g.height, &top, &bottom);
        for (int j = top; j < bottom; j++) {
            uint8_t *row = image->plane[plane] + j * image->stride[plane];
            for (int i = left; i < right; i++)
                row[i] = mixed[row[i]];
        }
    }
}

/* --- text ------------------------------------------------------------ */

static double font_dot(const uint8_t *glyph, int column, int row)
{
    if (column < 0 || column >= FM_FONT_COLUMNS || row < 0 || row >= FM_FONT_ROWS)
        return 0;
    return glyph[row] >> (FM_FONT_COLUMNS - 1 - column) & 1;
}

/*
 * Coverage of a glyph at (u, v) in font dots. The bitmap is read as a smooth
 * height field and cut at half height, which joins diagonals and rounds
 * corners at large sizes; at one pixel a dot it is the bitmap itself.
 */
static double glyph_cover(const uint8_t *glyph, double u, double v, double dots_per_sample)
{
    /* floor, as a conversion: no dot before -2 is asked for */
    const int column = (int)(u + 1.5) - 2, row = (int)(v + 1.5) - 2;
    const double a = u - 0.5 - column, b = v - 0.5 - row;
    const double above = (1 - a) * font_dot(glyph, column, row) + a * font_dot(glyph, column + 1, row);
    const double below =
        (1 - a) * font_dot(glyph, column, row + 1) + a * font_dot(glyph, column + 1, row + 1);
    const double height = (1 - b) * above + b * below;
    const double edge = dots_per_sample < 1 ? dots_per_sample : 1; /* its width; never wider than a dot, or it would fog the cell */
    const double cut = 0.5 - 0.05 * (1 - edge);   /* a little below half, which thickens joined diagonals */
    return clamp(0.5 + (height - cut) / edge, 0, 1);
}

static void draw_glyph(fm_image *image, double x, double y, double scale, const uint8_t *glyph,
                       const ink *paint)
{
    for (int plane = 0; plane < 3; plane++) {
        const grid g = make_grid(image, plane);
        int left, right, top, bottom;
        clip_span(x - scale, x + (FM_FONT_COLUMNS + 1) * scale, g.x0, g.pitch, g.width, &left, &right);
        clip_span(y - scale, y + (FM_FONT_ROWS + 1) * scale, g.y0, g.pitch, g.height, &top, &bottom);
        for (int j = top; j < bottom; j++)
            for (int i = left; i < right; i++) {
                const double u = (g.x0 + g.pitch * i - x) / scale;
                const double v = (g.y0 + g.pitch * j - y) / scale;
                mix(image->plane[plane] + j * image->stride[plane] + i, paint->value[plane],
                    glyph_cover(glyph, u, v, g.pitch / scale));
            }
    }
}

int fm_draw_text(fm_image *image, int x, int y, int height, const char *text, fm_colour colour)
{
    if (height < 1)
        return x;
    const double scale = (double)height / FM_FONT_CAPITAL;
    const ink paint = make_ink(image, colour);
    double pen = x;
    for (const char *c = text; *c; c++) {
        int code = (unsigned char)*c;
        if (code < FM_FONT_FIRST || code > FM_FONT_LAST)
            code = '?';
        if (pen >= image->width)
            break;
        draw_glyph(image, round(pen), y, scale, fm_font[code - FM_FONT_FIRST], &paint);
        pen += FM_FONT_ADVANCE * scale;
    }
    return (int)round(pen - (pen > x ? scale : 0));
}
