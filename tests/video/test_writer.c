/* Written files, read back by our reader, by ffprobe and by ffmpeg. */
#include "clip.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "video/compat.h"
#include "video/writer.h"

enum { WIDTH = 192, HEIGHT = 144 };

/* A smooth picture that moves: frame n of any clip here. */
static void paint(AVFrame *frame, int n)
{
    assert_true(av_frame_make_writable(frame) >= 0);
    for (int y = 0; y < frame->height; y++)
        for (int x = 0; x < frame->width; x++)
            frame->data[0][y * frame->linesize[0] + x] =
                (uint8_t)lround(125 + 60 * sin((x + 2 * n) * 0.07) + 40 * cos((y - n) * 0.05));
    for (int y = 0; y < frame->height / 2; y++) {
        for (int x = 0; x < frame->width / 2; x++) {
            frame->data[1][y * frame->linesize[1] + x] = (uint8_t)(90 + x / 2 + n % 5);
            frame->data[2][y * frame->linesize[2] + x] = (uint8_t)(160 - y / 2);
        }
    }
}

static AVFrame *new_frame(int width, int height)
{
    AVFrame *frame = av_frame_alloc();
    assert_non_null(frame);
    frame->format = AV_PIX_FMT_YUV420P;
    frame->width = width;
    frame->height = height;
    assert_true(av_frame_get_buffer(frame, 0) >= 0);
    return frame;
}

static fm_writer_options writer_options(AVRational time_base)
{
    return (fm_writer_options){
        .width = WIDTH,
        .height = HEIGHT,
        .time_base = time_base,
        .frame_rate = {30, 1},
        .encoder = "libx264",
        .threads = 2,
    };
}

static double psnr(const AVFrame *a, const AVFrame *b)
{
    double sum = 0, count = 0;
    for (int p = 0; p < 3; p++) {
        const int w = p ? a->width / 2 : a->width, h = p ? a->height / 2 : a->height;
        for (int y = 0; y < h; y++) {
            for (int x = 0; x < w; x++) {
                const double d =
                    a->data[p][y * a->linesize[p] + x] - b->data[p][y * b->linesize[p] + x];
                sum += d * d;
            }
        }
        count += (double)w * h;
    }
    return sum > 0 ? 10 * log10(255.0 * 255.0 * count / sum) : 100;
}

static void assert_plays(const char *path)
{
    char command[1024];
    snprintf(command, sizeof command,
             "ffmpeg -nostdin -v error -i 'file:%s' -vsync 0 -enc_time_base 1/90000 -f null - 2>&1",
             path);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    char line[256] = "";
    if (fgets(line, sizeof line, pipe))
        fail_msg("ffmpeg says of %s: %s", path, line);
    assert_int_equal(pclose(pipe), 0);
}

/* The index before the media data: a browser can start at once. */
static void assert_index_in_front(const char *path)
{
    size_t size;
    uint8_t *data = clip_read_file(path, &size);
    const uint8_t *moov = memmem(data, size, "moov", 4), *mdat = memmem(data, size, "mdat", 4);
    assert_true(moov && mdat && moov < mdat);
    free(data);
}

static void write_clip(const char *path, const fm_writer_options *options, const int64_t *pts,
                       int count, int64_t last_duration)
{
    fm_writer *writer = NULL;
    fm_error err = {0};
    if (fm_writer_open(&writer, path, options, &err) != FM_OK)
        fail_msg("%s", err.message);
    AVFrame *frame = new_frame(options->width, options->height);
    for (int i = 0; i < count; i++) {
        paint(frame, i);
        frame->pts = pts[i];
        frame->pict_type = AV_PICTURE_TYPE_I; /* as a decoder leaves it: must not steer the encoder */
        fm_frame_set_duration(frame, i + 1 < count ? pts[i + 1] - pts[i] : last_duration);
        assert_int_equal(fm_writer_video(writer, frame, &err), FM_OK);
    }
    av_frame_free(&frame);
    assert_int_equal(fm_writer_finish(writer, &err), FM_OK);
    fm_writer_close(&writer);
    assert_null(writer);
}

static void keeps_every_timestamp(void **state)
{
    static const AVRational bases[] = {{1, 90000}, {1, 1000}, {1001, 30000}, {1, 25}, {1, 1000000}};
    enum { COUNT = 40 };
    for (size_t b = 0; b < sizeof bases / sizeof bases[0]; b++) {
        for (int first = 0; first < 2; first++) {
            char path[CLIP_PATH_MAX];
            int64_t pts[COUNT], probed[CLIP_FRAMES_MAX];
            const int64_t step = FFMAX(bases[b].den / bases[b].num / 30, 1);
            pts[0] = first ? step * 7 + 1 : 0;
            for (int i = 1; i < COUNT; i++) /* a rate that varies, with a gap */
                pts[i] = pts[i - 1] + step + (i % 3) * (step / 5) + (i == 20 ? 12 * step : 0);
            const int64_t last = 3 * step;
            clip_path(*state, "times.mp4.partial", path);
            const fm_writer_options options = writer_options(bases[b]);
            write_clip(path, &options, pts, COUNT, last);

            assert_int_equal(clip_probe_pts(path, probed, CLIP_FRAMES_MAX), COUNT);
            char word[64];
            clip_probe_word(path, "v:0", "stream=time_base", word, sizeof word);
            AVRational base;
            assert_int_equal(sscanf(word, "%d/%d", &base.num, &base.den), 2);
            for (int i = 0; i < COUNT; i++)
                assert_int_equal(av_compare_ts(probed[i], base, pts[i], bases[b]), 0);
            const double duration = clip_probe_number(path, "v:0", "format=duration");
            /* The last frame lasts as long as it should; a late start counts, too. */
            const double expected = (double)(pts[COUNT - 1] + last) * av_q2d(bases[b]);
            if (fabs(duration - expected) > 2e-3)
                fail_msg("base %d/%d first %d: %g s instead of %g", bases[b].num, bases[b].den, first, duration, expected);
            assert_plays(path);
            assert_index_in_front(path);
            clip_probe_word(path, "v:0", "stream=has_b_frames", word, sizeof word);
            assert_true(atoi(word) > 0);
        }
    }
}

static void keeps_the_picture_and_its_tags(void **state)
{
    enum { COUNT = 30 };
    char path[CLIP_PATH_MAX], word[64];
    int64_t pts[COUNT];
    for (int i = 0; i < COUNT; i++)
        pts[i] = i;
    AVFrame *tags = av_frame_alloc();
    tags->format = AV_PIX_FMT_YUV420P;
    tags->color_range = AVCOL_RANGE_JPEG;
    tags->colorspace = AVCOL_SPC_SMPTE170M;
    tags->color_primaries = AVCOL_PRI_BT709;
    tags->color_trc = AVCOL_TRC_SMPTE170M;
    tags->chroma_location = AVCHROMA_LOC_CENTER;
    fm_writer_options options = writer_options((AVRational){1, 30});
    options.colour = tags;
    options.title = "left mirrored";
    clip_path(*state, "picture: 1%d.mp4", path);
    write_clip(path, &options, pts, COUNT, 1);
    av_frame_free(&tags);
    assert_plays(path);

    static const char *const expected[][2] = {
        {"stream=codec_name", "h264"},         {"stream=profile", "High"},
        {"stream=color_range", "pc"},          {"stream=color_space", "smpte170m"},
        {"stream=color_primaries", "bt709"},   {"stream=color_transfer", "smpte170m"},
        {"stream=chroma_location", "center"},  {"format_tags=title", "left mirrored"},
        {"stream=avg_frame_rate", "30/1"},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        clip_probe_word(path, "v:0", expected[i][0], word, sizeof word);
        assert_string_equal(word, expected[i][1]);
    }

    fm_reader *reader = clip_open(path, NULL);
    AVFrame *frame = av_frame_alloc(), *source = new_frame(WIDTH, HEIGHT);
    AVPacket *packet = av_packet_alloc();
    fm_read_kind kind;
    int n = 0;
    while (fm_reader_next(reader, &kind, frame, packet, NULL) == FM_OK && kind == FM_READ_FRAME) {
        paint(source, n++);
        const double db = psnr(source, frame);
        if (db <= 40)
            fail_msg("frame %d: %.2f dB", n - 1, db);
        assert_int_equal(frame->color_range, AVCOL_RANGE_JPEG);
    }
    assert_int_equal(n, COUNT);
    fm_reader_close(&reader);
    av_packet_free(&packet);
    av_frame_free(&frame);
    av_frame_free(&source);
}

/* Copies a clip through reader and writer as a run does. */
static fm_audio_handling copy_clip(const char *from, const char *to)
{
    static const fm_reader_options reader_options = {.threads = 1};
    fm_reader *reader = clip_open(from, &reader_options);
    const fm_video_info *info = fm_reader_info(reader);
    fm_writer_options options = writer_options(info->time_base);
    options.width = info->width;
    options.height = info->height;
    options.frame_rate = info->frame_rate;
    options.audio = fm_reader_audio(reader, &options.audio_time_base);
    fm_writer *writer = NULL;
    fm_error err = {0};
    if (fm_writer_open(&writer, to, &options, &err) != FM_OK)
        fail_msg("%s", err.message);
    const fm_audio_handling handling = fm_writer_audio_handling(writer);
    AVFrame *frame = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    for (;;) {
        fm_read_kind kind;
        assert_int_equal(fm_reader_next(reader, &kind, frame, packet, &err), FM_OK);
        if (kind == FM_READ_END)
            break;
        const fm_status status = kind == FM_READ_FRAME ? fm_writer_video(writer, frame, &err)
                                                       : fm_writer_audio(writer, packet, &err);
        if (status != FM_OK)
            fail_msg("%s", err.message);
    }
    if (fm_writer_finish(writer, &err) != FM_OK)
        fail_msg("%s", err.message);
    fm_writer_close(&writer);
    fm_reader_close(&reader);
    av_frame_free(&frame);
    av_packet_free(&packet);
    return handling;
}

/*
 * Seconds from the start of the video to the click in the sound: where the
 * decoded samples first exceed a tenth of full scale.
 */
static double click_time(const char *path)
{
    char command[1024];
    double numbers[1];
    /* silencedetect reports the end of the silence that leads up to the click. */
    snprintf(command, sizeof command,
             "ffmpeg -nostdin -hide_banner -i 'file:%s' -vn -af silencedetect=n=-20dB:d=0.3 -f null - "
             "2>&1 | sed -n 's/.*silence_end: \\([0-9.]*\\).*/\\1/p' | head -1",
             path);
    assert_int_equal(clip_numbers(command, numbers, 1), 1);
    return numbers[0];
}

#define CLICK                                                                                      \
    "-f lavfi -i testsrc2=size=128x96:rate=25:duration=3 "                                         \
    "-f lavfi -i \"aevalsrc='0.8*sin(2*PI*1000*t)*gt(t,1)':s=%s:d=3\" "

static void keeps_sound_in_its_place(void **state)
{
    static const struct {
        const char *name, *rate, *codecs, *expected;
        fm_audio_handling handling;
    } cases[] = {
        {"a.mp4", "44100", "-c:v libx264 -c:a aac", "aac", FM_AUDIO_COPIED},
        {"a.ts", "48000", "-c:v libx264 -c:a aac", "aac", FM_AUDIO_COPIED},
        {"opus.mkv", "48000", "-c:v libx264 -c:a libopus", "opus", FM_AUDIO_COPIED},
        {"flac.mkv", "44100", "-c:v libx264 -c:a flac", "flac", FM_AUDIO_COPIED},
        {"mp3.avi", "44100", "-c:v mpeg4 -c:a libmp3lame", "mp3", FM_AUDIO_COPIED},
        {"ac3.mkv", "48000", "-c:v libx264 -c:a ac3", "ac3", FM_AUDIO_COPIED},
        {"pcm.mov", "44100", "-c:v libx264 -c:a pcm_s16le", "aac", FM_AUDIO_ENCODED},
        {"vorbis.webm", "44100", "-c:v libvpx -deadline realtime -b:v 300k -c:a libvorbis", "aac",
         FM_AUDIO_ENCODED},
        {"alaw.mov", "8000", "-c:v libx264 -c:a pcm_alaw", "aac", FM_AUDIO_ENCODED},
        {"hires.mkv", "192000", "-c:v libx264 -c:a pcm_s24le", "aac", FM_AUDIO_ENCODED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char from[CLIP_PATH_MAX], to[CLIP_PATH_MAX], arguments[512], word[64];
        snprintf(arguments, sizeof arguments, CLICK "-pix_fmt yuv420p %s", cases[i].rate,
                 cases[i].codecs);
        clip_make(*state, cases[i].name, arguments, from);
        clip_path(*state, "copied.mp4", to);
        assert_int_equal(copy_clip(from, to), cases[i].handling);
        clip_probe_word(to, "a:0", "stream=codec_name", word, sizeof word);
        assert_string_equal(word, cases[i].expected);
        assert_plays(to);
        const double offset = click_time(to) - click_time(from);
        if (fabs(offset) > 0.0214) /* an AAC frame at 48 kHz */
            fail_msg("%s: the sound moved by %g s", cases[i].name, offset);
        const double length = clip_probe_number(to, "a:0", "stream=duration");
        if (fabs(length - 3) > 0.06)
            fail_msg("%s: the sound is %g s long", cases[i].name, length);
    }
}

/* What the header of the sound lacks would be missed only when the MP4 is completed. */
static void encodes_sound_without_its_description(void **state)
{
    char from[CLIP_PATH_MAX], to[CLIP_PATH_MAX], word[64];
    clip_make(*state, "whole-opus.mkv", "-f lavfi -i testsrc2=size=128x96:rate=25:duration=1 "
              "-f lavfi -i sine=sample_rate=48000:duration=1 -c:v libx264 -pix_fmt yuv420p -c:a libopus", from);
    size_t size;
    uint8_t *data = clip_read_file(from, &size);
    uint8_t *head = memmem(data, size, "\x63\xA2", 2); /* CodecPrivate, 19 bytes: made a Void element */
    while (head && memcmp(head + 3, "OpusHead", 8) != 0)
        head = memmem(head + 1, size - (size_t)(head + 1 - data), "\x63\xA2", 2);
    assert_non_null(head);
    assert_int_equal(head[2], 0x80 | 19);
    const uint8_t nothing[] = {0xEC, 0x80 | 20};
    memcpy(head, nothing, sizeof nothing);
    clip_path(*state, "headless-opus.mkv", from);
    clip_write_file(from, data, size);
    free(data);
    clip_path(*state, "copied.mp4", to);
    assert_int_equal(copy_clip(from, to), FM_AUDIO_ENCODED);
    clip_probe_word(to, "a:0", "stream=codec_name", word, sizeof word);
    assert_string_equal(word, "aac");
    assert_plays(to);
}

/* Sound that begins late and has a hole, at a codec that is encoded anew. */
static void fills_gaps_in_encoded_sound(void **state)
{
    char from[CLIP_PATH_MAX], to[CLIP_PATH_MAX];
    clip_make(*state, "gap.mkv",
              "-f lavfi -i testsrc2=size=128x96:rate=25:duration=3 -f lavfi -i "
              "sine=frequency=1000:sample_rate=44100:duration=3 -filter:a "
              "\"volume=20dB,aselect='not(between(t,0.5,1.5))'\" -c:v libx264 -pix_fmt yuv420p -c:a pcm_s16le",
              from);
    clip_path(*state, "gap.mp4", to);
    assert_int_equal(copy_clip(from, to), FM_AUDIO_ENCODED);
    assert_plays(to);
    const double end = click_time(to); /* of the silence in the hole */
    assert_true(fabs(end - 1.5) < 0.06);
}

static fm_status write_until_error(const char *path, fm_error *err)
{
    fm_writer *writer = NULL;
    fm_writer_options options = writer_options((AVRational){1, 30});
    options.quality = 1;
    fm_status status = fm_writer_open(&writer, path, &options, err);
    if (status != FM_OK)
        return status;
    AVFrame *frame = new_frame(WIDTH, HEIGHT);
    paint(frame, 0);
    uint32_t seed = 7;
    for (int i = 0; i < 120 && status == FM_OK; i++) {
        assert_true(av_frame_make_writable(frame) >= 0);
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++)
                frame->data[0][y * frame->linesize[0] + x] =
                    (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
        frame->pts = i;
        status = fm_writer_video(writer, frame, err);
    }
    if (status == FM_OK)
        status = fm_writer_finish(writer, err);
    if (status != FM_OK) { /* it stays failed, and says so */
        fm_error again = {0};
        frame->pts = 1000;
        assert_int_equal(fm_writer_video(writer, frame, &again), status);
        assert_int_equal(fm_writer_finish(writer, NULL), status);
    }
    av_frame_free(&frame);
    fm_writer_close(&writer);
    return status;
}

static void tells_a_full_disk_from_other_errors(void **state)
{
    char path[CLIP_PATH_MAX];
    fm_error err = {0};
    if (access("/dev/full", W_OK) == 0) {
        assert_int_equal(write_until_error("/dev/full", &err), FM_E_NO_SPACE);
        assert_non_null(strstr(err.message, "/dev/full"));
    } else {
        print_message("SKIP: no /dev/full here\n");
    }

    /* A limit in the middle, and one that only the index at the end exceeds. */
    struct rlimit old, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_IGN);
    clip_path(*state, "limited.mp4", path);
    limit = old;
    limit.rlim_cur = 200000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    err = (fm_error){0};
    const fm_status status = write_until_error(path, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(status, FM_E_OUTPUT);
    assert_non_null(strstr(err.message, path));

    clip_path(*state, "no/such/folder.mp4", path);
    err = (fm_error){0};
    assert_int_equal(write_until_error(path, &err), FM_E_OUTPUT);
    assert_non_null(strstr(err.message, path));
}

static void notices_a_full_disk_at_the_very_end(void **state)
{
    char path[CLIP_PATH_MAX];
    clip_path(*state, "end.mp4", path);
    fm_writer *writer = NULL;
    const fm_writer_options options = writer_options((AVRational){1, 30});
    fm_error err = {0};
    assert_int_equal(fm_writer_open(&writer, path, &options, &err), FM_OK);
    AVFrame *frame = new_frame(WIDTH, HEIGHT);
    for (int i = 0; i < 3; i++) {
        paint(frame, i);
        frame->pts = i;
        assert_int_equal(fm_writer_video(writer, frame, &err), FM_OK);
    }
    av_frame_free(&frame);
    struct rlimit old, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_IGN);
    limit = old;
    limit.rlim_cur = 100;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    const fm_status status = fm_writer_finish(writer, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(status, FM_E_OUTPUT);
    fm_writer_close(&writer);
}

static void refuses_wrong_use(void **state)
{
    char path[CLIP_PATH_MAX];
    clip_path(*state, "wrong.mp4", path);
    fm_writer *writer = NULL;
    fm_writer_options options = writer_options((AVRational){1, 30});
    options.width = 191;
    assert_int_equal(fm_writer_open(&writer, path, &options, NULL), FM_E_USAGE);
    options = writer_options((AVRational){0, 30});
    assert_int_equal(fm_writer_open(&writer, path, &options, NULL), FM_E_USAGE);
    options = writer_options((AVRational){1, 30});
    options.encoder = "no_such_encoder";
    assert_int_equal(fm_writer_open(&writer, path, &options, NULL), FM_E_RUNTIME);
    assert_null(writer);

    options.encoder = "libx264";
    assert_int_equal(fm_writer_open(&writer, path, &options, NULL), FM_OK);
    AVFrame *frame = new_frame(WIDTH, HEIGHT), *other = new_frame(64, 64);
    paint(frame, 0);
    frame->pts = 5;
    other->pts = 6;
    assert_int_equal(fm_writer_video(writer, frame, NULL), FM_OK);
    assert_int_equal(fm_writer_video(writer, frame, NULL), FM_E_INTERNAL);
    assert_int_equal(fm_writer_video(writer, other, NULL), FM_E_INTERNAL);
    av_frame_free(&frame);
    av_frame_free(&other);
    fm_writer_close(&writer); /* unfinished: must leak nothing */
}

static void chooses_an_encoder_that_works(void **state)
{
    (void)state;
    fm_encoder_choice choice;
    fm_error err = {0};
    if (fm_encoder_choose(NULL, 640, 360, &choice, &err) != FM_OK)
        fail_msg("%s", err.message);
    assert_non_null(avcodec_find_encoder_by_name(choice.name));
    if (strcmp(choice.name, "libx264") == 0) {
        assert_false(choice.hardware);
        assert_non_null(strstr(choice.tried, "h264_videotoolbox: "));
        assert_non_null(strstr(choice.tried, "h264_nvenc: "));
    }
    assert_int_equal(fm_encoder_choose("x264", 640, 360, &choice, &err), FM_OK);
    assert_string_equal(choice.name, "libx264");
    assert_int_equal(fm_encoder_choose("libx264", 1920, 1080, &choice, &err), FM_OK);
    assert_string_equal(choice.tried, "");

    assert_int_equal(fm_encoder_choose("nonsense", 640, 360, &choice, &err), FM_E_RUNTIME);
    assert_non_null(strstr(err.message, "nonsense"));
    err = (fm_error){0};
    assert_int_equal(fm_encoder_choose("mpeg4", 640, 360, &choice, &err), FM_E_RUNTIME);
    assert_non_null(strstr(err.message, "no H.264 encoder"));
    assert_int_equal(fm_encoder_choose(NULL, 641, 360, &choice, NULL), FM_E_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_every_timestamp),
        cmocka_unit_test(keeps_the_picture_and_its_tags),
        cmocka_unit_test(keeps_sound_in_its_place),
        cmocka_unit_test(encodes_sound_without_its_description),
        cmocka_unit_test(fills_gaps_in_encoded_sound),
        cmocka_unit_test(tells_a_full_disk_from_other_errors),
        cmocka_unit_test(notices_a_full_disk_at_the_very_end),
        cmocka_unit_test(refuses_wrong_use),
        cmocka_unit_test(chooses_an_encoder_that_works),
    };
    return cmocka_run_group_tests(tests, clip_setup, clip_teardown);
}
