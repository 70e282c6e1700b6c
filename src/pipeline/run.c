/* fm_run: sets a clip's pipeline up, runs it, and makes its outputs final. */
#include "facemirror/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inference/cache.h"
#include "pipeline/neutral_image.h"
#include "pipeline/node_facts.h"
#include "pipeline/run_outputs.h"
#include "pipeline/run_report.h"
#include "pipeline/run_trace.h"
#include "pipeline/run_watch.h"
#include "watch/alloc_client.h"

enum { DECODER_THREADS_MAX = 8 };

fm_run_options fm_run_defaults(void)
{
    fm_run_options options;
    memset(&options, 0, sizeof options);
    return options;
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
    if (o->detector_interval < FM_DETECT_WHEN_LOST)
        return fm_fail(err, FM_E_USAGE, "the detector's interval must be 0 frames or more");
    if (o->au_batch < 0 || o->au_batch > FM_AU_BATCH_MAX)
        return fm_fail(err, FM_E_USAGE, "au-batch must be 1 to %d", FM_AU_BATCH_MAX);
    if (o->neutral == FM_NEUTRAL_IMAGE && !o->neutral_image)
        return fm_fail(err, FM_E_USAGE, "a neutral picture is asked for and none was given");
    if (o->neutral == FM_NEUTRAL_TIME && !(o->neutral_seconds >= 0))
        return fm_fail(err, FM_E_USAGE, "the time of the neutral face must be seconds of 0 or more");
    return FM_OK;
}

/* A hardware encoder that would have been taken, had the user not named one. */
static void find_hardware_encoder(fm_run_state *run, const fm_encoder_choice *taken)
{
    const fm_pipeline *p = &run->p;
    fm_encoder_choice best;
    fm_error ignored = {0};
    if (p->options->encoder && !taken->hardware &&
        fm_encoder_choose(NULL, p->out_width, p->out_height, &best, &ignored) == FM_OK && best.hardware)
        snprintf(run->conditions.hardware_encoder, sizeof run->conditions.hardware_encoder, "%s", best.name);
}

static fm_status choose_encoder(fm_run_state *run, fm_error *err)
{
    fm_pipeline *p = &run->p;
    const fm_video_info *info = fm_reader_info(p->reader);
    p->out_width = info->width + (info->width & 1);
    p->out_height = info->height + (info->height & 1);
    if (!fm_run_writes_videos(p->options))
        return FM_OK;
    fm_encoder_choice choice;
    fm_status status = fm_encoder_choose(p->options->encoder, p->out_width, p->out_height, &choice, err);
    if (status == FM_OK) {
        snprintf(p->encoder, sizeof p->encoder, "%s", choice.name);
        snprintf(run->summary.encoder, sizeof run->summary.encoder, "%s", choice.name);
        find_hardware_encoder(run, &choice);
    }
    return status;
}

static fm_status open_models(fm_run_state *run, fm_error *err)
{
    const fm_run_options *o = run->p.options;
    char cache_dir[FM_PATH_MAX];
    const fm_face_models_options options = {
        .pack = o->models,
        .landmarks = o->landmarks,
        .blendshapes = o->landmarks_csv,
        .action_units = fm_run_measures_aus(o),
        .width = run->summary.width,
        .height = run->summary.height,
        .cache_dir = !o->no_model_cache && fm_cache_dir(cache_dir) ? cache_dir : NULL,
        .providers = &o->providers,
        .on_log = fm_run_warn,
        .opaque = run,
    };
    return fm_face_models_open(&run->p.models, &options, err);
}

static fm_status set_up(fm_run_state *run, fm_error *err)
{
    fm_pipeline *p = &run->p;
    const fm_run_options *o = p->options;
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    run->threads = o->threads > 0 ? o->threads : online > 0 ? (int)online : 1;

    const fm_reader_options reader = {
        .threads = run->threads < DECODER_THREADS_MAX ? run->threads : DECODER_THREADS_MAX,
        .start = o->start,
        .duration = o->duration,
        .no_audio = !fm_run_writes_videos(o),
        .should_stop = o->should_stop,
        .opaque = o->opaque,
    };
    fm_status status = fm_slow_check(err);
    if (status == FM_OK)
        status = fm_reader_open(&p->reader, o->input, &reader, err);
    if (status != FM_OK)
        return status;
    run->summary.width = fm_reader_info(p->reader)->width;
    run->summary.height = fm_reader_info(p->reader)->height;
    run->summary.frame_rate = av_q2d(fm_reader_info(p->reader)->frame_rate);

    p->frame_flow = fmp_site_get("PIPELINE", "frame");
    p->frames_counter = fmp_counter_get("PIPELINE", "frames_read", "frames");
    fm_au_features neutral[2];
    memset(neutral, 0, sizeof neutral);
    status = fm_run_plan_paths(run, err);
    if (status == FM_OK)
        status = open_models(run, err);
    if (status == FM_OK && fm_run_measures_aus(o) && o->neutral == FM_NEUTRAL_IMAGE)
        status = fm_neutral_image_measure(p->models, o, neutral, err);
    if (status == FM_OK)
        status = fm_face_models_sample_nodes(p->models, o->profile.ops_every, err);
    if (status == FM_OK)
        status = choose_encoder(run, err);
    if (status == FM_OK)
        status = fm_run_create_outputs(run, neutral, err);
    if (status == FM_OK)
        status = fm_analysis_create(&p->analysis, p->models, o, err);
    if (status == FM_OK)
        status = fm_work_pool_create(&p->pool, (size_t)fm_slow_pictures(FM_WORKS), err);
    if (status == FM_OK)
        status = fm_queue_create(&p->decoded, FM_WORKS_WAITING, NULL, err);
    if (status == FM_OK)
        fm_queue_watch(p->decoded, "analysis", "frames");
    if (status == FM_OK)
        status = fm_pipeline_open_ledger(p, err);
    if (status == FM_OK && (o->profile.trace || o->profile.compat_json))
        status = fm_run_trace_open(&run->trace, run->dir, run->stem, err);
    return status;
}

static fm_status process(fm_run_state *run, fm_error *err)
{
    fmp_reset(); /* the profile is of the frame loop; loading stands apart */
    fm_status status = FM_OK;
    if (run->trace.pending)
        status = fm_run_trace_start(&run->trace, run->p.options, err);
    fm_face_models_accelerators(run->p.models, run->conditions.accelerators, sizeof run->conditions.accelerators);
    fm_run_conditions_begin(&run->conditions);
    run->loop_began_ns = fmp_now();
    fm_ledger_start(run->p.ledger);
    if (status == FM_OK)
        status = fm_pipeline_prime(&run->p, err);
    if (status == FM_OK)
        status = fm_run_open_pictures(run, err);
    if (status == FM_OK)
        status = fm_pipeline_run(&run->p, err);
    return status;
}

static fm_status finish_tables(fm_run_state *run, fm_error *err)
{
    fm_status status = FM_OK;
    for (int i = 0; i < FM_LANES && status == FM_OK; i++) {
        bool used_clip_neutral = false;
        if (!run->p.lane[i].au)
            continue;
        fm_ledger_work_begins(run->p.ledger);
        status = fm_au_track_finish(run->p.lane[i].au, &used_clip_neutral, err);
        fm_ledger_work_ends(run->p.ledger);
        if (used_clip_neutral)
            fm_run_warn(run, i == FM_LANE_LEFT
                          ? "no face was found at the time given as neutral: the left table uses the neutral estimated over the clip"
                          : "no face was found at the time given as neutral: the right table uses the neutral estimated over the clip");
    }
    return status;
}

static void summarise(fm_run_state *run)
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
static fm_status verdict(const fm_run_state *run, fm_error *err)
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

static void warn_of_repairs(fm_run_state *run)
{
    char text[160];
    const int64_t repaired = fm_reader_repaired(run->p.reader);
    if (repaired == 0)
        return;
    snprintf(text, sizeof text, "%lld frames had no time stamp, or one that did not rise; theirs follow from their neighbours",
             (long long)repaired);
    fm_run_warn(run, text);
}

static fm_status conclude(fm_run_state *run, fm_error *err)
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
        status = fm_run_commit_outputs(run, err);
    summarise(run);
    return status == FM_OK ? verdict(run, err) : status;
}

/* Closes models, outputs and buffers; what the report needs of them was taken. */
static void tear_down(fm_run_state *run)
{
    fm_pipeline *p = &run->p;
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
    fm_blendshapes_run_destroy(&p->blendshapes);
    fm_analysis_destroy(&p->analysis);
    fm_face_models_close(&p->models);
    fm_reader_close(&p->reader);
    fm_ledger_destroy(&p->ledger);
}

static void free_run(fm_run_state *run)
{
    fm_pipeline *p = &run->p;
    fm_outfile_discard(&run->trace);
    fmp_system_report_free(&run->watched);
    fm_profile_free(&run->profile);
    pthread_cond_destroy(&p->end_changed);
    pthread_mutex_destroy(&p->end_lock);
    pthread_mutex_destroy(&p->failure_lock);
    pthread_mutex_destroy(&p->callback_lock);
    free(run);
}

/* What cannot be written of the event stream is a warning: the run itself is whole. */
static void finish_trace(fm_run_state *run, bool writable)
{
    const fm_profile_options *profile = &run->p.options->profile;
    fm_run_trace_files written;
    fm_error err = {0};
    if (fm_run_trace_finish(&run->trace, run->dir, run->stem, profile, writable, &written, &err) != FM_OK)
        fm_run_warn(run, err.message);
    if (written.stream)
        fm_run_add_output(run, "trace", "_trace.fmptrace", FM_OK, NULL);
    if (written.json)
        fm_run_add_output(run, "trace_json", "_trace.json", FM_OK, NULL);
    if (written.compat)
        fm_run_add_output(run, "profile_compat", "_profile_compat.json", FM_OK, NULL);
}

/* What the report needs of models and stages, while they are there. */
static fm_status take_report(fm_run_state *run, fm_status run_status, fm_error *err)
{
    const double setup = (double)(run->loop_began_ns - run->began_ns) * 1e-9;
    fm_run_conditions_end(&run->conditions);
    if (run->trace.pending)
        run->conditions.out.dropped_events = fm_run_trace_dropped(&run->trace);
    fmp_alloc_set_aside(true); /* it is held beyond the watch, and no leak */
    const fm_status status = fm_run_report_take(&run->p, &run->summary, run_status, setup, run->threads,
                                                &run->conditions, &run->profile, err);
    fmp_alloc_set_aside(false);
    return status;
}

/* A run that reached its frame loop leaves a report, however it ended. `taken`: of take_report, with its error. */
static fm_status report(fm_run_state *run, fm_status run_status, fm_status taken, fm_error *report_err, fm_error *err)
{
    const bool writable = run_status != FM_E_OUTPUT && run_status != FM_E_NO_SPACE;
    bool json_written = false;
    fm_status status = taken;
    if (status == FM_OK) {
        run->profile->run.system = run->watched;
        status = fm_run_report_write(run->profile, run->p.options, &run->rules, writable ? run->profile_path : NULL,
                                     &json_written, report_err);
    }
    if (json_written)
        fm_run_add_output(run, "profile", "_profile.json", FM_OK, NULL);
    if (run->watched && writable)
        fm_run_watch_write(run);
    if (run->trace.pending)
        finish_trace(run, writable);
    if (status != FM_OK && (run_status == FM_OK || run_status == FM_E_DAMAGED))
        return fm_fail(err, status, "%s", report_err->message);
    return run_status;
}

/*
 * The frame loop and what comes after it. A driver that crashes when it is closed must not cost the report, so that is
 * written before; only where the system's side is watched, which is until everything is closed, it comes after.
 */
static fm_status run_clip(fm_run_state *run, fm_error *err)
{
    fm_error report_err = {0};
    fm_status taken = FM_OK, status = set_up(run, err);
    const bool looped = status == FM_OK;
    if (looped) {
        status = process(run, err);
        if (status == FM_OK)
            status = conclude(run, err);
        else
            summarise(run);
        taken = take_report(run, status, &report_err);
    }
    const bool watched = run->watch != NULL;
    if (looped && !watched)
        status = report(run, status, taken, &report_err, err);
    tear_down(run);
    fm_run_watch_stop(run);
    if (looped && watched)
        status = report(run, status, taken, &report_err, err);
    return status;
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
    fm_run_state *run = calloc(1, sizeof *run);
    if (!run)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for '%s'", options->input);
    run->p.options = options;
    run->began_ns = fmp_now();
    pthread_mutex_init(&run->p.callback_lock, NULL);
    pthread_mutex_init(&run->p.failure_lock, NULL);
    pthread_mutex_init(&run->p.end_lock, NULL);
    pthread_cond_init(&run->p.end_changed, NULL);
    run->rules = fm_advice_rules_default();
    fm_video_log_quiet();

    if (options->profile.rules)
        status = fm_advice_rules_load(options->profile.rules, &run->rules, err);
    if (status == FM_OK) {
        fm_run_watch_start(run);
        status = run_clip(run, err);
    }
    if (summary)
        *summary = run->summary;
    free_run(run);
    return status;
}
