#include "pipeline/analysis.h"

#include <stdlib.h>

#include "fmprof/fmprof.h"

/* A face that is lost for a moment (a blink of the tracker, a hand) keeps its
 * midline this long, so that the mirrored picture does not flash back. */
#define HOLD_LINE_SECONDS 0.5

struct fm_analysis {
    fm_face_runner *runner;
    fm_tracker *tracker;
    const fm_topology *topology;
    fm_midline_mode mode;
    bool smooth;
    fm_tracker_options tracking;
    fm_midline_filter filter;
    bool has_line;
    fm_line line;
    double line_seconds;
};

fm_status fm_analysis_create(fm_analysis **out, fm_face_models *models,
                             const fm_run_options *options, fm_error *err)
{
    *out = NULL;
    fm_analysis *a = calloc(1, sizeof *a);
    if (!a)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the tracker");
    a->topology = fm_face_models_topology(models);
    a->mode = options->midline;
    a->smooth = !options->no_smooth;
    a->tracking = fm_face_runner_tracking(models);
    a->tracking.smooth = a->smooth;
    if (options->smooth_cutoff_hz > 0)
        a->tracking.min_cutoff_hz = options->smooth_cutoff_hz;
    if (options->smooth_beta > 0)
        a->tracking.beta = options->smooth_beta;
    if (options->detector_interval != 0)
        a->tracking.detect_every = options->detector_interval > 0 ? options->detector_interval : 0;
    fm_midline_filter_init(&a->filter, a->tracking.min_cutoff_hz, a->tracking.beta);
    const fm_face_runner_flags flags = options->no_flip_average
                                           ? FM_FACE_RUNNER_DETECTS
                                           : FM_FACE_RUNNER_DETECTS | FM_FACE_RUNNER_AVERAGES_FLIP;
    fm_status status = fm_face_runner_create(&a->runner, models, flags, err);
    if (status == FM_OK)
        status = fm_tracker_create(&a->tracker, a->topology, &a->tracking, err);
    if (status != FM_OK) {
        fm_analysis_destroy(&a);
        return status;
    }
    *out = a;
    return FM_OK;
}

void fm_analysis_destroy(fm_analysis **analysis)
{
    fm_analysis *a = *analysis;
    if (!a)
        return;
    fm_tracker_destroy(&a->tracker);
    fm_face_runner_destroy(&a->runner);
    free(a);
    *analysis = NULL;
}

/* The line of this frame; raw points, since the filter smooths the line itself. */
static void find_line(fm_analysis *a, const fm_work *work)
{
    FMP_SCOPE("POSTPROCESSING", "midline");
    fm_line line;
    if (!fm_midline_fit(work->face.raw, a->topology, a->mode, &line))
        return;
    if (a->smooth && work->has_pose)
        line = fm_midline_filter_apply(&a->filter, &line, work->pose.origin.x, work->pose.origin.y,
                                       work->pose.inter_ocular, work->seconds);
    a->line = line;
    a->has_line = true;
    a->line_seconds = work->seconds;
}

fm_status fm_analysis_frame(fm_analysis *a, fm_work *work, fm_error *err)
{
    fm_status status = fm_face_runner_track(a->runner, a->tracker, &work->image, work->seconds,
                                            &work->face, err);
    if (status != FM_OK)
        return status;
    if (work->face.found) {
        {
            FMP_SCOPE("POSTPROCESSING", "head_pose");
            work->has_pose = fm_pose_estimate(work->face.points, a->topology, &work->pose);
        }
        find_line(a, work);
    }
    work->has_line = a->has_line && work->seconds - a->line_seconds <= HOLD_LINE_SECONDS;
    work->line = a->line;
    return FM_OK;
}
