/*
 * Plain image views and the coordinate convention of all face code.
 *
 * Coordinates are continuous, in pixels of the upright (already rotated)
 * picture: x to the right, y down, the origin at the outer corner of the
 * top-left pixel. The centre of pixel (i, j) is (i + 0.5, j + 0.5), so a
 * horizontal flip of a picture of width W is exactly x -> W - x. MediaPipe's
 * normalised coordinates times width/height are in the same convention.
 *
 * "Left" and "right" mean the *patient's* sides unless a name says image_.
 * In an unmirrored recording the patient's left is at the image's right.
 *
 * Thread-safety: views are plain values; pixels may be read concurrently.
 */
#ifndef FM_FACE_IMAGE_H
#define FM_FACE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum fm_pixel_format {
    FM_PIXEL_RGB24,  /* plane[0]: packed R G B bytes */
    FM_PIXEL_YUV420P /* plane[0..2]: Y, U, V; chroma planes are ceil(w/2) x ceil(h/2) */
} fm_pixel_format;

typedef enum fm_color_matrix {
    FM_MATRIX_BT601, /* also for unspecified SD video */
    FM_MATRIX_BT709,
    FM_MATRIX_BT2020
} fm_color_matrix;

/* Position of a chroma sample within its 2x2 luma block (ITU-T H.264, Annex E, chroma_sample_loc_type). */
typedef enum fm_chroma_site {
    FM_CHROMA_LEFT,    /* beside the left luma column, between the rows: H.264's default */
    FM_CHROMA_CENTER,  /* in the middle of the block: JPEG, MPEG-1 */
    FM_CHROMA_TOP_LEFT /* on the top-left luma sample: UHD/HDR video */
} fm_chroma_site;

/* A view: it owns nothing. Strides are in bytes and may exceed the width. */
typedef struct fm_image {
    fm_pixel_format format;
    int width, height; /* in luma pixels, >= 1; may be odd */
    uint8_t *plane[3];
    ptrdiff_t stride[3];
    fm_color_matrix matrix;     /* YUV only */
    bool full_range;            /* YUV only: 0..255 instead of 16..235 / 16..240 */
    fm_chroma_site chroma_site; /* YUV only */
} fm_image;

typedef struct fm_point2 {
    float x, y; /* pixels */
} fm_point2;

typedef struct fm_point3 {
    float x, y; /* pixels */
    float z;    /* about the scale of x; smaller is nearer to the camera */
} fm_point3;

/* A square region, turned by `angle` (radians, clockwise on screen because y points down). */
typedef struct fm_roi {
    double cx, cy; /* centre, pixels */
    double size;   /* side, pixels */
    double angle;
} fm_roi;

typedef enum fm_border {
    FM_BORDER_ZERO,     /* outside the picture reads as black (0,0,0) RGB */
    FM_BORDER_REPLICATE /* outside reads as the nearest edge pixel */
} fm_border;

/* An upright rectangle: the pixels whose centres lie in [x0, x1) x [y0, y1). */
typedef struct fm_box {
    double x0, y0, x1, y1; /* pixels; may reach outside the picture */
} fm_box;

/* tensor = (value(0..255) * scale + bias - mean) / deviation, for each of R, G and B. */
typedef struct fm_crop_options {
    int size;           /* output is size x size pixels; fm_image_stretch is told its own */
    float scale;
    float bias;
    fm_border border;
    float mean[3];      /* R, G, B */
    float deviation[3]; /* R, G, B; 0 stands for 1 */
    bool bgr;           /* planes in the order B, G, R instead of R, G, B */
} fm_crop_options;

/*
 * Samples `roi` of `image` bilinearly into a planar float tensor of
 * 3 * size * size values (R plane, G plane, B plane unless options->bgr: NCHW). Output pixel
 * (u, v) reads the image at centre + R(angle) * (((u + .5) / size - .5) * roi.size, ...).
 * YUV is converted to RGB after sampling, then clipped to 0..255; no full-frame
 * conversion is made. Allocates nothing. A roi that lies wholly outside gives
 * border values; one that is not finite, or reaches beyond 5e8 pixels, black.
 *
 * Pixel centres, plain bilinear taps without a low-pass when shrinking, and
 * values that are not rounded to 8 bits in between: that is how MediaPipe's
 * web build samples. From equal pixels the landmarks then agree with it to the
 * 0.01 px of the reference (tests/face/test_reference.c); rounding the crop to
 * 8 bits alone would move them by 0.02 to 0.17 % of the eye distance.
 */
void fm_image_crop(const fm_image *image, const fm_roi *roi, const fm_crop_options *options,
                   float *tensor);

/*
 * The same for an upright box that need not be square: 3 * height * width
 * values, the box stretched over them. A box that holds more than the picture
 * letterboxes it; one pixel of the tensor per pixel of an integer box copies.
 */
void fm_image_stretch(const fm_image *image, const fm_box *box, int width, int height,
                      const fm_crop_options *options, float *tensor);

/* The roi that letterboxes the whole picture: centred, side = max(width, height), unturned. */
fm_roi fm_roi_letterbox(int width, int height);

/* Maps a point of the roi's unit square (0..1, 0..1) to the image, and back. */
fm_point2 fm_roi_to_image(const fm_roi *roi, double u, double v);
fm_point2 fm_roi_from_image(const fm_roi *roi, double x, double y);

#endif
