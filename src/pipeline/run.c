/* fm_run: sets a clip's pipeline up, runs it, and makes its outputs final. */
#include "facemirror/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/neutral_image.h"
#include "pipeline/pipeline.h"
#include "pipeline/run_report.h"
#include "pipeline/run_trace.h"

enum {
    WORKS = 8,         /* source frames alive at once, the decoder's own apart */
    QUEUE_LENGTH = 3,  /* works waiting between two stages */
    DECODER_THREADS_MAX = 8,
    DEBUG_QUALITY = 23 /* the debug video is for looking at, not for measuring */
};

typedef struct run_state {
    fm_pipeline p;
    fm_run_summary summary;
    char dir[FM_PATH_MAX], stem[FM_PATH_MAX], profile_path[FM_PATH_MAX];
    int threads;
    fm_outfile trace; /* the event stream; pending while it is wanted */
    uint64_t began_ns, loop_began_ns; /* loop_began_ns 0: the frame loop was not reached */
} run_state;

fm_run_options fm_run_defaults(void)
{
    fm_run_options options;
    memset(&options, 0, sizeof options);
    return options;
}

static void warn(void *state, const char *message)
{
    run_state *run = state;
    const fm_run_options *options = run->p.options;
    if (!options->on_warning)
        return;
    pthread_mutex_lock(&run->p.callback_lock);
    options->on_warning(options->opaque, message);
    pthread_mutex_unlock(&run->p.callback_lock);
}

static fm_status check_options(const fm_run_options *o, fm_error *err)
{
    if (!o->input || !*o->input)
        return fm_fail(err, FM_E_USAGE, "no input video was given");
    if (!(o->start >= 0) || !(o->duration >= 0) || isinf(o->start) || isinf(o->duration))
        return fm_fail(err, FM_E_USAGE, "start and duration must be seconds of 0 or more");
    if (o->max_frames < 0 || o->threads < 0)
        return fm_fail(err, FM_E_USAGE, "max-frames and threads must be 0 or more");
    if (!(o->smooth_cutoff_hz >= 0) || !(o->smooth_beta >= 0) || isinf(o->smooth_cutoff_hz) || isinf(o->smooth_beta))
        return fm_fail(err, FM_E_USAGE, "smoothing constants must be 0 or more");
    if (o->au_batch < 0 || o->au_batch > FM_AU_BATCH_MAX)
        return fm_fail(err, FM_E_USAGE, "au-batch must be 1 to %d", FM_AU_BATCH_MAX);
    if (o->neutral == FM_NEUTRAL_IMAGE && !o->neutral_image)
        return fm_fail(err, FM_E_USAGE, "a neutral picture is asked for and none was given");
    if (o->neutral == FM_NEUTRAL_TIME && !(o->neutral_seconds >= 0))
        return fm_fail(err, FM_E_USAGE, "the time of the neutral face must be seconds of 0 or more");
    return FM_OK;
}

static bool writes_videos(const fm_run_options *o)
{
    return o->mode != FM_MODE_AU;
}

static bool measures_aus(const fm_run_options *o)
{
    return o->mode != FM_MODE_MIRROR;
}

/* --- outputs --------------------------------------------------------------- */

static fm_status output_path(const run_state *run, const char *suffix, char *path, fm_error *err)
{
    return fm_path_output(path, run->dir, run->stem, suffix, err);
}

static fm_status plan_paths(run_state *run, fm_error *err)
{
    const fm_run_options *o = run->p.options;
    fm_path_stem(run->stem, o->input);
    if (o->output_dir) {
        int n = snprintf(run->dir, sizeof run->dir, "%s", o->output_dir);
        if (n < 0 || n >= FM_PATH_MAX)
            return fm_fail(err, FM_E_OUTPUT, "the output folder '%.200s...' is too long", o->output_dir);
        fm_status status = fm_make_dirs(run->dir, err);
        if (status != FM_OK)
            return status;
    } else {
        fm_path_dir(run->dir, o->input);
    }
    return output_path(run, "_profile.json", run->profile_path, err);
}

static const struct lane_names {
    const char *video, *csv, *video_kind, *csv_kind, *draw_category, *draw, *write;
} lane_names[FM_LANES] = {
    [FM_LANE_LEFT] = {"_left_mirrored.mp4", "_left_mirrored.csv", "left_video", "left_csv",
                      "MIRRORING", "mirror_left", "frame_write_left_mirrored"},
    [FM_LANE_RIGHT] = {"_right_mirrored.mp4", "_right_mirrored.csv", "right_video", "right_csv",
                       "MIRRORING", "mirror_right", "frame_write_right_mirrored"},
    [FM_LANE_DEBUG] = {"_debug.mp4", NULL, "debug_video", NULL, "DRAWING", "debug_overlay",
                       "frame_write_debug"},
};

static fm_status create_lane(run_state *run, fm_lane_kind kind, const fm_au_features *neutral,
                             fm_error *err)
{
    const fm_run_options *o = run->p.options;
    const struct lane_names *names = &lane_names[kind];
    fm_lane *lane = &run->p.lane[kind];
    lane->pipeline = &run->p;
    lane->kind = kind;
    lane->active = kind != FM_LANE_DEBUG || (writes_videos(o) && !o->no_debug_video);
    if (!lane->active)
        return FM_OK;
    lane->draw_site = fmp_site_get(names->draw_category, names->draw);

    char path[FM_PATH_MAX];
    fm_status status = fm_queue_create(&lane->in, QUEUE_LENGTH, NULL, err);
    if (status == FM_OK)
        fm_queue_watch(lane->in, names->draw, "frames");
    if (status == FM_OK && writes_videos(o)) {
        status = output_path(run, names->video, path, err);
        if (status == FM_OK)
            status = fm_output_create(&lane->output, path, o->overwrite, names->write,
                                      run->p.frame_flow, err);
    }
    if (status == FM_OK && names->csv && measures_aus(o)) {
        const fm_au_track_options options = {
            .side = kind == FM_LANE_LEFT ? FM_SIDE_LEFT : FM_SIDE_RIGHT,
            .neutral = o->neutral,
            .neutral_seconds = o->neutral_seconds,
            .neutral_features = neutral,
            .overwrite = o->overwrite,
        };
        fm_au_estimator *estimator = NULL;
        status = output_path(run, names->csv, path, err);
        if (status == FM_OK)
            status = fm_au_estimator_create(&estimator, run->p.models, o->au_batch, err);
        if (status == FM_OK)
            status = fm_au_track_create(&lane->au, &estimator, path, &options, err);
    }
    return status;
}

static fm_status create_outputs(run_state *run, const fm_au_features neutral[2], fm_error *err)
{
    const fm_run_options *o = run->p.options;
    fm_status status = FM_OK;
    for (int kind = 0; kind < FM_LANES && status == FM_OK; kind++) {
        const bool still = o->neutral == FM_NEUTRAL_IMAGE && kind != FM_LANE_DEBUG;
        status = create_lane(run, (fm_lane_kind)kind, still ? &neutral[kind] : NULL, err);
    }
    if (status == FM_OK && o->landmarks_csv) {
        char path[FM_PATH_MAX];
        status = output_path(run, "_landmarks.csv", path, err);
        if (status == FM_OK)
            status = fm_landmarks_csv_create(&run->p.landmarks, path,
                                             fm_face_models_topology(run->p.models)->count,
                                             o->overwrite, err);
    }
    return status;
}

/* The encoders open when the first frame is there, since its colour tags go into the files. */
static fm_status open_pictures(run_state *run, fm_error *err)
{
    fm_pipeline *p = &run->p;
    fm_writer_options options = {
        .width = p->out_width,
        .height = p->out_height,
        .time_base = fm_reader_info(p->reader)->time_base,
        .frame_rate = fm_reader_info(p->reader)->frame_rate,
        .encoder = p->encoder,
        .threads = run->threads > FM_LANES ? run->threads / FM_LANES : 1,
        .colour = p->first->frame,
        .title = run->stem,
    };
    options.audio = fm_reader_audio(p->reader, &options.audio_time_base);

    /* The whole clip keeps its times to the tick; a part of it begins at 0. */
    const int64_t origin = p->options->start > 0 ? p->first->frame->pts : 0;

    fm_status status = FM_OK;
    bool sound_lost = false;
    for (int i = 0; i < FM_LANES && status == FM_OK; i++) {
        fm_lane *lane = &p->lane[i];
        options.quality = i == FM_LANE_DEBUG ? DEBUG_QUALITY : 0;
        if (lane->output) {
            status = fm_output_open(lane->output, &options, origin, err);
            sound_lost |= status == FM_OK && fm_output_audio_handling(lane->output) == FM_AUDIO_LEFT_OUT;
        } else if (lane->active) {
            lane->scratch = av_frame_alloc();
            if (lane->scratch) {
                lane->scratch->format = AV_PIX_FMT_YUV420P;
                lane->scratch->width = p->out_width;
                lane->scratch->height = p->out_height;
            }
            if (!lane->scratch || av_frame_get_buffer(lane->scratch, 0) < 0 ||
                av_frame_copy_props(lane->scratch, p->first->frame) < 0)
                status = fm_fail(err, FM_E_NO_MEMORY, "out of memory for frames of %dx%d",
                                 p->out_width, p->out_height);
        }
    }
    if (sound_lost)
        warn(run, "the sound is left out: MP4 cannot hold it as it is, and it cannot be encoded anew");
    return status;
}

static fm_status add_output(run_state *run, const char *kind, const char *suffix, fm_status status,
                            fm_error *err)
{
    if (status != FM_OK || run->summary.output_count == FM_RUN_OUTPUTS_MAX)
        return status;
    fm_run_output *out = &run->summary.output[run->summary.output_count];
    out->kind = kind;
    status = output_path(run, suffix, out->path, err);
    if (status == FM_OK)
        run->summary.output_count++;
    return status;
}

/* One of the files did not get its name: half a set would look like a whole one. */
static void take_back_outputs(run_state *run)
{
    for (int i = 0; i < run->summary.output_count; i++)
        unlink(run->summary.output[i].path);
    run->summary.output_count = 0;
}

/* Everything is whole: gives the files their names. */
static fm_status commit_outputs(run_state *run, fm_error *err)
{
    fm_pipeline *p = &run->p;
    fm_status status = FM_OK;
    for (int i = 0; i < FM_LANES && status == FM_OK; i++) {
        fm_lane *lane = &p->lane[i];
        if (lane->output)
            status = add_output(run, lane_names[i].video_kind, lane_names[i].video,
                                fm_output_commit(lane->output, err), err);
        if (status == FM_OK && lane->au)
            status = add_output(run, lane_names[i].csv_kind, lane_names[i].csv,
                                fm_au_track_commit(lane->au, err), err);
    }
    if (status == FM_OK && p->landmarks)
        status = add_output(run, "landmarks_csv", "_landmarks.csv",
                            fm_landmarks_csv_commit(p->landmarks, err), err);
    if (status != FM_OK)
        take_back_outputs(run);
    return status;
}

/* --- the run ---------------------------------------------------------------- */

static fm_status choose_encoder(run_state *run, fm_error *err)
{
    fm_pipeline *p = &run->p;
    const fm_video_info *info = fm_reader_info(p->reader);
    p->out_width = info->width + (info->width & 1);
    p->out_height = info->height + (info->height & 1);
    if (!writes_videos(p->options))
        return FM_OK;
    fm_encoder_choice choice;
    fm_status status = fm_encoder_choose(p->options->encoder, p->out_width, p->out_height, &choice, err);
    if (status == FM_OK) {
        snprintf(p->encoder, sizeof p->encoder, "%s", choice.name);
        snprintf(run->summary.encoder, sizeof run->summary.encoder, "%s", choice.name);
    }
    return status;
}

static fm_status open_models(run_state *run, fm_error *err)
{
    const fm_run_options *o = run->p.options;
    const fm_face_models_options options = {
        .pack = o->models,
        .landmarks = o->landmarks,
        .action_units = measures_aus(o),
        .width = run->summary.width,
        .height = run->summary.height,
        .providers = &o->providers,
        .on_log = warn,
        .opaque = run,
    };
    return fm_face_models_open(&run->p.models, &options, err);
}

static fm_status set_up(run_state *run, fm_error *err)
{
    fm_pipeline *p = &run->p;
    const fm_run_options *o = p->options;
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    run->threads = o->threads > 0 ? o->threads : online > 0 ? (int)online : 1;

    const fm_reader_options reader = {
        .threads = run->threads < DECODER_THREADS_MAX ? run->threads : DECODER_THREADS_MAX,
        .start = o->start,
        .duration = o->duration,
        .no_audio = !writes_videos(o),
        .should_stop = o->should_stop,
        .opaque = o->opaque,
    };
    fm_status status = fm_reader_open(&p->reader, o->input, &reader, err);
    if (status != FM_OK)
        return status;
    run->summary.width = fm_reader_info(p->reader)->width;
    run->summary.height = fm_reader_info(p->reader)->height;
    run->summary.frame_rate = av_q2d(fm_reader_info(p->reader)->frame_rate);

    p->frame_flow = fmp_site_get("PIPELINE", "frame");
    p->frames_counter = fmp_counter_get("PIPELINE", "frames_read", "frames");
    fm_au_features neutral[2];
    memset(neutral, 0, sizeof neutral);
    status = plan_paths(run, err);
    if (status == FM_OK)
        status = open_models(run, err);
    if (status == FM_OK && measures_aus(o) && o->neutral == FM_NEUTRAL_IMAGE)
        status = fm_neutral_image_measure(p->models, o, neutral, err);
    if (status == FM_OK)
        status = choose_encoder(run, err);
    if (status == FM_OK)
        status = create_outputs(run, neutral, err);
    if (status == FM_OK)
        status = fm_analysis_create(&p->analysis, p->models, o, err);
    if (status == FM_OK)
        status = fm_work_pool_create(&p->pool, WORKS, err);
    if (status == FM_OK)
        status = fm_queue_create(&p->decoded, QUEUE_LENGTH, NULL, err);
    if (status == FM_OK)
        fm_queue_watch(p->decoded, "analysis", "frames");
    if (status == FM_OK && (o->profile.trace || o->profile.compat_json))
        status = fm_run_trace_open(&run->trace, run->dir, run->stem, err);
    return status;
}

static fm_status process(run_state *run, fm_error *err)
{
    fmp_reset(); /* the profile is of the frame loop; loading stands apart */
    fm_status status = FM_OK;
    if (run->trace.pending)
        status = fm_run_trace_start(&run->trace, run->p.options, err);
    run->loop_began_ns = fmp_now();
    if (status == FM_OK)
        status = fm_pipeline_prime(&run->p, err);
    if (status == FM_OK)
        status = open_pictures(run, err);
    if (status == FM_OK)
        status = fm_pipeline_run(&run->p, err);
    return status;
}

static fm_status finish_tables(run_state *run, fm_error *err)
{
    fm_status status = FM_OK;
    for (int i = 0; i < FM_LANES && status == FM_OK; i++) {
        bool used_clip_neutral = false;
        if (!run->p.lane[i].au)
            continue;
        fm_coverage_enter(&run->p.coverage);
        status = fm_au_track_finish(run->p.lane[i].au, &used_clip_neutral, err);
        fm_coverage_leave(&run->p.coverage);
        if (used_clip_neutral)
            warn(run, i == FM_LANE_LEFT
                          ? "no face was found at the time given as neutral: the left table uses the neutral estimated over the clip"
                          : "no face was found at the time given as neutral: the right table uses the neutral estimated over the clip");
    }
    return status;
}

static void summarise(run_state *run)
{
    fm_pipeline *p = &run->p;
    run->summary.frames_read = p->frames_read;
    run->summary.frames_with_face = p->frames_with_face;
    run->summary.frames_detected = p->frames_detected;
    run->summary.frames_written = fm_pipeline_frames_done(p);
    if (p->reader)
        run->summary.frames_damaged = fm_reader_damaged(p->reader);
    if (run->loop_began_ns)
        run->summary.wall_seconds = (double)(fmp_now() - run->loop_began_ns) * 1e-9;
}

/* What a run that came to its end has to say: FM_OK, or why its outputs are not the whole clip. */
static fm_status verdict(const run_state *run, fm_error *err)
{
    const fm_pipeline *p = &run->p;
    const char *input = p->options->input;
    if (atomic_load(&p->interrupted))
        return fm_fail(err, FM_E_INTERRUPTED, "stopped after %lld frames; the outputs hold what was done",
                       (long long)run->summary.frames_written);
    if (fm_reader_truncated(p->reader))
        return fm_fail(err, FM_E_DAMAGED, "'%s' ends early: the outputs hold the %lld frames that could be read",
                       input, (long long)run->summary.frames_written);
    if (run->summary.frames_damaged > 0)
        return fm_fail(err, FM_E_DAMAGED, "'%s' is damaged: frames skipped: %lld, frames in the outputs: %lld",
                       input, (long long)run->summary.frames_damaged, (long long)run->summary.frames_written);
    return FM_OK;
}

static void warn_of_repairs(run_state *run)
{
    char text[160];
    const int64_t repaired = fm_reader_repaired(run->p.reader);
    if (repaired == 0)
        return;
    snprintf(text, sizeof text, "%lld frames had no time stamp, or one that did not rise; theirs follow from their neighbours",
             (long long)repaired);
    warn(run, text);
}

static fm_status conclude(run_state *run, fm_error *err)
{
    summarise(run);
    warn_of_repairs(run);
    if (run->summary.frames_with_face == 0 && atomic_load(&run->p.interrupted))
        return fm_fail(err, FM_E_INTERRUPTED, "stopped after %lld frames, none of which shows a face; there are no outputs",
                       (long long)run->summary.frames_read);
    if (run->summary.frames_with_face == 0)
        return fm_fail(err, FM_E_NO_FACE, "no face was found in the %lld frames of '%s'; film the face from the front, upright and well lit",
                       (long long)run->summary.frames_read, run->p.options->input);
    fm_status status = finish_tables(run, err);
    if (status == FM_OK)
        status = commit_outputs(run, err);
    summarise(run);
    return status == FM_OK ? verdict(run, err) : status;
}

static void tear_down(run_state *run)
{
    fm_pipeline *p = &run->p;
    fm_outfile_discard(&run->trace);
    fm_work_release(p->first);
    for (int i = 0; i < FM_LANES; i++) {
        fm_lane *lane = &p->lane[i];
        fm_output_destroy(&lane->output);
        fm_au_track_destroy(&lane->au);
        av_frame_free(&lane->scratch);
        fm_queue_destroy(&lane->in);
    }
    fm_queue_destroy(&p->decoded);
    fm_work_pool_destroy(&p->pool);
    for (size_t i = 0; i < p->early_audio_count; i++)
        av_packet_free(&p->early_audio[i]);
    free(p->early_audio);
    fm_landmarks_csv_destroy(&p->landmarks);
    fm_analysis_destroy(&p->analysis);
    fm_face_models_close(&p->models);
    fm_reader_close(&p->reader);
    pthread_cond_destroy(&p->end_changed);
    pthread_mutex_destroy(&p->end_lock);
    pthread_mutex_destroy(&p->failure_lock);
    fm_coverage_destroy(&p->coverage);
    pthread_mutex_destroy(&p->callback_lock);
}

/* What cannot be written of the event stream is a warning: the run itself is whole. */
static void finish_trace(run_state *run, bool writable)
{
    const fm_profile_options *profile = &run->p.options->profile;
    fm_run_trace_files written;
    fm_error err = {0};
    if (fm_run_trace_finish(&run->trace, run->dir, run->stem, profile, writable, &written, &err) != FM_OK)
        warn(run, err.message);
    if (written.stream)
        add_output(run, "trace", "_trace.fmptrace", FM_OK, NULL);
    if (written.json)
        add_output(run, "trace_json", "_trace.json", FM_OK, NULL);
    if (written.compat)
        add_output(run, "profile_compat", "_profile_compat.json", FM_OK, NULL);
}

/* A run that reached its frame loop leaves a report, however it ended. */
static fm_status report(run_state *run, fm_status run_status, fm_error *err)
{
    const double setup = (double)(run->loop_began_ns - run->began_ns) * 1e-9;
    const bool writable = run_status != FM_E_OUTPUT && run_status != FM_E_NO_SPACE;
    bool json_written;
    fm_error report_err = {0};
    fm_status status = fm_run_report_write(&run->p, &run->summary, run_status, setup, run->threads,
                                           writable ? run->profile_path : NULL, &json_written, &report_err);
    if (json_written)
        add_output(run, "profile", "_profile.json", FM_OK, NULL);
    if (run->trace.pending)
        finish_trace(run, writable);
    if (status != FM_OK && (run_status == FM_OK || run_status == FM_E_DAMAGED))
        return fm_fail(err, status, "%s", report_err.message);
    return run_status;
}

fm_status fm_run(const fm_run_options *options, fm_run_summary *summary, fm_error *err)
{
    fm_error local = {0};
    if (!err)
        err = &local;
    if (summary)
        memset(summary, 0, sizeof *summary);
    fm_status status = check_options(options, err);
    if (status != FM_OK)
        return status;
    run_state *run = calloc(1, sizeof *run);
    if (!run)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for '%s'", options->input);
    run->p.options = options;
    run->began_ns = fmp_now();
    pthread_mutex_init(&run->p.callback_lock, NULL);
    pthread_mutex_init(&run->p.failure_lock, NULL);
    pthread_mutex_init(&run->p.end_lock, NULL);
    pthread_cond_init(&run->p.end_changed, NULL);
    fm_coverage_init(&run->p.coverage);
    fm_video_log_quiet();

    status = set_up(run, err);
    if (status == FM_OK) {
        status = process(run, err);
        if (status == FM_OK)
            status = conclude(run, err);
        else
            summarise(run);
        status = report(run, status, err);
    }
    if (summary)
        *summary = run->summary;
    tear_down(run);
    free(run);
    return status;
}
