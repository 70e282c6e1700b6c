#include "audio_encoder.h"

#include <libavformat/avformat.h>
#include <libavutil/audio_fifo.h>
#include <libavutil/channel_layout.h>
#include <libavutil/mathematics.h>
#include <libavutil/opt.h>
#include <libavutil/samplefmt.h>
#include <libswresample/swresample.h>
#include <stdlib.h>

#include "compat.h"

enum {
    FALLBACK_RATE = 48000,
    BITS_PER_CHANNEL = 80000, /* 160 kbit/s in stereo: transparent for speech */
    FRAME_SAMPLES = 1024,
    CHANNELS_MAX = 8, /* 7.1; also what AVFrame.data has planes for */
    GAP_LIMIT_SECONDS = 3600, /* a longer gap is a broken timestamp */
};

struct fm_audio_encoder {
    AVCodecContext *decoder, *encoder;
    AVRational in_time_base;
    SwrContext *resampler;
    /* What the resampler was set up for. */
    AVChannelLayout in_layout;
    int in_rate, in_format;

    AVAudioFifo *fifo;
    int64_t fifo_pts; /* of the first sample in the fifo, in samples */
    int64_t drop;     /* samples to cut from what comes next */
    bool started;
    AVFrame *decoded, *converted, *block;
    AVPacket *packet;
};

/* What MP4's headers hold beside the packets; when it is not whole, the file could not be completed in the end. */
static bool description_is_whole(const AVCodecParameters *parameters)
{
    enum { OPUS_HEAD_BYTES = 19, FLAC_STREAMINFO_BYTES = 34 }; /* RFC 7845, section 5.1; RFC 9639, section 8.2 */
    switch (parameters->codec_id) {
    case AV_CODEC_ID_OPUS:
        return parameters->extradata_size >= OPUS_HEAD_BYTES;
    case AV_CODEC_ID_FLAC:
        return parameters->extradata_size == FLAC_STREAMINFO_BYTES;
    default:
        return true;
    }
}

bool fm_audio_is_copied(const AVCodecParameters *parameters)
{
    static const enum AVCodecID accepted[] = {AV_CODEC_ID_AAC,  AV_CODEC_ID_MP3,
                                              AV_CODEC_ID_AC3,  AV_CODEC_ID_EAC3,
                                              AV_CODEC_ID_OPUS, AV_CODEC_ID_FLAC,
                                              AV_CODEC_ID_ALAC};
    const AVOutputFormat *mp4 = av_guess_format("mp4", NULL, NULL);
    bool known = false;
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++)
        known |= parameters->codec_id == accepted[i];
    return known && mp4 && description_is_whole(parameters) && parameters->sample_rate > 0 &&
           parameters->ch_layout.nb_channels > 0 &&
           avformat_query_codec(mp4, parameters->codec_id, FF_COMPLIANCE_EXPERIMENTAL) == 1;
}

/* --- opening --------------------------------------------------------- */

static int open_decoder(fm_audio_encoder *e, const AVCodecParameters *parameters)
{
    const AVCodec *codec = avcodec_find_decoder(parameters->codec_id);
    if (!codec)
        return AVERROR_DECODER_NOT_FOUND;
    e->decoder = avcodec_alloc_context3(codec);
    if (!e->decoder)
        return AVERROR(ENOMEM);
    int ret = avcodec_parameters_to_context(e->decoder, parameters);
    e->decoder->pkt_timebase = e->in_time_base;
    if (ret >= 0)
        ret = avcodec_open2(e->decoder, codec, NULL);
    return ret;
}

static int supported_rate(const AVCodec *codec, int rate)
{
    const int *list = fm_codec_sample_rates(codec);
    if (!list)
        return rate;
    for (; *list; list++)
        if (*list == rate)
            return rate;
    return FALLBACK_RATE;
}

static int try_aac(fm_audio_encoder *e, const AVCodec *codec, int rate, int channels)
{
    avcodec_free_context(&e->encoder);
    e->encoder = avcodec_alloc_context3(codec);
    if (!e->encoder)
        return AVERROR(ENOMEM);
    e->encoder->sample_fmt = AV_SAMPLE_FMT_FLTP;
    e->encoder->sample_rate = rate;
    e->encoder->time_base = (AVRational){1, rate};
    e->encoder->bit_rate = (int64_t)BITS_PER_CHANNEL * channels;
    e->encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    av_channel_layout_default(&e->encoder->ch_layout, channels);
    return avcodec_open2(e->encoder, codec, NULL);
}

const AVCodec *fm_audio_find_encoder(void)
{
    const AVCodec *own = avcodec_find_encoder_by_name("aac");
    return own ? own : avcodec_find_encoder(AV_CODEC_ID_AAC);
}

static int open_encoder(fm_audio_encoder *e, const AVCodecParameters *parameters)
{
    const AVCodec *codec = fm_audio_find_encoder();
    if (!codec)
        return AVERROR_ENCODER_NOT_FOUND;
    const int rate = supported_rate(codec, parameters->sample_rate);
    const int channels = parameters->ch_layout.nb_channels;
    int ret = channels <= CHANNELS_MAX ? try_aac(e, codec, rate, channels) : AVERROR(EINVAL);
    if (ret < 0 && channels > 2)
        ret = try_aac(e, codec, rate, 2);
    return ret;
}

/* The parameters may change in mid-stream; then the resampler is set up anew. */
static int set_up_resampler(fm_audio_encoder *e, const AVChannelLayout *given, int rate, int format)
{
    AVChannelLayout layout = {0};
    int ret = av_channel_layout_copy(&layout, given);
    if (ret >= 0 && layout.order == AV_CHANNEL_ORDER_UNSPEC)
        av_channel_layout_default(&layout, given->nb_channels);
    if (ret < 0 || (e->resampler && e->in_rate == rate && e->in_format == format &&
                    av_channel_layout_compare(&e->in_layout, &layout) == 0)) {
        av_channel_layout_uninit(&layout);
        return ret;
    }
    swr_free(&e->resampler);
    ret = swr_alloc_set_opts2(&e->resampler, &e->encoder->ch_layout, e->encoder->sample_fmt,
                              e->encoder->sample_rate, &layout, (enum AVSampleFormat)format, rate, 0,
                              NULL);
    if (ret >= 0)
        ret = swr_init(e->resampler);
    av_channel_layout_uninit(&e->in_layout);
    e->in_layout = layout; /* moved */
    e->in_rate = rate;
    e->in_format = format;
    return ret;
}

/* Many channels of unknown meaning cannot be mixed: better known now than at the first packet. */
static int try_resampler(fm_audio_encoder *e, const AVCodecParameters *parameters)
{
    const enum AVSampleFormat format =
        e->decoder->sample_fmt == AV_SAMPLE_FMT_NONE ? AV_SAMPLE_FMT_FLTP : e->decoder->sample_fmt;
    return set_up_resampler(e, &parameters->ch_layout, parameters->sample_rate, format);
}

int fm_audio_encoder_open(fm_audio_encoder **out, const AVCodecParameters *parameters,
                          AVRational time_base)
{
    *out = NULL;
    fm_audio_encoder *e = calloc(1, sizeof *e);
    if (!e)
        return AVERROR(ENOMEM);
    e->in_time_base = time_base;
    int ret = open_decoder(e, parameters);
    if (ret >= 0)
        ret = open_encoder(e, parameters);
    if (ret >= 0)
        ret = try_resampler(e, parameters);
    if (ret >= 0) {
        e->decoded = av_frame_alloc();
        e->converted = av_frame_alloc();
        e->block = av_frame_alloc();
        e->packet = av_packet_alloc();
        e->fifo = av_audio_fifo_alloc(e->encoder->sample_fmt, e->encoder->ch_layout.nb_channels,
                                      2 * FRAME_SAMPLES);
        if (!e->decoded || !e->converted || !e->block || !e->packet || !e->fifo)
            ret = AVERROR(ENOMEM);
    }
    if (ret < 0) {
        fm_audio_encoder_close(&e);
        return ret;
    }
    *out = e;
    return 0;
}

const AVCodecContext *fm_audio_encoder_context(const fm_audio_encoder *encoder)
{
    return encoder->encoder;
}

/* --- fifo to packets ------------------------------------------------- */

static int get_buffer(fm_audio_encoder *e, AVFrame *frame, int samples)
{
    av_frame_unref(frame);
    frame->format = e->encoder->sample_fmt;
    frame->sample_rate = e->encoder->sample_rate;
    frame->nb_samples = samples;
    const int ret = av_channel_layout_copy(&frame->ch_layout, &e->encoder->ch_layout);
    return ret < 0 ? ret : av_frame_get_buffer(frame, 0);
}

static int take_packets(fm_audio_encoder *e, fm_audio_sink sink, void *opaque)
{
    int ret;
    while ((ret = avcodec_receive_packet(e->encoder, e->packet)) >= 0) {
        ret = sink(opaque, e->packet);
        if (ret < 0)
            return ret;
    }
    return ret == AVERROR(EAGAIN) || ret == AVERROR_EOF ? 0 : ret;
}

/* Encodes whole blocks, and with `all` the shorter rest, too. */
static int encode_blocks(fm_audio_encoder *e, bool all, fm_audio_sink sink, void *opaque)
{
    const int size = e->encoder->frame_size > 0 ? e->encoder->frame_size : FRAME_SAMPLES;
    for (;;) {
        const int samples = FFMIN(av_audio_fifo_size(e->fifo), size);
        if (samples == 0 || (samples < size && !all))
            return 0;
        int ret = get_buffer(e, e->block, samples);
        if (ret >= 0)
            ret = av_audio_fifo_read(e->fifo, (void **)e->block->data, samples);
        if (ret < 0)
            return ret;
        e->block->pts = e->fifo_pts;
        e->fifo_pts += samples;
        ret = avcodec_send_frame(e->encoder, e->block);
        if (ret >= 0)
            ret = take_packets(e, sink, opaque);
        if (ret < 0)
            return ret;
    }
}

static int put_silence(fm_audio_encoder *e, int64_t samples, fm_audio_sink sink, void *opaque)
{
    while (samples > 0) {
        const int part = (int)FFMIN(samples, FRAME_SAMPLES);
        int ret = get_buffer(e, e->block, part);
        if (ret < 0)
            return ret;
        av_samples_set_silence(e->block->data, 0, part, e->encoder->ch_layout.nb_channels,
                               e->encoder->sample_fmt);
        ret = av_audio_fifo_write(e->fifo, (void **)e->block->data, part);
        if (ret >= 0)
            ret = encode_blocks(e, false, sink, opaque);
        if (ret < 0)
            return ret;
        samples -= part;
    }
    return 0;
}

/* --- decoded frames to the fifo -------------------------------------- */

/* Keeps the samples' places: silence for a gap, a cut for an overlap. */
static int align(fm_audio_encoder *e, int64_t pts, fm_audio_sink sink, void *opaque)
{
    const int rate = e->encoder->sample_rate;
    const int64_t place = av_rescale_q(pts, e->in_time_base, e->encoder->time_base);
    if (!e->started) {
        e->started = true;
        e->fifo_pts = place;
        return 0;
    }
    const int64_t expected = e->fifo_pts + av_audio_fifo_size(e->fifo) - e->drop +
                             swr_get_delay(e->resampler, rate);
    const int64_t off = av_sat_sub64(place, expected);
    if (off > FRAME_SAMPLES && off / rate < GAP_LIMIT_SECONDS)
        return put_silence(e, off, sink, opaque);
    if (off < -FRAME_SAMPLES && off / rate > -GAP_LIMIT_SECONDS)
        e->drop += -off;
    return 0;
}

/* Resamples `frame` (NULL: what the resampler still holds) into the fifo. */
static int put_samples(fm_audio_encoder *e, const AVFrame *frame)
{
    const int in = frame ? frame->nb_samples : 0;
    const int room = swr_get_out_samples(e->resampler, in);
    if (room <= 0)
        return room;
    int ret = get_buffer(e, e->converted, room);
    if (ret < 0)
        return ret;
    ret = swr_convert(e->resampler, e->converted->extended_data, room,
                      frame ? (const uint8_t **)frame->extended_data : NULL, in);
    if (ret <= 0)
        return ret;
    const int cut = (int)FFMIN(e->drop, ret);
    e->drop -= cut;
    ret -= cut;
    uint8_t *from[AV_NUM_DATA_POINTERS] = {0};
    const int channels = FFMIN(e->encoder->ch_layout.nb_channels, AV_NUM_DATA_POINTERS);
    for (int i = 0; i < channels; i++)
        from[i] = e->converted->data[i] + (size_t)cut * sizeof(float); /* planar floats */
    return ret > 0 ? av_audio_fifo_write(e->fifo, (void **)from, ret) : 0;
}

static int take_frames(fm_audio_encoder *e, fm_audio_sink sink, void *opaque)
{
    for (;;) {
        int ret = avcodec_receive_frame(e->decoder, e->decoded);
        if (ret < 0) /* damaged sound is left out; the gap becomes silence */
            return ret == AVERROR(ENOMEM) ? ret : 0;
        const int64_t pts = e->decoded->best_effort_timestamp;
        ret = set_up_resampler(e, &e->decoded->ch_layout, e->decoded->sample_rate, e->decoded->format);
        if (ret >= 0 && (pts != AV_NOPTS_VALUE || !e->started))
            ret = align(e, pts != AV_NOPTS_VALUE ? pts : 0, sink, opaque);
        if (ret >= 0)
            ret = put_samples(e, e->decoded);
        av_frame_unref(e->decoded);
        if (ret >= 0)
            ret = encode_blocks(e, false, sink, opaque);
        if (ret < 0)
            return ret;
    }
}

int fm_audio_encoder_send(fm_audio_encoder *e, const AVPacket *packet, fm_audio_sink sink,
                          void *opaque)
{
    int ret = avcodec_send_packet(e->decoder, packet);
    if (ret == AVERROR(ENOMEM))
        return ret;
    ret = take_frames(e, sink, opaque);
    if (ret < 0 || packet)
        return ret;
    if (e->resampler)
        ret = put_samples(e, NULL);
    if (ret >= 0)
        ret = encode_blocks(e, true, sink, opaque);
    if (ret >= 0)
        ret = avcodec_send_frame(e->encoder, NULL);
    return ret < 0 ? ret : take_packets(e, sink, opaque);
}

void fm_audio_encoder_close(fm_audio_encoder **pointer)
{
    fm_audio_encoder *e = pointer ? *pointer : NULL;
    if (!e)
        return;
    avcodec_free_context(&e->decoder);
    avcodec_free_context(&e->encoder);
    swr_free(&e->resampler);
    av_channel_layout_uninit(&e->in_layout);
    av_audio_fifo_free(e->fifo);
    av_frame_free(&e->decoded);
    av_frame_free(&e->converted);
    av_frame_free(&e->block);
    av_packet_free(&e->packet);
    free(e);
    *pointer = NULL;
}
