#include "survey.h"

#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/hwcontext.h>
#include <libswresample/swresample.h>
#include <libswscale/swscale.h>
#include <stdio.h>
#include <string.h>

#include "audio_encoder.h"

static void set_library(fm_survey_library *out, const char *name, unsigned version)
{
    out->name = name;
    snprintf(out->version, sizeof out->version, "%u.%u.%u", AV_VERSION_MAJOR(version), AV_VERSION_MINOR(version),
             AV_VERSION_MICRO(version));
}

/* Once each, as far as there is room for a whole word. */
static void add_word(char *list, size_t size, const char *word)
{
    const size_t used = strlen(list), length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += length)
        if ((at == list || at[-1] == ' ') && (at[length] == '\0' || at[length] == ','))
            return;
    if (used + length + 3 <= size)
        snprintf(list + used, size - used, "%s%s", used ? ", " : "", word);
}

/* Devices that the decoder hands its work to, and decoders that are hardware themselves. */
static void find_hardware(enum AVCodecID id, const AVCodec *chosen, char *out, size_t size)
{
    const AVCodecHWConfig *config;
    for (int i = 0; chosen && (config = avcodec_get_hw_config(chosen, i)) != NULL; i++) {
        const char *name = av_hwdevice_get_type_name(config->device_type);
        if (name)
            add_word(out, size, name);
    }
    const AVCodec *codec;
    void *iterator = NULL;
    while ((codec = av_codec_iterate(&iterator)) != NULL)
        if (codec->id == id && av_codec_is_decoder(codec) &&
            codec->capabilities & (AV_CODEC_CAP_HARDWARE | AV_CODEC_CAP_HYBRID))
            add_word(out, size, codec->name);
}

void fm_survey_read(fm_survey *out)
{
    static const struct {
        const char *name;
        enum AVCodecID id;
    } formats[FM_SURVEY_DECODERS] = {{"h264", AV_CODEC_ID_H264}, {"hevc", AV_CODEC_ID_HEVC}, {"vp9", AV_CODEC_ID_VP9},
                                     {"av1", AV_CODEC_ID_AV1}, {"mpeg4", AV_CODEC_ID_MPEG4}};
    *out = (fm_survey){.release = av_version_info()};
    set_library(&out->libraries[0], "libavformat", avformat_version());
    set_library(&out->libraries[1], "libavcodec", avcodec_version());
    set_library(&out->libraries[2], "libavfilter", avfilter_version());
    set_library(&out->libraries[3], "libavutil", avutil_version());
    set_library(&out->libraries[4], "libswscale", swscale_version());
    set_library(&out->libraries[5], "libswresample", swresample_version());
    for (int i = 0; i < FM_SURVEY_DECODERS; i++) {
        fm_survey_decoder *d = &out->decoders[i];
        const AVCodec *codec = avcodec_find_decoder(formats[i].id);
        d->format = formats[i].name;
        snprintf(d->name, sizeof d->name, "%s", codec ? codec->name : "");
        find_hardware(formats[i].id, codec, d->hardware, sizeof d->hardware);
    }
    const AVCodec *audio = fm_audio_find_encoder();
    snprintf(out->audio_encoder, sizeof out->audio_encoder, "%s", audio ? audio->name : "");
}
