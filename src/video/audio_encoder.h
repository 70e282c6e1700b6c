/*
 * Audio that MP4 players would not take, decoded and encoded as AAC.
 *
 * Timestamps are those of the input: gaps become silence and overlaps are cut
 * once they exceed one AAC frame (1024 samples), so sound never drifts from
 * the picture by more than that. More than 8 channels (7.1) become stereo.
 *
 * Thread-safety: Unsafe; one thread at a time.
 */
#ifndef FM_VIDEO_AUDIO_ENCODER_H
#define FM_VIDEO_AUDIO_ENCODER_H

#include <libavcodec/avcodec.h>
#include <stdbool.h>

typedef struct fm_audio_encoder fm_audio_encoder;

/* True when packets of this codec are copied: MP4 holds it and browsers and players accept it there. */
bool fm_audio_is_copied(const AVCodecParameters *parameters);

/* FFmpeg's own AAC encoder, else any; NULL: this FFmpeg has none. */
const AVCodec *fm_audio_find_encoder(void);

/* 0 or an AVERROR code (AVERROR_DECODER_NOT_FOUND, AVERROR_ENCODER_NOT_FOUND; others for channels that cannot be mixed). */
int fm_audio_encoder_open(fm_audio_encoder **out, const AVCodecParameters *parameters,
                          AVRational time_base);

/* The encoder's context, for parameters and time base (1/sample rate). */
const AVCodecContext *fm_audio_encoder_context(const fm_audio_encoder *encoder);

/* Gets encoded packets in the encoder's time base; takes their reference. 0 or an AVERROR code. */
typedef int (*fm_audio_sink)(void *opaque, AVPacket *packet);

/*
 * Decodes a packet (NULL: the end) and encodes what is complete. A packet that
 * cannot be decoded is skipped. Returns the sink's or the encoder's error.
 */
int fm_audio_encoder_send(fm_audio_encoder *encoder, const AVPacket *packet, fm_audio_sink sink,
                          void *opaque);

void fm_audio_encoder_close(fm_audio_encoder **encoder);

#endif
