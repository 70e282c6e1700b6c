/*
 * The times of a model's nodes over the sampled runs of a session: per node,
 * with what its neighbours on other devices cost. Made from the streams that
 * node_stream.h reads.
 *
 * A node's time is its own: that of nodes inside it (the body of a loop) is
 * theirs. What runs inside a piece that a provider has compiled (Core ML,
 * OpenVINO, TensorRT) the runtime does not tell: the piece is one node, marked
 * as compiled.
 *
 * The price of a boundary in time. Between two nodes the executor needs a
 * moment, and profiling itself a few microseconds more. So the base of a run
 * is the median of its gaps between two nodes of one provider (when it has
 * none: its smallest gap), and a gap between nodes of two providers costs what
 * it is longer than that; a negative difference counts too, so that noise
 * cancels out over the samples. A node that copies between devices
 * (MemcpyToHost, MemcpyFromHost) costs its whole time. Both are charged to the
 * CPU operator that stands at the boundary: to the next one in order of running
 * when data come from the accelerator, to the one before when they go there.
 * What a provider does inside its own node for a hand-over is in that node's time.
 *
 * Thread-safety: Unsafe; fm_session guards its own.
 */
#ifndef FM_INFERENCE_NODE_TIMES_H
#define FM_INFERENCE_NODE_TIMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "facemirror/error.h"

enum {
    FM_NODE_TIMES_MAX = 16384, /* nodes of a model; the time of later ones is counted as not attributed */
    FM_NODE_TEXT_MAX = 512     /* longer names and types are cut, at a character */
};

typedef struct fm_node_times fm_node_times;

typedef enum fm_node_kind {
    FM_NODE_OPERATOR,
    FM_NODE_COMPILED, /* a partition that its provider has compiled: its operators' times are not known */
    FM_NODE_COPY      /* MemcpyToHost or MemcpyFromHost */
} fm_node_kind;

typedef struct fm_node_time {
    const char *name, *op_type; /* foreign text, of any bytes but NUL */
    const char *provider;       /* as operation names end: "onnx_cpu", "coreml"... */
    fm_node_kind kind;
    bool cpu;                   /* runs on the CPU's provider */
    int64_t index;              /* of the node in its graph, -1: not known */
    uint64_t count;             /* how often it ran */
    uint64_t total_us, min_us, max_us;
    uint64_t boundaries;        /* gaps and copies that were charged to it */
    int64_t boundary_us;        /* their price; below 0: noise */
} fm_node_time;

/* A node at work in the latest run. */
typedef struct fm_node_moment {
    uint32_t node; /* into nodes */
    uint64_t start_us, duration_us;
} fm_node_moment;

typedef struct fm_node_totals {
    const fm_node_time *nodes; /* in order of their first run */
    size_t node_count;
    uint64_t samples;       /* runs whose stream was whole */
    uint64_t lost_runs;     /* runs whose stream was cut, or could not be read */
    uint64_t lost_events;   /* events that were not attributed: names that cannot be read, nodes beyond the bound */
    uint64_t run_us;        /* duration of the runs, as the runtime says */
    uint64_t node_us;       /* of this in nodes */
    uint64_t boundaries;    /* gaps between nodes of two providers, over all runs */
    uint64_t copies, copy_us; /* between devices */
    uint64_t base_us;       /* sum of the runs' bases */
    bool base_known;        /* each run had a gap between nodes of one provider */
    const fm_node_moment *moments; /* of the latest run, in order, without nodes that ran inside others */
    size_t moment_count;
} fm_node_totals;

/* NULL when memory is out. */
fm_node_times *fm_node_times_create(void);
void fm_node_times_destroy(fm_node_times **times); /* NULL and *NULL are fine */

/* Adds the stream of one run. FM_E_NO_MEMORY; a stream that is damaged is counted and is no error. */
fm_status fm_node_times_add(fm_node_times *times, const void *stream, size_t size, fm_error *err);

/* What there is so far; pointers hold until the next call that changes `times`. */
fm_node_totals fm_node_times_totals(const fm_node_times *times);

#endif
