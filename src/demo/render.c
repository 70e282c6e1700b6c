#include "render.h"

/* Sub-rows of a sample within the eye's box while it blinks; a power of two. */
enum { EYE_SUBROWS = 8 };

typedef struct scene {
    const fm_canvas *canvas;
    const fm_warp *warp;
    fm_warp_amount amount;
    bool blinks, warps;
    fm_warp_rect bounds, eye[2];
} scene;

static bool inside(const fm_warp_rect *rect, fm_vec2 p)
{
    return p.x >= rect->x0 && p.x <= rect->x1 && p.y >= rect->y0 && p.y <= rect->y1;
}

static int clamp_int(int value, int high)
{
    return value < 0 ? 0 : value > high ? high : value;
}

/* Ready for conversion to int, which is undefined beyond its range; NaN gives `low`. */
static double between(double value, double low, double high)
{
    return value > low ? (value < high ? value : high) : low;
}

/* Reads a plane at the still's point p; 1/256 steps between samples. Result is times 65536. */
static uint32_t read_plane(const fm_canvas *canvas, int plane, fm_vec2 p)
{
    const double x = between((p.x - canvas->x0) * canvas->scale_x - 0.5, -1.0, canvas->width);
    const double y = between((p.y - canvas->y0) * canvas->scale_y - 0.5, -1.0, canvas->height);
    const int fx = (int)((x + 1.0) * 256.0), fy = (int)((y + 1.0) * 256.0);
    const uint32_t wx = (uint32_t)(fx & 255), wy = (uint32_t)(fy & 255);
    const int ix = (fx >> 8) - 1, iy = (fy >> 8) - 1;
    const int x0 = clamp_int(ix, canvas->width - 1), x1 = clamp_int(ix + 1, canvas->width - 1);
    const int y0 = clamp_int(iy, canvas->height - 1), y1 = clamp_int(iy + 1, canvas->height - 1);
    const uint8_t *top = canvas->plane[plane] + canvas->stride[plane] * y0;
    const uint8_t *bottom = canvas->plane[plane] + canvas->stride[plane] * y1;
    const uint32_t a = top[x0] * (256u - wx) + top[x1] * wx;
    const uint32_t b = bottom[x0] * (256u - wx) + bottom[x1] * wx;
    return a * (256u - wy) + b * wy;
}

/* One sample at q of the deformed face; (row_x, row_y) is q's step for the sample's height. */
static uint8_t sample(const scene *s, int plane, fm_vec2 q, fm_vec2 row)
{
    if (!s->warps || !inside(&s->bounds, q))
        return (uint8_t)((read_plane(s->canvas, plane, q) + 32768u) >> 16);
    if (!s->blinks || !(inside(&s->eye[0], q) || inside(&s->eye[1], q))) {
        const fm_vec2 p = fm_warp_inverse(s->warp, &s->amount, q);
        return (uint8_t)((read_plane(s->canvas, plane, p) + 32768u) >> 16);
    }
    uint32_t sum = 0;
    for (int i = 0; i < EYE_SUBROWS; i++) {
        const double part = (i + 0.5) / EYE_SUBROWS - 0.5;
        const fm_vec2 sub = {q.x + part * row.x, q.y + part * row.y};
        sum += read_plane(s->canvas, plane, fm_warp_inverse(s->warp, &s->amount, sub)) / EYE_SUBROWS;
    }
    return (uint8_t)((sum + 32768u) >> 16);
}

/* Chroma sample (0, 0) in luma coordinates, whose origin is the outer corner of luma pixel (0, 0). */
static fm_vec2 chroma_origin(fm_chroma_site site)
{
    switch (site) {
    case FM_CHROMA_CENTER: return (fm_vec2){1.0, 1.0};
    case FM_CHROMA_TOP_LEFT: return (fm_vec2){0.5, 0.5};
    case FM_CHROMA_LEFT: break;
    }
    return (fm_vec2){0.5, 1.0};
}

static void draw_plane(const scene *s, const fm_view *view, const fm_image *out, int plane)
{
    const int step = plane == 0 ? 1 : 2;
    const fm_vec2 origin = plane == 0 ? (fm_vec2){0.5, 0.5} : chroma_origin(out->chroma_site);
    const int width = out->width / step, height = out->height / step;

    const fm_vec2 zero = fm_view_inverse(view, (fm_vec2){0.0, 0.0});
    const fm_vec2 right = fm_view_inverse(view, (fm_vec2){step, 0.0});
    const fm_vec2 column = {right.x - zero.x, right.y - zero.y};
    const fm_vec2 row = {-column.y, column.x}; /* a similarity turns both axes alike */

    for (int j = 0; j < height; j++) {
        uint8_t *line = out->plane[plane] + out->stride[plane] * j;
        const fm_vec2 start = fm_view_inverse(view, (fm_vec2){origin.x, origin.y + step * j});
        for (int i = 0; i < width; i++) {
            const fm_vec2 q = {start.x + i * column.x, start.y + i * column.y};
            line[i] = sample(s, plane, q, row);
        }
    }
}

void fm_render_frame(const fm_canvas *canvas, const fm_warp *warp, const fm_warp_amount *amount,
                     const fm_view *view, const fm_image *out)
{
    scene s = {
        .canvas = canvas,
        .warp = warp,
        .amount = *amount,
        .blinks = amount->blink > 0.0,
        .warps = amount->blink > 0.0 || amount->brow > 0.0 || amount->smile[0] != 0.0 || amount->smile[1] != 0.0,
        .bounds = fm_warp_bounds(warp),
        .eye = {fm_warp_eye_bounds(warp, FM_SIDE_LEFT), fm_warp_eye_bounds(warp, FM_SIDE_RIGHT)},
    };
    for (int plane = 0; plane < 3; plane++)
        draw_plane(&s, view, out, plane);
}
