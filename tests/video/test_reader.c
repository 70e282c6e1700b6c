/* Whole files: what the reader gives, compared with what ffprobe says. */
#include "clip.h"

#include <libavutil/display.h>
#include <libavutil/intreadwrite.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOURCE(size, rate, seconds) \
    "-f lavfi -i testsrc2=size=" size ":rate=" rate ":duration=" seconds " "
#define TONE(seconds) "-f lavfi -i sine=frequency=440:sample_rate=44100:duration=" seconds " "

/* Every frame, with ffprobe's pts relative to the first (the clips' video starts first). */
static void assert_same_as_ffprobe(const char *path, clip_result *result)
{
    static const fm_reader_options options = {.threads = 2};
    int64_t expected[CLIP_FRAMES_MAX];
    const int count = clip_probe_pts(path, expected, CLIP_FRAMES_MAX);
    fm_reader *reader = clip_open(path, &options);
    clip_read_all(reader, result);
    assert_true(count > 0);
    assert_int_equal(result->frames, count);
    for (int i = 0; i < count; i++)
        assert_true(result->pts[i] == expected[i] - expected[0]);
    assert_int_equal(fm_reader_damaged(reader), 0);
    assert_int_equal(fm_reader_repaired(reader), 0);
    assert_false(fm_reader_truncated(reader));
    fm_reader_close(&reader);
    assert_null(reader);
}

static void reads_ntsc_rate_with_b_frames(void **state)
{
    char path[CLIP_PATH_MAX];
    clip_result result;
    clip_make(*state, "ntsc.mp4",
              SOURCE("160x120", "30000/1001", "2") "-c:v libx264 -bf 3 -g 30 -pix_fmt yuv420p", path);
    assert_same_as_ffprobe(path, &result);
    assert_int_equal(result.frames, 60);
    fm_reader *reader = clip_open(path, NULL);
    const fm_video_info *info = fm_reader_info(reader);
    assert_int_equal(info->width, 160);
    assert_int_equal(info->height, 120);
    assert_int_equal(av_cmp_q(info->frame_rate, (AVRational){30000, 1001}), 0);
    assert_int_equal(info->frame_estimate, 60);
    assert_true(fabs(info->duration - 2.002) < 0.01);
    assert_string_equal(info->codec, "h264");
    assert_false(info->converted);
    assert_false(info->has_audio);
    assert_null(fm_reader_audio(reader, NULL));
    fm_reader_close(&reader);
}

static void keeps_a_variable_frame_rate(void **state)
{
    char path[CLIP_PATH_MAX];
    clip_result result;
    clip_make(*state, "vfr.mkv",
              SOURCE("128x96", "30", "3") "-vf \"select='not(mod(n,3))+eq(mod(n,7),1)'\" -vsync vfr "
              "-c:v libx264 -pix_fmt yuv420p", path);
    assert_same_as_ffprobe(path, &result);
    const int64_t first = result.pts[1] - result.pts[0];
    bool varies = false;
    for (int i = 2; i < result.frames; i++)
        varies |= result.pts[i] - result.pts[i - 1] > first + 10;
    assert_true(varies);
}

static void check_converted(void **state, const char *name, const char *arguments, int width,
                            int height, const char *pixel_format)
{
    char path[CLIP_PATH_MAX];
    clip_result result;
    clip_make(*state, name, arguments, path);
    assert_same_as_ffprobe(path, &result);
    fm_reader *reader = clip_open(path, NULL);
    const fm_video_info *info = fm_reader_info(reader);
    assert_int_equal(info->width, width);
    assert_int_equal(info->height, height);
    assert_string_equal(info->pixel_format, pixel_format);
    fm_reader_close(&reader);
}

static void converts_other_formats(void **state)
{
    check_converted(state, "hevc10.mp4",
                    SOURCE("160x120", "25", "0.4") "-c:v libx265 -x265-params log-level=none "
                    "-pix_fmt yuv420p10le", 160, 120, "yuv420p10le");
    check_converted(state, "high10.mkv",
                    SOURCE("160x120", "25", "0.4") "-c:v libx264 -pix_fmt yuv420p10le", 160, 120,
                    "yuv420p10le");
    check_converted(state, "422.mp4",
                    SOURCE("160x120", "25", "0.4") "-c:v libx264 -pix_fmt yuv422p", 160, 120,
                    "yuv422p");
    check_converted(state, "444.mp4",
                    SOURCE("160x120", "25", "0.4") "-c:v libx264 -pix_fmt yuv444p", 160, 120,
                    "yuv444p");
    check_converted(state, "grey.mkv", SOURCE("160x120", "25", "0.4") "-c:v ffv1 -pix_fmt gray",
                    160, 120, "gray");
    check_converted(state, "rgb.avi", SOURCE("160x120", "25", "0.4") "-c:v rawvideo -pix_fmt bgr24",
                    160, 120, "bgr24");
    check_converted(state, "odd.webm",
                    SOURCE("330x250", "25", "0.4") "-vf format=yuv444p,crop=321:241:0:0:exact=1 -c:v libvpx-vp9 -deadline realtime -cpu-used 8 "
                    "-pix_fmt yuv420p", 321, 241, "yuv420p");
    check_converted(state, "odd.mkv", SOURCE("330x250", "25", "0.4") "-vf format=yuv444p,crop=321:241:0:0:exact=1 -c:v ffv1",
                    321, 241, "yuv444p");
}

/* First frame of a file; the caller frees it. */
static AVFrame *first_frame(const char *path, fm_video_info *info)
{
    fm_reader *reader = clip_open(path, NULL);
    AVFrame *frame = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    fm_read_kind kind = FM_READ_END;
    do
        assert_int_equal(fm_reader_next(reader, &kind, frame, packet, NULL), FM_OK);
    while (kind == FM_READ_AUDIO);
    assert_int_equal(kind, FM_READ_FRAME);
    *info = *fm_reader_info(reader);
    fm_reader_close(&reader);
    av_packet_free(&packet);
    return frame;
}

static void assert_colour(const char *path, double y, double u, double v, bool full_range,
                          enum AVColorSpace space)
{
    fm_video_info info;
    AVFrame *frame = first_frame(path, &info);
    const double got[3] = {clip_mean_luma(frame, 20, 20, 8),
                           frame->data[1][10 * frame->linesize[1] + 10],
                           frame->data[2][10 * frame->linesize[2] + 10]};
    if (fabs(got[0] - y) > 1.5 || fabs(got[1] - u) > 1.5 || fabs(got[2] - v) > 1.5)
        fail_msg("%s: %g %g %g", path, got[0], got[1], got[2]);
    assert_int_equal(frame->color_range == AVCOL_RANGE_JPEG, full_range);
    assert_int_equal(frame->colorspace, space);
    av_frame_free(&frame);
}

/* Orange (255, 128, 0) as each source has it; sample values from the matrices of BT.601 and BT.709. */
static void keeps_range_and_matrix(void **state)
{
    char path[CLIP_PATH_MAX];
    const char *const orange = "-f lavfi -i color=0xFF8000:size=64x64:rate=5:duration=0.4,format=gbrp ";
    char arguments[512];

    /* Kr = .299, Kb = .114: Y' = .5943, Cb = -.3354, Cr = .2893 */
    snprintf(arguments, sizeof arguments, "%s -vf scale=out_color_matrix=bt601:out_range=pc,format=yuvj422p -c:v mjpeg -q:v 1", orange);
    clip_make(*state, "pc.avi", arguments, path);
    assert_colour(path, 151.5, 42.5, 201.8, true, AVCOL_SPC_BT470BG);

    /* Kr = .2126, Kb = .0722: Y' = .5716, Cb = -.3080, Cr = .2720; limited range */
    snprintf(arguments, sizeof arguments, "%s -vf scale=out_color_matrix=bt709:out_range=tv,format=yuv422p10 -c:v ffv1 -colorspace bt709 -color_range tv", orange);
    clip_make(*state, "tv709.mkv", arguments, path);
    assert_colour(path, 141.2, 59.0, 188.9, false, AVCOL_SPC_BT709);

    /* RGB gets limited range and the matrix of its size. */
    snprintf(arguments, sizeof arguments, "%s -c:v ffv1 -pix_fmt gbrp", orange);
    clip_make(*state, "rgb.mkv", arguments, path);
    assert_colour(path, 146.2, 52.9, 192.8, false, AVCOL_SPC_SMPTE170M);
    clip_make(*state, "rgb.png", "-f lavfi -i color=0xFF8000:size=64x64,format=rgb24 -frames:v 1", path);
    assert_colour(path, 146.2, 52.9, 192.8, false, AVCOL_SPC_SMPTE170M);
}

/* Writes a display matrix over the one in an MP4's track header (ISO/IEC 14496-12, 8.3.2, version 0). */
static void patch_matrix(const char *from, const char *to, const int32_t matrix[9])
{
    size_t size;
    uint8_t *data = clip_read_file(from, &size);
    uint8_t *tkhd = memmem(data, size, "tkhd", 4);
    assert_non_null(tkhd);
    assert_int_equal(tkhd[4], 0);
    for (int i = 0; i < 9; i++)
        AV_WB32(tkhd + 4 + 40 + 4 * i, (uint32_t)matrix[i]);
    clip_write_file(to, data, size);
    free(data);
}

static void applies_every_orientation(void **state)
{
    char source[CLIP_PATH_MAX], path[CLIP_PATH_MAX];
    /* White in the top-left corner. */
    clip_make(*state, "corner.mp4",
              "-f lavfi -i color=black:size=96x64:rate=10:duration=0.5,drawbox=0:0:24:16:white:fill "
              "-c:v libx264 -pix_fmt yuv420p", source);
    clip_path(*state, "turned.mp4", path);
    for (int flip = 0; flip < 2; flip++) {
        for (int angle = 0; angle < 360; angle += 90) {
            int32_t m[9];
            av_display_rotation_set(m, angle);
            av_display_matrix_flip(m, flip, 0);
            patch_matrix(source, path, m);
            fm_video_info info;
            AVFrame *frame = first_frame(path, &info);
            const bool upended = angle % 180 != 0;
            assert_int_equal(info.width, upended ? 64 : 96);
            assert_int_equal(info.height, upended ? 96 : 64);
            assert_int_equal(frame->width, info.width);
            assert_int_equal(frame->height, info.height);
            assert_int_equal(info.converted, angle != 0 || flip);
            assert_int_equal(info.flipped, flip);
            if (!flip)
                assert_int_equal(info.rotation, angle);
            assert_null(av_frame_get_side_data(frame, AV_FRAME_DATA_DISPLAYMATRIX));
            /* The corner (-1, -1), seen from the middle, goes where the matrix takes it. */
            const bool right = -m[0] - m[3] > 0, bottom = -m[1] - m[4] > 0;
            for (int corner = 0; corner < 4; corner++) {
                const int x = corner & 1 ? info.width - 14 : 4;
                const int y = corner & 2 ? info.height - 14 : 4;
                const bool white = (corner & 1) == right && (corner >> 1) == bottom;
                const double luma = clip_mean_luma(frame, x, y, 10);
                assert_true(white ? luma > 200 : luma < 40);
            }
            av_frame_free(&frame);
        }
    }
}

static void makes_pixels_square(void **state)
{
    char path[CLIP_PATH_MAX];
    fm_video_info info;
    clip_make(*state, "sar.mp4",
              SOURCE("120x90", "25", "0.4") "-vf setsar=4/3 -c:v libx264 -pix_fmt yuv420p", path);
    AVFrame *frame = first_frame(path, &info);
    assert_int_equal(info.width, 160);
    assert_int_equal(info.height, 90);
    assert_int_equal(info.coded_width, 120);
    assert_int_equal(frame->sample_aspect_ratio.num, frame->sample_aspect_ratio.den);
    assert_true(info.converted);
    av_frame_free(&frame);
}

static void reads_still_images(void **state)
{
    char path[CLIP_PATH_MAX];
    static const char *const names[] = {"still.png", "still.jpg", "still.bmp", "100%d?:x.png"};
    for (int i = 0; i < 4; i++) {
        clip_make(*state, i == 3 ? "plain.png" : names[i],
                  "-f lavfi -i testsrc2=size=100x76 -frames:v 1 -update 1 -f image2", path);
        if (i == 3) { /* a name that must not be read as a pattern or address */
            char odd[CLIP_PATH_MAX];
            clip_path(*state, names[i], odd);
            assert_int_equal(rename(path, odd), 0);
            snprintf(path, sizeof path, "%s", odd);
        }
        fm_reader *reader = clip_open(path, NULL);
        clip_result result;
        clip_read_all(reader, &result);
        const fm_video_info *info = fm_reader_info(reader);
        assert_int_equal(result.frames, 1);
        assert_int_equal(result.pts[0], 0);
        assert_true(info->still);
        assert_int_equal(info->width, 100);
        assert_int_equal(info->height, 76);
        assert_int_equal(info->frame_estimate, 1);
        assert_int_equal(fm_reader_repaired(reader), 0);
        assert_false(fm_reader_truncated(reader));
        fm_reader_close(&reader);
    }
}

/* A phone's still: the turn is in its EXIF tag 0x0112; 6 means that the top is at the right. */
static void turns_stills_by_their_exif_tag(void **state)
{
    static const uint8_t exif[] = {
        0xFF, 0xE1, 0,    34,  'E', 'x', 'i', 'f', 0, 0,             /* APP1, its length */
        'I',  'I',  42,   0,   8,   0,   0,   0,                     /* TIFF, little endian */
        1,    0,    0x12, 1,   3,   0,   1,   0,   0, 0, 6, 0, 0, 0, /* one entry */
        0,    0,    0,    0,
    };
    char path[CLIP_PATH_MAX];
    clip_make(*state, "phone.jpg",
              "-f lavfi -i color=black:size=96x64,drawbox=0:0:24:16:white:fill -frames:v 1 -update 1 "
              "-pix_fmt yuvj420p -f image2", path);
    size_t size;
    uint8_t *data = clip_read_file(path, &size), *tagged = malloc(size + sizeof exif);
    assert_non_null(tagged);
    memcpy(tagged, data, 2); /* SOI */
    memcpy(tagged + 2, exif, sizeof exif);
    memcpy(tagged + 2 + sizeof exif, data + 2, size - 2);
    clip_write_file(path, tagged, size + sizeof exif);
    free(data);
    free(tagged);
    fm_video_info info;
    AVFrame *frame = first_frame(path, &info);
    assert_int_equal(info.rotation, 90);
    assert_int_equal(info.width, 64);
    assert_int_equal(info.height, 96);
    assert_true(clip_mean_luma(frame, 50, 4, 10) > 200);
    assert_true(clip_mean_luma(frame, 4, 4, 10) < 40);
    assert_int_equal(frame->color_range, AVCOL_RANGE_JPEG);
    av_frame_free(&frame);
}

static void gives_the_audio(void **state)
{
    char path[CLIP_PATH_MAX];
    clip_result result;
    clip_make(*state, "aac.mp4",
              SOURCE("128x96", "25", "2") TONE("2") "-c:v libx264 -pix_fmt yuv420p -c:a aac", path);
    fm_reader *reader = clip_open(path, NULL);
    AVRational base;
    const AVCodecParameters *audio = fm_reader_audio(reader, &base);
    assert_non_null(audio);
    assert_int_equal(audio->codec_id, AV_CODEC_ID_AAC);
    assert_int_equal(base.den, 44100);
    clip_read_all(reader, &result);
    fm_reader_close(&reader);
    assert_int_equal(result.frames, 50);
    const double packets = clip_probe_number(path, "a:0", "stream=nb_frames");
    assert_int_equal(result.packets, (int)packets);
    assert_true(fabs(result.audio_first + 1024.0 / 44100) < 1e-9); /* the encoder's priming */
    assert_true(fabs(result.audio_end - 2) < 0.05);

    static const fm_reader_options silent = {.no_audio = true};
    reader = clip_open(path, &silent);
    clip_read_all(reader, &result);
    assert_int_equal(result.packets, 0);
    assert_int_equal(result.frames, 50);
    fm_reader_close(&reader);
}

static void counts_from_the_start_of_the_container(void **state)
{
    char path[CLIP_PATH_MAX];
    clip_result result;
    /* MPEG-TS starts at 1.4 s by itself. */
    clip_make(*state, "start.ts",
              SOURCE("128x96", "25", "2") TONE("2") "-c:v libx264 -pix_fmt yuv420p -c:a mp2", path);
    fm_reader *reader = clip_open(path, NULL);
    clip_read_all(reader, &result);
    fm_reader_close(&reader);
    int64_t pts[CLIP_FRAMES_MAX];
    assert_int_equal(result.frames, clip_probe_pts(path, pts, CLIP_FRAMES_MAX));
    const double video = clip_probe_number(path, "v:0", "stream=start_time");
    const double audio = clip_probe_number(path, "a:0", "stream=start_time");
    assert_true(video > 1);
    const double start = fmin(video, audio);
    assert_true(fabs((double)result.pts[0] / 90000 - (video - start)) < 2e-5);
    assert_true(fabs(result.audio_first - (audio - start)) < 2e-5);
    for (int i = 1; i < result.frames; i++)
        assert_true(result.pts[i] - result.pts[i - 1] == 3600);

    /* Video that starts a second after the sound. */
    clip_make(*state, "late.mkv",
              "-itsoffset 1 " SOURCE("128x96", "25", "1") TONE("2") "-c:v libx264 -c:a flac", path);
    reader = clip_open(path, NULL);
    clip_read_all(reader, &result);
    fm_reader_close(&reader);
    assert_true(llabs(result.pts[0] - 1000) <= 25);
    assert_true(fabs(result.audio_first) < 1e-9);
}

static void gives_the_part_asked_for(void **state)
{
    char path[CLIP_PATH_MAX];
    static const char *const names[] = {"part.mp4", "part.mkv", "part.ts"};
    static const fm_reader_options options = {.start = 2.0, .duration = 1.5};
    for (int i = 0; i < 3; i++) {
        clip_make(*state, names[i],
                  SOURCE("128x96", "25", "6") TONE("6") "-c:v libx264 -g 40 -bf 2 -pix_fmt yuv420p -c:a aac",
                  path);
        fm_reader *reader = clip_open(path, NULL);
        clip_result all, part;
        clip_read_all(reader, &all);
        fm_reader_close(&reader);
        reader = clip_open(path, &options);
        const fm_video_info *info = fm_reader_info(reader);
        const double tick = av_q2d(info->time_base);
        int n = 0, expected[2] = {-1, -1};
        for (; n < all.frames; n++) {
            const double t = (double)all.pts[n] * tick;
            if (t > 2.0 - 1e-9 && t < 3.5 - 1e-9) {
                if (expected[0] < 0)
                    expected[0] = n;
                expected[1] = n;
            }
        }
        clip_read_all(reader, &part);
        assert_int_equal(part.frames, expected[1] - expected[0] + 1);
        for (int k = 0; k < part.frames; k++)
            assert_true(part.pts[k] == all.pts[expected[0] + k]);
        assert_true(llabs(info->frame_estimate - part.frames) <= 1);
        assert_true(part.audio_first > 1.97 && part.audio_first < 2.03);
        assert_true(part.audio_end > 3.45 && part.audio_end < 3.53);
        assert_false(fm_reader_truncated(reader));
        fm_reader_close(&reader);
    }
    static const fm_reader_options beyond = {.start = 60};
    fm_reader *none = NULL;
    fm_error err = {0};
    assert_int_equal(fm_reader_open(&none, path, &beyond, &err), FM_E_USAGE);
    assert_null(none);
}

static void keeps_its_size_when_the_stream_changes(void **state)
{
    char path[CLIP_PATH_MAX], second[CLIP_PATH_MAX];
    clip_make(*state, "a.ts", SOURCE("160x120", "25", "1") "-c:v libx264 -pix_fmt yuv420p", path);
    clip_make(*state, "b.ts", SOURCE("96x128", "25", "1") "-c:v libx264 -pix_fmt yuv444p", second);
    size_t a_size, b_size;
    uint8_t *a = clip_read_file(path, &a_size), *b = clip_read_file(second, &b_size);
    a = realloc(a, a_size + b_size);
    assert_non_null(a);
    memcpy(a + a_size, b, b_size);
    clip_path(*state, "joined.ts", path);
    clip_write_file(path, a, a_size + b_size);
    free(a);
    free(b);
    fm_reader *reader = clip_open(path, NULL);
    clip_result result; /* asserts the size of every frame and rising pts */
    clip_read_all(reader, &result);
    assert_int_equal(fm_reader_info(reader)->width, 160);
    assert_int_equal(result.frames, 50);
    assert_true(fm_reader_repaired(reader) >= 1); /* time begins again at the joint */
    assert_true(result.pts[49] - result.pts[0] == 49 * 3600);
    fm_reader_close(&reader);
}

/* All sound before all video: the reader must not keep it. */
static void needs_little_memory_for_unmixed_files(void **state)
{
    char path[CLIP_PATH_MAX];
    clip_result result;
    clip_make(*state, "late-video.nut",
              "-itsoffset 20 " SOURCE("64x48", "10", "1") TONE("20") "-c:v mpeg4 -c:a mp2", path);
    fm_reader *reader = clip_open(path, NULL);
    clip_read_all(reader, &result);
    assert_int_equal(result.frames, 10);
    const double count = clip_probe_number(path, "a:0 -count_packets", "stream=nb_read_packets");
    assert_true(count > 500);
    assert_int_equal(result.packets, (int)count);
    fm_reader_close(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_ntsc_rate_with_b_frames),
        cmocka_unit_test(keeps_a_variable_frame_rate),
        cmocka_unit_test(converts_other_formats),
        cmocka_unit_test(keeps_range_and_matrix),
        cmocka_unit_test(applies_every_orientation),
        cmocka_unit_test(makes_pixels_square),
        cmocka_unit_test(reads_still_images),
        cmocka_unit_test(turns_stills_by_their_exif_tag),
        cmocka_unit_test(gives_the_audio),
        cmocka_unit_test(counts_from_the_start_of_the_container),
        cmocka_unit_test(gives_the_part_asked_for),
        cmocka_unit_test(keeps_its_size_when_the_stream_changes),
        cmocka_unit_test(needs_little_memory_for_unmixed_files),
    };
    return cmocka_run_group_tests(tests, clip_setup, clip_teardown);
}
