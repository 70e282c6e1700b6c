/*
 * Sampling along the picture's own rows. What a column reads is the same in
 * every row, so it is worked out once for a block of columns; what a row reads
 * is two rows of pixels and one weight. One tensor pixel per picture pixel
 * makes the columns' weights one constant (chroma: two), too.
 *
 * The arithmetic is that of image_any.c, term by term.
 */
#include "face/image_grid.h"

enum { BLOCK = 2048 }; /* columns at a time: most pictures in one, whose tensor rows stay in the first-level cache */

/* A block of columns over one plane. */
typedef struct columns {
    int count;
    int64_t step;      /* between columns, Q32 */
    int first, last;   /* columns [first, last) have both neighbours inside; only for steps of a half and one */
    int32_t left[BLOCK]; /* pixel index of the left neighbour; the right one is next to it */
    float weight[BLOCK]; /* of the right neighbour */
} columns;

/* The two pixel rows that a tensor row lies between. */
typedef struct row_pair {
    const uint8_t *top, *bottom;
    float weight; /* of the bottom one */
} row_pair;

static void set_columns(columns *c, int64_t x, int64_t step, int count, int width)
{
    const int64_t last = (int64_t)(width - 1) * FM_Q_ONE;
    *c = (columns){.count = count, .step = step};
    for (int i = 0; i < count; i++, x += step) {
        const bool inside = x >= 0 && x < last;
        /* On the last pixel and beyond, all weight is on the right neighbour: a + (b - a) is b without rounding. */
        c->left[i] = inside ? (int32_t)(x >> 32) : x < 0 ? 0 : width - 2;
        c->weight[i] = inside ? fm_fraction(x) : x < 0 ? 0.0f : 1.0f;
        if (inside && c->first == c->last)
            c->first = i;
        if (inside)
            c->last = i + 1;
    }
}

static row_pair find_rows(const fm_channel *c, int64_t y)
{
    y = fm_clamp_q32(y, c->height);
    const int row = (int)(y >> 32);
    const uint8_t *top = c->data + row * c->stride;
    return (row_pair){top, row + 1 < c->height ? top + c->stride : top, fm_fraction(y)};
}

/* --- a row of samples -------------------------------------------------------- */

/* Columns [from, to) wherever they are: pixels are gathered first, and then blended side by side. */
static inline void sample_gathered(const row_pair *r, const columns *c, int from, int to, ptrdiff_t step,
                                   float *restrict out)
{
    uint8_t top[2 * BLOCK], bottom[2 * BLOCK];
    const float down = r->weight;
    for (int i = from; i < to; i++) {
        const ptrdiff_t at = c->left[i] * step;
        top[2 * i] = r->top[at];
        top[2 * i + 1] = r->top[at + step];
        bottom[2 * i] = r->bottom[at];
        bottom[2 * i + 1] = r->bottom[at + step];
    }
    for (int i = from; i < to; i++) {
        const float across = c->weight[i];
        out[i] = fm_lerp(fm_lerp(top[2 * i], top[2 * i + 1], across), fm_lerp(bottom[2 * i], bottom[2 * i + 1], across),
                         down);
    }
}

/* Neighbouring pixels for neighbouring columns, all with one weight. */
static inline void sample_one_to_one(const row_pair *r, const columns *c, ptrdiff_t step, float *restrict out)
{
    const ptrdiff_t start = c->left[c->first] * step;
    const uint8_t *top = r->top + start, *bottom = r->bottom + start;
    const float across = c->weight[c->first], down = r->weight;
    const int count = c->last - c->first;
    out += c->first;
    if (across == 0.0f && down == 0.0f) {
        for (int i = 0; i < count; i++)
            out[i] = top[i * step];
        return;
    }
    for (int i = 0; i < count; i++)
        out[i] = fm_lerp(fm_lerp(top[i * step], top[(i + 1) * step], across),
                         fm_lerp(bottom[i * step], bottom[(i + 1) * step], across), down);
}

/* Two columns a pixel (chroma of one-to-one): each second column has neighbouring pixels and one weight. */
static void sample_one_to_two(const row_pair *r, const columns *c, int pairs, float *restrict out)
{
    const uint8_t *top = r->top + c->left[c->first], *bottom = r->bottom + c->left[c->first];
    const uint8_t *top2 = r->top + c->left[c->first + 1], *bottom2 = r->bottom + c->left[c->first + 1];
    const float across = c->weight[c->first], across2 = c->weight[c->first + 1], down = r->weight;
    out += c->first;
    for (int i = 0; i < pairs; i++) {
        out[2 * i] = fm_lerp(fm_lerp(top[i], top[i + 1], across), fm_lerp(bottom[i], bottom[i + 1], across), down);
        out[2 * i + 1] =
            fm_lerp(fm_lerp(top2[i], top2[i + 1], across2), fm_lerp(bottom2[i], bottom2[i + 1], across2), down);
    }
}

static inline void sample_stepped(const fm_channel *ch, const columns *c, int64_t y, ptrdiff_t step, float *out)
{
    const row_pair r = find_rows(ch, y);
    int done = c->first; /* [first, done) without gathering */
    if (c->step == FM_Q_ONE && c->first < c->last) {
        sample_one_to_one(&r, c, step, out);
        done = c->last;
    } else if (c->step == FM_Q_ONE / 2 && step == 1 && c->last - c->first >= 2) {
        const int pairs = (c->last - c->first) / 2;
        sample_one_to_two(&r, c, pairs, out);
        done = c->first + 2 * pairs;
    }
    sample_gathered(&r, c, 0, c->first, step, out);
    sample_gathered(&r, c, done, c->count, step, out);
}

/* The step is 1 or 3; as a constant it lets the compiler read neighbours together. */
static void sample(const fm_channel *ch, const columns *c, int64_t y, float *out)
{
    if (ch->step == 1)
        sample_stepped(ch, c, y, 1, out);
    else
        sample_stepped(ch, c, y, 3, out);
}

/* --- blocks ------------------------------------------------------------------- */

/* Fades what lies outside of the picture. `x` and `y` are of the block's first column in a row. */
static void fade(const fm_grid_job *job, const fm_scan *s, float *const rows[3])
{
    const float down = fm_coverage(s->y, job->image->height);
    int64_t x = s->x;
    for (int i = 0; i < s->count; i++, x += s->dx) {
        const float cover = fm_coverage(x, job->image->width) * down;
        for (int c = 0; c < 3; c++)
            rows[c][i] = fm_faded(rows[c][i], job->tones[c].black, cover);
    }
}

/* Whether every column of the scan lies on the picture, and its row. */
static bool covered(const fm_scan *s, const fm_image *image)
{
    const int64_t end = s->x + (s->count - 1) * s->dx;
    return fm_coverage(s->x, image->width) >= 1.0f && fm_coverage(end, image->width) >= 1.0f &&
           fm_coverage(s->y, image->height) >= 1.0f;
}

static void sample_block(const fm_grid_job *job, int from, int count)
{
    const fm_channel *ch = job->channels;
    const fm_scan top = fm_grid_scan(job, 0), chroma_top = fm_grid_chroma_scan(job, 0);
    columns luma, chroma;
    set_columns(&luma, top.x + from * top.dx, top.dx, count, ch[0].width);
    if (job->yuv)
        set_columns(&chroma, chroma_top.x + from * chroma_top.dx, chroma_top.dx, count, ch[1].width);
    for (int v = 0; v < job->grid.height; v++) {
        fm_scan s = fm_grid_scan(job, v);
        const int64_t chroma_y = job->yuv ? fm_grid_chroma_scan(job, v).y : s.y;
        const size_t at = (size_t)v * (size_t)job->grid.width + (size_t)from;
        float *const rows[3] = {job->tones[0].plane + at, job->tones[1].plane + at, job->tones[2].plane + at};
        sample(&ch[0], &luma, s.y, rows[0]);
        sample(&ch[1], job->yuv ? &chroma : &luma, chroma_y, rows[1]);
        sample(&ch[2], job->yuv ? &chroma : &luma, chroma_y, rows[2]);
        fm_grid_finish_row(job, count, rows[0], rows[1], rows[2]);
        s.x += from * s.dx;
        s.count = count;
        if (job->fade && !covered(&s, job->image))
            fade(job, &s, rows);
    }
}

bool fm_grid_is_upright(const fm_grid_job *job)
{
    /* From three pixels on, chroma has two columns, which every block needs. */
    return job->grid.uy == 0 && job->grid.vx == 0 && job->image->width > 2;
}

void fm_grid_sample_upright(const fm_grid_job *job)
{
    for (int from = 0; from < job->grid.width; from += BLOCK) {
        const int left = job->grid.width - from;
        sample_block(job, from, left < BLOCK ? left : BLOCK);
    }
}
