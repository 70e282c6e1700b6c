/*
 * What `facemirror models inspect` finds out about a model, and how it shows it.
 *
 * Thread-safety: Unsafe.
 */
#ifndef FM_CLI_INSPECT_H
#define FM_CLI_INSPECT_H

#include "inference/macs.h"
#include "inference/node_times.h"
#include "inference/session.h"
#include "report/report.h"

enum { FM_INSPECT_WARM_UP_RUNS = 5, FM_INSPECT_NODE_RUNS = 10 };

/* Seconds of runs over zeros. */
typedef struct fm_latency {
    const char *skipped; /* why nothing was measured; NULL: it was */
    int64_t runs;
    double first, min, p10, median, p90, max;
} fm_latency;

typedef struct fm_inspection {
    const char *path;          /* of the model */
    const fm_runtime *runtime;
    fm_session *session;
    fm_latency latency;
    fm_node_times *times;      /* NULL: nodes were not looked at */
    fm_report_nodes nodes;     /* points into times */
    bool has_macs;
    fm_macs macs;
    char no_macs[FM_ERROR_MESSAGE_MAX]; /* why they could not be counted; "": there is nothing to say */
} fm_inspection;

typedef struct fm_inspect_options {
    const int64_t *dims; /* of the input, where the model leaves it open; rank 0: not given */
    int rank;
    int64_t runs;        /* that are timed */
    bool no_nodes;       /* neither times of nodes nor MACs */
} fm_inspect_options;

/* Measures the session: its latency first, then the nodes in runs of their own. path, runtime, session are set. */
fm_status fm_inspect_measure(fm_inspection *i, fm_runtime *runtime, const fm_inspect_options *options, fm_error *err);
/* Frees what fm_inspect_measure made; safe on a zeroed object. */
void fm_inspect_free(fm_inspection *i);

fm_status fm_inspect_print(const fm_inspection *i, fm_error *err);
fm_status fm_inspect_write_json(const fm_inspection *i, fm_error *err);

#endif
