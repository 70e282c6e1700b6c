/*
 * The event stream of a run (--trace, --profile-json-compat): its file, and
 * what is made of it at the end.
 *
 * The stream is written to its partial name, which a crash leaves behind,
 * readable ("facemirror report .STEM_trace.fmptrace.partial --format trace").
 *
 * Thread-safety: Unsafe; one run at a time in a process can have a trace.
 */
#ifndef FM_PIPELINE_RUN_TRACE_H
#define FM_PIPELINE_RUN_TRACE_H

#include "base/file.h"
#include "facemirror/run.h"

/* Reserves the file. */
fm_status fm_run_trace_open(fm_outfile *file, const char *dir, const char *stem, fm_error *err);
/* Begins recording. When that fails the file is discarded, and fm_run_trace_finish must not be called. */
fm_status fm_run_trace_start(fm_outfile *file, const fm_run_options *options, fm_error *err);
/* Which of the files that were asked for are there. */
typedef struct fm_run_trace_files {
    bool stream, json, compat; /* STEM_trace.fmptrace, STEM_trace.json, STEM_profile_compat.json */
} fm_run_trace_files;

/* The events that the recording lacks so far, when no stage is at work; 0 when it cannot be read. */
int64_t fm_run_trace_dropped(const fm_outfile *file);

/*
 * Ends recording and, when `keep`, writes what `profile` asks for; one file
 * that cannot be written does not keep the others from it. The status is that
 * of the first that failed.
 */
fm_status fm_run_trace_finish(fm_outfile *file, const char *dir, const char *stem,
                              const fm_profile_options *profile, bool keep, fm_run_trace_files *written,
                              fm_error *err);

#endif
