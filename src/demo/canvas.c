#include "canvas.h"

#include <libavutil/pixfmt.h>
#include <libswscale/swscale.h>
#include <math.h>

enum { CANVAS_SIDE_MAX = 8192, MARGIN = 4 /* still pixels, for the filter's reach */ };

typedef struct cut {
    int x, y, width, height; /* still pixels, even origin so that chroma follows */
} cut;

static bool cut_out(cut *out, const fm_image *still, const fm_warp_rect *needed)
{
    const double x0 = fmax(floor(needed->x0) - MARGIN, 0.0), y0 = fmax(floor(needed->y0) - MARGIN, 0.0);
    const double x1 = fmin(ceil(needed->x1) + MARGIN, still->width);
    const double y1 = fmin(ceil(needed->y1) + MARGIN, still->height);
    if (!(x1 - x0 >= 2.0 && y1 - y0 >= 2.0))
        return false;
    out->x = (int)x0 & ~1;
    out->y = (int)y0 & ~1;
    out->width = (int)x1 - out->x;
    out->height = (int)y1 - out->y;
    return true;
}

static int sws_matrix(fm_color_matrix matrix)
{
    switch (matrix) {
    case FM_MATRIX_BT709: return SWS_CS_ITU709;
    case FM_MATRIX_BT2020: return SWS_CS_BT2020;
    case FM_MATRIX_BT601: break;
    }
    return SWS_CS_ITU601;
}

/* Scales `planes` into `to`; matrices and ranges are those of source and destination. */
static fm_status convert(const uint8_t *const planes[4], const int strides[4], int width, int height,
                         enum AVPixelFormat format, int matrix, int full, AVFrame *to, fm_error *err)
{
    const int flags = SWS_LANCZOS | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_BITEXACT;
    struct SwsContext *sws = sws_getContext(width, height, format, to->width, to->height,
                                            (enum AVPixelFormat)to->format, flags, NULL, NULL, NULL);
    if (!sws)
        return fm_fail(err, FM_E_INTERNAL, "libswscale cannot scale the portrait from %dx%d to %dx%d; use another size",
                       width, height, to->width, to->height);
    /* Neutral brightness, contrast and saturation in libswscale's 16.16 fixed point. */
    sws_setColorspaceDetails(sws, sws_getCoefficients(matrix), full, sws_getCoefficients(SWS_CS_ITU709),
                             to->format == AV_PIX_FMT_RGB24, 0, 1 << 16, 1 << 16);
    const int rows = sws_scale(sws, planes, strides, 0, height, to->data, to->linesize);
    sws_freeContext(sws);
    return rows == to->height ? FM_OK
                              : fm_fail(err, FM_E_INTERNAL, "libswscale did not scale the whole portrait; update FFmpeg");
}

static AVFrame *new_picture(int width, int height, enum AVPixelFormat format)
{
    AVFrame *frame = av_frame_alloc();
    if (!frame)
        return NULL;
    frame->width = width;
    frame->height = height;
    frame->format = format;
    if (av_frame_get_buffer(frame, 0) < 0)
        av_frame_free(&frame);
    return frame;
}

/* By way of RGB, since libswscale does not re-matrix YUV in one step in every version. */
static fm_status scale_and_convert(const fm_image *still, const cut *area, AVFrame *rgb, AVFrame *yuv,
                                   fm_error *err)
{
    const uint8_t *planes[4] = {0};
    int strides[4] = {0};
    for (int i = 0; i < 3; i++) {
        const int shift = i == 0 ? 0 : 1;
        planes[i] = still->plane[i] + still->stride[i] * (area->y >> shift) + (area->x >> shift);
        strides[i] = (int)still->stride[i];
    }
    const fm_status status = convert(planes, strides, area->width, area->height, AV_PIX_FMT_YUV420P,
                                     sws_matrix(still->matrix), still->full_range, rgb, err);
    if (status != FM_OK)
        return status;
    const uint8_t *packed[4] = {rgb->data[0]};
    const int packed_strides[4] = {rgb->linesize[0]};
    return convert(packed, packed_strides, rgb->width, rgb->height, AV_PIX_FMT_RGB24, SWS_CS_ITU709, 1,
                   yuv, err);
}

fm_status fm_canvas_make(fm_canvas_store *store, const fm_image *still, const fm_warp_rect *needed,
                         double zoom, fm_error *err)
{
    *store = (fm_canvas_store){0};
    cut area;
    if (!cut_out(&area, still, needed))
        return fm_fail(err, FM_E_BAD_INPUT, "the face lies outside the portrait of %dx%d; use another still",
                       still->width, still->height);
    const double w = round(area.width * zoom), h = round(area.height * zoom);
    if (!(w >= 2.0 && h >= 2.0 && w <= CANVAS_SIDE_MAX && h <= CANVAS_SIDE_MAX))
        return fm_fail(err, FM_E_BAD_INPUT, "the portrait's part of %dx%d cannot be scaled by %.3f; ask for another clip size",
                       area.width, area.height, zoom);
    AVFrame *rgb = new_picture((int)w, (int)h, AV_PIX_FMT_RGB24);
    AVFrame *yuv = new_picture((int)w, (int)h, AV_PIX_FMT_YUV444P);
    fm_status status = rgb && yuv ? scale_and_convert(still, &area, rgb, yuv, err)
                                  : fm_fail(err, FM_E_NO_MEMORY, "no memory for a canvas of %.0fx%.0f", w, h);
    av_frame_free(&rgb);
    if (status != FM_OK) {
        av_frame_free(&yuv);
        return status;
    }
    store->frame = yuv;
    store->view = (fm_canvas){
        .plane = {yuv->data[0], yuv->data[1], yuv->data[2]},
        .stride = {yuv->linesize[0], yuv->linesize[1], yuv->linesize[2]},
        .width = yuv->width,
        .height = yuv->height,
        .x0 = area.x,
        .y0 = area.y,
        .scale_x = w / area.width,
        .scale_y = h / area.height,
    };
    return FM_OK;
}

void fm_canvas_free(fm_canvas_store *store)
{
    av_frame_free(&store->frame);
    store->view = (fm_canvas){0};
}
