/*
 * The reader's state, shared by reader.c (the loop) and reader_open.c
 * (opening, positioning, the first frame). Not for other modules.
 */
#ifndef FM_VIDEO_READER_INTERNAL_H
#define FM_VIDEO_READER_INTERNAL_H

#include "convert.h"
#include "input.h"
#include "reader.h"
#include "timeline.h"

enum {
    /* Audio packets kept while looking for the first frame; beyond that the file is opened again. */
    FM_READER_QUEUE_MAX = 256,
};

struct fm_reader {
    char *path;
    fm_reader_options options;
    fm_video_info info;
    fm_input input;
    AVCodecContext *decoder;
    AVRational aspect; /* sample aspect ratio of the first frame */
    fm_converter converter;
    AVCodecParameters *audio_parameters; /* a copy: outlives a second opening of the file */
    AVRational audio_time_base;
    int64_t frame_ticks; /* duration of a frame where the file does not say */

    /* Timestamps of both streams count from these, in their time bases. */
    int64_t video_start, audio_start;
    bool start_known;
    fm_timeline video_time, audio_time;
    int64_t video_from, video_until; /* frames in [from, until) are given */
    int64_t audio_from, audio_until;
    int64_t video_tail;    /* packets from here on mean that audio before `until` is over, too */
    int64_t audio_skip_to; /* given before the file was opened again */

    AVPacket *packet;
    AVFrame *pending; /* the first frame, placed but not yet converted */
    bool has_pending;
    AVPacket *queue[FM_READER_QUEUE_MAX];
    int queue_head, queue_count;

    bool demux_done, video_done, window_done, read_failed;
    int errors_in_row;
    int64_t damaged;
    int64_t frames_good, frames_flagged;
    bool lenient; /* every frame was flagged as damaged: give them all the same */
    double expected_end, video_end, audio_end; /* seconds; expected 0: not known */
    bool expect_any_stream; /* expected_end is the container's, not the video stream's */
    double tolerance; /* seconds that may be missing from expected_end before the clip counts as cut */
    bool file_cut;
};

/* Opens the file anew at the right place with fresh decoder state. seek_back: seconds before options.start; negative: from the beginning. */
fm_status fm_reader_begin(fm_reader *reader, double seek_back, fm_error *err);

/*
 * Reads on to the next frame (placed on the timeline and within the window,
 * not yet converted) or audio packet.
 */
fm_status fm_reader_step(fm_reader *reader, fm_read_kind *kind, AVFrame *frame, AVPacket *packet,
                         fm_error *err);

#endif
