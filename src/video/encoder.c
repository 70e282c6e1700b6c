#include "encoder.h"

#include <libavcodec/avcodec.h>
#include <libavutil/avstring.h>
#include <libavutil/log.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "av_error.h"
#include "video_encoder.h"

enum { TRIAL_FRAMES = 3, TRIAL_FPS = 30 };

typedef struct known_encoder {
    const char *name, *short_name;
    bool hardware;
} known_encoder;

/* In the order of preference. */
static const known_encoder known[] = {
    {"h264_videotoolbox", "videotoolbox", true}, {"h264_nvenc", "nvenc", true},
    {"h264_qsv", "qsv", true},                   {"h264_vaapi", "vaapi", true},
    {"libx264", "x264", false},
};
enum { KNOWN_COUNT = sizeof known / sizeof known[0] };

static int grey_frame(AVFrame *frame, int width, int height)
{
    frame->format = AV_PIX_FMT_YUV420P;
    frame->width = width;
    frame->height = height;
    const int ret = av_frame_get_buffer(frame, 0);
    if (ret < 0)
        return ret;
    for (int i = 0; i < 3; i++) {
        const int rows = i == 0 ? height : (height + 1) / 2;
        memset(frame->data[i], 128, (size_t)frame->linesize[i] * (size_t)rows);
    }
    return 0;
}

/* Takes all packets that are ready; counts them. */
static int drain(fm_video_encoder *encoder, AVPacket *packet, int *packets)
{
    int ret;
    while ((ret = avcodec_receive_packet(encoder->context, packet)) >= 0) {
        (*packets)++;
        av_packet_unref(packet);
    }
    return ret == AVERROR(EAGAIN) || ret == AVERROR_EOF ? 0 : ret;
}

static int encode_trial(fm_video_encoder *encoder, AVFrame *frame, AVPacket *packet)
{
    int packets = 0, ret = 0;
    for (int i = 0; i <= TRIAL_FRAMES && ret >= 0; i++) {
        frame->pts = i;
        ret = fm_video_encoder_send(encoder, i < TRIAL_FRAMES ? frame : NULL);
        if (ret >= 0)
            ret = drain(encoder, packet, &packets);
    }
    if (ret >= 0 && packets != TRIAL_FRAMES)
        ret = AVERROR_EXTERNAL;
    return ret;
}

/* 0 when the encoder really gave a packet for each of a few frames. */
static int try_encoder(const char *name, int width, int height)
{
    const fm_video_encoder_options options = {
        .name = name,
        .width = width,
        .height = height,
        .time_base = {1, TRIAL_FPS},
        .frame_rate = {TRIAL_FPS, 1},
        .global_header = true,
    };
    fm_video_encoder encoder;
    int ret = fm_video_encoder_open(&encoder, &options);
    if (ret < 0)
        return ret;
    AVFrame *frame = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    ret = frame && packet ? grey_frame(frame, width, height) : AVERROR(ENOMEM);
    if (ret >= 0)
        ret = encode_trial(&encoder, frame, packet);
    av_packet_free(&packet);
    av_frame_free(&frame);
    fm_video_encoder_close(&encoder);
    return ret;
}

/* `text` has AV_ERROR_MAX_STRING_SIZE bytes. */
static const char *reason_of(int ret, char *text)
{
    if (ret == AVERROR_ENCODER_NOT_FOUND)
        return "not in this FFmpeg";
    return av_make_error_string(text, AV_ERROR_MAX_STRING_SIZE, ret);
}

/* Tries one; appends the reason to choice->tried when it does not work. */
static bool attempt(const char *name, bool hardware, int width, int height,
                    fm_encoder_choice *choice)
{
    const int ret = try_encoder(name, width, height);
    if (ret >= 0) {
        snprintf(choice->name, sizeof choice->name, "%s", name);
        choice->hardware = hardware;
        return true;
    }
    const size_t used = strlen(choice->tried);
    char text[AV_ERROR_MAX_STRING_SIZE];
    snprintf(choice->tried + used, sizeof choice->tried - used, "%s%s: %s", used ? "; " : "", name,
             reason_of(ret, text));
    return false;
}

static bool is_known(const char *name)
{
    for (int i = 0; i < KNOWN_COUNT; i++)
        if (strcmp(known[i].name, name) == 0)
            return true;
    return false;
}

/* All H.264 encoders in the order of preference: those that are known, then the others of this FFmpeg. */
typedef struct candidates {
    int next_known;
    void *codecs; /* of av_codec_iterate */
} candidates;

static bool next_candidate(candidates *c, const char **name, bool *hardware)
{
    if (c->next_known < KNOWN_COUNT) {
        *name = known[c->next_known].name;
        *hardware = known[c->next_known++].hardware;
        return true;
    }
    const AVCodec *codec;
    while ((codec = av_codec_iterate(&c->codecs)) != NULL) {
        if (codec->id != AV_CODEC_ID_H264 || !av_codec_is_encoder(codec) || is_known(codec->name) ||
            strcmp(codec->name, "libx264rgb") == 0)
            continue;
        *name = codec->name;
        *hardware = (codec->capabilities & AV_CODEC_CAP_HARDWARE) != 0;
        return true;
    }
    return false;
}

static bool choose_any(int width, int height, fm_encoder_choice *choice)
{
    candidates all = {0};
    const char *name;
    bool hardware;
    while (next_candidate(&all, &name, &hardware))
        if (attempt(name, hardware, width, height, choice))
            return true;
    return false;
}

static bool choose_forced(const char *forced, int width, int height, fm_encoder_choice *choice)
{
    const char *name = forced;
    bool hardware = false;
    for (int i = 0; i < KNOWN_COUNT; i++) {
        if (strcmp(forced, known[i].short_name) == 0 || strcmp(forced, known[i].name) == 0) {
            name = known[i].name;
            hardware = known[i].hardware;
        }
    }
    const AVCodec *codec = avcodec_find_encoder_by_name(name);
    if (codec && codec->id != AV_CODEC_ID_H264) {
        snprintf(choice->tried, sizeof choice->tried, "%s: it is no H.264 encoder", name);
        return false;
    }
    if (codec && codec->capabilities & AV_CODEC_CAP_HARDWARE)
        hardware = true;
    return attempt(name, hardware, width, height, choice);
}

fm_status fm_encoder_choose(const char *forced, int width, int height, fm_encoder_choice *out,
                            fm_error *err)
{
    fm_encoder_choice choice = {0};
    if (width < 2 || height < 2 || width % 2 || height % 2)
        return fm_fail(err, FM_E_USAGE, "H.264 video needs an even size, not %dx%d", width, height);
    /* Failing trials are expected: their messages stay off the user's screen. */
    const int level = av_log_get_level();
    av_log_set_level(AV_LOG_QUIET);
    const bool found = forced ? choose_forced(forced, width, height, &choice)
                              : choose_any(width, height, &choice);
    av_log_set_level(level);
    if (!found && forced)
        return fm_fail(err, FM_E_RUNTIME,
                       "the encoder '%s' does not work for %dx%d (%s); leave the choice to "
                       "facemirror or name another", forced, width, height, choice.tried);
    if (!found)
        return fm_fail(err, FM_E_RUNTIME,
                       "no H.264 encoder works for %dx%d (%s); install an FFmpeg with libx264",
                       width, height, choice.tried);
    *out = choice;
    return FM_OK;
}

/* What FFmpeg logs about a trial: its words say more than its codes. Its callback takes nothing of ours along. */
static _Thread_local char *trial_log; /* of FM_ENCODER_REASON_MAX bytes; NULL: nobody listens */

/* Keeps the first error, which is the cause of those after it, in one line. */
static void keep_first_error(void *object, int level, const char *format, va_list args)
{
    (void)object;
    if (level > AV_LOG_ERROR || !trial_log || trial_log[0])
        return;
    vsnprintf(trial_log, FM_ENCODER_REASON_MAX, format, args);
    trial_log[strcspn(trial_log, "\r\n")] = '\0';
}

static void try_one(fm_encoder_trial *t, int width, int height)
{
    char text[AV_ERROR_MAX_STRING_SIZE], said[FM_ENCODER_REASON_MAX] = "";
    trial_log = said;
    const int ret = try_encoder(t->name, width, height);
    trial_log = NULL;
    t->works = ret >= 0;
    if (t->works)
        return;
    const bool told = said[0] && ret != AVERROR_ENCODER_NOT_FOUND;
    snprintf(t->reason, sizeof t->reason, "%s", told ? said : reason_of(ret, text));
}

int fm_encoder_try_all(int width, int height, fm_encoder_trial out[FM_ENCODER_TRIALS_MAX])
{
    candidates all = {0};
    const char *name;
    bool hardware;
    int count = 0;
    av_log_set_callback(keep_first_error);
    while (count < FM_ENCODER_TRIALS_MAX && next_candidate(&all, &name, &hardware)) {
        fm_encoder_trial *t = &out[count++];
        *t = (fm_encoder_trial){.hardware = hardware};
        snprintf(t->name, sizeof t->name, "%s", name);
        try_one(t, width, height);
    }
    av_log_set_callback(av_log_default_callback);
    return count;
}
