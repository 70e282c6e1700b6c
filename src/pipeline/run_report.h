/*
 * The report of a run: the facts that stand beside the profiler's figures, as
 * text for the user and as STEM_profile.json.
 *
 * Thread-safety: Unsafe; one run at a time.
 */
#ifndef FM_PIPELINE_RUN_REPORT_H
#define FM_PIPELINE_RUN_REPORT_H

#include "advice/rules.h"
#include "pipeline/pipeline.h"
#include "pipeline/run_conditions.h"
#include "report/profile.h"

/*
 * Takes the facts of a run that ended with `run_status`, and the profiler's figures, so that models and outputs can be
 * closed before they are written. `conditions` are those of the frame loop, ended. Free with fm_profile_free.
 */
fm_status fm_run_report_take(const fm_pipeline *p, const fm_run_summary *summary, fm_status run_status,
                             double setup_seconds, int threads, const fm_run_conditions *conditions,
                             fm_profile **out, fm_error *err);

/*
 * Writes the text to options->report (when set) and the JSON to `json_path`
 * (when not NULL; *json_written says whether it is there). `rules` are those of
 * the findings. One that cannot be written does not keep the other from it.
 */
fm_status fm_run_report_write(fm_profile *profile, const fm_run_options *options, const fm_advice_rules *rules,
                              const char *json_path, bool *json_written, fm_error *err);

#endif
