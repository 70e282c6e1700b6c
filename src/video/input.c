#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <libavutil/avstring.h>
#include <libavutil/mathematics.h>
#include <libavutil/mem.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "av_error.h"
#include "convert.h"

enum { IO_BUFFER_BYTES = 1 << 16 };

bool fm_input_stopped(fm_input *input)
{
    if (!input->stopped && input->should_stop)
        input->stopped = input->should_stop(input->opaque);
    return input->stopped;
}

static int interrupt_callback(void *opaque)
{
    return fm_input_stopped(opaque);
}

static int read_callback(void *opaque, uint8_t *buffer, int size)
{
    fm_input *input = opaque;
    for (;;) {
        if (fm_input_stopped(input))
            return AVERROR_EXIT;
        const ssize_t n = read(input->fd, buffer, (size_t)size);
        if (n > 0)
            return (int)n;
        if (n == 0)
            return AVERROR_EOF;
        if (errno != EINTR) {
            input->read_errno = errno;
            return AVERROR(errno);
        }
    }
}

static int64_t seek_callback(void *opaque, int64_t offset, int whence)
{
    fm_input *input = opaque;
    if (whence & AVSEEK_SIZE)
        return input->size;
    const off_t position = lseek(input->fd, (off_t)offset, whence & ~AVSEEK_FORCE);
    return position < 0 ? AVERROR(errno) : (int64_t)position;
}

/* Demuxers of playlists and the like ask for further files: there are none. */
static int refuse_open(AVFormatContext *format, AVIOContext **io, const char *url, int flags,
                       AVDictionary **options)
{
    (void)format, (void)io, (void)url, (void)flags, (void)options;
    return AVERROR(EPERM);
}

static fm_status open_file(fm_input *input, const char *path, fm_error *err)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        if (strstr(path, "://"))
            return fm_fail(err, FM_E_NOT_FOUND,
                           "'%s' looks like a network address; only files are read, so download it "
                           "first", path);
        return fm_fail(err, FM_E_NOT_FOUND, "cannot read '%s': %s", path, strerror(errno));
    }
    if (S_ISDIR(st.st_mode))
        return fm_fail(err, FM_E_NOT_FOUND, "'%s' is a folder; name a video file in it", path);
    if (!S_ISREG(st.st_mode))
        return fm_fail(err, FM_E_BAD_INPUT, "'%s' is not a regular file; save the video to a file "
                       "first", path);
    input->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (input->fd < 0 || fstat(input->fd, &st) != 0)
        return fm_fail(err, FM_E_NOT_FOUND, "cannot read '%s': %s", path, strerror(errno));
    if (st.st_size == 0)
        return fm_fail(err, FM_E_BAD_INPUT, "'%s' is empty", path);
    input->size = (int64_t)st.st_size;
    return FM_OK;
}

/* "input" with the file's extension: some demuxers' probes look at it. */
static void neutral_name(const char *path, char *name, size_t size)
{
    const char *dot = strrchr(path, '.');
    size_t n = (size_t)snprintf(name, size, "input");
    if (!dot || strchr(dot, '/') || strlen(dot) > 8)
        return;
    for (; *dot && n + 1 < size; dot++)
        if (*dot == '.' || av_isdigit(*dot) || av_isgraph(*dot))
            name[n++] = (*dot == '%' || *dot == '*' || *dot == '?') ? '_' : *dot;
    name[n] = '\0';
}

/* Lists of other files, and text that FFmpeg would draw as an old terminal's screen. */
static bool is_refused_format(const AVInputFormat *format)
{
    static const char refused[] = "hls,concat,dash,webm_dash_manifest,imf,image2,sdp,rtsp,"
                                  "lavfi,tty,bin,xbin,adf,idf,vapoursynth,avisynth";
    return av_match_list(format->name, refused, ',') != 0;
}

static fm_status not_a_video(const fm_input *input, int code, fm_error *err)
{
    if (input->stopped)
        return fm_fail(err, FM_E_INTERRUPTED, "stopped while opening '%s'", input->path);
    if (input->read_errno)
        return fm_fail(err, FM_E_NOT_FOUND, "cannot read '%s': %s", input->path,
                       strerror(input->read_errno));
    return fm_fail(err, fm_av_status(code, FM_E_BAD_INPUT),
                   "'%s' is not a video that FFmpeg can read (%s); check that the file is whole",
                   input->path, FM_AV_TEXT(code));
}

static fm_status open_container(fm_input *input, fm_error *err)
{
    char name[32];
    neutral_name(input->path, name, sizeof name);
    uint8_t *buffer = av_malloc(IO_BUFFER_BYTES);
    if (buffer)
        input->io = avio_alloc_context(buffer, IO_BUFFER_BYTES, 0, input, read_callback, NULL,
                                       seek_callback);
    if (!input->io) {
        av_free(buffer);
        return fm_fail(err, FM_E_NO_MEMORY, "no memory to open '%s'", input->path);
    }
    const AVInputFormat *kind = NULL;
    int ret = av_probe_input_buffer2(input->io, &kind, name, NULL, 0, 0);
    if (ret >= 0 && strcmp(kind->name, "image2") == 0) {
        /* Chosen for the name alone, and it would look for numbered siblings: ask for the bytes' format. */
        av_strlcpy(name, "input", sizeof name);
        kind = NULL;
        ret = av_probe_input_buffer2(input->io, &kind, name, NULL, 0, 0);
    }
    if (ret < 0)
        return not_a_video(input, ret, err);
    if (is_refused_format(kind))
        return fm_fail(err, FM_E_BAD_INPUT,
                       "'%s' is a playlist or text (%s), not a video; name the video file itself",
                       input->path, kind->name);

    input->format = avformat_alloc_context();
    AVDictionary *options = NULL;
    if (!input->format || av_dict_set(&options, "protocol_whitelist", "none", 0) < 0) {
        av_dict_free(&options);
        return fm_fail(err, FM_E_NO_MEMORY, "no memory to open '%s'", input->path);
    }
    input->format->pb = input->io;
    input->format->io_open = refuse_open;
    input->format->interrupt_callback = (AVIOInterruptCB){interrupt_callback, input};
    ret = avformat_open_input(&input->format, name, kind, &options); /* frees format on error */
    av_dict_free(&options);
    if (ret < 0)
        return not_a_video(input, ret, err);
    const char *suffix = strstr(kind->name, "_pipe");
    input->still = suffix && suffix[5] == '\0';
    return FM_OK;
}

/* Before any decoder sees them: sizes that are refused anyway. */
static fm_status check_sizes(const fm_input *input, fm_error *err)
{
    for (unsigned i = 0; i < input->format->nb_streams; i++) {
        const AVCodecParameters *par = input->format->streams[i]->codecpar;
        if (par->codec_type == AVMEDIA_TYPE_VIDEO && (par->width || par->height) &&
            !fm_video_size_ok(par->width, par->height))
            return fm_fail(err, FM_E_BAD_INPUT,
                           "'%s' has a picture size of %dx%d, which is not supported (at most %d "
                           "a side)", input->path, par->width, par->height, FM_VIDEO_SIDE_MAX);
    }
    return FM_OK;
}

static int find_stream_info(AVFormatContext *format)
{
    const unsigned count = format->nb_streams;
    AVDictionary **options = av_calloc(count ? count : 1, sizeof *options);
    if (!options)
        return AVERROR(ENOMEM);
    for (unsigned i = 0; i < count; i++)
        av_dict_set_int(&options[i], "max_pixels", FM_VIDEO_PIXELS_MAX, 0);
    const int ret = avformat_find_stream_info(format, options);
    for (unsigned i = 0; i < count; i++)
        av_dict_free(&options[i]);
    av_free(options);
    return ret;
}

static bool audio_usable(const AVStream *stream)
{
    const AVCodecParameters *par = stream->codecpar;
    return par->codec_id != AV_CODEC_ID_NONE && par->sample_rate > 0 &&
           par->ch_layout.nb_channels > 0 && stream->time_base.num > 0 && stream->time_base.den > 0;
}

static fm_status choose_streams(fm_input *input, fm_error *err)
{
    AVFormatContext *format = input->format;
    int index = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, &input->decoder, 0);
    if (index == AVERROR_DECODER_NOT_FOUND) {
        index = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
        const char *codec =
            index < 0 ? "?" : avcodec_get_name(format->streams[index]->codecpar->codec_id);
        return fm_fail(err, FM_E_BAD_INPUT,
                       "'%s': this FFmpeg has no decoder for its video codec (%s); convert it to "
                       "H.264 first", input->path, codec);
    }
    if (index < 0)
        return fm_fail(err, FM_E_BAD_INPUT, "'%s' holds no video stream", input->path);
    input->video = format->streams[index];
    if (!input->still && input->video->disposition & AV_DISPOSITION_ATTACHED_PIC)
        return fm_fail(err, FM_E_BAD_INPUT, "'%s' is a sound file: its only picture is the cover",
                       input->path);
    const AVRational time_base = input->video->time_base;
    if (time_base.num <= 0 || time_base.den <= 0)
        return fm_fail(err, FM_E_BAD_INPUT, "'%s' has no valid time base (%d/%d)", input->path,
                       time_base.num, time_base.den);

    const int audio = av_find_best_stream(format, AVMEDIA_TYPE_AUDIO, -1, index, NULL, 0);
    if (audio >= 0 && audio_usable(format->streams[audio]))
        input->audio = format->streams[audio];
    for (unsigned i = 0; i < format->nb_streams; i++)
        if (format->streams[i] != input->video && format->streams[i] != input->audio)
            format->streams[i]->discard = AVDISCARD_ALL;
    return FM_OK;
}

fm_status fm_input_open(fm_input *input, const char *path, bool (*should_stop)(void *opaque),
                        void *opaque, fm_error *err)
{
    *input = (fm_input){.path = path, .fd = -1, .should_stop = should_stop, .opaque = opaque};
    fm_status status = open_file(input, path, err);
    if (status == FM_OK)
        status = open_container(input, err);
    if (status == FM_OK)
        status = check_sizes(input, err);
    if (status == FM_OK) {
        const int ret = find_stream_info(input->format);
        if (ret < 0 || input->stopped)
            status = not_a_video(input, ret, err);
    }
    if (status == FM_OK)
        status = check_sizes(input, err);
    if (status == FM_OK)
        status = choose_streams(input, err);
    if (status != FM_OK)
        fm_input_close(input);
    return status;
}

int64_t fm_input_start(const fm_input *input, AVRational *time_base)
{
    int64_t start = input->video->start_time;
    *time_base = input->video->time_base;
    for (unsigned i = 0; i < input->format->nb_streams; i++) {
        const AVStream *stream = input->format->streams[i];
        const enum AVMediaType type = stream->codecpar->codec_type;
        if ((type != AVMEDIA_TYPE_VIDEO && type != AVMEDIA_TYPE_AUDIO) ||
            stream->start_time == AV_NOPTS_VALUE || stream->time_base.num <= 0 ||
            stream->time_base.den <= 0 || stream->disposition & AV_DISPOSITION_ATTACHED_PIC)
            continue;
        if (start == AV_NOPTS_VALUE ||
            av_compare_ts(stream->start_time, stream->time_base, start, *time_base) < 0) {
            start = stream->start_time;
            *time_base = stream->time_base;
        }
    }
    return start == AV_NOPTS_VALUE ? 0 : start;
}

/* An EBML number of 1 to 8 bytes at *at; with its length marker when it is an element's id. 0: there is none. */
static uint64_t ebml_number(const uint8_t *data, size_t size, size_t *at, bool id)
{
    if (*at >= size || data[*at] == 0)
        return 0;
    size_t length = 1;
    while (!(data[*at] & (0x80u >> (length - 1))))
        length++;
    if (length > size - *at)
        return 0;
    uint64_t value = data[*at] & (id ? 0xffu : 0xffu >> length);
    for (size_t i = 1; i < length; i++)
        value = value << 8 | data[*at + i];
    *at += length;
    return !id && value == (UINT64_C(1) << (7 * length)) - 1 ? 0 : value; /* all ones: size not known */
}

/* Matroska and WebM say in front how long their one segment is, unless they were streamed (RFC 8794, RFC 9559). */
static bool segment_exceeds_file(const fm_input *input)
{
    enum { EBML_HEADER = 0x1A45DFA3, SEGMENT = 0x18538067 };
    uint8_t data[4096];
    const ssize_t got = pread(input->fd, data, sizeof data, 0);
    const size_t size = got > 0 ? (size_t)got : 0;
    size_t at = 0;
    if (ebml_number(data, size, &at, true) != EBML_HEADER)
        return false;
    const uint64_t header = ebml_number(data, size, &at, false);
    if (header > size - at)
        return false;
    at += (size_t)header;
    if (ebml_number(data, size, &at, true) != SEGMENT)
        return false;
    return ebml_number(data, size, &at, false) > (uint64_t)input->size - at;
}

bool fm_input_exceeds_file(const fm_input *input)
{
    if (av_match_name("matroska", input->format->iformat->name))
        return segment_exceeds_file(input);
    /* Only MP4/MOV and AVI have read a whole index at this point; it is in file order or nearly so. */
    const int count = avformat_index_get_entries_count(input->video);
    const AVIndexEntry *last =
        count > 0 ? avformat_index_get_entry(input->video, count - 1) : NULL;
    return last && last->pos + last->size > input->size;
}

void fm_input_close(fm_input *input)
{
    avformat_close_input(&input->format);
    if (input->io)
        av_freep(&input->io->buffer);
    avio_context_free(&input->io);
    if (input->fd >= 0)
        close(input->fd);
    input->fd = -1;
    input->video = input->audio = NULL;
}
