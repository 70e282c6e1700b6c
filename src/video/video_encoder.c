#include "video_encoder.h"

#include <libavutil/hwcontext.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
#include <math.h>
#include <string.h>

#include "compat.h"

enum { VAAPI_POOL_FRAMES = 20 };

/* --- one function an encoder: its rate control on the CRF scale ------- */

/*
 * The preset's level of sub-pixel refinement, 2, takes a quarter of its time
 * and spares bytes, not quality: at level 1 the same CRF gives the same PSNR
 * and SSIM or better (0.01 dB is the most that was lost on a talking face,
 * clean or noisy) in 9 to 14 % more bytes.
 */
enum { X264_SUBPEL_LEVEL = 1 };

static void set_x264(AVCodecContext *context, AVDictionary **options, int quality)
{
    context->me_subpel_quality = X264_SUBPEL_LEVEL;
    av_dict_set(options, "preset", "veryfast", 0);
    av_dict_set_int(options, "crf", quality, 0);
    av_dict_set(options, "profile", "high", 0);
}

/* The settings of the four hardware encoders follow their documentation; they were not run on such hardware. */
static void set_nvenc(AVCodecContext *context, AVDictionary **options, int quality)
{
    context->bit_rate = 0; /* cq alone decides */
    av_dict_set(options, "preset", "p4", 0);
    av_dict_set(options, "tune", "hq", 0);
    av_dict_set(options, "rc", "vbr", 0);
    av_dict_set_int(options, "cq", quality, 0);
    av_dict_set(options, "profile", "high", 0);
}

static void set_qsv(AVCodecContext *context, AVDictionary **options, int quality)
{
    context->global_quality = quality; /* selects ICQ, whose scale is 1..51 as well */
    av_dict_set(options, "preset", "faster", 0);
    av_dict_set(options, "profile", "high", 0);
}

static void set_vaapi(AVCodecContext *context, AVDictionary **options, int quality)
{
    context->global_quality = quality;
    av_dict_set(options, "rc_mode", "CQP", 0);
    av_dict_set_int(options, "qp", quality, 0);
    av_dict_set(options, "profile", "high", 0);
}

/*
 * Constant quality exists on some Macs only, and not in every encoder, so a bit rate is chosen: 0.15 bit a pixel is
 * about what x264 spends at CRF 18 on faces, and six quantiser steps halve it (H.264, 8.5.9: the step size doubles
 * each 6).
 */
static void set_bit_rate(AVCodecContext *context, int quality)
{
    const double fps = av_q2d(context->framerate);
    const double bits = 0.15 * context->width * context->height * fps *
                        pow(2.0, (FM_QUALITY_DEFAULT - quality) / 6.0);
    context->bit_rate = (int64_t)fmax(bits, 200e3);
}

static void set_videotoolbox(AVCodecContext *context, AVDictionary **options, int quality)
{
    set_bit_rate(context, quality);
    av_dict_set(options, "allow_sw", "0", 0);
    av_dict_set(options, "profile", "high", 0);
}

/* Any other encoder: a bit rate is what all of them understand. Names of profiles some refuse (h264_v4l2m2m). */
static void set_other(AVCodecContext *context, AVDictionary **options, int quality)
{
    (void)options;
    set_bit_rate(context, quality);
}

typedef void (*setter)(AVCodecContext *context, AVDictionary **options, int quality);

static setter setter_of(const char *name)
{
    static const struct {
        const char *name;
        setter set;
    } table[] = {
        {"libx264", set_x264},     {"h264_nvenc", set_nvenc},
        {"h264_qsv", set_qsv},     {"h264_vaapi", set_vaapi},
        {"h264_videotoolbox", set_videotoolbox},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(table[i].name, name) == 0)
            return table[i].set;
    return set_other;
}

/* --- opening --------------------------------------------------------- */

/* Frames in VAAPI surfaces: the only form that encoder takes. */
static int set_up_surfaces(AVCodecContext *context)
{
    AVBufferRef *device = NULL;
    int ret = av_hwdevice_ctx_create(&device, AV_HWDEVICE_TYPE_VAAPI, NULL, NULL, 0);
    if (ret < 0)
        return ret;
    AVBufferRef *pool = av_hwframe_ctx_alloc(device);
    av_buffer_unref(&device); /* the pool holds its own reference */
    if (!pool)
        return AVERROR(ENOMEM);
    AVHWFramesContext *frames = (AVHWFramesContext *)(void *)pool->data;
    frames->format = AV_PIX_FMT_VAAPI;
    frames->sw_format = AV_PIX_FMT_NV12;
    frames->width = context->width;
    frames->height = context->height;
    frames->initial_pool_size = VAAPI_POOL_FRAMES;
    ret = av_hwframe_ctx_init(pool);
    if (ret < 0) {
        av_buffer_unref(&pool);
        return ret;
    }
    context->pix_fmt = AV_PIX_FMT_VAAPI;
    context->hw_frames_ctx = pool;
    return 0;
}

static bool takes_format(const AVCodec *codec, enum AVPixelFormat format)
{
    const enum AVPixelFormat *list = fm_codec_pixel_formats(codec);
    if (!list)
        return format == AV_PIX_FMT_YUV420P;
    while (*list != AV_PIX_FMT_NONE && *list != format)
        list++;
    return *list == format;
}

static int choose_format(fm_video_encoder *encoder, const AVCodec *codec)
{
    AVCodecContext *context = encoder->context;
    encoder->upload = strcmp(codec->name, "h264_vaapi") == 0;
    if (encoder->upload) {
        const int ret = set_up_surfaces(context);
        if (ret < 0)
            return ret;
    } else if (takes_format(codec, AV_PIX_FMT_YUV420P)) {
        context->pix_fmt = AV_PIX_FMT_YUV420P;
        return 0;
    } else if (takes_format(codec, AV_PIX_FMT_NV12)) {
        context->pix_fmt = AV_PIX_FMT_NV12;
    } else {
        return AVERROR(ENOSYS);
    }
    encoder->to_nv12 = sws_getContext(context->width, context->height, AV_PIX_FMT_YUV420P,
                                      context->width, context->height, AV_PIX_FMT_NV12, SWS_POINT,
                                      NULL, NULL, NULL);
    return encoder->to_nv12 ? 0 : AVERROR(ENOMEM);
}

static void set_colour(AVCodecContext *context, const AVFrame *colour)
{
    if (!colour)
        return;
    context->color_range = colour->format == AV_PIX_FMT_YUVJ420P ? AVCOL_RANGE_JPEG
                                                                 : colour->color_range;
    context->colorspace = colour->colorspace;
    context->color_primaries = colour->color_primaries;
    context->color_trc = colour->color_trc;
    context->chroma_sample_location = colour->chroma_location;
}

int fm_video_encoder_open(fm_video_encoder *encoder, const fm_video_encoder_options *options)
{
    *encoder = (fm_video_encoder){0};
    const AVCodec *codec = avcodec_find_encoder_by_name(options->name);
    if (!codec)
        return AVERROR_ENCODER_NOT_FOUND;
    AVCodecContext *context = avcodec_alloc_context3(codec);
    encoder->context = context;
    encoder->frame = av_frame_alloc();
    AVDictionary *private_options = NULL;
    int ret = context && encoder->frame ? 0 : AVERROR(ENOMEM);
    if (ret == 0) {
        context->width = options->width;
        context->height = options->height;
        context->time_base = options->time_base;
        context->framerate = options->frame_rate;
        context->sample_aspect_ratio = (AVRational){1, 1};
        context->thread_count = options->threads;
        if (options->global_header)
            context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
        set_colour(context, options->colour);
        const int quality = options->quality > 0 ? FFMIN(options->quality, FM_QUALITY_MAX)
                                                 : FM_QUALITY_DEFAULT;
        setter_of(options->name)(context, &private_options, quality);
        ret = choose_format(encoder, codec);
    }
    if (ret >= 0)
        ret = avcodec_open2(context, codec, &private_options);
    av_dict_free(&private_options);
    if (ret < 0)
        fm_video_encoder_close(encoder);
    return ret;
}

/* --- frames ---------------------------------------------------------- */

/* A new frame each time: encoders keep references to those they were sent. */
static int convert_to_nv12(fm_video_encoder *encoder)
{
    AVFrame *nv12 = av_frame_alloc();
    if (!nv12)
        return AVERROR(ENOMEM);
    nv12->format = AV_PIX_FMT_NV12;
    nv12->width = encoder->frame->width;
    nv12->height = encoder->frame->height;
    encoder->buffers++;
    int ret = av_frame_get_buffer(nv12, 0);
    if (ret >= 0)
        ret = sws_scale(encoder->to_nv12, (const uint8_t *const *)encoder->frame->data,
                        encoder->frame->linesize, 0, nv12->height, nv12->data, nv12->linesize);
    if (ret >= 0)
        ret = av_frame_copy_props(nv12, encoder->frame);
    if (ret >= 0) {
        av_frame_unref(encoder->frame);
        av_frame_move_ref(encoder->frame, nv12);
    }
    av_frame_free(&nv12);
    return FFMIN(ret, 0);
}

static int upload(fm_video_encoder *encoder)
{
    AVFrame *surface = av_frame_alloc();
    if (!surface)
        return AVERROR(ENOMEM);
    int ret = av_hwframe_get_buffer(encoder->context->hw_frames_ctx, surface, 0);
    if (ret >= 0)
        ret = av_hwframe_transfer_data(surface, encoder->frame, 0);
    if (ret >= 0)
        ret = av_frame_copy_props(surface, encoder->frame);
    if (ret >= 0) {
        av_frame_unref(encoder->frame);
        av_frame_move_ref(encoder->frame, surface);
    }
    av_frame_free(&surface);
    return ret;
}

/* What belongs to the decoded stream, not to the picture, must not steer the encoder. */
static void strip(AVFrame *frame, const AVCodecContext *context)
{
    frame->pict_type = AV_PICTURE_TYPE_NONE;
    if (frame->format == AV_PIX_FMT_YUVJ420P)
        frame->format = AV_PIX_FMT_YUV420P;
    frame->color_range = context->color_range;
    frame->colorspace = context->colorspace;
    while (frame->nb_side_data > 0)
        av_frame_remove_side_data(frame, frame->side_data[0]->type);
}

int fm_video_encoder_send(fm_video_encoder *encoder, const AVFrame *frame)
{
    if (!frame)
        return avcodec_send_frame(encoder->context, NULL);
    int ret = av_frame_ref(encoder->frame, frame);
    if (ret >= 0) {
        strip(encoder->frame, encoder->context);
        if (encoder->to_nv12)
            ret = convert_to_nv12(encoder);
        if (ret >= 0 && encoder->upload)
            ret = upload(encoder);
        if (ret >= 0)
            ret = avcodec_send_frame(encoder->context, encoder->frame);
    }
    av_frame_unref(encoder->frame);
    return ret;
}

void fm_video_encoder_close(fm_video_encoder *encoder)
{
    avcodec_free_context(&encoder->context);
    av_frame_free(&encoder->frame);
    sws_freeContext(encoder->to_nv12);
    encoder->to_nv12 = NULL;
}
