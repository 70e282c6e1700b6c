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

/* What became of the audio stream. */
typedef enum fm_audio_handling {
    FM_AUDIO_NONE = 0, /* there is none */
    FM_AUDIO_COPIED,
    FM_AUDIO_ENCODED,  /* as AAC */
    FM_AUDIO_LEFT_OUT  /* this FFmpeg has no decoder for it or no AAC encoder, or its channels cannot be mixed */
} fm_audio_handling;

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

/*
 * Opens `path` (any name; the format is MP4; it is opened again at the end, to
 * put the index in front). `options` is copied where needed.
 * FM_E_USAGE: an option cannot be; FM_E_RUNTIME: the encoder does not start;
 * FM_E_OUTPUT, FM_E_NO_SPACE: the file cannot be written.
 */
fm_status fm_writer_open(fm_writer **out, const char *path, const fm_writer_options *options,
                         fm_error *err);

fm_audio_handling fm_writer_audio_handling(const fm_writer *writer);
/* Pictures that were allocated for frames so far: for encoders that do not take them as they are. */
int64_t fm_writer_buffers(const fm_writer *writer);

/*
 * Encodes one frame (yuv420p, pts set and rising, duration in AVFrame.duration,
 * before FFmpeg 6 pkt_duration, if known). The frame stays the caller's; the
 * writer takes its own reference. After an error of this or the next two
 * functions the writer takes no more; a write error may be older than the call
 * that reports it, because files are written in blocks.
 */
fm_status fm_writer_video(fm_writer *writer, const AVFrame *frame, fm_error *err);

/*
 * Takes one audio packet (its reference is the writer's afterwards, also on
 * error: *packet is left blank). Without an audio stream it is dropped.
 */
fm_status fm_writer_audio(fm_writer *writer, AVPacket *packet, fm_error *err);

/* Flushes encoders and writes the trailer; the file is whole afterwards. */
fm_status fm_writer_finish(fm_writer *writer, fm_error *err);

/* Frees everything; without a finish before it the file is not valid. */
void fm_writer_close(fm_writer **writer);

#endif
