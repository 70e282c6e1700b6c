/*
 * Video in: any container and codec that FFmpeg reads, as upright 8-bit
 * yuv420p frames with exact presentation timestamps, and the audio packets.
 *
 * Rotation and flips from the display matrix are applied, non-square pixels
 * are made square, other pixel formats become yuv420p once (frames that are
 * yuv420p already pass by reference, untouched). Timestamps are in
 * info.time_base, relative to the start of the container, as ffplay shows
 * them. A packet or frame that cannot be decoded is skipped and counted.
 * A still image is a clip of one frame.
 *
 * Thread-safety: Unsafe; one reader, one thread at a time. FFmpeg decodes on
 * threads of its own.
 */
#ifndef FM_VIDEO_READER_H
#define FM_VIDEO_READER_H

#include <libavcodec/packet.h>
#include <libavformat/avformat.h>
#include <libavutil/frame.h>
#include <stdbool.h>
#include <stdint.h>

#include "face/image.h"
#include "facemirror/error.h"

typedef struct fm_reader fm_reader;

typedef struct fm_reader_options {
    int threads;            /* decoder threads; 0: FFmpeg's choice */
    double start, duration; /* seconds; frames outside are not given; duration 0: to the end */
    bool no_audio;
    /* Polled inside blocking reads; true: give up with FM_E_INTERRUPTED. May be NULL. */
    bool (*should_stop)(void *opaque);
    void *opaque;
} fm_reader_options;

typedef struct fm_video_info {
    int width, height;          /* upright, square pixels; may be odd */
    int coded_width, coded_height;
    int rotation;               /* clockwise degrees that were applied: 0, 90, 180, 270 */
    bool flipped;               /* left and right were swapped before turning, as the file asks */
    AVRational time_base;
    AVRational frame_rate;      /* average, for information */
    double duration;            /* seconds, 0 when not known */
    int64_t frame_estimate;     /* 0 when not known; respects start/duration */
    char codec[32], pixel_format[32], container[64];
    bool converted;             /* frames pass through a filter (rotation, format, aspect) */
    bool has_audio;
    bool still;                 /* an image file: one frame */
} fm_video_info;

typedef enum fm_read_kind { FM_READ_END = 0, FM_READ_FRAME = 1, FM_READ_AUDIO = 2 } fm_read_kind;

/*
 * Stops FFmpeg's own messages on standard error, process-wide: what matters
 * comes back as fm_error. Call it once at start. Thread-safety: Safe.
 */
void fm_video_log_quiet(void);

/*
 * Opens `path`. FM_E_NOT_FOUND: missing, a folder, or not readable.
 * FM_E_BAD_INPUT: not a video, no video stream, no decoder.
 */
fm_status fm_reader_open(fm_reader **out, const char *path, const fm_reader_options *options,
                         fm_error *err);
void fm_reader_close(fm_reader **reader);

const fm_video_info *fm_reader_info(const fm_reader *reader);

/* The audio stream's parameters and time base; NULL when there is none. Valid until close. */
const AVCodecParameters *fm_reader_audio(const fm_reader *reader, AVRational *time_base);

/*
 * Next frame or audio packet, in file order. *kind says which of `frame`
 * (unreferenced by the callee before use; the caller owns the reference
 * afterwards) and `packet` was filled. Frames come in presentation order with
 * strictly rising pts: a frame whose pts is missing or does not rise is given
 * a pts from its neighbours and counted in fm_reader_repaired. Audio pts are
 * relative to the same start.
 */
fm_status fm_reader_next(fm_reader *reader, fm_read_kind *kind, AVFrame *frame, AVPacket *packet,
                         fm_error *err);

/* Frames and packets that could not be decoded or were incomplete, so far: a sign, not an exact number of pictures. */
int64_t fm_reader_damaged(const fm_reader *reader);
int64_t fm_reader_repaired(const fm_reader *reader);
/* True when the file ended before its own index or header said. Valid after FM_READ_END. */
bool fm_reader_truncated(const fm_reader *reader);

/*
 * A view of a yuv420p frame for the face code, with its colour tags
 * (unspecified: BT.601 below 720 lines, else BT.709). Another pixel format
 * gives an image of width 0.
 */
fm_image fm_image_from_frame(const AVFrame *frame);

#endif
