/*
 * The system's side of a run (fmprof/system.h): watched from before its models load until all is closed, so that what
 * is still allocated then is what the run did not give back.
 *
 * Thread-safety: Unsafe; the caller's thread.
 */
#ifndef FM_PIPELINE_RUN_WATCH_H
#define FM_PIPELINE_RUN_WATCH_H

#include "pipeline/run_outputs.h"

/* Starts when the options ask for it; that it cannot is a warning. */
void fm_run_watch_start(fm_run_state *run);
/* Ends it and keeps what it showed in run->watched; nothing when it does not run. */
void fm_run_watch_stop(fm_run_state *run);
/* Writes the call stacks that were sampled, where there are some; what cannot be written is a warning. */
void fm_run_watch_write(fm_run_state *run);

#endif
