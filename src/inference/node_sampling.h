/*
 * Runs with ONNX Runtime's per-run profiling, which a session that samples its
 * nodes does now and then.
 *
 * The runtime writes the stream of such a run into a file, which is made in a
 * private folder under $TMPDIR (or /tmp), read, and removed at once. Where
 * that does not work the run is done all the same, and counted as lost.
 *
 * Thread-safety: several bindings of a session may run at once.
 */
#ifndef FM_INFERENCE_NODE_SAMPLING_H
#define FM_INFERENCE_NODE_SAMPLING_H

#include "inference/node_times.h"
#include "inference/session.h"

/*
 * Lets a session's bindings sample their nodes: every so many runs (1 or more) of each of them; who runs them does the
 * counting. Once, before they run. FM_E_NO_MEMORY.
 */
fm_status fm_session_sample_nodes(fm_session *session, int every, fm_error *err);
/* 0: nodes are not sampled. */
int fm_session_sample_every(const fm_session *session);
/* The times so far, for callers that have no run in progress; NULL: nodes are not sampled. */
const fm_node_times *fm_session_node_times(const fm_session *session);

/*
 * Is shown a sampled run: totals->moments are its nodes, in microseconds since `start_ns` on the profiler's clock
 * (fmp_now). One at a time for a session.
 */
typedef void fm_node_visit(void *opaque, const fm_node_totals *totals, uint64_t start_ns);

/* Runs a binding of a session that samples, with profiling. `visit` may be NULL. Errors as fm_binding_run. */
fm_status fm_binding_run_sampled(fm_binding *binding, fm_node_visit *visit, void *opaque, fm_error *err);

/* The same into times of the caller's own. */
fm_status fm_binding_run_profiled(fm_binding *binding, fm_node_times *times, fm_error *err);

/* One run of it, as the stream that it wrote (free it); NULL when there is none. *start_ns: see fm_node_visit. */
fm_status fm_binding_run_stream(fm_binding *binding, uint8_t **stream, size_t *size, uint64_t *start_ns, fm_error *err);

#endif
