/*
 * The demo clip end to end: made with the real models and codecs, read again,
 * and measured by the same landmark network. Skips when the models or the
 * portrait are not there.
 *
 * What must hold is stated in parts of the inter-ocular distance. The
 * network's own bias (its landmarks against the still's) is taken from the
 * first frame and turned along with the head.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "demo/demo_clip.h"
#include "demo/timeline.h"
#include "models/pack.h"
#include "pipeline/face_runner.h"
#include "video/reader.h"

enum { POINTS = 468, FRAMES_MAX = 256 };

typedef struct truth_row {
    double seconds;
    char phase[16];
    fm_vec2 point[POINTS];
} truth_row;

typedef struct measured {
    int rows, frames, followed;
    truth_row truth[FRAMES_MAX];
    fm_vec2 seen[FRAMES_MAX][POINTS];
} measured;

static const char *models_dir(void)
{
    const char *named = getenv("FACEMIRROR_MODELS");
    return named && *named ? named : TEST_MODELS_DIR;
}

static void skip_without_deps(void)
{
    fm_pack *pack = NULL;
    fm_error err = {0};
    if (access(TEST_PORTRAIT, R_OK) != 0) {
        print_message("SKIPPED: no portrait at '%s'; run `make setup`\n", TEST_PORTRAIT);
        skip();
    }
    if (fm_pack_find(&pack, models_dir(), &err) != FM_OK) {
        print_message("SKIPPED: %s\n", err.message);
        skip();
    }
    fm_pack_free(&pack);
}

/* --- reading the outputs ----------------------------------------------- */

static void parse_row(char *line, truth_row *row, int expected_frame)
{
    char *save = NULL;
    assert_int_equal(strtol(strtok_r(line, ",", &save), NULL, 10), expected_frame);
    row->seconds = strtod(strtok_r(NULL, ",", &save), NULL);
    snprintf(row->phase, sizeof row->phase, "%s", strtok_r(NULL, ",", &save));
    for (int i = 0; i < POINTS; i++) {
        const char *x = strtok_r(NULL, ",", &save), *y = strtok_r(NULL, ",", &save);
        assert_true(x && y);
        row->point[i] = (fm_vec2){strtod(x, NULL), strtod(y, NULL)};
    }
    assert_null(strtok_r(NULL, ",", &save));
}

static void read_truth(const char *path, measured *m)
{
    uint8_t *data = NULL;
    size_t size = 0;
    fm_error err = {0};
    assert_int_equal(fm_file_read(path, 16u << 20, &data, &size, &err), FM_OK);
    char *save = NULL;
    char *line = strtok_r((char *)data, "\n", &save);
    assert_non_null(line);
    assert_int_equal(strncmp(line, "frame,timestamp,phase,x_0,y_0,x_1,", 34), 0);
    while ((line = strtok_r(NULL, "\n", &save))) {
        assert_true(m->rows < FRAMES_MAX);
        parse_row(line, &m->truth[m->rows], m->rows);
        m->rows++;
    }
    free(data);
}

static void track_video(const char *path, measured *m)
{
    fm_error err = {0};
    fm_reader *reader = NULL;
    fm_face_models *models = NULL;
    fm_face_runner *runner = NULL;
    fm_tracker *tracker = NULL;
    fm_tracker_options unsmoothed = fm_tracker_defaults();
    unsmoothed.smooth = false;
    fm_face *face = calloc(1, sizeof *face);
    AVFrame *frame = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    assert_true(face && frame && packet);
    const fm_face_models_options options = {.pack = models_dir(), .landmarks = "plain"};
    assert_int_equal(fm_face_models_open(&models, &options, &err), FM_OK);
    assert_int_equal(fm_face_runner_create(&runner, models, FM_FACE_RUNNER_DETECTS, &err), FM_OK);
    assert_int_equal(fm_tracker_create(&tracker, fm_face_models_topology(models), &unsmoothed, &err), FM_OK);
    assert_int_equal(fm_reader_open(&reader, path, &(fm_reader_options){0}, &err), FM_OK);
    for (;;) {
        fm_read_kind kind = FM_READ_END;
        assert_int_equal(fm_reader_next(reader, &kind, frame, packet, &err), FM_OK);
        if (kind != FM_READ_FRAME)
            break;
        assert_true(m->frames < m->rows);
        const double seconds = (double)frame->pts * av_q2d(fm_reader_info(reader)->time_base);
        assert_true(fabs(seconds - m->truth[m->frames].seconds) < 1e-3);
        assert_int_equal(frame->colorspace, AVCOL_SPC_BT709);
        const fm_image image = fm_image_from_frame(frame);
        assert_int_equal(fm_face_runner_track(runner, tracker, &image, seconds, face, &err), FM_OK);
        m->followed += face->found;
        for (int i = 0; face->found && i < POINTS; i++)
            m->seen[m->frames][i] = (fm_vec2){(double)face->raw[i].x, (double)face->raw[i].y};
        m->frames++;
    }
    fm_reader_close(&reader);
    fm_tracker_destroy(&tracker);
    fm_face_runner_destroy(&runner);
    fm_face_models_close(&models);
    av_packet_free(&packet);
    av_frame_free(&frame);
    free(face);
}

/* --- measures ---------------------------------------------------------- */

static const fm_topology *const topology = &fm_topology_mesh468;

typedef struct head_frame {
    fm_vec2 origin, axis;
    double unit;
} head_frame;

static head_frame head_of(const fm_vec2 *points)
{
    const fm_vec2 a = points[topology->side[FM_SIDE_RIGHT].eye_outer];
    const fm_vec2 b = points[topology->side[FM_SIDE_LEFT].eye_outer];
    const double unit = hypot(b.x - a.x, b.y - a.y);
    return (head_frame){{0.5 * (a.x + b.x), 0.5 * (a.y + b.y)}, {(b.x - a.x) / unit, (b.y - a.y) / unit}, unit};
}

/* In parts of the inter-ocular distance, upright, from between the eyes. */
static fm_vec2 in_head(const fm_vec2 *points, int index)
{
    const head_frame h = head_of(points);
    const double dx = points[index].x - h.origin.x, dy = points[index].y - h.origin.y;
    return (fm_vec2){(dx * h.axis.x + dy * h.axis.y) / h.unit, (dy * h.axis.x - dx * h.axis.y) / h.unit};
}

/* Mean distance of all landmarks from the truth, bias removed, in parts of the inter-ocular distance. */
static double tracking_error(const measured *m, int frame)
{
    const head_frame now = head_of(m->truth[frame].point), first = head_of(m->truth[0].point);
    /* turn and growth of the head since the first frame, as a complex factor */
    const double k = now.unit / first.unit;
    const double c = k * (now.axis.x * first.axis.x + now.axis.y * first.axis.y);
    const double s = k * (now.axis.y * first.axis.x - now.axis.x * first.axis.y);
    double sum = 0.0;
    for (int i = 0; i < POINTS; i++) {
        const double bx = m->seen[0][i].x - m->truth[0].point[i].x, by = m->seen[0][i].y - m->truth[0].point[i].y;
        const double ex = m->seen[frame][i].x - m->truth[frame].point[i].x - (c * bx - s * by);
        const double ey = m->seen[frame][i].y - m->truth[frame].point[i].y - (s * bx + c * by);
        sum += hypot(ex, ey);
    }
    return sum / POINTS / now.unit;
}

static double lid_gap(const fm_vec2 *points, int side)
{
    const fm_side_points *p = &topology->side[side];
    double sum = 0.0;
    for (int i = 0; i < 3; i++)
        sum += hypot(points[p->upper_lid[i]].x - points[p->lower_lid[i]].x,
                     points[p->upper_lid[i]].y - points[p->lower_lid[i]].y);
    return sum / 3.0 / head_of(points).unit;
}

/* How far a landmark has gone since the first frame, along x and up, parts of the inter-ocular distance. */
static fm_vec2 gone(const fm_vec2 *points, const fm_vec2 *first, int index)
{
    const fm_vec2 a = in_head(first, index), b = in_head(points, index);
    return (fm_vec2){b.x - a.x, a.y - b.y};
}

static void check_tracking(const measured *m)
{
    double sum = 0.0, worst = 0.0, rest = 0.0;
    int resting = 0;
    for (int f = 0; f < m->frames; f++) {
        const double error = tracking_error(m, f);
        sum += error;
        worst = fmax(worst, error);
        if (strcmp(m->truth[f].phase, "rest") == 0) {
            rest += error;
            resting++;
        }
    }
    print_message("landmarks against truth: mean %.4f, at rest %.4f, worst frame %.4f of the eye distance\n",
                  sum / m->frames, rest / resting, worst);
    assert_true(sum / m->frames < 0.02);
    assert_true(worst < 0.04);
}

static void check_blink(const measured *m)
{
    for (int side = 0; side < 2; side++) {
        double truth = INFINITY, seen = INFINITY;
        for (int f = 0; f < m->frames; f++) {
            truth = fmin(truth, lid_gap(m->truth[f].point, side) / lid_gap(m->truth[0].point, side));
            seen = fmin(seen, lid_gap(m->seen[f], side) / lid_gap(m->seen[0], side));
        }
        print_message("%s eye: least lid gap %.3f in truth, %.3f as tracked, of the first frame's\n",
                      side == FM_SIDE_LEFT ? "left" : "right", truth, seen);
        assert_true(truth < 0.10);
        assert_true(seen < 0.75);
    }
}

static void check_smile_and_brows(const measured *m)
{
    fm_vec2 corner[2] = {{0.0, 0.0}, {0.0, 0.0}};
    double brow[2] = {0.0, 0.0};
    int smiles = 0, raises = 0;
    for (int f = 0; f < m->frames; f++) {
        const fm_moment moment = fm_timeline_at(m->truth[f].seconds, 6.0, FM_SIDE_LEFT);
        smiles += moment.amount.smile[FM_SIDE_LEFT] > 0.5;
        raises += moment.amount.brow >= 1.0;
        for (int side = 0; side < 2; side++) {
            const fm_side_points *p = &topology->side[side];
            const fm_vec2 c = gone(m->seen[f], m->seen[0], p->mouth_corner);
            if (moment.amount.smile[FM_SIDE_LEFT] > 0.5)
                corner[side] = (fm_vec2){corner[side].x + c.x, corner[side].y + c.y};
            if (moment.amount.brow >= 1.0)
                brow[side] += gone(m->seen[f], m->seen[0], p->brow_middle).y;
        }
    }
    assert_true(smiles > 0 && raises > 0);
    print_message("full smile as tracked: left corner %.3f out %.3f up, right corner %.3f out %.3f up\n",
                  corner[0].x / smiles, corner[0].y / smiles, -corner[1].x / smiles, corner[1].y / smiles);
    print_message("full brow raise as tracked: left %.3f, right %.3f up\n", brow[0] / raises, brow[1] / raises);
    assert_true(corner[0].x / smiles > 0.03 && corner[0].y / smiles > 0.025);
    assert_true(hypot(corner[0].x, corner[0].y) > 2.0 * hypot(corner[1].x, corner[1].y));
    assert_true(brow[0] / raises > 0.03 && brow[1] / raises > 0.03);
}

static void clip_follows_its_truth(void **state)
{
    (void)state;
    skip_without_deps();
    char dir[] = "/tmp/fm_demo_XXXXXX", video[64], table[64];
    assert_non_null(mkdtemp(dir));
    snprintf(video, sizeof video, "%s/clip.mp4", dir);
    snprintf(table, sizeof table, "%s/truth.csv", dir);
    const fm_demo_options options = {.portrait = TEST_PORTRAIT, .output = video, .truth_csv = table,
                                     .models = models_dir(), .fps = 15.0};
    fm_error err = {0};
    if (fm_demo_clip(&options, &err) != FM_OK)
        fail_msg("%s", err.message);

    measured *m = calloc(1, sizeof *m);
    assert_non_null(m);
    read_truth(table, m);
    track_video(video, m);
    assert_int_equal(m->rows, 90);
    assert_int_equal(m->frames, m->rows);
    assert_int_equal(m->followed, m->frames);
    check_tracking(m);
    check_blink(m);
    check_smile_and_brows(m);
    free(m);

    assert_int_equal(fm_demo_clip(&options, NULL), FM_E_EXISTS);
    unlink(video);
    unlink(table);
    assert_int_equal(rmdir(dir), 0); /* nothing else was left there */
}

/* --- errors ------------------------------------------------------------ */

static void wrong_options_are_refused(void **state)
{
    (void)state;
    const fm_demo_options wrong[] = {
        {.portrait = TEST_PORTRAIT},
        {.portrait = TEST_PORTRAIT, .output = "/tmp/x.mp4", .width = 721},
        {.portrait = TEST_PORTRAIT, .output = "/tmp/x.mp4", .height = -2},
        {.portrait = TEST_PORTRAIT, .output = "/tmp/x.mp4", .seconds = NAN},
        {.portrait = TEST_PORTRAIT, .output = "/tmp/x.mp4", .seconds = -1.0},
        {.portrait = TEST_PORTRAIT, .output = "/tmp/x.mp4", .fps = 1e9},
        {.portrait = TEST_PORTRAIT, .output = "/tmp/x.mp4", .smile_side = (fm_side)2},
        {.portrait = TEST_PORTRAIT, .output = "/tmp/x.mp4", .truth_csv = "/tmp/x.mp4"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(fm_demo_clip(&wrong[i], NULL), FM_E_USAGE);
}

static void missing_portrait_says_what_to_do(void **state)
{
    (void)state;
    const fm_demo_options options = {.portrait = "/nonexistent/face.png", .output = "/tmp/fm_demo_never.mp4"};
    fm_error err = {0};
    assert_int_equal(fm_demo_clip(&options, &err), FM_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "--portrait"));
    assert_non_null(strstr(err.message, "make setup"));
    assert_int_not_equal(access("/tmp/fm_demo_never.mp4", F_OK), 0);
}

int main(void)
{
    av_log_set_level(AV_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test(missing_portrait_says_what_to_do),
        cmocka_unit_test(clip_follows_its_truth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
