/*
 * How fm_image_crop and fm_image_stretch are made: a grid of sample positions
 * over a picture, read by one of two paths. image_any.c takes every grid;
 * image_upright.c takes upright ones, whose rows share their columns, and is
 * the faster, most of all for one tensor pixel per picture pixel; from such a
 * grid both give the same bits. Not for other modules.
 *
 * Thread-safety: Safe.
 */
#ifndef FM_FACE_IMAGE_GRID_H
#define FM_FACE_IMAGE_GRID_H

#include "face/image.h"

/*
 * Sample positions are 32.32 fixed point: a step along a row is one addition,
 * the integer part is a shift, and the error after thousands of steps is
 * still below a millionth of a pixel, unlike with float increments.
 */
#define FM_Q_ONE INT64_C(4294967296)

/* Where the tensor's pixels read, in image pixels. */
typedef struct fm_grid {
    double cx, cy; /* the middle of the tensor */
    double ux, uy; /* one pixel to the right */
    double vx, vy; /* one pixel down */
    int width, height;
} fm_grid;

/* One 8-bit channel inside a plane. */
typedef struct fm_channel {
    const uint8_t *data;
    ptrdiff_t stride; /* bytes between rows */
    ptrdiff_t step;   /* bytes between pixels */
    int width, height;
} fm_channel;

/* Where one output row samples: index coordinates (pixel centres are integers), Q32. */
typedef struct fm_scan {
    int64_t x, y;
    int64_t dx, dy;
    int count;
} fm_scan;

/* The affine map from 0..255 to the tensor, for one colour. */
typedef struct fm_tone {
    float gain, black;
    float *plane; /* of the tensor */
} fm_tone;

/* Y'CbCr (0..255 samples) to R'G'B' in tensor units, before clipping. */
typedef struct fm_yuv_matrix {
    float ry, gy, by;      /* gains of luma */
    float rv, gu, gv, bu;  /* gains of chroma */
    float r0, g0, b0;      /* offsets */
    float low[3], high[3]; /* the tensor values of 0 and 255, ordered */
} fm_yuv_matrix;

/* A grid over a picture into a tensor, with all that does not change from row to row. */
typedef struct fm_grid_job {
    const fm_image *image; /* at least one pixel */
    fm_grid grid;          /* within range */
    bool yuv, fade;        /* fade: black outside */
    fm_tone tones[3];      /* R, G, B */
    fm_yuv_matrix matrix;  /* YUV only */
    fm_channel channels[3]; /* R, G, B, or Y, U, V */
} fm_grid_job;

/* Any grid. */
void fm_grid_sample_any(const fm_grid_job *job);
/* Whether fm_grid_sample_upright takes it: rows and columns along the picture's, which is wider than two pixels. */
bool fm_grid_is_upright(const fm_grid_job *job);
void fm_grid_sample_upright(const fm_grid_job *job);

/* False when there is nothing to sample; the tensor then holds black, if it has room for anything. */
bool fm_grid_job_make(fm_grid_job *out, const fm_image *image, const fm_grid *grid, const fm_crop_options *options,
                      float *tensor);

/* The positions of a row (0 is the topmost) in the luma or RGB plane, and in the chroma planes. */
fm_scan fm_grid_scan(const fm_grid_job *job, int row);
fm_scan fm_grid_chroma_scan(const fm_grid_job *job, int row);

/* In place: the three rows hold samples, Y, U, V or R, G, B, and then R, G, B in tensor units. */
void fm_grid_finish_row(const fm_grid_job *job, int count, float *restrict a, float *restrict b, float *restrict c);

/* Share of the bilinear weight along one axis that lies on real pixels. */
float fm_coverage(int64_t q, int size);

/* 24 bits of the fraction: exact in a float, and signed, which converts faster. */
static inline float fm_fraction(int64_t q)
{
    return (float)(int32_t)((uint32_t)q >> 8) * 0x1p-24f;
}

static inline float fm_lerp(float a, float b, float t)
{
    return a + (b - a) * t;
}

/* Replicating the edge is the same as clamping the position to the outermost pixel centres. */
static inline int64_t fm_clamp_q32(int64_t q, int size)
{
    const int64_t last = (int64_t)(size - 1) * FM_Q_ONE;
    return q < 0 ? 0 : q > last ? last : q;
}

/*
 * Black outside: a bilinear sample in which outer pixels are 0 equals the
 * edge-replicated sample times the share of inner weight (both are separable).
 */
static inline float fm_faded(float value, float black, float cover)
{
    return cover < 1.0f ? black + (value - black) * cover : value;
}

#endif
