/* Sampling along any direction. */
#include "face/image_grid.h"

static bool within(int64_t q, int size)
{
    return q >= 0 && q < (int64_t)(size - 1) * FM_Q_ONE;
}

/* True when every sample has its four neighbours inside: a line is inside if its ends are. */
static bool scan_is_inside(const fm_scan *s, int width, int height)
{
    const int64_t last = s->count - 1;
    return within(s->x, width) && within(s->y, height) && within(s->x + last * s->dx, width) &&
           within(s->y + last * s->dy, height);
}

enum { PART = 64 }; /* of a row: a part that lies inside needs no clamping */

/* Bilinear weights of some samples, and the four pixels around each: gathered one by one, blended side by side. */
typedef struct samples {
    float across[PART], down[PART];
    ptrdiff_t at[PART]; /* bytes from the plane's begin to the upper left pixel */
} samples;

static void locate(samples *p, const fm_channel *c, const fm_scan *s)
{
    int64_t x = s->x, y = s->y;
    for (int i = 0; i < s->count; i++) {
        p->at[i] = (ptrdiff_t)(y >> 32) * c->stride + (ptrdiff_t)(x >> 32) * c->step;
        p->across[i] = fm_fraction(x);
        p->down[i] = fm_fraction(y);
        x += s->dx;
        y += s->dy;
    }
}

static inline void blend(const samples *p, const uint8_t *data, ptrdiff_t stride, ptrdiff_t step, int count,
                         float *restrict out)
{
    uint8_t top[2 * PART], bottom[2 * PART];
    for (int i = 0; i < count; i++) {
        const uint8_t *pixel = data + p->at[i];
        top[2 * i] = pixel[0];
        top[2 * i + 1] = pixel[step];
        bottom[2 * i] = pixel[stride];
        bottom[2 * i + 1] = pixel[stride + step];
    }
    for (int i = 0; i < count; i++)
        out[i] = fm_lerp(fm_lerp(top[2 * i], top[2 * i + 1], p->across[i]),
                         fm_lerp(bottom[2 * i], bottom[2 * i + 1], p->across[i]), p->down[i]);
}

static void sample_clamped(const fm_channel *c, const fm_scan *s, float *out)
{
    int64_t qx = s->x, qy = s->y;
    for (int i = 0; i < s->count; i++) {
        int64_t x = fm_clamp_q32(qx, c->width), y = fm_clamp_q32(qy, c->height);
        int ix = (int)(x >> 32), iy = (int)(y >> 32);
        ptrdiff_t right = ix + 1 < c->width ? c->step : 0;
        ptrdiff_t down = iy + 1 < c->height ? c->stride : 0;
        const uint8_t *p = c->data + iy * c->stride + ix * c->step;
        float fx = fm_fraction(x);
        float top = fm_lerp(p[0], p[right], fx);
        float bottom = fm_lerp(p[down], p[down + right], fx);
        out[i] = fm_lerp(top, bottom, fm_fraction(y));
        qx += s->dx;
        qy += s->dy;
    }
}

/* One channel, or two of equal layout at the same positions (then `second` is the other's begin). */
static void sample_part(const fm_channel *c, const uint8_t *second, const fm_scan *s, float *out, float *out2)
{
    if (!scan_is_inside(s, c->width, c->height)) {
        sample_clamped(c, s, out);
        if (second)
            sample_clamped(&(fm_channel){second, c->stride, c->step, c->width, c->height}, s, out2);
        return;
    }
    samples p;
    locate(&p, c, s);
    if (c->step == 1) /* as a constant it lets the compiler read neighbours together */
        blend(&p, c->data, c->stride, 1, s->count, out);
    else
        blend(&p, c->data, c->stride, c->step, s->count, out);
    if (second)
        blend(&p, second, c->stride, c->step, s->count, out2);
}

static void sample(const fm_channel *c, const uint8_t *second, const fm_scan *s, float *out, float *out2)
{
    for (int from = 0; from < s->count; from += PART) {
        const int count = s->count - from < PART ? s->count - from : PART;
        const fm_scan part = {s->x + from * s->dx, s->y + from * s->dy, s->dx, s->dy, count};
        sample_part(c, second, &part, out + from, second ? out2 + from : NULL);
    }
}

static void sample_chroma(const fm_channel *u, const fm_channel *v, const fm_scan *s, float *out, float *out2)
{
    if (u->stride == v->stride) {
        sample(u, v->data, s, out, out2);
    } else {
        sample(u, NULL, s, out, NULL);
        sample(v, NULL, s, out2, NULL);
    }
}

static void fade_outside(const fm_grid_job *job, const fm_scan *s, float *const rows[3])
{
    int64_t x = s->x, y = s->y;
    for (int i = 0; i < s->count; i++) {
        const float cover = fm_coverage(x, job->image->width) * fm_coverage(y, job->image->height);
        for (int c = 0; c < 3; c++)
            rows[c][i] = fm_faded(rows[c][i], job->tones[c].black, cover);
        x += s->dx;
        y += s->dy;
    }
}

void fm_grid_sample_any(const fm_grid_job *job)
{
    const fm_channel *c = job->channels;
    for (int v = 0; v < job->grid.height; v++) {
        const fm_scan s = fm_grid_scan(job, v);
        const size_t at = (size_t)v * (size_t)job->grid.width;
        float *const rows[3] = {job->tones[0].plane + at, job->tones[1].plane + at, job->tones[2].plane + at};
        sample(&c[0], NULL, &s, rows[0], NULL);
        if (job->yuv) {
            const fm_scan chroma = fm_grid_chroma_scan(job, v);
            sample_chroma(&c[1], &c[2], &chroma, rows[1], rows[2]);
        } else {
            sample(&c[1], NULL, &s, rows[1], NULL);
            sample(&c[2], NULL, &s, rows[2], NULL);
        }
        fm_grid_finish_row(job, s.count, rows[0], rows[1], rows[2]);
        if (job->fade && !scan_is_inside(&s, job->image->width, job->image->height))
            fade_outside(job, &s, rows);
    }
}
