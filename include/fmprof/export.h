/*
 * Prints snapshots and traces in the formats of other tools. All strings are
 * escaped, whatever bytes the names hold; invalid UTF-8 becomes U+FFFD.
 *
 * Functions return 0, or -1 when the stream failed or memory is out (errno
 * says which). Thread-safety: Safe on distinct streams.
 */
#ifndef FMPROF_EXPORT_H
#define FMPROF_EXPORT_H

#include <stdio.h>

#include "api.h"
#include "fmprof.h"
#include "trace.h"

#ifdef __cplusplus
extern "C" {
#endif
FMP_API_BEGIN

/* --- of a snapshot ---------------------------------------------------------- */

typedef enum fmp_sort { FMP_SORT_TOTAL = 0, FMP_SORT_SELF, FMP_SORT_COUNT, FMP_SORT_MEAN, FMP_SORT_MAX, FMP_SORT_P99, FMP_SORT_NAME } fmp_sort;

/* Text behind the row of an operation, such as "<-- BOTTLENECK". */
typedef struct fmp_text_mark {
    const char *category, *operation, *text;
} fmp_text_mark;

typedef struct fmp_text_options {
    bool utf8;        /* box-drawing rules */
    bool percentiles; /* columns p50 p90 p99 p99.9 instead of Min and Max */
    bool self;        /* a Self column in every category; default: where it differs */
    fmp_sort sort;    /* of the operations in a category */
    double wall_seconds; /* > 0: a residual row, wall time that no scope explains */
    double covered_seconds; /* with wall_seconds: wall time in which a scope was open; 0: not known */
    const char *const *notes; /* one sentence each, shown first */
    size_t note_count;
    const fmp_text_mark *marks;
    size_t mark_count;
} fmp_text_options;

/* The table of categories and operations, threads and metrics. options may be NULL. */
int fmp_print_text(FILE *out, const fmp_snapshot *snapshot, const fmp_text_options *options);
/* One row an operation, RFC 4180, times in seconds. */
int fmp_print_csv(FILE *out, const fmp_snapshot *snapshot);
/* Collapsed stacks for flame graphs: "category;operation self_nanoseconds". */
int fmp_print_folded(FILE *out, const fmp_snapshot *snapshot);
/* speedscope's JSON, one sampled profile of self times. */
int fmp_print_speedscope(FILE *out, const fmp_snapshot *snapshot, const char *title);

/* --- of a trace --------------------------------------------------------------- */

/* Chrome Trace Event JSON: opens in ui.perfetto.dev and chrome://tracing. */
int fmp_print_chrome_trace(FILE *out, const fmp_trace *trace);
/* Perfetto's own protobuf, for long runs. */
int fmp_print_perfetto(FILE *out, const fmp_trace *trace);
/* speedscope's JSON, one evented profile a thread. */
int fmp_print_speedscope_trace(FILE *out, const fmp_trace *trace, const char *title);
/* Collapsed stacks "thread;operation;inner self_nanoseconds". */
int fmp_print_folded_trace(FILE *out, const fmp_trace *trace);

FMP_API_END
#ifdef __cplusplus
}
#endif
#endif
