/*
 * CPU use as lines of a trace: of the process and of each thread, in percent
 * of one processor. Thread-safety: one thread at a time.
 */
#ifndef FMP_WATCH_CPU_TRACKS_H
#define FMP_WATCH_CPU_TRACKS_H

#include "watch/threads.h"

typedef struct fmp_cpu_tracks {
    const fmp_metric *process; /* NULL: not begun */
    double process_cpu_ns;
    uint64_t at_ns;
} fmp_cpu_tracks; /* all zero: not begun */

/* After a reading of the threads, on the watching thread: sets the gauges while a trace runs, else does nothing. */
void fmp_cpu_tracks_set(fmp_cpu_tracks *tracks, fmp_threads *threads);

#endif
