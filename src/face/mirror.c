#include "face/mirror.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* The vector instructions that every x86-64 processor has. */
#if defined(__SSE2__)
#include <emmintrin.h>
#define FM_HAS_SSE2 1
#else
#define FM_HAS_SSE2 0
#endif

/*
 * Each plane is worked in its own sample coordinates (sample i at x = i).
 * Scaling is the same in both directions, so a reflection stays a reflection:
 * only the line's origin moves with the siting and the seam shrinks.
 */
typedef struct plane_job {
    const uint8_t *src;
    uint8_t *dst;
    ptrdiff_t src_stride, dst_stride;
    int width, height;
    double ox, oy, dx, dy;     /* line */
    double left, top, right, bottom; /* the picture's outer edges */
    double sign;               /* +1 keeps positive distances, -1 negative ones */
    double seam;
    uint8_t black;
} plane_job;

/* Interpolation: 32 fraction bits while stepping, of which 11 are used as weights. */
enum { STEP_BITS = 32, WEIGHT_BITS = 11, WEIGHT_ONE = 1 << WEIGHT_BITS };

/* --- single samples -------------------------------------------------- */

static int clamp_index(int v, int count)
{
    if (v < 0)
        return 0;
    return v < count ? v : count - 1;
}

/*
 * Bilinear, edges repeated for the half sample between the last centre and the
 * picture's edge. For positions inside the picture, which are above -1: that
 * lets a conversion stand for floor, which is a call on older processors.
 */
static double sample_at(const plane_job *p, double x, double y)
{
    const int fx = (int)(x + 1) - 1, fy = (int)(y + 1) - 1;
    const int x0 = clamp_index(fx, p->width), x1 = clamp_index(fx + 1, p->width);
    const int y0 = clamp_index(fy, p->height), y1 = clamp_index(fy + 1, p->height);
    const uint8_t *a = p->src + y0 * p->src_stride, *b = p->src + y1 * p->src_stride;
    const double u = x - fx, v = y - fy;
    const double above = a[x0] + u * (a[x1] - a[x0]);
    const double below = b[x0] + u * (b[x1] - b[x0]);
    return above + v * (below - above);
}

static bool inside(const plane_job *p, double x, double y)
{
    return x >= p->left && x <= p->right && y >= p->top && y <= p->bottom;
}

static double distance(const plane_job *p, double x, double y)
{
    return (x - p->ox) * p->dy - (y - p->oy) * p->dx;
}

/* Any pixel, from the definition: borders, black and the seam. The long runs have a fast way below. */
static uint8_t general_pixel(const plane_job *p, int x, int y)
{
    const double s = distance(p, x, y);
    const double t = s * p->sign;
    const double rx = x - 2 * s * p->dy, ry = y + 2 * s * p->dx;
    const uint8_t own = p->src[y * p->src_stride + x];
    if (!inside(p, rx, ry))
        return t >= 0 ? own : p->black;
    const double reflected = sample_at(p, rx, ry);
    /* Named by the side they come from, so that a pixel and its partner do the same sum. */
    const double kept = t >= 0 ? own : reflected, lost = t >= 0 ? reflected : own;
    const double weight = fabs(t) < p->seam ? 0.5 + 0.5 * fabs(t) / p->seam : 1;
    return (uint8_t)(weight * kept + (1 - weight) * lost + 0.5);
}

static void general_run(const plane_job *p, uint8_t *row, int y, int from, int to)
{
    for (int x = from; x < to; x++)
        row[x] = general_pixel(p, x, y);
}

/* --- runs ------------------------------------------------------------ */

typedef struct run {
    int from, to; /* empty when to <= from */
} run;

static int clamp_run(double v, int low, int high)
{
    if (!(v > low))
        return low;
    return v < high ? (int)v : high;
}

/* Narrows r to the integers x with a * x + b >= c. */
static run narrow(run r, double a, double b, double c)
{
    if (r.to <= r.from)
        return r;
    if (a > 0)
        r.from = clamp_run(ceil((c - b) / a), r.from, r.to);
    else if (a < 0)
        r.to = clamp_run(floor((c - b) / a) + 1, r.from, r.to);
    else if (!(b >= c))
        r.to = r.from;
    return r;
}

static int64_t to_fixed(double v)
{
    return (int64_t)llround(v * (double)((int64_t)1 << STEP_BITS));
}

/* A position on the way along a run, in fixed point. */
typedef struct walk {
    int64_t x, y, step_x, step_y;
} walk;

/*
 * A batch of a run's pixels: its taps in the upper and in the lower row, the
 * left one in the low byte and the right one in the high byte. Fetching them
 * apart from blending lets the blending work on whole vectors.
 */
enum { BATCH = 64 };

typedef struct taps {
    uint16_t above[BATCH], below[BATCH];
} taps;

static void fetch_plain(const plane_job *p, walk at, int from, int to, taps *out)
{
    const ptrdiff_t stride = p->src_stride;
    for (int i = from; i < to; i++) {
        const uint8_t *a = p->src + (ptrdiff_t)(at.y >> STEP_BITS) * stride + (ptrdiff_t)(at.x >> STEP_BITS);
        const uint8_t *b = a + stride;
        out->above[i] = (uint16_t)(a[0] | a[1] << 8);
        out->below[i] = (uint16_t)(b[0] | b[1] << 8);
        at.x += at.step_x;
        at.y += at.step_y;
    }
}

/*
 * Sums of two products of 16-bit numbers: values between the rows are kept
 * with 7 fraction bits, which fills 15. Both versions give the same numbers.
 */
enum { ROW_SHIFT = WEIGHT_BITS - 7, SUM_SHIFT = WEIGHT_BITS + 7, WEIGHT_SHIFT = STEP_BITS - WEIGHT_BITS };

#if FM_HAS_SSE2
/* 8 pairs of neighbours, from right to left: what a reflection reads. */
static __m128i pairs_leftwards(const uint8_t *last)
{
    const __m128i left = _mm_loadl_epi64((const __m128i *)(const void *)last);
    const __m128i right = _mm_loadl_epi64((const __m128i *)(const void *)(last + 1));
    return _mm_unpacklo_epi8(left, right);
}

static __m128i reverse_words(__m128i v)
{
    v = _mm_shufflehi_epi16(_mm_shufflelo_epi16(v, _MM_SHUFFLE(0, 1, 2, 3)), _MM_SHUFFLE(0, 1, 2, 3));
    return _mm_shuffle_epi32(v, _MM_SHUFFLE(1, 0, 3, 2));
}

static __m128i choose(__m128i mask, __m128i yes, __m128i no)
{
    return _mm_or_si128(_mm_and_si128(mask, yes), _mm_andnot_si128(mask, no));
}

/* All ones for those of 8 pixels that lie in the first one's row: the fraction has not wrapped around. */
static __m128i in_first_row(int64_t y, int64_t step)
{
    const uint32_t sign = UINT32_C(1) << 31, y0 = (uint32_t)y ^ sign, s = (uint32_t)step; /* compares are signed */
    const __m128i first = _mm_set1_epi32((int)y0);
    const __m128i low = _mm_set_epi32((int)(y0 + 3 * s), (int)(y0 + 2 * s), (int)(y0 + s), (int)y0);
    const __m128i high = _mm_add_epi32(low, _mm_set1_epi32((int)(4 * s)));
    const __m128i wrapped = step >= 0 ? _mm_packs_epi32(_mm_cmplt_epi32(low, first), _mm_cmplt_epi32(high, first))
                                      : _mm_packs_epi32(_mm_cmpgt_epi32(low, first), _mm_cmpgt_epi32(high, first));
    return _mm_xor_si128(wrapped, _mm_set1_epi32(-1));
}

/* So little that 8 pixels meet one change of row at most, and no fraction comes round to where it was. */
static bool in_eighths(int64_t step)
{
    const int64_t eighth = (int64_t)1 << (STEP_BITS - 3);
    return step > -eighth && step < eighth;
}

/*
 * 8 pixels at once where the run goes left by one sample a pixel and changes
 * the row at most once, which is nearly always so while the head is upright.
 */
static bool fetch_8(const plane_job *p, const walk *at, uint16_t *above, uint16_t *below)
{
    const int64_t x0 = at->x >> STEP_BITS, x7 = (at->x + 7 * at->step_x) >> STEP_BITS;
    const int64_t y0 = at->y >> STEP_BITS, y7 = (at->y + 7 * at->step_y) >> STEP_BITS;
    if (x0 - x7 != 7 || (y0 != y7 && !in_eighths(at->step_y)))
        return false; /* no step exceeds one sample, so 7 in 7 steps are one each */
    const uint8_t *first = p->src + (ptrdiff_t)y0 * p->src_stride + (ptrdiff_t)x7;
    __m128i a = pairs_leftwards(first), b = pairs_leftwards(first + p->src_stride);
    if (y7 != y0) {
        const uint8_t *second = p->src + (ptrdiff_t)y7 * p->src_stride + (ptrdiff_t)x7;
        const __m128i mask = reverse_words(in_first_row(at->y, at->step_y));
        a = choose(mask, a, pairs_leftwards(second));
        b = choose(mask, b, pairs_leftwards(second + p->src_stride));
    }
    _mm_storeu_si128((__m128i *)(void *)above, reverse_words(a));
    _mm_storeu_si128((__m128i *)(void *)below, reverse_words(b));
    return true;
}

static void fetch(const plane_job *p, walk at, int count, taps *out)
{
    int i = 0;
    for (; i + 8 <= count; i += 8) {
        if (!fetch_8(p, &at, out->above + i, out->below + i))
            fetch_plain(p, at, i, i + 8, out);
        at.x += 8 * at.step_x;
        at.y += 8 * at.step_y;
    }
    fetch_plain(p, at, i, count, out);
}

/* x0 w0 + x1 w1 of pairs that lie beside each other, rounded and shifted: 8 numbers of 16 bits. */
static __m128i blend_pairs(__m128i low, __m128i high, __m128i weight0, __m128i weight1, int shift)
{
    const __m128i half = _mm_set1_epi32(1 << (shift - 1));
    low = _mm_madd_epi16(low, _mm_unpacklo_epi16(weight0, weight1));
    high = _mm_madd_epi16(high, _mm_unpackhi_epi16(weight0, weight1));
    return _mm_packs_epi32(_mm_srai_epi32(_mm_add_epi32(low, half), shift),
                           _mm_srai_epi32(_mm_add_epi32(high, half), shift));
}

/* The weights of 8 pixels: the top bits of the fractions at 4 positions and at 4 further ones. */
static __m128i weights(__m128i at, __m128i step4)
{
    return _mm_packs_epi32(_mm_srli_epi32(at, WEIGHT_SHIFT),
                           _mm_srli_epi32(_mm_add_epi32(at, step4), WEIGHT_SHIFT));
}

static __m128i positions(int64_t at, int64_t step)
{
    const uint32_t a = (uint32_t)at, s = (uint32_t)step; /* whole pixels drop out */
    return _mm_set_epi32((int)(a + 3 * s), (int)(a + 2 * s), (int)(a + s), (int)a);
}

static void blend(const taps *t, const walk *at, uint8_t *out)
{
    const __m128i zero = _mm_setzero_si128(), one = _mm_set1_epi16(WEIGHT_ONE);
    const __m128i step_x = _mm_set1_epi32((int)((uint32_t)at->step_x * 4));
    const __m128i step_y = _mm_set1_epi32((int)((uint32_t)at->step_y * 4));
    __m128i x = positions(at->x, at->step_x), y = positions(at->y, at->step_y);
    for (int i = 0; i < BATCH; i += 8) {
        const __m128i right = weights(x, step_x), left = _mm_sub_epi16(one, right);
        const __m128i lower = weights(y, step_y), upper = _mm_sub_epi16(one, lower);
        const __m128i a = _mm_loadu_si128((const __m128i *)(const void *)(t->above + i));
        const __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(t->below + i));
        const __m128i above = blend_pairs(_mm_unpacklo_epi8(a, zero), _mm_unpackhi_epi8(a, zero),
                                          left, right, ROW_SHIFT);
        const __m128i below = blend_pairs(_mm_unpacklo_epi8(b, zero), _mm_unpackhi_epi8(b, zero),
                                          left, right, ROW_SHIFT);
        const __m128i sum = blend_pairs(_mm_unpacklo_epi16(above, below),
                                        _mm_unpackhi_epi16(above, below), upper, lower, SUM_SHIFT);
        _mm_storel_epi64((__m128i *)(void *)(out + i), _mm_packus_epi16(sum, zero));
        x = _mm_add_epi32(x, _mm_slli_epi32(step_x, 1));
        y = _mm_add_epi32(y, _mm_slli_epi32(step_y, 1));
    }
}
#else
static void fetch(const plane_job *p, walk at, int count, taps *out)
{
    fetch_plain(p, at, 0, count, out);
}

static int blend_pair(int x0, int x1, int weight1, int shift)
{
    return (x0 * (WEIGHT_ONE - weight1) + x1 * weight1 + (1 << (shift - 1))) >> shift;
}

static void blend(const taps *t, const walk *at, uint8_t *out)
{
    for (uint32_t i = 0; i < BATCH; i++) {
        const int u = (int)(((uint32_t)at->x + i * (uint32_t)at->step_x) >> WEIGHT_SHIFT);
        const int v = (int)(((uint32_t)at->y + i * (uint32_t)at->step_y) >> WEIGHT_SHIFT);
        const int above = blend_pair(t->above[i] & 255, t->above[i] >> 8, u, ROW_SHIFT);
        const int below = blend_pair(t->below[i] & 255, t->below[i] >> 8, u, ROW_SHIFT);
        out[i] = (uint8_t)blend_pair(above, below, v, SUM_SHIFT);
    }
}
#endif

/* A run whose four taps all lie in the plane: no checks, one fixed-point step a pixel. */
static void fast_run(const plane_job *p, uint8_t *row, run r, double x, double y, double step_x,
                     double step_y)
{
    walk at = {to_fixed(x), to_fixed(y), to_fixed(step_x), to_fixed(step_y)};
    taps t = {0}; /* the last batch is blended whole, though filled in part */
    uint8_t pixels[BATCH];
    for (int from = r.from; from < r.to; from += BATCH) {
        const int count = r.to - from < BATCH ? r.to - from : BATCH;
        fetch(p, at, count, &t);
        blend(&t, &at, count == BATCH ? row + from : pixels);
        if (count < BATCH)
            memcpy(row + from, pixels, (size_t)count);
        at.x += BATCH * at.step_x;
        at.y += BATCH * at.step_y;
    }
}

/* The reflected part of a row: black, border, fast middle, border, black. */
static void reflected_run(const plane_job *p, uint8_t *row, int y, run r)
{
    if (r.to <= r.from)
        return;
    /* x' = ax x + bx, y' = ay x + by along the row. */
    const double s0 = distance(p, 0, y);
    const double ax = 1 - 2 * p->dy * p->dy, bx = -2 * s0 * p->dy;
    const double ay = 2 * p->dy * p->dx, by = y + 2 * s0 * p->dx;

    run known = narrow(narrow(r, ax, bx, p->left), -ax, -bx, -p->right);
    known = narrow(narrow(known, ay, by, p->top), -ay, -by, -p->bottom);
    if (known.to <= known.from)
        known = (run){r.from, r.from};
    memset(row + r.from, p->black, (size_t)(known.from - r.from));
    memset(row + known.to, p->black, (size_t)(r.to - known.to));

    /* The margin covers the rounding of the fixed-point steps (2^-33 a pixel). */
    const double margin = 1e-4;
    run fast = narrow(narrow(known, ax, bx, margin), -ax, -bx, -(p->width - 1 - margin));
    fast = narrow(narrow(fast, ay, by, margin), -ay, -by, -(p->height - 1 - margin));
    if (fast.to <= fast.from)
        fast = (run){known.to, known.to};
    general_run(p, row, y, known.from, fast.from);
    if (fast.to > fast.from)
        fast_run(p, row, fast, ax * fast.from + bx, ay * fast.from + by, ax, ay);
    general_run(p, row, y, fast.to, known.to);
}

/*
 * Splits a row at the line: reflected run, seam, kept run, in the order in
 * which they lie. A sample on the line itself is kept where there is no seam.
 * Returns the length of the kept run.
 */
static size_t mirror_row(const plane_job *p, int y)
{
    const uint8_t *src = p->src + y * p->src_stride;
    uint8_t *dst = p->dst + y * p->dst_stride;
    const double a = p->sign * p->dy, b = p->sign * distance(p, 0, y);
    const run all = {0, p->width};
    const run kept = narrow(all, a, b, p->seam);
    const run lost = narrow(all, -a, -b, fmax(p->seam, 1e-9));
    run seam = all; /* what lies between; the whole row when the line runs along it */
    if (a > 0)
        seam = (run){lost.to, kept.from};
    else if (a < 0)
        seam = (run){kept.to, lost.from};
    else if (kept.to > kept.from || lost.to > lost.from)
        seam.to = 0;

    reflected_run(p, dst, y, lost);
    general_run(p, dst, y, seam.from, seam.to);
    const size_t length = kept.to > kept.from ? (size_t)(kept.to - kept.from) : 0;
    if (length > 0)
        memcpy(dst + kept.from, src + kept.from, length);
    return length;
}

/* --- pictures -------------------------------------------------------- */

static int plane_extent(int extent, int plane)
{
    return plane == 0 ? extent : (extent + 1) / 2;
}

/* Centre of the first chroma sample, in luma pixels from the picture's corner (fm_chroma_site, image.h). */
static void chroma_origin(fm_chroma_site site, double *x, double *y)
{
    *x = site == FM_CHROMA_CENTER ? 1.0 : 0.5;
    *y = site == FM_CHROMA_TOP_LEFT ? 0.5 : 1.0;
}

static plane_job make_job(const fm_image *src, const fm_image *dst, int plane, const fm_line *line,
                          fm_side keep, double seam)
{
    double x0 = 0.5, y0 = 0.5;
    const double pitch = plane == 0 ? 1 : 2;
    if (plane != 0)
        chroma_origin(src->chroma_site, &x0, &y0);
    const uint8_t luma_black = src->full_range ? 0 : 16;
    return (plane_job){
        .src = src->plane[plane],
        .dst = dst->plane[plane],
        .src_stride = src->stride[plane],
        .dst_stride = dst->stride[plane],
        .width = plane_extent(src->width, plane),
        .height = plane_extent(src->height, plane),
        .ox = (line->ox - x0) / pitch,
        .oy = (line->oy - y0) / pitch,
        .dx = line->dx,
        .dy = line->dy,
        .left = -x0 / pitch,
        .top = -y0 / pitch,
        .right = (src->width - x0) / pitch,
        .bottom = (src->height - y0) / pitch,
        .sign = keep == FM_SIDE_LEFT ? 1 : -1,
        .seam = seam > 0 ? seam / pitch : 0,
        .black = plane == 0 ? luma_black : 128,
    };
}

static bool sizes_fit(const fm_image *src, const fm_image *dst)
{
    return src->format == FM_PIXEL_YUV420P && dst->format == FM_PIXEL_YUV420P && src->width >= 1 &&
           src->height >= 1 && (dst->width == src->width || dst->width - 1 == src->width) &&
           (dst->height == src->height || dst->height - 1 == src->height);
}

/* Repeats the last column and row where dst is larger. */
static void pad_plane(const fm_image *src, fm_image *dst, int plane)
{
    const int w = plane_extent(src->width, plane), h = plane_extent(src->height, plane);
    const int dw = plane_extent(dst->width, plane), dh = plane_extent(dst->height, plane);
    uint8_t *base = dst->plane[plane];
    const ptrdiff_t stride = dst->stride[plane];
    if (dw > w)
        for (int y = 0; y < h; y++)
            base[y * stride + w] = base[y * stride + w - 1];
    if (dh > h)
        memcpy(base + h * stride, base + (h - 1) * stride, (size_t)dw);
}

size_t fm_copy_yuv420(const fm_image *src, fm_image *dst)
{
    size_t copied = 0;
    assert(sizes_fit(src, dst));
    if (!sizes_fit(src, dst))
        return 0;
    for (int plane = 0; plane < 3; plane++) {
        const size_t w = (size_t)plane_extent(src->width, plane);
        const int h = plane_extent(src->height, plane);
        for (int y = 0; y < h; y++)
            memcpy(dst->plane[plane] + y * dst->stride[plane],
                   src->plane[plane] + y * src->stride[plane], w);
        copied += w * (size_t)h;
        pad_plane(src, dst, plane);
    }
    return copied;
}

size_t fm_mirror_yuv420(const fm_image *src, fm_image *dst, const fm_line *line, fm_side keep,
                        double seam)
{
    size_t kept = 0;
    assert(sizes_fit(src, dst));
    if (!sizes_fit(src, dst))
        return 0;
    if (!isfinite(line->ox) || !isfinite(line->oy) || !isfinite(line->dx) || !isfinite(line->dy) ||
        !isfinite(seam))
        return fm_copy_yuv420(src, dst);
    for (int plane = 0; plane < 3; plane++) {
        const plane_job job = make_job(src, dst, plane, line, keep, seam);
        for (int y = 0; y < job.height; y++)
            kept += mirror_row(&job, y);
        pad_plane(src, dst, plane);
    }
    return kept;
}
