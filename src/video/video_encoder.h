/*
 * An opened H.264 encoder, whatever its kind: takes yuv420p frames in memory
 * and brings them to where and how the encoder wants them.
 *
 * Thread-safety: Unsafe; one thread at a time.
 */
#ifndef FM_VIDEO_VIDEO_ENCODER_H
#define FM_VIDEO_VIDEO_ENCODER_H

#include <libavcodec/avcodec.h>
#include <libavutil/frame.h>
#include <stdbool.h>

enum { FM_QUALITY_DEFAULT = 18, FM_QUALITY_MAX = 51 };

typedef struct fm_video_encoder_options {
    const char *name; /* FFmpeg's */
    int width, height;
    AVRational time_base, frame_rate;
    int quality; /* CRF scale of x264: 1..51; 0: FM_QUALITY_DEFAULT */
    int threads; /* 0: the encoder's choice */
    const AVFrame *colour; /* tags to copy, may be NULL */
    bool global_header;    /* parameter sets in extradata, as MP4 needs */
} fm_video_encoder_options;

typedef struct fm_video_encoder {
    AVCodecContext *context;
    struct SwsContext *to_nv12; /* NULL: the encoder takes yuv420p */
    bool upload;                /* frames go to the device's memory */
    AVFrame *frame;             /* the reference that is being sent */
    int64_t buffers;            /* pictures that were allocated for frames so far */
} fm_video_encoder;

/* 0 or an AVERROR code. On error everything is released. */
int fm_video_encoder_open(fm_video_encoder *encoder, const fm_video_encoder_options *options);

/*
 * Sends one frame (NULL: flush); its picture type and side data are not
 * passed on. 0 or an AVERROR code, EAGAIN included, as avcodec_send_frame.
 */
int fm_video_encoder_send(fm_video_encoder *encoder, const AVFrame *frame);

void fm_video_encoder_close(fm_video_encoder *encoder);

#endif
