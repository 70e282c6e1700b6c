/*
 * The report of a run: the facts that stand beside the profiler's figures, as
 * text for the user and as STEM_profile.json.
 *
 * Thread-safety: Unsafe; one run at a time.
 */
#ifndef FM_PIPELINE_RUN_REPORT_H
#define FM_PIPELINE_RUN_REPORT_H

#include "pipeline/pipeline.h"

/*
 * Writes the text to options->report (when set) and the JSON to `json_path`
 * (when not NULL), for a run that ended with `status`. `p` may be half-built.
 */
fm_status fm_run_report_write(const fm_pipeline *p, const fm_run_summary *summary, fm_status run_status,
                              double setup_seconds, int threads, const char *json_path, fm_error *err);

#endif
