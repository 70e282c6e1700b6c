#include "convert.h"

#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/mem.h>
#include <libavutil/pixdesc.h>
#include <stdio.h>

#include "av_error.h"
#include "compat.h"

enum { ASPECT_MAX = 8, HD_LINES = 720 };

/* The deprecated yuvj formats are the plain ones in full range. */
static void normalise_format(AVFrame *frame)
{
    static const struct {
        enum AVPixelFormat full, plain;
    } table[] = {
        {AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUV420P}, {AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUV422P},
        {AV_PIX_FMT_YUVJ444P, AV_PIX_FMT_YUV444P}, {AV_PIX_FMT_YUVJ440P, AV_PIX_FMT_YUV440P},
        {AV_PIX_FMT_YUVJ411P, AV_PIX_FMT_YUV411P},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (frame->format == (int)table[i].full) {
            frame->format = table[i].plain;
            frame->color_range = AVCOL_RANGE_JPEG;
        }
    }
}

static bool is_rgb(const AVPixFmtDescriptor *desc)
{
    return (desc->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)) != 0;
}

static bool is_grey(const AVPixFmtDescriptor *desc)
{
    return !is_rgb(desc) && desc->nb_components <= 2;
}

static int round_even(int64_t value)
{
    return (int)FFMAX((value + 1) / 2 * 2, 2);
}

fm_status fm_converter_init(fm_converter *converter, const AVFrame *first, AVRational aspect,
                            fm_orientation orientation, int threads, fm_error *err)
{
    *converter = (fm_converter){.orientation = orientation, .threads = threads};
    if (!fm_video_size_ok(first->width, first->height))
        return fm_fail(err, FM_E_BAD_INPUT,
                       "the picture size %dx%d is not supported (at most %d a side)",
                       first->width, first->height, FM_VIDEO_SIDE_MAX);

    int width = first->width, height = first->height;
    const bool sane = aspect.num > 0 && aspect.den > 0 && aspect.num / aspect.den < ASPECT_MAX &&
                      aspect.den / aspect.num < ASPECT_MAX;
    if (sane && aspect.num != aspect.den) {
        /* The shorter measure is stretched, so that no detail is lost. */
        const int64_t stretched = aspect.num > aspect.den
                                      ? av_rescale(width, aspect.num, aspect.den)
                                      : av_rescale(height, aspect.den, aspect.num);
        int *side = aspect.num > aspect.den ? &width : &height;
        if (stretched != *side)
            *side = round_even(stretched);
        if (!fm_video_size_ok(width, height))
            return fm_fail(err, FM_E_BAD_INPUT,
                           "the picture is too large once its pixels are square: %dx%d", width,
                           height);
    }
    const bool upended = orientation.rotation % 180 != 0;
    converter->scaled_width = width;
    converter->scaled_height = height;
    converter->width = upended ? height : width;
    converter->height = upended ? width : height;
    return FM_OK;
}

static void drop_graph(fm_converter *converter)
{
    avfilter_graph_free(&converter->graph);
    converter->source = NULL;
    converter->sink = NULL;
}

/* Range and matrix are set equal on both sides, so that swscale converts neither. */
static void describe_graph(const fm_converter *converter, const AVFrame *frame, char *text,
                           size_t size)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get((enum AVPixelFormat)frame->format);
    const bool full = frame->color_range == AVCOL_RANGE_JPEG || is_grey(desc);
    int n = 0;
    text[0] = '\0';
    if (frame->format != AV_PIX_FMT_YUV420P || frame->width != converter->scaled_width ||
        frame->height != converter->scaled_height) {
        n = snprintf(text, size, "scale=%d:%d:flags=bicubic+accurate_rnd", converter->scaled_width,
                     converter->scaled_height);
        if (is_rgb(desc)) {
            const int lines = FFMIN(converter->width, converter->height);
            n += snprintf(text + n, size - (size_t)n, ":out_range=tv:out_color_matrix=%s",
                          lines < HD_LINES ? "bt601" : "bt709");
        } else {
            n += snprintf(text + n, size - (size_t)n, ":in_range=%s:out_range=%s",
                          full ? "pc" : "tv", full ? "pc" : "tv");
        }
        n += snprintf(text + n, size - (size_t)n, ",");
    }
    n += snprintf(text + n, size - (size_t)n, "format=yuv420p%s",
                  converter->orientation.flip ? ",hflip" : "");
    static const char *const turn[] = {"", ",transpose=clock", ",hflip,vflip", ",transpose=cclock"};
    snprintf(text + n, size - (size_t)n, "%s", turn[converter->orientation.rotation / 90]);
}

static int create_ends(fm_converter *converter, const AVFrame *frame)
{
    converter->source =
        avfilter_graph_alloc_filter(converter->graph, avfilter_get_by_name("buffer"), "in");
    converter->sink =
        avfilter_graph_alloc_filter(converter->graph, avfilter_get_by_name("buffersink"), "out");
    AVBufferSrcParameters *parameters = av_buffersrc_parameters_alloc();
    if (!converter->source || !converter->sink || !parameters) {
        av_free(parameters);
        return AVERROR(ENOMEM);
    }
    parameters->format = frame->format;
    parameters->width = frame->width;
    parameters->height = frame->height;
    parameters->time_base = (AVRational){1, 1000}; /* unused: timestamps go around the graph */
    parameters->sample_aspect_ratio = (AVRational){1, 1};
    fm_buffersrc_set_colour(parameters, frame);
    int ret = av_buffersrc_parameters_set(converter->source, parameters);
    av_free(parameters);
    if (ret >= 0)
        ret = avfilter_init_str(converter->source, NULL);
    if (ret >= 0)
        ret = avfilter_init_str(converter->sink, NULL);
    return ret;
}

static int build_graph(fm_converter *converter, const AVFrame *frame)
{
    drop_graph(converter);
    converter->graph = avfilter_graph_alloc();
    if (!converter->graph)
        return AVERROR(ENOMEM);
    converter->graph->nb_threads = converter->threads;
    int ret = create_ends(converter, frame);
    if (ret < 0)
        return ret;

    char text[256];
    describe_graph(converter, frame, text, sizeof text);
    AVFilterInOut *outputs = avfilter_inout_alloc(), *inputs = avfilter_inout_alloc();
    if (outputs && inputs) {
        *outputs = (AVFilterInOut){.name = av_strdup("in"), .filter_ctx = converter->source};
        *inputs = (AVFilterInOut){.name = av_strdup("out"), .filter_ctx = converter->sink};
        ret = avfilter_graph_parse_ptr(converter->graph, text, &inputs, &outputs, NULL);
    } else {
        ret = AVERROR(ENOMEM);
    }
    avfilter_inout_free(&inputs);
    avfilter_inout_free(&outputs);
    if (ret >= 0)
        ret = avfilter_graph_config(converter->graph, NULL);
    converter->in_width = frame->width;
    converter->in_height = frame->height;
    converter->in_format = frame->format;
    converter->in_range = frame->color_range;
    converter->in_space = frame->colorspace;
    return ret;
}

static bool graph_fits(const fm_converter *converter, const AVFrame *frame)
{
    return converter->graph && converter->in_width == frame->width &&
           converter->in_height == frame->height && converter->in_format == frame->format &&
           converter->in_range == frame->color_range && converter->in_space == frame->colorspace;
}

static enum AVChromaLocation turned_chroma(const fm_converter *converter, enum AVChromaLocation at)
{
    const int rotation = converter->orientation.rotation;
    if (rotation % 180 == 0)
        return at;
    /* After a flip "left" is "right", which a quarter turn takes to the other end. */
    const bool to_top = (rotation == 90) != converter->orientation.flip;
    switch (at) {
    case AVCHROMA_LOC_UNSPECIFIED:
    case AVCHROMA_LOC_LEFT:
        return to_top ? AVCHROMA_LOC_TOP : AVCHROMA_LOC_BOTTOM;
    default:
        return at;
    }
}

/* What the colour tags of the output must say, given those of the input. */
static void tag_output(const fm_converter *converter, const AVFrame *in, AVFrame *out)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get((enum AVPixelFormat)in->format);
    enum AVChromaLocation site = in->chroma_location;
    out->color_range = in->color_range;
    out->colorspace = in->colorspace;
    out->color_primaries = in->color_primaries;
    out->color_trc = in->color_trc;
    if (is_rgb(desc)) {
        out->color_range = AVCOL_RANGE_MPEG;
        out->colorspace = FFMIN(out->width, out->height) < HD_LINES ? AVCOL_SPC_SMPTE170M
                                                                    : AVCOL_SPC_BT709;
    } else if (is_grey(desc)) {
        /* swscale takes grey as full range; the samples pass unchanged, so a tag holds if there is one. */
        if (in->color_range == AVCOL_RANGE_UNSPECIFIED)
            out->color_range = AVCOL_RANGE_JPEG;
        if (in->colorspace == AVCOL_SPC_RGB)
            out->colorspace = AVCOL_SPC_UNSPECIFIED;
    }
    if (desc->log2_chroma_w != 1 || desc->log2_chroma_h != 1)
        site = AVCHROMA_LOC_LEFT; /* where swscale puts new chroma samples */
    out->chroma_location = turned_chroma(converter, site);
}

static int filter(fm_converter *converter, AVFrame *frame, AVFrame *out)
{
    int ret = graph_fits(converter, frame) ? 0 : build_graph(converter, frame);
    if (ret >= 0)
        ret = av_buffersrc_add_frame_flags(converter->source, frame, AV_BUFFERSRC_FLAG_KEEP_REF);
    if (ret >= 0)
        ret = av_buffersink_get_frame(converter->sink, out);
    return ret;
}

fm_status fm_converter_apply(fm_converter *converter, AVFrame *frame, fm_error *err)
{
    normalise_format(frame);
    av_frame_remove_side_data(frame, AV_FRAME_DATA_DISPLAYMATRIX);
    frame->sample_aspect_ratio = (AVRational){1, 1};
    converter->active = frame->format != AV_PIX_FMT_YUV420P ||
                        frame->width != converter->scaled_width ||
                        frame->height != converter->scaled_height ||
                        !fm_orientation_is_upright(converter->orientation);
    if (!converter->active)
        return FM_OK;
    if (!fm_video_size_ok(frame->width, frame->height))
        return fm_fail(err, FM_E_BAD_INPUT, "the picture size changes to %dx%d, which is not "
                       "supported", frame->width, frame->height);

    if (!converter->out && !(converter->out = av_frame_alloc()))
        return fm_fail(err, FM_E_NO_MEMORY, "no memory to convert a video frame");
    AVFrame *out = converter->out;
    const int ret = filter(converter, frame, out);
    if (ret < 0) {
        av_frame_unref(out);
        return fm_fail(err, fm_av_status(ret, FM_E_BAD_INPUT),
                       "cannot convert a %dx%d %s frame to yuv420p: %s", frame->width,
                       frame->height, av_get_pix_fmt_name((enum AVPixelFormat)frame->format),
                       FM_AV_TEXT(ret));
    }
    out->pts = frame->pts;
    out->best_effort_timestamp = frame->best_effort_timestamp;
    fm_frame_set_duration(out, fm_frame_duration(frame));
    out->sample_aspect_ratio = (AVRational){1, 1};
    tag_output(converter, frame, out);
    av_frame_unref(frame);
    av_frame_move_ref(frame, out);
    return FM_OK;
}

void fm_converter_free(fm_converter *converter)
{
    drop_graph(converter);
    av_frame_free(&converter->out);
}
