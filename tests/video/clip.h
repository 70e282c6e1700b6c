/*
 * What the video tests share: a temporary folder, clips made by the ffmpeg
 * command, and what ffprobe says about a file, as an independent witness.
 */
#ifndef TEST_VIDEO_CLIP_H
#define TEST_VIDEO_CLIP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "facemirror/error.h"
#include "video/reader.h"

enum { CLIP_PATH_MAX = 512, CLIP_FRAMES_MAX = 1024 };

typedef struct clip_env {
    char dir[64];
} clip_env;

/* cmocka group fixtures: *state becomes a clip_env. Set-up exits with 77 (skipped) without ffmpeg. */
int clip_setup(void **state);
int clip_teardown(void **state);

/* dir/name in a static-size buffer of the caller. */
void clip_path(const clip_env *env, const char *name, char path[CLIP_PATH_MAX]);

/* Runs "ffmpeg <arguments> dir/name" in the temporary folder and asserts that it works. */
void clip_make(const clip_env *env, const char *name, const char *arguments,
               char path[CLIP_PATH_MAX]);

/* Runs a shell command and reads up to `count` numbers, one a line, from its output. */
int clip_numbers(const char *command, double *numbers, int count);

/* ffprobe's pts of each video frame in presentation order. */
int clip_probe_pts(const char *path, int64_t *pts, int count);

/* One number of ffprobe's: entry such as "stream=duration" of stream "v:0". */
double clip_probe_number(const char *path, const char *stream, const char *entry);

/* One word of ffprobe's. */
void clip_probe_word(const char *path, const char *stream, const char *entry, char *word,
                     size_t size);

/* The whole of a small file, malloc'ed. */
uint8_t *clip_read_file(const char *path, size_t *size);
void clip_write_file(const char *path, const void *data, size_t size);

/* All frames' pts and counts; the reader stays open for further questions. */
typedef struct clip_result {
    int frames, packets;
    int64_t pts[CLIP_FRAMES_MAX];
    double audio_first, audio_end; /* seconds */
} clip_result;
void clip_read_all(fm_reader *reader, clip_result *result);
fm_reader *clip_open(const char *path, const fm_reader_options *options);

/* Mean of luma over a square of `side` pixels at (x, y). */
double clip_mean_luma(const AVFrame *frame, int x, int y, int side);

#endif
