#include "pipeline/run_outputs.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DEBUG_QUALITY = 23 }; /* the debug video is for looking at, not for measuring */

void fm_run_warn(void *state, const char *message)
{
    fm_run_state *run = state;
    const fm_run_options *options = run->p.options;
    if (!options->on_warning)
        return;
    pthread_mutex_lock(&run->p.callback_lock);
    options->on_warning(options->opaque, message);
    pthread_mutex_unlock(&run->p.callback_lock);
}

bool fm_run_writes_videos(const fm_run_options *o)
{
    return o->mode != FM_MODE_AU;
}

bool fm_run_measures_aus(const fm_run_options *o)
{
    return o->mode != FM_MODE_MIRROR;
}

static fm_status output_path(const fm_run_state *run, const char *suffix, char *path, fm_error *err)
{
    return fm_path_output(path, run->dir, run->stem, suffix, err);
}

fm_status fm_run_plan_paths(fm_run_state *run, fm_error *err)
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

static fm_status create_lane(fm_run_state *run, fm_lane_kind kind, const fm_au_features *neutral,
                             fm_error *err)
{
    const fm_run_options *o = run->p.options;
    const struct lane_names *names = &lane_names[kind];
    fm_lane *lane = &run->p.lane[kind];
    lane->pipeline = &run->p;
    lane->kind = kind;
    lane->active = kind != FM_LANE_DEBUG || (fm_run_writes_videos(o) && !o->no_debug_video);
    if (!lane->active)
        return FM_OK;
    lane->draw_site = fmp_site_get(names->draw_category, names->draw);

    char path[FM_PATH_MAX];
    fm_status status = fm_queue_create(&lane->in, FM_WORKS_WAITING, NULL, err);
    if (status == FM_OK)
        fm_queue_watch(lane->in, names->draw, "frames");
    if (status == FM_OK && fm_run_writes_videos(o)) {
        status = output_path(run, names->video, path, err);
        if (status == FM_OK)
            status = fm_output_create(&lane->output, path, o->overwrite, names->write,
                                      run->p.frame_flow, err);
    }
    if (status == FM_OK && names->csv && fm_run_measures_aus(o)) {
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

static fm_status create_landmarks_table(fm_run_state *run, fm_error *err)
{
    fm_pipeline *p = &run->p;
    const fm_face_model *blendshapes = fm_face_models_get(p->models, FM_ROLE_BLENDSHAPES);
    char path[FM_PATH_MAX];
    fm_status status = output_path(run, "_landmarks.csv", path, err);
    if (status == FM_OK && blendshapes)
        status = fm_blendshapes_run_create(&p->blendshapes, blendshapes, err);
    if (status == FM_OK)
        status = fm_landmarks_csv_create(&p->landmarks, path, fm_face_models_topology(p->models)->count,
                                         blendshapes != NULL, p->options->overwrite, err);
    return status;
}

fm_status fm_run_create_outputs(fm_run_state *run, const fm_au_features neutral[2], fm_error *err)
{
    const fm_run_options *o = run->p.options;
    fm_status status = FM_OK;
    for (int kind = 0; kind < FM_LANES && status == FM_OK; kind++) {
        const bool still = o->neutral == FM_NEUTRAL_IMAGE && kind != FM_LANE_DEBUG;
        status = create_lane(run, (fm_lane_kind)kind, still ? &neutral[kind] : NULL, err);
    }
    if (status == FM_OK && o->landmarks_csv)
        status = create_landmarks_table(run, err);
    return status;
}

fm_status fm_run_open_pictures(fm_run_state *run, fm_error *err)
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
        fm_run_warn(run, "the sound is left out: MP4 cannot hold it as it is, and it cannot be encoded anew");
    return status;
}

fm_status fm_run_add_output(fm_run_state *run, const char *kind, const char *suffix, fm_status status,
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
static void take_back_outputs(fm_run_state *run)
{
    for (int i = 0; i < run->summary.output_count; i++)
        unlink(run->summary.output[i].path);
    run->summary.output_count = 0;
}

fm_status fm_run_commit_outputs(fm_run_state *run, fm_error *err)
{
    fm_pipeline *p = &run->p;
    fm_status status = FM_OK;
    for (int i = 0; i < FM_LANES && status == FM_OK; i++) {
        fm_lane *lane = &p->lane[i];
        if (lane->output)
            status = fm_run_add_output(run, lane_names[i].video_kind, lane_names[i].video,
                                fm_output_commit(lane->output, err), err);
        if (status == FM_OK && lane->au)
            status = fm_run_add_output(run, lane_names[i].csv_kind, lane_names[i].csv,
                                fm_au_track_commit(lane->au, err), err);
    }
    if (status == FM_OK && p->landmarks)
        status = fm_run_add_output(run, "landmarks_csv", "_landmarks.csv",
                            fm_landmarks_csv_commit(p->landmarks, err), err);
    if (status != FM_OK)
        take_back_outputs(run);
    return status;
}

