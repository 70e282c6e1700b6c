/*
 * The state of one run, and its outputs: paths, lanes and tables when the run
 * is set up, encoders when the first frame is there, names when all is whole.
 * Internal to src/pipeline/run.c.
 *
 * Thread-safety: Unsafe; the caller's thread, but fm_run_warn, which is Safe.
 */
#ifndef FM_PIPELINE_RUN_OUTPUTS_H
#define FM_PIPELINE_RUN_OUTPUTS_H

#include "advice/rules.h"
#include "base/file.h"
#include "pipeline/pipeline.h"
#include "pipeline/run_conditions.h"
#include "report/profile.h"

typedef struct fm_run_state {
    fm_pipeline p;
    fm_run_summary summary;
    char dir[FM_PATH_MAX], stem[FM_PATH_MAX], profile_path[FM_PATH_MAX];
    int threads;
    fm_outfile trace; /* the event stream; pending while it is wanted */
    fm_run_conditions conditions;
    fm_advice_rules rules;
    fmp_system *watch;          /* NULL: the system's side is not watched */
    fmp_system_report *watched; /* what that showed, once it ended */
    fm_profile *profile;        /* the facts for the report, once the stages ended */
    uint64_t began_ns, loop_began_ns; /* loop_began_ns 0: the frame loop was not reached */
} fm_run_state;

/* Tells the caller's on_warning; `state` is the fm_run_state. */
void fm_run_warn(void *state, const char *message);

bool fm_run_writes_videos(const fm_run_options *options);
bool fm_run_measures_aus(const fm_run_options *options);

/* Where the outputs go: folder (made when missing), stem, and the profile's path. */
fm_status fm_run_plan_paths(fm_run_state *run, fm_error *err);

/* Lanes and tables, under partial names. `neutral`: features of the neutral picture's two sides, where there is one. */
fm_status fm_run_create_outputs(fm_run_state *run, const fm_au_features neutral[2], fm_error *err);

/* The encoders open when the first frame is there, since its colour tags go into the files. */
fm_status fm_run_open_pictures(fm_run_state *run, fm_error *err);

/* Everything is whole: gives the files their names, all or none. */
fm_status fm_run_commit_outputs(fm_run_state *run, fm_error *err);

/* One more file for the summary; `status` FM_OK: it is there. Returns the first error. */
fm_status fm_run_add_output(fm_run_state *run, const char *kind, const char *suffix, fm_status status, fm_error *err);

#endif
