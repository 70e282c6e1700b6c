#include <libavutil/pixfmt.h>

#include "reader.h"

static fm_color_matrix matrix_of(const AVFrame *frame)
{
    switch (frame->colorspace) {
    case AVCOL_SPC_BT709:
        return FM_MATRIX_BT709;
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
    case AVCOL_SPC_FCC:
        return FM_MATRIX_BT601;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
        return FM_MATRIX_BT2020;
    default: {
        /* The shorter side counts the lines: a portrait clip is a turned landscape one. */
        const int lines = frame->width < frame->height ? frame->width : frame->height;
        return lines < 720 ? FM_MATRIX_BT601 : FM_MATRIX_BT709;
    }
    }
}

static fm_chroma_site chroma_site_of(const AVFrame *frame)
{
    switch (frame->chroma_location) {
    case AVCHROMA_LOC_CENTER:
    case AVCHROMA_LOC_TOP: /* horizontally centred: what a left-right reflection depends on */
    case AVCHROMA_LOC_BOTTOM:
        return FM_CHROMA_CENTER;
    case AVCHROMA_LOC_TOPLEFT:
        return FM_CHROMA_TOP_LEFT;
    default:
        return FM_CHROMA_LEFT;
    }
}

fm_image fm_image_from_frame(const AVFrame *frame)
{
    const bool jpeg = frame->format == AV_PIX_FMT_YUVJ420P;
    if (!jpeg && frame->format != AV_PIX_FMT_YUV420P)
        return (fm_image){0};
    fm_image image = {
        .format = FM_PIXEL_YUV420P,
        .width = frame->width,
        .height = frame->height,
        .matrix = matrix_of(frame),
        .full_range = jpeg || frame->color_range == AVCOL_RANGE_JPEG,
        .chroma_site = chroma_site_of(frame),
    };
    for (int i = 0; i < 3; i++) {
        image.plane[i] = frame->data[i];
        image.stride[i] = frame->linesize[i];
    }
    return image;
}
