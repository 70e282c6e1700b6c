#include <libavutil/avstring.h>
#include <libavutil/mathematics.h>
#include <libavutil/pixdesc.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "av_error.h"
#include "compat.h"
#include "reader.h"
#include "reader_internal.h"

enum {
    TAIL_SECONDS = 5,
    TIME_LIMIT_SECONDS = 1 << 24,
    /* Up to full HD one core decodes these codecs faster than a pipeline with encoders takes them. */
    ONE_CORE_PIXELS = 1920 * 1088,
};

/*
 * With frame threads these decoders hand out a frame before the thread that
 * still works on it has flagged its errors, so the same damaged file would
 * give other frames each time. Slice threads do not have that race.
 */
static bool flags_errors_late(const AVCodecParameters *par)
{
    switch (par->codec_id) {
    case AV_CODEC_ID_H264:
    case AV_CODEC_ID_MPEG4:
    case AV_CODEC_ID_H263:
        return (int64_t)par->width * par->height <= ONE_CORE_PIXELS;
    default:
        return false;
    }
}

static fm_status open_decoder(fm_reader *reader, fm_error *err)
{
    const fm_input *input = &reader->input;
    avcodec_free_context(&reader->decoder);
    AVCodecContext *decoder = avcodec_alloc_context3(input->decoder);
    reader->decoder = decoder;
    if (!decoder)
        return fm_fail(err, FM_E_NO_MEMORY, "no memory to decode '%s'", reader->path);
    int ret = avcodec_parameters_to_context(decoder, input->video->codecpar);
    decoder->pkt_timebase = input->video->time_base;
    decoder->thread_count = reader->options.threads;
    if (flags_errors_late(input->video->codecpar))
        decoder->thread_type = FF_THREAD_SLICE;
    decoder->max_pixels = FM_VIDEO_PIXELS_MAX;
    /* Frames that lack their references come out flagged, so that they are counted. */
    decoder->flags |= AV_CODEC_FLAG_OUTPUT_CORRUPT;
    if (ret >= 0)
        ret = avcodec_open2(decoder, input->decoder, NULL);
    if (ret < 0)
        return fm_fail(err, fm_av_status(ret, FM_E_BAD_INPUT),
                       "cannot start the %s decoder for '%s': %s", input->decoder->name,
                       reader->path, FM_AV_TEXT(ret));
    return FM_OK;
}

static int64_t ticks_at(double seconds, AVRational time_base)
{
    /* A hair below, so that a decimal start finds the frame that begins exactly there. */
    return (int64_t)ceil(fmin(seconds, TIME_LIMIT_SECONDS) / av_q2d(time_base) - 1e-6);
}

static void set_window(fm_reader *reader)
{
    const double from = reader->options.start, length = reader->options.duration;
    const AVRational video = reader->info.time_base, audio = reader->audio_time_base;
    reader->video_from = from > 0 ? ticks_at(from, video) : INT64_MIN;
    reader->audio_from = from > 0 ? ticks_at(from, audio) : INT64_MIN;
    reader->video_until = length > 0 ? ticks_at(from + length, video) : INT64_MAX;
    reader->audio_until = length > 0 ? ticks_at(from + length, audio) : INT64_MAX;
    reader->video_tail = length > 0 ? ticks_at(from + length + TAIL_SECONDS, video) : INT64_MAX;
}

static void set_start(fm_reader *reader)
{
    AVRational time_base;
    const int64_t start = fm_input_start(&reader->input, &time_base);
    reader->video_start = av_rescale_q(start, time_base, reader->info.time_base);
    reader->audio_start = av_rescale_q(start, time_base, reader->audio_time_base);
}

static void seek(fm_reader *reader, double seek_back)
{
    const double target = reader->options.start - seek_back;
    if (target <= 0)
        return;
    const int64_t ts = av_sat_add64(ticks_at(target, reader->info.time_base), reader->video_start);
    /* A failed seek leaves the position where it was: frames before the start are dropped anyway. */
    (void)avformat_seek_file(reader->input.format, reader->input.video->index, INT64_MIN, ts, ts,
                             0);
    reader->start_known = true;
}

static void drop_queue(fm_reader *reader)
{
    for (int i = 0; i < FM_READER_QUEUE_MAX; i++)
        av_packet_free(&reader->queue[i]);
    reader->queue_head = reader->queue_count = 0;
    av_frame_unref(reader->pending);
    reader->has_pending = false;
}

fm_status fm_reader_begin(fm_reader *reader, double seek_back, fm_error *err)
{
    const bool again = reader->decoder != NULL;
    fm_status status = FM_OK;
    if (again) {
        avcodec_free_context(&reader->decoder);
        fm_input_close(&reader->input);
        status = fm_input_open(&reader->input, reader->path, reader->options.should_stop,
                               reader->options.opaque, err);
    }
    if (status == FM_OK)
        status = open_decoder(reader, err);
    if (status != FM_OK)
        return status;
    drop_queue(reader);
    fm_timeline_init(&reader->video_time, reader->info.time_base);
    fm_timeline_init(&reader->audio_time, reader->audio_time_base);
    reader->demux_done = reader->video_done = reader->window_done = reader->read_failed = false;
    reader->errors_in_row = 0;
    reader->damaged = reader->frames_good = reader->frames_flagged = 0;
    reader->video_end = reader->audio_end = 0;
    if (seek_back >= 0)
        seek(reader, seek_back);
    return FM_OK;
}

static void set_rate(fm_reader *reader)
{
    const AVStream *stream = reader->input.video;
    AVRational rate = stream->avg_frame_rate;
    if (rate.num <= 0 || rate.den <= 0)
        rate = stream->r_frame_rate;
    if (rate.num <= 0 || rate.den <= 0)
        rate = (AVRational){25, 1};
    reader->info.frame_rate = rate;
    const int64_t ticks = av_rescale_q(1, av_inv_q(rate), reader->info.time_base);
    reader->frame_ticks = FFMAX(ticks, 1);
}

/* Subtitles and further sound tracks may outlast what is read. */
static bool reads_all_streams(const fm_input *input)
{
    for (unsigned i = 0; i < input->format->nb_streams; i++)
        if (input->format->streams[i] != input->video && input->format->streams[i] != input->audio)
            return false;
    return true;
}

static void set_durations(fm_reader *reader)
{
    const AVFormatContext *format = reader->input.format;
    const AVStream *stream = reader->input.video;
    fm_video_info *info = &reader->info;
    const bool guessed = format->duration_estimation_method == AVFMT_DURATION_FROM_BITRATE;
    double stream_seconds = 0;
    if (stream->duration > 0 && !guessed)
        stream_seconds = (double)stream->duration * av_q2d(stream->time_base);
    double whole = format->duration > 0 ? (double)format->duration / AV_TIME_BASE : 0;
    /* FFmpeg's Matroska writer puts the time of the end there, other programs the length: believe the lesser. */
    if (stream_seconds <= 0 && format->start_time != AV_NOPTS_VALUE && format->start_time > 0)
        whole = fmax(whole - (double)format->start_time / AV_TIME_BASE, 0);
    info->duration = stream_seconds > 0 ? stream_seconds : whole;

    if (strcmp(format->iformat->name, "avi") == 0 && stream->nb_frames > 0) {
        /* The demuxer shortens the duration of a cut file; the header's frame count stays. */
        reader->expected_end = (double)stream->nb_frames / av_q2d(info->frame_rate);
    } else if (stream_seconds > 0) {
        double offset = 0;
        if (stream->start_time != AV_NOPTS_VALUE)
            offset = (double)av_sat_sub64(stream->start_time, reader->video_start) *
                     av_q2d(stream->time_base);
        reader->expected_end = offset + stream_seconds;
    } else if (!guessed && reads_all_streams(&reader->input)) {
        reader->expected_end = whole;
        reader->expect_any_stream = true;
    }
    reader->tolerance = fmax(1.0, 0.05 * reader->expected_end);
    /* Matroska's writers state the length to the millisecond. */
    if (reader->expect_any_stream && av_match_name("matroska", format->iformat->name))
        reader->tolerance = fmax(0.2, fmin(1.0, 0.05 * reader->expected_end));
    reader->file_cut = fm_input_exceeds_file(&reader->input);

    double seconds = fmax(info->duration - reader->options.start, 0);
    if (reader->options.duration > 0)
        seconds = fmin(seconds, reader->options.duration);
    const double estimate = seconds * av_q2d(info->frame_rate);
    if (info->still) {
        info->frame_estimate = 1;
        info->duration = av_q2d(av_inv_q(info->frame_rate));
    } else if (stream->nb_frames > 0 && reader->options.start <= 0 && reader->options.duration <= 0) {
        info->frame_estimate = stream->nb_frames;
    } else if (estimate < 1e15) {
        info->frame_estimate = llround(estimate);
    }
}

/* What is known before the first frame. */
static fm_status describe(fm_reader *reader, fm_error *err)
{
    const fm_input *input = &reader->input;
    fm_video_info *info = &reader->info;
    info->time_base = input->video->time_base;
    info->still = input->still;
    av_strlcpy(info->codec, avcodec_get_name(input->video->codecpar->codec_id),
               sizeof info->codec);
    av_strlcpy(info->container, input->format->iformat->name, sizeof info->container);
    reader->audio_time_base = info->time_base;
    info->has_audio = input->audio && !reader->options.no_audio;
    if (input->audio)
        reader->audio_time_base = input->audio->time_base;
    if (info->has_audio) {
        reader->audio_parameters = avcodec_parameters_alloc();
        if (!reader->audio_parameters ||
            avcodec_parameters_copy(reader->audio_parameters, input->audio->codecpar) < 0)
            return fm_fail(err, FM_E_NO_MEMORY, "no memory to open '%s'", reader->path);
    }
    set_rate(reader);
    set_start(reader);
    set_window(reader);
    set_durations(reader);
    return FM_OK;
}

static AVRational frame_aspect(fm_reader *reader, AVFrame *frame)
{
    return av_guess_sample_aspect_ratio(reader->input.format, reader->input.video, frame);
}

/* What the first frame says: size, format, orientation. */
static fm_status describe_frame(fm_reader *reader, AVFrame *frame, fm_error *err)
{
    fm_video_info *info = &reader->info;
    info->coded_width = frame->width;
    info->coded_height = frame->height;
    const char *format = av_get_pix_fmt_name((enum AVPixelFormat)frame->format);
    av_strlcpy(info->pixel_format, format ? format : "?", sizeof info->pixel_format);

    /* An image's own tag (EXIF) comes with the frame, a container's with the stream. */
    const int32_t *matrix = fm_stream_display_matrix(reader->input.video);
    const AVFrameSideData *side = av_frame_get_side_data(frame, AV_FRAME_DATA_DISPLAYMATRIX);
    if (side && side->size >= 9 * sizeof(int32_t))
        matrix = (const int32_t *)(const void *)side->data;
    const fm_orientation orientation = fm_orientation_from_matrix(matrix);
    info->rotation = orientation.rotation;
    info->flipped = orientation.flip;

    const fm_status status = fm_converter_init(&reader->converter, frame, frame_aspect(reader, frame),
                                               orientation, reader->options.threads, err);
    info->width = reader->converter.width;
    info->height = reader->converter.height;
    info->converted = !fm_orientation_is_upright(orientation) ||
                      (frame->format != AV_PIX_FMT_YUV420P && frame->format != AV_PIX_FMT_YUVJ420P) ||
                      info->width != frame->width || info->height != frame->height;
    return status;
}

/*
 * Reads up to the first frame and keeps it and the audio before it. *found is
 * false when the file ends first; *overflow when there was too much audio to keep.
 */
static fm_status prime(fm_reader *reader, bool *found, bool *overflow, fm_error *err)
{
    *found = *overflow = false;
    for (;;) {
        fm_read_kind kind = FM_READ_END;
        const fm_status status =
            fm_reader_step(reader, &kind, reader->pending, reader->packet, err);
        if (status != FM_OK || kind == FM_READ_END)
            return status;
        if (kind == FM_READ_FRAME) {
            reader->has_pending = *found = true;
            return FM_OK;
        }
        if (reader->queue_count == FM_READER_QUEUE_MAX)
            *overflow = true;
        if (!*overflow) {
            AVPacket *kept = av_packet_alloc();
            if (!kept)
                return fm_fail(err, FM_E_NO_MEMORY, "no memory to open '%s'", reader->path);
            av_packet_move_ref(kept, reader->packet);
            reader->queue[reader->queue_count++] = kept;
        }
        av_packet_unref(reader->packet);
    }
}

/* Finds the first frame; seeks further back where a seek landed behind the start. */
static fm_status find_first_frame(fm_reader *reader, fm_error *err)
{
    static const double backwards[] = {0, 3, 15, -1};
    size_t attempt = reader->options.start > 0 ? 0 : 3;
    bool found = false, overflow = false;
    for (;; attempt++) {
        fm_status status = fm_reader_begin(reader, backwards[attempt], err);
        if (status == FM_OK)
            status = prime(reader, &found, &overflow, err);
        if (status != FM_OK)
            return status;
        if (attempt == 3)
            break;
        if (found && reader->pending->pts - reader->video_from < 2 * reader->frame_ticks)
            break;
    }
    if (!found && reader->options.start > 0 && reader->frames_good > 0)
        return fm_fail(err, FM_E_USAGE, "'%s' has no frame after %g s: it is %.3f s long",
                       reader->path, reader->options.start, reader->video_end);
    if (!found)
        return fm_fail(err, FM_E_BAD_INPUT,
                       "'%s' holds no video frame that can be decoded; check that the file is whole",
                       reader->path);
    const fm_status status = describe_frame(reader, reader->pending, err);
    if (status != FM_OK || !overflow)
        return status;
    /* The sound of the whole file comes first: now that all is known, read it without keeping it. */
    return fm_reader_begin(reader, backwards[attempt], err);
}

fm_status fm_reader_open(fm_reader **out, const char *path, const fm_reader_options *options,
                         fm_error *err)
{
    *out = NULL;
    fm_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return fm_fail(err, FM_E_NO_MEMORY, "no memory to open '%s'", path);
    if (options)
        reader->options = *options;
    reader->input.fd = -1;
    reader->audio_skip_to = INT64_MIN;
    reader->path = strdup(path);
    reader->packet = av_packet_alloc();
    reader->pending = av_frame_alloc();
    fm_status status = FM_OK;
    const double start = reader->options.start, duration = reader->options.duration;
    if (!reader->path || !reader->packet || !reader->pending)
        status = fm_fail(err, FM_E_NO_MEMORY, "no memory to open '%s'", path);
    else if (!isfinite(start) || !isfinite(duration) || start < 0 || duration < 0)
        status = fm_fail(err, FM_E_USAGE, "start and duration must be zero or more seconds");
    else
        status = fm_input_open(&reader->input, reader->path, reader->options.should_stop,
                               reader->options.opaque, err);
    if (status == FM_OK)
        status = describe(reader, err);
    if (status == FM_OK)
        status = find_first_frame(reader, err);
    if (status != FM_OK) {
        fm_reader_close(&reader);
        return status;
    }
    *out = reader;
    return FM_OK;
}
