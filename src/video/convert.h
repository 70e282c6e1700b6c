/*
 * Frames of any kind to upright 8-bit yuv420p with square pixels.
 *
 * Frames that are so already pass by reference. Others go through one
 * libavfilter graph (scale, transpose, flips), which is built when needed and
 * rebuilt when size or format change in mid-stream; what comes out keeps the
 * size that the first frame fixed. Matrix and range are kept, never converted:
 * RGB becomes limited-range BT.601 (below 720 lines) or BT.709, grey becomes
 * full range.
 *
 * Chroma sites: a quarter turn moves "left" to "top" or "bottom", which the
 * tag then says. A half turn or a flip moves it to "right", which no tag can
 * say; it stays "left", half a luma pixel off, as everywhere else.
 *
 * Thread-safety: Unsafe; one converter, one thread at a time.
 */
#ifndef FM_VIDEO_CONVERT_H
#define FM_VIDEO_CONVERT_H

#include <libavfilter/avfilter.h>
#include <libavutil/frame.h>
#include <stdbool.h>

#include "facemirror/error.h"
#include "orientation.h"

/* Larger pictures are refused: 16384 is the largest side of H.264 level 6.2 encoders in use. */
enum { FM_VIDEO_SIDE_MAX = 16384, FM_VIDEO_PIXELS_MAX = 1 << 28 };

static inline bool fm_video_size_ok(int width, int height)
{
    return width > 0 && height > 0 && width <= FM_VIDEO_SIDE_MAX && height <= FM_VIDEO_SIDE_MAX &&
           (int64_t)width * height <= FM_VIDEO_PIXELS_MAX;
}

typedef struct fm_converter {
    int width, height; /* of the frames that come out */
    bool active;       /* the last frame went through the graph */
    fm_orientation orientation;
    int scaled_width, scaled_height; /* square pixels, before turning */
    int threads;

    AVFilterGraph *graph;
    AVFilterContext *source, *sink;
    int in_width, in_height, in_format; /* what the graph was built for */
    enum AVColorRange in_range;
    enum AVColorSpace in_space;
    AVFrame *out;      /* what the graph gives, on its way to the caller's frame */
} fm_converter;

/*
 * Fixes the output size from the first frame. `aspect` is the sample aspect
 * ratio (0/1: square). Holds no memory yet. FM_E_BAD_INPUT: absurd size.
 */
fm_status fm_converter_init(fm_converter *converter, const AVFrame *first, AVRational aspect,
                            fm_orientation orientation, int threads, fm_error *err);

/* Replaces *frame by its converted form, in place; timestamps are kept. */
fm_status fm_converter_apply(fm_converter *converter, AVFrame *frame, fm_error *err);

void fm_converter_free(fm_converter *converter);

#endif
