/*
 * The way of frames to the table of action units, with an estimator that says
 * what it was asked: order, batches, the neutral, columns, and errors.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pipeline/au_track.h"

enum { LINES_MAX = 2048, LINE_MAX_LENGTH = 512, FACELESS = 7, UNMEASURED = 5 };

/* Each face's sample tells of its frame, by its eye opening, once it has been run. */
typedef struct fake {
    fm_au_estimator base;
    int faces;                   /* measured so far */
    float held[FM_AU_BATCH_MAX]; /* the batch */
    int held_count;
    int runs, largest;           /* calls of run(), and the most samples in one */
    int fails_at;                /* the run that fails; 0: none */
    bool *destroyed;
} fake;

static void complete(fm_au_sample *sample, float frame)
{
    sample->confidence = 0.5f;
    sample->success = fmodf(frame, 11) != UNMEASURED;
    sample->has_features = sample->success;
    sample->features.value[FM_AU_EYE_OPENING] = frame;
    sample->network = (fm_mtl_result){.best_emotion = 3, .gaze_yaw = frame, .gaze_pitch = -0.25f};
    sample->network.emotion[3] = 0.75f;
}

static fm_status measure(fm_au_estimator *self, const fm_au_view *view, fm_au_sample *sample, bool *waits,
                         fm_error *err)
{
    (void)err;
    fake *f = (fake *)self;
    f->faces++;
    *waits = f->base.batch > 1;
    if (*waits)
        f->held[f->held_count++] = view->face->confidence;
    else
        complete(sample, view->face->confidence);
    return FM_OK;
}

static fm_status run(fm_au_estimator *self, fm_au_sample *const waiting[], int count, fm_error *err)
{
    fake *f = (fake *)self;
    assert_int_equal(count, f->held_count);
    f->runs++;
    f->largest = count > f->largest ? count : f->largest;
    if (f->runs == f->fails_at)
        return fm_fail(err, FM_E_RUNTIME, "the network is out of order");
    for (int i = 0; i < count; i++)
        complete(waiting[i], f->held[i]);
    f->held_count = 0;
    return FM_OK;
}

/* AU01: the frame; AU02: the neutral; the others are not known. */
static void units(const fm_au_estimator *self, const fm_au_sample *sample, const fm_au_features *neutral,
                  fm_au_result *out)
{
    (void)self;
    for (int i = 0; i < FM_AU_COUNT; i++)
        out->intensity[i] = out->presence[i] = NAN;
    out->intensity[0] = sample->features.value[FM_AU_EYE_OPENING];
    out->intensity[1] = neutral->value[FM_AU_EYE_OPENING];
    out->presence[0] = 1;
}

static void destroy(fm_au_estimator *self)
{
    fake *f = (fake *)self;
    if (f->destroyed)
        *f->destroyed = true;
    free(f);
}

static const fm_au_estimator_kind kind = {.measure = measure, .run = run, .units = units, .destroy = destroy};

static char folder[64], path[128];
static char lines[LINES_MAX][LINE_MAX_LENGTH];
static int line_count;

static fake *new_fake(int batch, bool tells_emotion)
{
    fake *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->base = (fm_au_estimator){.kind = &kind, .batch = batch, .tells_emotion = tells_emotion};
    return f;
}

static fm_au_track *new_track(fake *f, fm_neutral_kind neutral, double seconds, const fm_au_features *given)
{
    fm_au_estimator *estimator = &f->base;
    const fm_au_track_options options = {.side = FM_SIDE_LEFT, .neutral = neutral, .neutral_seconds = seconds,
                                         .neutral_features = given, .overwrite = true};
    fm_au_track *track;
    fm_error err = {0};
    assert_int_equal(fm_au_track_create(&track, &estimator, path, &options, &err), FM_OK);
    assert_null(estimator);
    return track;
}

/* A frame of a clip of 10 frames a second. Those with index % FACELESS == 3 show no face, nor do all from `gone` on. */
static fm_status give(fm_au_track *track, int index, int gone, fm_error *err)
{
    static fm_work work; /* large */
    memset(&work, 0, sizeof work);
    work.index = index;
    work.seconds = 0.1 * index;
    work.face.found = index % FACELESS != 3 && index < gone;
    work.face.confidence = (float)index;
    work.has_line = work.has_pose = true;
    uint8_t pixel[3] = {0};
    const fm_image picture = {.format = FM_PIXEL_RGB24, .width = 1, .height = 1, .plane = {pixel}, .stride = {3}};
    return fm_au_track_frame(track, &work, &picture, err);
}

static void give_all(fm_au_track *track, int frames, int gone)
{
    fm_error err = {0};
    for (int i = 0; i < frames; i++)
        assert_int_equal(give(track, i, gone, &err), FM_OK);
}

static bool finish(fm_au_track **track)
{
    fm_error err = {0};
    bool used_clip_neutral;
    assert_int_equal(fm_au_track_finish(*track, &used_clip_neutral, &err), FM_OK);
    assert_int_equal(fm_au_track_commit(*track, &err), FM_OK);
    fm_au_track_destroy(track);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    line_count = 0;
    while (line_count < LINES_MAX && fgets(lines[line_count], LINE_MAX_LENGTH, file))
        line_count++;
    fclose(file);
    return used_clip_neutral;
}

/* Row `index` of the table: its cells up to AU02_r, or the whole row of a frame without a measured face. */
static void check_row(int index, bool success, double neutral)
{
    char expected[LINE_MAX_LENGTH];
    const char *row = lines[index + 1];
    if (success)
        snprintf(expected, sizeof expected, "%d,0,%.6f,0.5000,1,%.3f,%.3f,,", index, 0.1 * index, (double)index,
                 neutral);
    else
        snprintf(expected, sizeof expected, "%d,0,%.6f,%.4f,0,,,", index, 0.1 * index,
                 index % FACELESS == 3 ? 0.0 : 0.5);
    if (strncmp(row, expected, strlen(expected)) != 0)
        fail_msg("row %d is %s where %s... is expected", index, row, expected);
}

/* Any batch gives the same table: rows in frame order, none left out, none twice. */
static void test_batches(void **state)
{
    (void)state;
    enum { FRAMES = 61 };
    static const int batches[] = {1, 2, 4, 7, 16, FM_AU_BATCH_MAX};
    char *first = NULL;
    for (size_t k = 0; k < sizeof batches / sizeof batches[0]; k++) {
        fake *f = new_fake(batches[k], true);
        fm_au_track *track = new_track(f, FM_NEUTRAL_IMAGE, 0, &(fm_au_features){{[FM_AU_EYE_OPENING] = 2}});
        give_all(track, FRAMES, FRAMES);
        const int faces = FRAMES - (FRAMES + FACELESS - 4) / FACELESS;
        assert_int_equal(f->faces, faces);
        assert_int_equal(f->runs, batches[k] > 1 ? faces / batches[k] : 0); /* what is left over waits for the end */
        assert_false(finish(&track));
        assert_int_equal(line_count, FRAMES + 1);
        for (int i = 0; i < FRAMES; i++)
            check_row(i, i % FACELESS != 3 && i % 11 != UNMEASURED, 2);
        if (!first) {
            first = malloc(sizeof lines);
            assert_non_null(first);
            memcpy(first, lines, sizeof lines);
        }
        assert_memory_equal(first, lines, sizeof lines[0] * (FRAMES + 1));
    }
    free(first);
}

/* A face that goes and leaves a batch half full does not hold back what comes, however long it is gone. */
static void test_a_long_gap(void **state)
{
    (void)state;
    enum { FRAMES = 1500, GONE = 20 };
    fake *f = new_fake(8, false);
    fm_au_track *track = new_track(f, FM_NEUTRAL_CLIP, 0, NULL);
    give_all(track, FRAMES, GONE);
    assert_int_equal(f->runs, 3); /* 17 faces: two full batches, and the one left over when its time was up */
    assert_int_equal(f->held_count, 0);
    assert_false(finish(&track));
    assert_int_equal(line_count, FRAMES + 1);
    char expected[32];
    snprintf(expected, sizeof expected, "%d,0,", FRAMES - 1);
    assert_int_equal(strncmp(lines[FRAMES], expected, strlen(expected)), 0);
}

/* The neutral at a time is of the frames within 0.1 s; where there is none, the clip's is used, and said. */
static void test_neutral(void **state)
{
    (void)state;
    for (int batch = 1; batch <= 16; batch *= 4) {
        fm_au_track *track = new_track(new_fake(batch, false), FM_NEUTRAL_TIME, 2.05, NULL);
        give_all(track, 40, 40);
        assert_false(finish(&track));
        check_row(0, true, 20.8); /* frames 20 and 21; the eye opening's neutral is their 80th percentile */
        track = new_track(new_fake(batch, false), FM_NEUTRAL_TIME, 900, NULL);
        give_all(track, 3, 40);
        assert_true(finish(&track));
        check_row(0, true, 1.6);
    }
}

static void test_columns(void **state)
{
    (void)state;
    static const char plain[] =
        "frame,face_id,timestamp,confidence,success,AU01_r,AU02_r,AU04_r,AU05_r,AU06_r,AU07_r,AU09_r,AU10_r,AU12_r,"
        "AU14_r,AU15_r,AU16_r,AU17_r,AU20_r,AU23_r,AU25_r,AU26_r,AU45_r,AU01_c,AU02_c,AU04_c,AU05_c,AU06_c,AU07_c,"
        "AU09_c,AU10_c,AU12_c,AU14_c,AU15_c,AU16_c,AU17_c,AU20_c,AU23_c,AU25_c,AU26_c,AU45_c";
    static const char more[] =
        ",emotion,emotion_neutral,emotion_happy,emotion_sad,emotion_surprise,emotion_fear,emotion_disgust,"
        "emotion_anger,emotion_contempt,gaze_yaw,gaze_pitch\n";
    fm_au_track *track = new_track(new_fake(1, false), FM_NEUTRAL_CLIP, 0, NULL);
    give_all(track, 1, 1);
    finish(&track);
    assert_int_equal(strncmp(lines[0], plain, strlen(plain)), 0);
    assert_string_equal(lines[0] + strlen(plain), "\n");
    assert_string_equal(lines[1], "0,0,0.000000,0.5000,1,0.000,0.000,,,,,,,,,,,,,,,,,1,,,,,,,,,,,,,,,,,\n");

    track = new_track(new_fake(2, true), FM_NEUTRAL_CLIP, 0, NULL);
    give_all(track, 4, 4);
    finish(&track);
    assert_int_equal(strncmp(lines[0], plain, strlen(plain)), 0);
    assert_string_equal(lines[0] + strlen(plain), more);
    const char *tail = ",surprise,0.0000,0.0000,0.0000,0.7500,0.0000,0.0000,0.0000,0.0000,1.0000,-0.2500\n";
    assert_string_equal(lines[2] + strlen(lines[2]) - strlen(tail), tail);
    /* No face: 5 columns, and 18 + 18 + 11 empty cells. */
    assert_string_equal(lines[4], "3,0,0.300000,0.0000,0,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,\n");
}

/* A batch that fails is the track's error, at the frame that filled it or at the end; nothing is left behind. */
static void test_failure(void **state)
{
    (void)state;
    bool destroyed = false;
    fm_error err = {0};
    fake *f = new_fake(2, false);
    f->fails_at = 2;
    f->destroyed = &destroyed;
    fm_au_track *track = new_track(f, FM_NEUTRAL_CLIP, 0, NULL);
    for (int i = 0; i < 5; i++) /* faces 0 and 1, 2 and 4; there is none in 3 */
        assert_int_equal(give(track, i, 9, &err), i < 4 ? FM_OK : FM_E_RUNTIME);
    assert_string_equal(err.message, "the network is out of order");
    fm_au_track_destroy(&track);
    assert_true(destroyed);

    f = new_fake(16, false);
    f->fails_at = 1;
    track = new_track(f, FM_NEUTRAL_CLIP, 0, NULL);
    give_all(track, 3, 9);
    bool used_clip_neutral;
    assert_int_equal(fm_au_track_finish(track, &used_clip_neutral, &err), FM_E_RUNTIME);
    fm_au_track_destroy(&track);

    /* An estimator is taken over, also when the table cannot be made. */
    destroyed = false;
    f = new_fake(1, false);
    f->destroyed = &destroyed;
    fm_au_estimator *estimator = &f->base;
    assert_int_equal(fm_au_track_create(&track, &estimator, "/nowhere/table.csv", &(fm_au_track_options){0}, &err),
                     FM_E_OUTPUT);
    assert_true(destroyed);
    assert_null(estimator);
    assert_null(track);
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/au_track_XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/table.csv", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder); /* fails when a spool or a partial file was left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches), cmocka_unit_test(test_a_long_gap), cmocka_unit_test(test_neutral),
        cmocka_unit_test(test_columns), cmocka_unit_test(test_failure),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
