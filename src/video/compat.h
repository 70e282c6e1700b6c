/*
 * The few places where the FFmpeg 5.1, 6 and 7 interfaces differ.
 *
 * Everything else of this folder is written against what all of them share
 * (5.1 is the oldest: it brought AVChannelLayout).
 */
#ifndef FM_VIDEO_COMPAT_H
#define FM_VIDEO_COMPAT_H

#include <libavcodec/avcodec.h>
#include <libavfilter/buffersrc.h>
#include <libavfilter/version.h>
#include <libavformat/avformat.h>
#include <libavutil/frame.h>
#include <libavutil/version.h>

/* AVFrame.duration replaced pkt_duration; 0 when not known, in the frame's time base. */
static inline int64_t fm_frame_duration(const AVFrame *frame)
{
#if LIBAVUTIL_VERSION_MAJOR >= 58
    return frame->duration;
#else
    return frame->pkt_duration;
#endif
}

static inline void fm_frame_set_duration(AVFrame *frame, int64_t duration)
{
#if LIBAVUTIL_VERSION_MAJOR >= 58
    frame->duration = duration;
#else
    frame->pkt_duration = duration;
#endif
}

/* The container's display matrix (9 values, libavutil/display.h) or NULL. */
static inline const int32_t *fm_stream_display_matrix(const AVStream *stream)
{
    enum { MATRIX_BYTES = 9 * sizeof(int32_t) };
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 100)
    const AVPacketSideData *side =
        av_packet_side_data_get(stream->codecpar->coded_side_data,
                                stream->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
    return side && side->size >= MATRIX_BYTES ? (const int32_t *)(const void *)side->data : NULL;
#else
    size_t size = 0;
    const uint8_t *data = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
    return data && size >= MATRIX_BYTES ? (const int32_t *)(const void *)data : NULL;
#endif
}

/* Since libavfilter 9.16 a buffer source also takes the matrix and range of its frames. */
static inline void fm_buffersrc_set_colour(AVBufferSrcParameters *parameters, const AVFrame *frame)
{
#if LIBAVFILTER_VERSION_INT >= AV_VERSION_INT(9, 16, 100)
    parameters->color_space = frame->colorspace;
    parameters->color_range = frame->color_range;
#else
    (void)parameters;
    (void)frame;
#endif
}

/* Pixel formats that an encoder takes, ended by AV_PIX_FMT_NONE; NULL: not said. */
static inline const enum AVPixelFormat *fm_codec_pixel_formats(const AVCodec *codec)
{
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(61, 13, 100)
    const void *list = NULL;
    int ret = avcodec_get_supported_config(NULL, codec, AV_CODEC_CONFIG_PIX_FORMAT, 0, &list, NULL);
    return ret < 0 ? NULL : (const enum AVPixelFormat *)list;
#else
    return codec->pix_fmts;
#endif
}

/* Sample rates that an encoder takes, ended by 0; NULL: any. */
static inline const int *fm_codec_sample_rates(const AVCodec *codec)
{
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(61, 13, 100)
    const void *list = NULL;
    int ret = avcodec_get_supported_config(NULL, codec, AV_CODEC_CONFIG_SAMPLE_RATE, 0, &list, NULL);
    return ret < 0 ? NULL : (const int *)list;
#else
    return codec->supported_samplerates;
#endif
}

#endif
