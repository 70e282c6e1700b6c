/*
 * Video out: H.264 in yuv420p in an MP4 that every browser plays (moov in
 * front), with exact timestamps and the audio stream: packets are copied when
 * MP4 can hold their codec, else decoded and encoded as AAC.
 *
 * Thread-safety: Unsafe; one writer, one thread at a time. Encoders use
 * threads of their own.
 */
#ifndef FM_VIDEO_WRITER_H
#define FM_VIDEO_WRITER_H

#include <libavcodec/packet.h>
#include <libavformat/avformat.h>
#include <libavutil/frame.h>

#include "encoder.h"
#include "facemirror/error.h"

typedef struct fm_writer fm_writer;

typedef struct fm_writer_options {
    int width, height;          /* even */
    AVRational time_base;       /* of the frames' pts; kept exactly in the file */
    AVRational frame_rate;      /* for rate control and the header */
    const char *encoder;        /* from fm_encoder_choose */
    int quality;                /* CRF scale of x264, mapped for others; 0: 18 */
    int threads;                /* 0: encoder's choice */
    const AVFrame *colour;      /* colour tags are copied from it; NULL: none */
    const AVCodecParameters *audio; /* NULL: no audio */
    AVRational audio_time_base;
    const char *title;          /* container metadata, may be NULL */
} fm_writer_options;

/* Opens `path` (any name; the format is MP4). `options` is copied where needed. */
fm_status fm_writer_open(fm_writer **out, const char *path, const fm_writer_options *options,
                         fm_error *err);

/* Encodes one frame (yuv420p, pts set, duration in pkt_duration if known). The frame stays the caller's; the writer takes its own reference. */
fm_status fm_writer_video(fm_writer *writer, const AVFrame *frame, fm_error *err);

/* Takes one audio packet (its reference is the writer's afterwards, also on error: *packet is left blank). */
fm_status fm_writer_audio(fm_writer *writer, AVPacket *packet, fm_error *err);

/* Flushes encoders and writes the trailer; the file is whole afterwards. */
fm_status fm_writer_finish(fm_writer *writer, fm_error *err);

/* Frees everything; without a finish before it the file is not valid. */
void fm_writer_close(fm_writer **writer);

#endif
