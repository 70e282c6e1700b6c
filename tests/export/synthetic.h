/* Traces and snapshots made by hand and by chance, for the export tests. */
#ifndef SYNTHETIC_H
#define SYNTHETIC_H

#include "fmprof/export.h"

/*
 * A small trace with everything in it: nested scopes, recursion, scopes that
 * touch, marks, a flow over three threads, counters on two threads, a gauge,
 * dropped events, names with quotes, UTF-8, control characters and bytes that
 * are no UTF-8, two threads with one id.
 */
extern const fmp_trace synthetic_small;

/* A snapshot with names of that kind and every sort of figure. */
extern const fmp_snapshot synthetic_snapshot;

/*
 * A sound trace of `events` events by chance (the same for the same seed) on
 * `threads` threads; free with synthetic_free. Aborts when memory is out.
 */
fmp_trace *synthetic_random(size_t events, size_t threads, uint64_t seed);
void synthetic_free(fmp_trace *trace);

#endif
