#include "reader.h"

#include <libavutil/mathematics.h>
#include <libavutil/mem.h>
#include <stdlib.h>

#include "av_error.h"
#include "compat.h"
#include "reader_internal.h"

enum {
    ERRORS_IN_ROW_MAX = 2000, /* then the rest of the file is given up */
    FLAGGED_MAX = 250,        /* this many damaged frames and no good one: they all look like that */
};

static fm_status stopped(const fm_reader *reader, fm_error *err)
{
    return fm_fail(err, FM_E_INTERRUPTED, "stopped while reading '%s'", reader->path);
}

static fm_status out_of_memory(const fm_reader *reader, fm_error *err)
{
    return fm_fail(err, FM_E_NO_MEMORY, "no memory to read '%s'", reader->path);
}

/* Counts an error; false: so many came in a row that reading ends here. */
static bool go_on_after_error(fm_reader *reader)
{
    reader->damaged++;
    if (++reader->errors_in_row < ERRORS_IN_ROW_MAX)
        return true;
    reader->read_failed = true;
    reader->demux_done = true;
    reader->video_done = true;
    return false;
}

/* --- video ----------------------------------------------------------- */

static bool is_flagged(const AVFrame *frame)
{
    return frame->decode_error_flags != 0 || (frame->flags & AV_FRAME_FLAG_CORRUPT) != 0;
}

/* Damaged frames are counted and left out, unless all are flagged. */
static bool accept_frame(fm_reader *reader, const AVFrame *frame)
{
    reader->errors_in_row = 0;
    if (!is_flagged(frame)) {
        reader->frames_good++;
        return true;
    }
    reader->frames_flagged++;
    reader->damaged++;
    return reader->lenient;
}

/* Puts the frame on the timeline; true when it lies within the window. */
static bool place_frame(fm_reader *reader, AVFrame *frame)
{
    if (reader->info.still) {
        frame->pts = 0;
        fm_frame_set_duration(frame, reader->frame_ticks);
        return true;
    }
    int64_t duration = fm_frame_duration(frame);
    if (duration <= 0)
        duration = reader->frame_ticks;
    int64_t pts = frame->best_effort_timestamp;
    if (!reader->start_known) {
        /* Some files begin before the start that their header gives. */
        if (pts != AV_NOPTS_VALUE && pts < reader->video_start) {
            const int64_t earlier = av_rescale_q(av_sat_sub64(pts, reader->video_start),
                                                 reader->info.time_base, reader->audio_time_base);
            reader->audio_start = av_sat_add64(reader->audio_start, earlier);
            reader->video_start = pts;
        }
        reader->start_known = true;
    }
    if (pts != AV_NOPTS_VALUE)
        pts = av_sat_sub64(pts, reader->video_start);
    frame->pts = fm_timeline_place(&reader->video_time, pts, duration);
    frame->best_effort_timestamp = frame->pts;
    fm_frame_set_duration(frame, duration);
    reader->video_end =
        (double)av_sat_add64(frame->pts, duration) * av_q2d(reader->info.time_base);
    if (frame->pts >= reader->video_until) {
        reader->video_done = true;
        reader->window_done = true;
    }
    return frame->pts >= reader->video_from && frame->pts < reader->video_until;
}

/* 1: a frame; 0: feed a packet or, at the end, nothing more comes. */
static int receive_frame(fm_reader *reader, AVFrame *frame)
{
    while (!reader->video_done) {
        const int ret = avcodec_receive_frame(reader->decoder, frame);
        if (ret == AVERROR(EAGAIN))
            return 0;
        if (ret == AVERROR(ENOMEM))
            return ret;
        if (ret == AVERROR_EOF) {
            reader->video_done = true;
            return 0;
        }
        if (ret < 0) {
            if (!go_on_after_error(reader))
                return 0;
            continue;
        }
        if (accept_frame(reader, frame) && place_frame(reader, frame)) {
            if (reader->info.still)
                reader->video_done = true;
            return 1;
        }
        av_frame_unref(frame);
        if (reader->frames_good == 0 && reader->frames_flagged >= FLAGGED_MAX)
            return 0;
    }
    return 0;
}

static int send_packet(fm_reader *reader, const AVPacket *packet)
{
    const int ret = avcodec_send_packet(reader->decoder, packet);
    if (ret == AVERROR(ENOMEM))
        return ret;
    if (ret < 0 && ret != AVERROR_EOF)
        go_on_after_error(reader);
    return 0;
}

/* --- audio ----------------------------------------------------------- */

/* Places an audio packet; true when it is to be given. */
static bool place_audio(fm_reader *reader, AVPacket *packet)
{
    int64_t pts = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
    if (pts != AV_NOPTS_VALUE)
        pts = av_sat_sub64(pts, reader->audio_start);
    packet->pts = fm_timeline_place(&reader->audio_time, pts, packet->duration);
    packet->dts = packet->pts;
    const int64_t end = av_sat_add64(packet->pts, packet->duration);
    reader->audio_end = (double)end * av_q2d(reader->audio_time_base);
    if (!reader->info.has_audio || packet->pts <= reader->audio_skip_to)
        return false;
    /* Without a start option, packets before zero stay: they prime the audio decoder. */
    return (end > reader->audio_from || packet->duration <= 0) && packet->pts < reader->audio_until;
}

/* --- the loop -------------------------------------------------------- */

/* Once video is beyond the window, audio may lag a little, never much. */
static void check_window(fm_reader *reader, const AVPacket *packet)
{
    const bool is_video = packet->stream_index == reader->input.video->index;
    const bool audio_over = !reader->info.has_audio ||
                            (!is_video && packet->pts >= reader->audio_until);
    const int64_t dts = packet->dts != AV_NOPTS_VALUE ? packet->dts : packet->pts;
    const bool video_far = is_video && dts != AV_NOPTS_VALUE &&
                           av_sat_sub64(dts, reader->video_start) >= reader->video_tail;
    if (audio_over || video_far)
        reader->demux_done = true;
}

/* Reads one packet and deals with it; true: `packet` holds audio to be given. */
static fm_status read_packet(fm_reader *reader, AVPacket *packet, bool *audio, fm_error *err)
{
    *audio = false;
    int ret = av_read_frame(reader->input.format, packet);
    if (ret < 0) {
        if (reader->input.stopped)
            return stopped(reader, err);
        if (ret == AVERROR(ENOMEM))
            return out_of_memory(reader, err);
        if (ret == AVERROR(EAGAIN) || ret == AVERROR_INVALIDDATA) {
            go_on_after_error(reader);
            return FM_OK;
        }
        reader->read_failed |= ret != AVERROR_EOF || reader->input.read_errno != 0;
        reader->demux_done = true;
        ret = reader->video_done ? 0 : send_packet(reader, NULL);
    } else if (packet->stream_index == reader->input.video->index) {
        reader->damaged += !reader->video_done && (packet->flags & AV_PKT_FLAG_CORRUPT) != 0;
        ret = reader->video_done ? 0 : send_packet(reader, packet);
    } else if (reader->input.audio && packet->stream_index == reader->input.audio->index) {
        *audio = place_audio(reader, packet);
    }
    if (!reader->demux_done && reader->video_done)
        check_window(reader, packet);
    if (!*audio)
        av_packet_unref(packet);
    return ret == AVERROR(ENOMEM) ? out_of_memory(reader, err) : FM_OK;
}

/* Every frame is flagged as damaged: begin again and give them. */
static fm_status begin_lenient(fm_reader *reader, fm_error *err)
{
    reader->lenient = true;
    reader->audio_skip_to = reader->audio_time.started ? reader->audio_time.last : INT64_MIN;
    return fm_reader_begin(reader, reader->options.start > 0 ? 0 : -1, err);
}

fm_status fm_reader_step(fm_reader *reader, fm_read_kind *kind, AVFrame *frame, AVPacket *packet,
                         fm_error *err)
{
    for (;;) {
        if (fm_input_stopped(&reader->input))
            return stopped(reader, err);
        const int got = receive_frame(reader, frame);
        if (got < 0)
            return out_of_memory(reader, err);
        if (got > 0) {
            *kind = FM_READ_FRAME;
            return FM_OK;
        }
        const bool over = reader->demux_done && reader->video_done;
        if (!reader->lenient && reader->frames_good == 0 && reader->frames_flagged > 0 &&
            (over || reader->frames_flagged >= FLAGGED_MAX)) {
            const fm_status status = begin_lenient(reader, err);
            if (status != FM_OK)
                return status;
            continue;
        }
        if (over || (reader->info.still && reader->video_done)) {
            *kind = FM_READ_END;
            return FM_OK;
        }
        if (reader->demux_done)
            continue; /* the decoder is being drained */
        bool audio = false;
        const fm_status status = read_packet(reader, packet, &audio, err);
        if (status != FM_OK)
            return status;
        if (audio) {
            *kind = FM_READ_AUDIO;
            return FM_OK;
        }
    }
}

fm_status fm_reader_next(fm_reader *reader, fm_read_kind *kind, AVFrame *frame, AVPacket *packet,
                         fm_error *err)
{
    *kind = FM_READ_END;
    av_frame_unref(frame);
    av_packet_unref(packet);
    fm_status status = FM_OK;
    if (reader->queue_count > 0) {
        AVPacket **slot = &reader->queue[reader->queue_head++];
        reader->queue_count--;
        av_packet_move_ref(packet, *slot);
        av_packet_free(slot);
        *kind = FM_READ_AUDIO;
    } else if (reader->has_pending) {
        av_frame_move_ref(frame, reader->pending);
        reader->has_pending = false;
        *kind = FM_READ_FRAME;
    } else {
        status = fm_reader_step(reader, kind, frame, packet, err);
    }
    if (status == FM_OK && *kind == FM_READ_AUDIO)
        packet->stream_index = 0;
    if (status == FM_OK && *kind == FM_READ_FRAME) {
        status = fm_converter_apply(&reader->converter, frame, err);
        if (status != FM_OK)
            av_frame_unref(frame);
    }
    if (status != FM_OK)
        *kind = FM_READ_END;
    return status;
}

const fm_video_info *fm_reader_info(const fm_reader *reader)
{
    return &reader->info;
}

const AVCodecParameters *fm_reader_audio(const fm_reader *reader, AVRational *time_base)
{
    if (!reader->info.has_audio)
        return NULL;
    if (time_base)
        *time_base = reader->audio_time_base;
    return reader->audio_parameters;
}

int64_t fm_reader_damaged(const fm_reader *reader)
{
    return reader->damaged;
}

int64_t fm_reader_repaired(const fm_reader *reader)
{
    return reader->video_time.repaired;
}

bool fm_reader_truncated(const fm_reader *reader)
{
    if (!reader->demux_done || reader->window_done || reader->info.still)
        return false;
    if (reader->read_failed || reader->file_cut)
        return true;
    const double end = reader->expect_any_stream ? FFMAX(reader->video_end, reader->audio_end)
                                                 : reader->video_end;
    return reader->expected_end > 0 && reader->expected_end - end > reader->tolerance;
}

void fm_reader_close(fm_reader **reader_pointer)
{
    fm_reader *reader = reader_pointer ? *reader_pointer : NULL;
    if (!reader)
        return;
    for (int i = 0; i < FM_READER_QUEUE_MAX; i++)
        av_packet_free(&reader->queue[i]);
    av_frame_free(&reader->pending);
    av_packet_free(&reader->packet);
    fm_converter_free(&reader->converter);
    avcodec_free_context(&reader->decoder);
    avcodec_parameters_free(&reader->audio_parameters);
    fm_input_close(&reader->input);
    free(reader->path);
    free(reader);
    *reader_pointer = NULL;
}
