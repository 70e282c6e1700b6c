/*
 * Progress of a bench on stderr: a line for each run that ended, and on a
 * terminal one that is rewritten while a run is on.
 *
 * Thread-safety: Unsafe.
 */
#ifndef FM_CLI_BENCH_PROGRESS_H
#define FM_CLI_BENCH_PROGRESS_H

#include "advice/bench_doc.h"

typedef struct fm_bench_progress {
    bool quiet, terminal, shown;
    int done, total;         /* runs; the total grows while warm-up goes on */
    double process_seconds;  /* of the runs that are done */
    double began;
    const char *name;        /* of the configuration that runs */
    bool warm_up;
} fm_bench_progress;

void fm_bench_progress_init(fm_bench_progress *progress, int total, bool quiet);
/* Warm-up has ended: so many runs are left. */
void fm_bench_progress_measuring(fm_bench_progress *progress, int left);
void fm_bench_progress_begin(fm_bench_progress *progress, const char *name, bool warm_up);
void fm_bench_progress_end(fm_bench_progress *progress, const fm_bench_run *run);
/* Takes the rewritten line away. */
void fm_bench_progress_clear(fm_bench_progress *progress);

#endif
