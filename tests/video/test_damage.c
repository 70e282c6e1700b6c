/* Files that are cut, corrupt, wrong or not there. */
#include "clip.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOURCE "-f lavfi -i testsrc2=size=160x120:rate=25:duration=4 "
#define SOUND "-f lavfi -i sine=frequency=440:sample_rate=44100:duration=4 "
#define H264 "-c:v libx264 -g 25 -bf 2 -pix_fmt yuv420p "

static void assert_refused(const char *path, fm_status expected, const char *word)
{
    fm_reader *reader = NULL;
    fm_error err = {0};
    assert_int_equal(fm_reader_open(&reader, path, NULL, &err), expected);
    assert_null(reader);
    assert_int_equal(err.status, expected);
    if (!strstr(err.message, word) || !strstr(err.message, path))
        fail_msg("'%s' does not say '%s' of '%s'", err.message, word, path);
    assert_null(strchr(err.message, '\n'));
}

static void refuses_what_is_not_there(void **state)
{
    char path[CLIP_PATH_MAX];
    clip_path(*state, "missing.mp4", path);
    assert_refused(path, FM_E_NOT_FOUND, "No such file");
    clip_path(*state, ".", path);
    assert_refused(path, FM_E_NOT_FOUND, "folder");
    assert_refused("http://127.0.0.1:9/clip.mp4", FM_E_NOT_FOUND, "network address");
    assert_refused("/dev/null", FM_E_BAD_INPUT, "regular file");
    if (geteuid() != 0) {
        clip_path(*state, "secret.mp4", path);
        clip_write_file(path, "x", 1);
        assert_int_equal(chmod(path, 0), 0);
        assert_refused(path, FM_E_NOT_FOUND, "denied");
    }
}

static void refuses_what_is_no_video(void **state)
{
    char path[CLIP_PATH_MAX];
    clip_path(*state, "empty.mp4", path);
    clip_write_file(path, "", 0);
    assert_refused(path, FM_E_BAD_INPUT, "empty");

    static const char text[] = "Dear diary,\nthis is a letter and not a film.\n";
    clip_path(*state, "letter.mp4", path);
    clip_write_file(path, text, sizeof text - 1);
    assert_refused(path, FM_E_BAD_INPUT, "not a video");
    clip_path(*state, "letter.txt", path);
    clip_write_file(path, text, sizeof text - 1);
    assert_refused(path, FM_E_BAD_INPUT, "not a video");

    uint8_t *noise = malloc(300000);
    assert_non_null(noise);
    uint32_t seed = 12345;
    for (int i = 0; i < 300000; i++)
        noise[i] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
    clip_path(*state, "noise.mp4", path);
    clip_write_file(path, noise, 300000);
    assert_refused(path, FM_E_BAD_INPUT, "video");
    free(noise);

    clip_make(*state, "sound.m4a", SOUND "-c:a aac", path);
    assert_refused(path, FM_E_BAD_INPUT, "no video stream");
    clip_make(*state, "cover.mp3", SOUND "-f lavfi -i testsrc2=size=64x64:duration=0.1 -map 0 -map 1 -frames:v 1 "
              "-c:v png -disposition:v attached_pic -c:a libmp3lame", path);
    assert_refused(path, FM_E_BAD_INPUT, "cover");
}

/* A playlist must not lead to other files. */
static void refuses_playlists(void **state)
{
    char path[CLIP_PATH_MAX], text[2 * CLIP_PATH_MAX];
    clip_make(*state, "segment.ts", SOURCE H264 "-t 1", path);
    snprintf(text, sizeof text, "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\n%s\n#EXT-X-ENDLIST\n",
             path);
    char list[CLIP_PATH_MAX];
    clip_path(*state, "list.m3u8", list);
    clip_write_file(list, text, strlen(text));
    assert_refused(list, FM_E_BAD_INPUT, "playlist");
    clip_path(*state, "list.mp4", list);
    clip_write_file(list, text, strlen(text));
    assert_refused(list, FM_E_BAD_INPUT, "video");
    snprintf(text, sizeof text, "ffconcat version 1.0\nfile '%s'\n", path);
    clip_path(*state, "list.ffconcat", list);
    clip_write_file(list, text, strlen(text));
    assert_refused(list, FM_E_BAD_INPUT, "playlist");
}

/* Writes the first `share` of a file's bytes to dir/name. */
static void cut(const clip_env *env, const char *from, double share, const char *name, char *path)
{
    size_t size;
    uint8_t *data = clip_read_file(from, &size);
    clip_path(env, name, path);
    clip_write_file(path, data, (size_t)((double)size * share));
    free(data);
}

static void tells_when_a_file_was_cut(void **state)
{
    static const char *const names[][2] = {{"whole.mp4", "cut.mp4"}, {"whole.mkv", "cut.mkv"},
                                           {"whole.avi", "cut.avi"}, {"whole.webm", "cut.webm"}};
    char path[CLIP_PATH_MAX], whole[CLIP_PATH_MAX];
    for (int i = 0; i < 4; i++) {
        clip_make(*state, names[i][0],
                  i == 3 ? SOURCE SOUND "-c:v libvpx -b:v 500k -deadline realtime -c:a libvorbis"
                         : SOURCE SOUND H264 "-c:a aac -movflags +faststart",
                  whole);
        fm_reader *reader = clip_open(whole, NULL);
        clip_result all, part;
        clip_read_all(reader, &all);
        assert_int_equal(all.frames, 100);
        assert_false(fm_reader_truncated(reader));
        fm_reader_close(&reader);

        cut(*state, whole, 0.6, names[i][1], path);
        reader = clip_open(path, NULL);
        clip_read_all(reader, &part);
        assert_true(part.frames > 30 && part.frames < 80);
        for (int k = 0; k + 3 < part.frames; k++) /* the last ones may be damaged and left out */
            assert_true(part.pts[k] == all.pts[k]);
        assert_true(fm_reader_truncated(reader));
        fm_reader_close(&reader);
    }
    cut(*state, whole, 0.0005, "stub.mp4", path);
    assert_refused(path, FM_E_BAD_INPUT, "video");
}

/* Matroska says its length twice: in bytes, and in milliseconds. A short clip shows either. */
static void tells_when_a_short_file_was_cut(void **state)
{
    char path[CLIP_PATH_MAX], whole[CLIP_PATH_MAX], argument[64];
    static const double shares[] = {0.5, 0.8, 0.98};
    clip_make(*state, "short.mkv", SOURCE SOUND H264 "-c:a aac -t 0.8", whole);
    clip_result result;
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        cut(*state, whole, shares[i], "short-cut.mkv", path);
        fm_reader *reader = clip_open(path, NULL);
        clip_read_all(reader, &result);
        if (!fm_reader_truncated(reader))
            fail_msg("%g of the file gave %d frames and passed as whole", shares[i], result.frames);
        fm_reader_close(&reader);
    }

    /* Not cut, but nothing can be read after the middle. */
    size_t size;
    uint8_t *data = clip_read_file(whole, &size);
    memset(data + size / 2, 0, size - size / 2);
    clip_path(*state, "short-hole.mkv", path);
    clip_write_file(path, data, size);
    free(data);
    fm_reader *reader = clip_open(path, NULL);
    clip_read_all(reader, &result);
    assert_true(result.frames > 0 && result.frames < 18);
    assert_true(fm_reader_truncated(reader));
    fm_reader_close(&reader);

    /* Neither a track that nobody reads nor a size that is not stated makes a whole file look cut. */
    static const char *const more[] = {
        "-f lavfi -i sine=frequency=880:sample_rate=44100:duration=6 -map 0 -map 1 -map 2", "-live 1"};
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        snprintf(argument, sizeof argument, "%s.mkv", i ? "live" : "tracks");
        char arguments[512];
        snprintf(arguments, sizeof arguments, SOURCE SOUND "%s " H264 "-c:a aac", more[i]);
        clip_make(*state, argument, arguments, path);
        reader = clip_open(path, NULL);
        clip_read_all(reader, &result);
        assert_int_equal(result.frames, 100);
        assert_false(fm_reader_truncated(reader));
        fm_reader_close(&reader);
    }
}

static void skips_and_counts_damage(void **state)
{
    char path[CLIP_PATH_MAX], broken[CLIP_PATH_MAX];
    static const char *const names[][2] = {{"sound.mkv", "broken.mkv"}, {"sound.ts", "broken.ts"},
                                           {"sound.mp4", "broken.mp4"}};
    for (int i = 0; i < 3; i++) {
        clip_make(*state, names[i][0], SOURCE H264 "-movflags +faststart", path);
        size_t size;
        uint8_t *data = clip_read_file(path, &size);
        memset(data + size / 2, 0xA5, size / 25);
        clip_path(*state, names[i][1], broken);
        clip_write_file(broken, data, size);
        free(data);
        fm_reader *reader = clip_open(broken, NULL);
        clip_result result; /* asserts rising pts */
        clip_read_all(reader, &result);
        assert_true(fm_reader_damaged(reader) > 0);
        assert_true(result.frames >= 60 && result.frames < 100);
        fm_reader_close(&reader);
    }
}

static void survives_damage_everywhere(void **state)
{
    char path[CLIP_PATH_MAX], broken[CLIP_PATH_MAX];
    clip_make(*state, "fuzz.mkv", "-f lavfi -i testsrc2=size=64x48:rate=25:duration=2 " H264, path);
    size_t size;
    uint8_t *whole = clip_read_file(path, &size), *data = malloc(size);
    assert_non_null(data);
    clip_path(*state, "fuzzed.mkv", broken);
    uint32_t seed = 1;
    int opened = 0;
    for (int round = 0; round < 40; round++) {
        memcpy(data, whole, size);
        for (int k = 0; k < 1 + round; k++) {
            seed = seed * 1664525u + 1013904223u;
            data[seed % size] ^= (uint8_t)(1u << (seed >> 29));
        }
        clip_write_file(broken, data, size);
        fm_reader *reader = NULL;
        fm_error err = {0};
        const fm_reader_options options = {.threads = 1, .start = round % 3 ? 0 : 0.5};
        if (fm_reader_open(&reader, broken, &options, &err) == FM_OK) {
            clip_result result;
            clip_read_all(reader, &result);
            assert_true(result.frames <= 60);
            opened++;
            fm_reader_close(&reader);
        } else {
            assert_true(err.message[0] != '\0');
        }
    }
    assert_true(opened > 10);
    free(whole);
    free(data);
}

/* Every frame refers to one that is missing: all are flagged, and all must be given. */
static void gives_a_clip_that_is_flagged_throughout(void **state)
{
    char path[CLIP_PATH_MAX], headless[CLIP_PATH_MAX];
    clip_make(*state, "long-gop.h264",
              SOURCE "-c:v libx264 -bf 0 -g 1000 -x264-params slices=1:aud=1:sei=0 -pix_fmt yuv420p", path);
    size_t size;
    uint8_t *data = clip_read_file(path, &size);
    /* Cut the key frame's slice (NAL type 5) out of the Annex B stream. */
    size_t from = 0, to = 0;
    for (size_t i = 0; i + 4 < size; i++) {
        if (data[i] == 0 && data[i + 1] == 0 && data[i + 2] == 1) {
            if (from && !to)
                to = i;
            if ((data[i + 3] & 31) == 5)
                from = i;
        }
    }
    assert_true(from > 0 && to > from);
    memmove(data + from, data + to, size - to);
    clip_path(*state, "headless.h264", headless);
    clip_write_file(headless, data, size - (to - from));
    free(data);
    fm_reader *reader = clip_open(headless, NULL);
    clip_result result;
    clip_read_all(reader, &result);
    assert_true(result.frames >= 95);
    assert_true(fm_reader_damaged(reader) > 0);
    fm_reader_close(&reader);
}

static bool stop_now(void *opaque)
{
    int *calls_left = opaque;
    return (*calls_left)-- <= 0;
}

static void stops_when_asked(void **state)
{
    char path[CLIP_PATH_MAX];
    clip_make(*state, "stop.mp4", SOURCE H264, path);
    AVFrame *frame = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    bool in_open = false, in_next = false;
    for (int calls = 0; calls < 400; calls += 13) {
        int left = calls;
        const fm_reader_options options = {.should_stop = stop_now, .opaque = &left};
        fm_reader *reader = NULL;
        fm_error err = {0};
        fm_status status = fm_reader_open(&reader, path, &options, &err);
        if (status != FM_OK) {
            assert_int_equal(status, FM_E_INTERRUPTED);
            assert_null(reader);
            in_open = true;
            continue;
        }
        fm_read_kind kind;
        do
            status = fm_reader_next(reader, &kind, frame, packet, &err);
        while (status == FM_OK && kind != FM_READ_END);
        if (status != FM_OK) {
            assert_int_equal(status, FM_E_INTERRUPTED);
            in_next = true;
        }
        fm_reader_close(&reader);
    }
    assert_true(in_open);
    assert_true(in_next);
    av_frame_free(&frame);
    av_packet_free(&packet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_not_there),
        cmocka_unit_test(refuses_what_is_no_video),
        cmocka_unit_test(refuses_playlists),
        cmocka_unit_test(tells_when_a_file_was_cut),
        cmocka_unit_test(tells_when_a_short_file_was_cut),
        cmocka_unit_test(skips_and_counts_damage),
        cmocka_unit_test(survives_damage_everywhere),
        cmocka_unit_test(gives_a_clip_that_is_flagged_throughout),
        cmocka_unit_test(stops_when_asked),
    };
    return cmocka_run_group_tests(tests, clip_setup, clip_teardown);
}
