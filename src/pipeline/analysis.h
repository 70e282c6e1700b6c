/*
 * The analysis stage: from a decoded frame to its face, midline and head pose.
 * Frames must come in presentation order; tracking and smoothing depend on it.
 *
 * Thread-safety: Unsafe; one stage at a time.
 */
#ifndef FM_PIPELINE_ANALYSIS_H
#define FM_PIPELINE_ANALYSIS_H

#include "facemirror/run.h"
#include "pipeline/face_runner.h"
#include "pipeline/work.h"

typedef struct fm_analysis fm_analysis;

/* Uses midline, no_smooth, smooth_*, no_flip_average and detector_interval of the options. */
fm_status fm_analysis_create(fm_analysis **out, fm_face_models *models,
                             const fm_run_options *options, fm_error *err);
void fm_analysis_destroy(fm_analysis **analysis);

/* Fills face, line and pose of the work. A frame without a face is no error. */
fm_status fm_analysis_frame(fm_analysis *analysis, fm_work *work, fm_error *err);

#endif
