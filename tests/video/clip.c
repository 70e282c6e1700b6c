#include "clip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int clip_setup(void **state)
{
    fm_video_log_quiet();
    if (system("command -v ffmpeg >/dev/null && command -v ffprobe >/dev/null") != 0) {
        fprintf(stderr, "SKIP: the ffmpeg and ffprobe commands are needed to make test clips\n");
        exit(77);
    }
    clip_env *env = calloc(1, sizeof *env);
    if (!env)
        return -1;
    snprintf(env->dir, sizeof env->dir, "/tmp/fm-video-test-XXXXXX");
    if (!mkdtemp(env->dir))
        return -1;
    *state = env;
    return 0;
}

int clip_teardown(void **state)
{
    clip_env *env = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", env->dir);
    const int ret = system(command);
    free(env);
    return ret;
}

void clip_path(const clip_env *env, const char *name, char path[CLIP_PATH_MAX])
{
    snprintf(path, CLIP_PATH_MAX, "%s/%s", env->dir, name);
}

void clip_make(const clip_env *env, const char *name, const char *arguments,
               char path[CLIP_PATH_MAX])
{
    char command[2048];
    clip_path(env, name, path);
    /* meson's random MALLOC_PERTURB_ changes what x264 encodes: clips must be the same in every run. */
    const int n = snprintf(command, sizeof command,
                           "cd '%s' && env -u MALLOC_PERTURB_ ffmpeg -nostdin -v error -y %s 'file:%s'", env->dir,
                           arguments, path);
    assert_true(n > 0 && (size_t)n < sizeof command);
    if (system(command) != 0)
        fail_msg("failed: %s", command);
}

int clip_numbers(const char *command, double *numbers, int count)
{
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    char line[256];
    int n = 0;
    while (fgets(line, sizeof line, pipe)) {
        char *end;
        const double value = strtod(line, &end);
        if (end != line && n < count)
            numbers[n++] = value;
    }
    pclose(pipe);
    return n;
}

int clip_probe_pts(const char *path, int64_t *pts, int count)
{
    char command[1024];
    double *numbers = calloc((size_t)count, sizeof *numbers);
    assert_non_null(numbers);
    snprintf(command, sizeof command,
             "ffprobe -v quiet -select_streams v:0 -show_entries frame=best_effort_timestamp -of "
             "csv=p=0 'file:%s'",
             path);
    const int n = clip_numbers(command, numbers, count);
    for (int i = 0; i < n; i++)
        pts[i] = (int64_t)numbers[i];
    free(numbers);
    return n;
}

double clip_probe_number(const char *path, const char *stream, const char *entry)
{
    char command[1024];
    double number = -1;
    snprintf(command, sizeof command,
             "ffprobe -v quiet -select_streams %s -show_entries %s -of csv=p=0 'file:%s'", stream,
             entry, path);
    assert_true(clip_numbers(command, &number, 1) == 1);
    return number;
}

void clip_probe_word(const char *path, const char *stream, const char *entry, char *word,
                     size_t size)
{
    char command[1024];
    snprintf(command, sizeof command,
             "ffprobe -v quiet -select_streams %s -show_entries %s -of csv=p=0 'file:%s'", stream,
             entry, path);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    word[0] = '\0';
    if (fgets(word, (int)size, pipe))
        word[strcspn(word, "\r\n,")] = '\0';
    pclose(pipe);
}

uint8_t *clip_read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(*size);
    assert_non_null(data);
    assert_true(fread(data, 1, *size, file) == *size);
    fclose(file);
    return data;
}

void clip_write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_true(fwrite(data, 1, size, file) == size);
    assert_int_equal(fclose(file), 0);
}

fm_reader *clip_open(const char *path, const fm_reader_options *options)
{
    fm_reader *reader = NULL;
    fm_error err = {0};
    if (fm_reader_open(&reader, path, options, &err) != FM_OK)
        fail_msg("%s", err.message);
    return reader;
}

void clip_read_all(fm_reader *reader, clip_result *result)
{
    AVFrame *frame = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    const fm_video_info *info = fm_reader_info(reader);
    AVRational audio_base = {1, 1};
    const AVCodecParameters *audio = fm_reader_audio(reader, &audio_base);
    *result = (clip_result){.audio_first = -1};
    for (;;) {
        fm_error err = {0};
        fm_read_kind kind;
        if (fm_reader_next(reader, &kind, frame, packet, &err) != FM_OK)
            fail_msg("%s", err.message);
        if (kind == FM_READ_END)
            break;
        if (kind == FM_READ_FRAME) {
            assert_int_equal(frame->format, AV_PIX_FMT_YUV420P);
            assert_int_equal(frame->width, info->width);
            assert_int_equal(frame->height, info->height);
            assert_true(result->frames < CLIP_FRAMES_MAX);
            if (result->frames > 0)
                assert_true(frame->pts > result->pts[result->frames - 1]);
            result->pts[result->frames++] = frame->pts;
        } else {
            assert_non_null(audio);
            const double pts = (double)packet->pts * av_q2d(audio_base);
            if (result->packets++ == 0)
                result->audio_first = pts;
            result->audio_end = pts + (double)packet->duration * av_q2d(audio_base);
        }
    }
    av_frame_free(&frame);
    av_packet_free(&packet);
}

double clip_mean_luma(const AVFrame *frame, int x, int y, int side)
{
    double sum = 0;
    for (int j = y; j < y + side; j++)
        for (int i = x; i < x + side; i++)
            sum += frame->data[0][(ptrdiff_t)j * frame->linesize[0] + i];
    return sum / side / side;
}
