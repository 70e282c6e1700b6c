#include "demo_clip.h"

#include <libavutil/mathematics.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "canvas.h"
#include "pipeline/face_runner.h"
#include "truth.h"
#include "video/compat.h"
#include "video/reader.h"
#include "video/still.h"
#include "video/writer.h"

/* The build names the portrait that the set-up unpacked; empty when it has none. */
#ifndef FM_DEFAULT_PORTRAIT
#define FM_DEFAULT_PORTRAIT ""
#endif

enum {
    DEFAULT_WIDTH = 720,
    DEFAULT_HEIGHT = 960,
    SIDE_MIN = 64,
    SIDE_MAX = 4096,
    SECONDS_MAX = 3600,
    FPS_MAX = 240
};

typedef struct clip {
    fm_demo_options options; /* with defaults filled in */
    AVRational rate;
    int64_t frames;

    AVFrame *still;
    fm_point3 points[FM_LANDMARKS_MAX];
    int count;
    fm_warp warp;
    fm_framing framing;
    fm_canvas_store canvas;

    fm_outfile video_file;
    fm_writer *writer;
    fm_truth truth;
} clip;

/* --- options ----------------------------------------------------------- */

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return strcmp(a, b) == 0
        || (stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino);
}

static fm_status check_paths(const fm_demo_options *o, fm_error *err)
{
    if (!o->output || !*o->output)
        return fm_fail(err, FM_E_USAGE, "the demo clip needs the name of the video to write; give -o FILE.mp4");
    if (o->truth_csv && strcmp(o->truth_csv, o->output) == 0)
        return fm_fail(err, FM_E_USAGE, "video and truth table are both '%s'; give two names", o->output);
    struct stat st;
    if (!*o->portrait || stat(o->portrait, &st) != 0)
        return fm_fail(err, FM_E_NOT_FOUND, "no portrait at '%s'; give --portrait FILE or run `make setup`",
                       *o->portrait ? o->portrait : "(none configured)");
    if (same_file(o->portrait, o->output) || (o->truth_csv && same_file(o->portrait, o->truth_csv)))
        return fm_fail(err, FM_E_USAGE, "the output would replace the portrait '%s'; give another name", o->portrait);
    return FM_OK;
}

static fm_status take_options(clip *c, const fm_demo_options *options, fm_error *err)
{
    fm_demo_options *o = &c->options;
    *o = *options;
    if (!o->portrait)
        o->portrait = FM_DEFAULT_PORTRAIT;
    /* Exact comparison: zero is the header's "default", not a measured value. */
    if (o->seconds == 0.0)
        o->seconds = 6.0;
    if (o->fps == 0.0)
        o->fps = 30.0;
    if (o->width == 0)
        o->width = DEFAULT_WIDTH;
    if (o->height == 0)
        o->height = DEFAULT_HEIGHT;
    if (!(o->seconds > 0.0 && o->seconds <= SECONDS_MAX) || !(o->fps >= 1.0 && o->fps <= FPS_MAX))
        return fm_fail(err, FM_E_USAGE, "a demo clip of %g s at %g frames/s cannot be made; stay within %d s and 1 to %d frames/s",
                       o->seconds, o->fps, SECONDS_MAX, FPS_MAX);
    if (o->width < SIDE_MIN || o->height < SIDE_MIN || o->width > SIDE_MAX || o->height > SIDE_MAX
        || o->width % 2 || o->height % 2)
        return fm_fail(err, FM_E_USAGE, "a demo clip of %dx%d cannot be made; give even sides of %d to %d",
                       o->width, o->height, SIDE_MIN, SIDE_MAX);
    if (o->smile_side != FM_SIDE_LEFT && o->smile_side != FM_SIDE_RIGHT)
        return fm_fail(err, FM_E_USAGE, "the side that smiles is %d; give left or right", (int)o->smile_side);
    c->rate = av_d2q(o->fps, 100000);
    c->frames = llround(fmax(o->seconds * av_q2d(c->rate), 1.0));
    return check_paths(o, err);
}

/* --- the still --------------------------------------------------------- */

/* The second look starts from the landmarks of the first, as tracking does: it is the one to compare a clip with. */
static fm_status look_twice(fm_face_models *models, const fm_image *image, fm_face *face, fm_error *err)
{
    fm_tracker_options options = fm_face_runner_tracking(models);
    options.smooth = false;
    fm_tracker *tracker = NULL;
    fm_face_runner *runner = NULL;
    fm_status status = fm_tracker_create(&tracker, fm_face_models_topology(models), &options, err);
    if (status == FM_OK)
        status = fm_face_runner_create(&runner, models, FM_FACE_RUNNER_DETECTS, err);
    for (int look = 0; status == FM_OK && look < 2; look++)
        status = fm_face_runner_track(runner, tracker, image, look, face, err);
    fm_face_runner_destroy(&runner);
    fm_tracker_destroy(&tracker);
    return status;
}

static fm_status find_face(clip *c, const fm_image *image, fm_error *err)
{
    fm_face_models *models;
    /* The warp knows the plain mesh's points. */
    const fm_face_models_options options = {.pack = c->options.models, .landmarks = "plain"};
    fm_status status = fm_face_models_open(&models, &options, err);
    if (status != FM_OK)
        return status;
    fm_face *face = calloc(1, sizeof *face);
    status = face ? look_twice(models, image, face, err)
                  : fm_fail(err, FM_E_NO_MEMORY, "no memory for the landmarks of '%s'", c->options.portrait);
    if (status == FM_OK && !face->found)
        status = fm_fail(err, FM_E_NO_FACE, "no face in the portrait '%s'; give a still with one face seen from the front",
                         c->options.portrait);
    if (status == FM_OK) {
        c->count = face->count;
        memcpy(c->points, face->raw, sizeof c->points);
        if (!fm_warp_create(&c->warp, c->points, fm_face_models_topology(models))
            || !fm_framing_fit(&c->framing, c->points, c->count, image->width, image->height,
                               c->options.width, c->options.height))
            status = fm_fail(err, FM_E_BAD_INPUT, "the face in '%s' cannot be animated; give one seen from the front with open eyes",
                             c->options.portrait);
    }
    free(face);
    fm_face_models_close(&models);
    return status;
}

static fm_status prepare_still(clip *c, fm_error *err)
{
    c->still = av_frame_alloc();
    fm_status status = c->still ? fm_still_read(c->options.portrait, c->still, err)
                                : fm_fail(err, FM_E_NO_MEMORY, "no memory to read the portrait '%s'", c->options.portrait);
    if (status != FM_OK)
        return status;
    const fm_image image = fm_image_from_frame(c->still);
    status = find_face(c, &image, err);
    if (status == FM_OK)
        status = fm_canvas_make(&c->canvas, &image, &c->framing.needed, c->framing.zoom, err);
    av_frame_free(&c->still);
    return status;
}

/* --- the clip ---------------------------------------------------------- */

static AVFrame *new_frame(const clip *c)
{
    AVFrame *frame = av_frame_alloc();
    if (!frame)
        return NULL;
    frame->format = AV_PIX_FMT_YUV420P;
    frame->width = c->options.width;
    frame->height = c->options.height;
    frame->color_primaries = AVCOL_PRI_BT709;
    frame->color_trc = AVCOL_TRC_BT709;
    frame->colorspace = AVCOL_SPC_BT709;
    frame->color_range = AVCOL_RANGE_MPEG;
    frame->chroma_location = AVCHROMA_LOC_LEFT;
    frame->sample_aspect_ratio = (AVRational){1, 1};
    if (av_frame_get_buffer(frame, 0) < 0)
        av_frame_free(&frame);
    return frame;
}

static fm_status open_outputs(clip *c, fm_error *err)
{
    const fm_demo_options *o = &c->options;
    fm_status status = fm_outfile_open(&c->video_file, o->output, o->overwrite, err);
    if (status == FM_OK && o->truth_csv)
        status = fm_truth_open(&c->truth, o->truth_csv, o->overwrite, fm_topology_mesh468.count, err);
    return status;
}

static fm_status open_writer(clip *c, fm_error *err)
{
    fm_encoder_choice encoder;
    fm_status status = fm_encoder_choose(NULL, c->options.width, c->options.height, &encoder, err);
    if (status != FM_OK)
        return status;
    AVFrame *colour = new_frame(c);
    if (!colour)
        return fm_fail(err, FM_E_NO_MEMORY, "no memory for pictures of %dx%d", c->options.width, c->options.height);
    const fm_writer_options options = {
        .width = c->options.width,
        .height = c->options.height,
        .time_base = av_inv_q(c->rate),
        .frame_rate = c->rate,
        .encoder = encoder.name,
        .colour = colour,
        .title = "facemirror demo clip",
    };
    status = fm_writer_open(&c->writer, c->video_file.partial_path, &options, err);
    av_frame_free(&colour);
    return status;
}

static fm_status write_truth(clip *c, int64_t index, double seconds, const fm_moment *moment,
                             const fm_view *view, fm_error *err)
{
    fm_vec2 true_points[FM_LANDMARKS_MAX];
    for (int i = 0; i < c->count; i++) {
        const fm_vec2 p = {(double)c->points[i].x, (double)c->points[i].y};
        true_points[i] = fm_view_forward(view, fm_warp_forward(&c->warp, &moment->amount, p));
    }
    return fm_truth_row(&c->truth, index, seconds, moment->phase, true_points, err);
}

static fm_status write_frame(clip *c, int64_t index, fm_error *err)
{
    const double seconds = (double)index / av_q2d(c->rate);
    const double duration = (double)c->frames / av_q2d(c->rate);
    const fm_moment moment = fm_timeline_at(seconds, duration, c->options.smile_side);
    const fm_view view = fm_framing_view(&c->framing, &moment.head);

    AVFrame *frame = new_frame(c);
    if (!frame)
        return fm_fail(err, FM_E_NO_MEMORY, "no memory for frame %lld of the demo clip", (long long)index);
    const fm_image out = fm_image_from_frame(frame);
    fm_render_frame(&c->canvas.view, &c->warp, &moment.amount, &view, &out);
    frame->pts = index;
    fm_frame_set_duration(frame, 1);
    fm_status status = fm_writer_video(c->writer, frame, err);
    av_frame_free(&frame);
    if (status == FM_OK && c->truth.stream)
        status = write_truth(c, index, seconds, &moment, &view, err);
    return status;
}

static fm_status make(clip *c, fm_error *err)
{
    fm_status status = open_outputs(c, err);
    if (status == FM_OK)
        status = prepare_still(c, err);
    if (status == FM_OK)
        status = open_writer(c, err);
    for (int64_t i = 0; status == FM_OK && i < c->frames; i++) {
        if (c->options.should_stop && c->options.should_stop(c->options.opaque))
            status = fm_fail(err, FM_E_INTERRUPTED, "stopped after %lld of %lld frames; there is no clip",
                             (long long)i, (long long)c->frames);
        else
            status = write_frame(c, i, err);
    }
    if (status == FM_OK)
        status = fm_writer_finish(c->writer, err);
    fm_writer_close(&c->writer);
    if (status == FM_OK && c->truth.stream)
        status = fm_truth_commit(&c->truth, err);
    if (status == FM_OK)
        status = fm_outfile_commit(&c->video_file, err);
    return status;
}

fm_status fm_demo_clip(const fm_demo_options *options, fm_error *err)
{
    clip *c = calloc(1, sizeof *c);
    if (!c)
        return fm_fail(err, FM_E_NO_MEMORY, "no memory for the demo clip");
    fm_video_log_quiet();
    fm_status status = take_options(c, options, err);
    if (status == FM_OK)
        status = make(c, err);
    fm_canvas_free(&c->canvas);
    av_frame_free(&c->still);
    fm_truth_discard(&c->truth);
    fm_outfile_discard(&c->video_file);
    free(c);
    return status;
}
