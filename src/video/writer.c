#include "writer.h"

#include <libavutil/avstring.h>
#include <libavutil/mathematics.h>
#include <libavutil/mem.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "audio_encoder.h"
#include "av_error.h"
#include "compat.h"
#include "video_encoder.h"

enum {
    DURATIONS_MAX = 1024,       /* more than any encoder holds back (x264: up to 250 frames) */
    TIMESCALE_MIN = 1000,       /* below that, players' seeking is coarse */
    MOVIE_TIMESCALE_MAX = 10000000,
};

struct fm_writer {
    char *path;
    AVFormatContext *mux;
    bool header_written, finished;
    fm_status failed; /* sticky */

    fm_video_encoder encoder;
    AVStream *video;
    AVRational time_base; /* of frames */
    int64_t last_pts;
    bool has_frame;
    struct {
        int64_t pts, duration;
    } durations[DURATIONS_MAX]; /* of the frames sent last, to give packets theirs */
    size_t frames;
    AVPacket *packet;

    fm_audio_handling handling;
    AVStream *audio;
    AVRational audio_time_base;
    fm_audio_encoder *audio_encoder; /* NULL: packets are copied */
    int64_t audio_last_dts, audio_rescale_last;
    bool has_audio_dts;
};

static fm_status fail(fm_writer *writer, int code, fm_status otherwise, const char *what,
                      fm_error *err)
{
    writer->failed = fm_av_status(code, otherwise);
    if (writer->failed == FM_E_NO_SPACE)
        return fm_fail(err, FM_E_NO_SPACE, "cannot write '%s': %s; free some space and run again",
                       writer->path, FM_AV_TEXT(code));
    return fm_fail(err, writer->failed, "%s '%s': %s", what, writer->path, FM_AV_TEXT(code));
}

static fm_status check_usable(const fm_writer *writer, fm_error *err)
{
    if (writer->failed != FM_OK)
        return fm_fail(err, writer->failed, "writing '%s' failed before", writer->path);
    if (writer->finished)
        return fm_fail(err, FM_E_INTERNAL, "'%s' is finished already", writer->path);
    return FM_OK;
}

/* --- opening --------------------------------------------------------- */

static fm_status check_options(const fm_writer_options *options, const char *path, fm_error *err)
{
    if (options->width < 2 || options->height < 2 || options->width % 2 || options->height % 2)
        return fm_fail(err, FM_E_USAGE, "'%s': H.264 video needs an even size, not %dx%d", path,
                       options->width, options->height);
    if (options->time_base.num <= 0 || options->time_base.den <= 0 ||
        options->frame_rate.num <= 0 || options->frame_rate.den <= 0)
        return fm_fail(err, FM_E_USAGE, "'%s': time base and frame rate must be positive", path);
    if (!options->encoder)
        return fm_fail(err, FM_E_USAGE, "'%s': no encoder is named", path);
    return FM_OK;
}

static fm_status add_video(fm_writer *writer, const fm_writer_options *options, fm_error *err)
{
    const fm_video_encoder_options encoder_options = {
        .name = options->encoder,
        .width = options->width,
        .height = options->height,
        .time_base = options->time_base,
        .frame_rate = options->frame_rate,
        .quality = options->quality,
        .threads = options->threads,
        .colour = options->colour,
        .global_header = true,
    };
    int ret = fm_video_encoder_open(&writer->encoder, &encoder_options);
    if (ret < 0)
        return fm_fail(err, fm_av_status(ret, FM_E_RUNTIME),
                       "the encoder %s does not start for %dx%d: %s; choose another",
                       options->encoder, options->width, options->height, FM_AV_TEXT(ret));
    writer->video = avformat_new_stream(writer->mux, NULL);
    if (!writer->video)
        return fm_fail(err, FM_E_NO_MEMORY, "no memory to write '%s'", writer->path);
    const AVCodecContext *context = writer->encoder.context;
    ret = avcodec_parameters_from_context(writer->video->codecpar, context);
    if (ret < 0)
        return fail(writer, ret, FM_E_OUTPUT, "cannot describe the video of", err);
    writer->time_base = context->time_base;
    writer->video->time_base = context->time_base;
    writer->video->avg_frame_rate = options->frame_rate;
    writer->video->sample_aspect_ratio = (AVRational){1, 1};
    return FM_OK;
}

static fm_status add_audio(fm_writer *writer, const fm_writer_options *options, fm_error *err)
{
    if (!options->audio)
        return FM_OK;
    writer->audio_time_base = options->audio_time_base;
    const bool copied = fm_audio_is_copied(options->audio);
    if (!copied) {
        const int ret = fm_audio_encoder_open(&writer->audio_encoder, options->audio,
                                              options->audio_time_base);
        if (ret == AVERROR(ENOMEM))
            return fail(writer, ret, FM_E_NO_MEMORY, "cannot encode the sound of", err);
        if (ret < 0) {
            writer->handling = FM_AUDIO_LEFT_OUT; /* the picture matters more */
            return FM_OK;
        }
    }
    writer->audio = avformat_new_stream(writer->mux, NULL);
    if (!writer->audio)
        return fm_fail(err, FM_E_NO_MEMORY, "no memory to write '%s'", writer->path);
    AVCodecParameters *par = writer->audio->codecpar;
    const int ret = copied ? avcodec_parameters_copy(par, options->audio)
                           : avcodec_parameters_from_context(
                                 par, fm_audio_encoder_context(writer->audio_encoder));
    if (ret < 0)
        return fail(writer, ret, FM_E_OUTPUT, "cannot describe the sound of", err);
    par->codec_tag = 0; /* the input container's number for the codec means nothing in MP4 */
    writer->audio->time_base = (AVRational){1, par->sample_rate};
    writer->handling = copied ? FM_AUDIO_COPIED : FM_AUDIO_ENCODED;
    return FM_OK;
}

/* A track's clock is 1/timescale: the time base's denominator keeps every pts exactly. */
static int video_timescale(AVRational time_base)
{
    int timescale = time_base.den;
    while (timescale < TIMESCALE_MIN)
        timescale *= 2;
    return timescale;
}

/*
 * The movie's clock counts the edit lists, which hold each track's start:
 * exact for both tracks where a common multiple is small enough.
 */
static int64_t movie_timescale(const fm_writer *writer, int timescale)
{
    if (!writer->audio)
        return timescale;
    const int rate = writer->audio->codecpar->sample_rate;
    const int64_t common = timescale / av_gcd(timescale, rate) * rate;
    return common <= MOVIE_TIMESCALE_MAX ? common : timescale;
}

static fm_status open_file(fm_writer *writer, fm_error *err)
{
    int ret = avio_open2(&writer->mux->pb, writer->mux->url, AVIO_FLAG_WRITE, NULL, NULL);
    if (ret < 0)
        return fail(writer, ret, FM_E_OUTPUT, "cannot create", err);
    AVDictionary *options = NULL;
    const int timescale = video_timescale(writer->time_base);
    av_dict_set(&options, "movflags", "+faststart", 0);
    av_dict_set_int(&options, "video_track_timescale", timescale, 0);
    av_dict_set_int(&options, "movie_timescale", movie_timescale(writer, timescale), 0);
    writer->mux->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL; /* FLAC, Opus in MP4 */
    ret = avformat_write_header(writer->mux, &options);
    av_dict_free(&options);
    if (ret < 0)
        return fail(writer, ret, FM_E_OUTPUT, "cannot begin", err);
    writer->header_written = true;
    return FM_OK;
}

fm_status fm_writer_open(fm_writer **out, const char *path, const fm_writer_options *options,
                         fm_error *err)
{
    *out = NULL;
    fm_status status = check_options(options, path, err);
    if (status != FM_OK)
        return status;
    fm_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return fm_fail(err, FM_E_NO_MEMORY, "no memory to write '%s'", path);
    writer->audio_rescale_last = AV_NOPTS_VALUE;
    writer->path = strdup(path);
    writer->packet = av_packet_alloc();
    /* "file:" keeps a name with a colon from being read as a protocol. */
    char *url = av_asprintf("file:%s", path);
    if (!writer->path || !writer->packet || !url ||
        avformat_alloc_output_context2(&writer->mux, NULL, "mp4", url) < 0)
        status = fm_fail(err, FM_E_NO_MEMORY, "no memory to write '%s'", path);
    av_free(url);
    if (status == FM_OK && options->title)
        av_dict_set(&writer->mux->metadata, "title", options->title, 0);
    if (status == FM_OK)
        status = add_video(writer, options, err);
    if (status == FM_OK)
        status = add_audio(writer, options, err);
    if (status == FM_OK)
        status = open_file(writer, err);
    if (status != FM_OK) {
        fm_writer_close(&writer);
        return status;
    }
    *out = writer;
    return FM_OK;
}

fm_audio_handling fm_writer_audio_handling(const fm_writer *writer)
{
    return writer->handling;
}

int64_t fm_writer_buffers(const fm_writer *writer)
{
    return writer->encoder.buffers;
}

/* --- packets to the file --------------------------------------------- */

/* Takes the packet's reference. 0 or an AVERROR code, errors of earlier buffered writes included. */
static int mux_packet(fm_writer *writer, AVPacket *packet, const AVStream *stream)
{
    packet->stream_index = stream->index;
    packet->pos = -1;
    int ret = av_interleaved_write_frame(writer->mux, packet);
    if (ret >= 0 && writer->mux->pb->error < 0)
        ret = writer->mux->pb->error;
    return FFMIN(ret, 0);
}

static int64_t duration_of(const fm_writer *writer, int64_t pts)
{
    const size_t count = FFMIN(writer->frames, DURATIONS_MAX);
    for (size_t i = 0; i < count; i++) {
        const size_t slot = (writer->frames - 1 - i) % DURATIONS_MAX;
        if (writer->durations[slot].pts == pts)
            return writer->durations[slot].duration;
    }
    return 0;
}

/* *encode is false when the error is the file's. */
static int take_video_packets(fm_writer *writer, bool *encode)
{
    for (;;) {
        *encode = true;
        int ret = avcodec_receive_packet(writer->encoder.context, writer->packet);
        if (ret == AVERROR(EAGAIN) || ret == AVERROR_EOF)
            return 0;
        if (ret < 0)
            return ret;
        *encode = false;
        if (writer->packet->duration <= 0)
            writer->packet->duration = duration_of(writer, writer->packet->pts);
        av_packet_rescale_ts(writer->packet, writer->time_base, writer->video->time_base);
        ret = mux_packet(writer, writer->packet, writer->video);
        if (ret < 0)
            return ret;
    }
}

static fm_status encode(fm_writer *writer, const AVFrame *frame, fm_error *err)
{
    bool encode_failed = true;
    int ret = fm_video_encoder_send(&writer->encoder, frame);
    if (ret >= 0)
        ret = take_video_packets(writer, &encode_failed);
    if (ret >= 0)
        return FM_OK;
    return encode_failed ? fail(writer, ret, FM_E_RUNTIME, "the encoder failed on", err)
                         : fail(writer, ret, FM_E_OUTPUT, "cannot write", err);
}

fm_status fm_writer_video(fm_writer *writer, const AVFrame *frame, fm_error *err)
{
    const fm_status status = check_usable(writer, err);
    if (status != FM_OK)
        return status;
    const AVCodecContext *context = writer->encoder.context;
    if ((frame->format != AV_PIX_FMT_YUV420P && frame->format != AV_PIX_FMT_YUVJ420P) ||
        frame->width != context->width || frame->height != context->height)
        return fm_fail(err, FM_E_INTERNAL, "'%s' takes %dx%d yuv420p frames, not %dx%d",
                       writer->path, context->width, context->height, frame->width, frame->height);
    if (frame->pts == AV_NOPTS_VALUE || (writer->has_frame && frame->pts <= writer->last_pts))
        return fm_fail(err, FM_E_INTERNAL, "'%s': timestamps must rise, and %lld does not",
                       writer->path, (long long)frame->pts);
    const size_t slot = writer->frames++ % DURATIONS_MAX;
    writer->durations[slot].pts = frame->pts;
    writer->durations[slot].duration = fm_frame_duration(frame);
    writer->has_frame = true;
    writer->last_pts = frame->pts;
    return encode(writer, frame, err);
}

/* --- audio ----------------------------------------------------------- */

/* Coarse container clocks (1 ms in Matroska) are brought back to whole audio frames, as ffmpeg does. */
static int copy_audio(fm_writer *writer, AVPacket *packet)
{
    AVStream *stream = writer->audio;
    const AVCodecParameters *par = stream->codecpar;
    int samples = av_get_audio_frame_duration2(writer->audio->codecpar, packet->size);
    if (samples <= 0)
        samples = par->frame_size;
    int64_t pts = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
    if (pts == AV_NOPTS_VALUE) {
        av_packet_unref(packet);
        return 0;
    }
    pts = samples > 0 ? av_rescale_delta(writer->audio_time_base, pts,
                                         (AVRational){1, par->sample_rate}, samples,
                                         &writer->audio_rescale_last, stream->time_base)
                      : av_rescale_q(pts, writer->audio_time_base, stream->time_base);
    if (writer->has_audio_dts && pts <= writer->audio_last_dts)
        pts = writer->audio_last_dts + 1;
    writer->has_audio_dts = true;
    writer->audio_last_dts = pts;
    packet->duration = av_rescale_q(packet->duration, writer->audio_time_base, stream->time_base);
    packet->pts = packet->dts = pts;
    return mux_packet(writer, packet, stream);
}

static int encoded_audio_sink(void *opaque, AVPacket *packet)
{
    fm_writer *writer = opaque;
    av_packet_rescale_ts(packet, fm_audio_encoder_context(writer->audio_encoder)->time_base,
                         writer->audio->time_base);
    return mux_packet(writer, packet, writer->audio);
}

fm_status fm_writer_audio(fm_writer *writer, AVPacket *packet, fm_error *err)
{
    const fm_status status = check_usable(writer, err);
    int ret = 0;
    if (status == FM_OK && writer->audio_encoder)
        ret = fm_audio_encoder_send(writer->audio_encoder, packet, encoded_audio_sink, writer);
    else if (status == FM_OK && writer->audio)
        ret = copy_audio(writer, packet);
    av_packet_unref(packet);
    return ret < 0 ? fail(writer, ret, FM_E_OUTPUT, "cannot write the sound of", err) : status;
}

/* --- the end --------------------------------------------------------- */

fm_status fm_writer_finish(fm_writer *writer, fm_error *err)
{
    fm_status status = check_usable(writer, err);
    if (status == FM_OK)
        status = encode(writer, NULL, err);
    if (status != FM_OK)
        return status;
    int ret = 0;
    if (writer->audio_encoder)
        ret = fm_audio_encoder_send(writer->audio_encoder, NULL, encoded_audio_sink, writer);
    if (ret >= 0)
        ret = av_write_trailer(writer->mux);
    if (ret >= 0 && writer->mux->pb->error < 0)
        ret = writer->mux->pb->error;
    const int closed = avio_closep(&writer->mux->pb);
    if (ret >= 0)
        ret = closed;
    writer->finished = true;
    return ret < 0 ? fail(writer, ret, FM_E_OUTPUT, "cannot complete", err) : FM_OK;
}

void fm_writer_close(fm_writer **pointer)
{
    fm_writer *writer = pointer ? *pointer : NULL;
    if (!writer)
        return;
    fm_video_encoder_close(&writer->encoder);
    fm_audio_encoder_close(&writer->audio_encoder);
    av_packet_free(&writer->packet);
    if (writer->mux)
        avio_closep(&writer->mux->pb);
    avformat_free_context(writer->mux);
    free(writer->path);
    free(writer);
    *pointer = NULL;
}
