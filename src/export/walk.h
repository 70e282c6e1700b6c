/*
 * Walks the events of one thread of a trace as a viewer wants them: each scope
 * as a begin and an end, balanced, and in order of time, whatever the trace
 * holds. Scopes of a sound trace nest; where one does not, it is cut at the
 * end of the scope around it.
 *
 * Thread-safety: Safe on distinct walks.
 */
#ifndef FMP_EXPORT_WALK_H
#define FMP_EXPORT_WALK_H

#include <stdbool.h>

#include "fmprof/trace.h"

typedef enum fmp_step_kind { FMP_STEP_BEGIN, FMP_STEP_END, FMP_STEP_EVENT } fmp_step_kind;

typedef struct fmp_step {
    fmp_step_kind kind;
    const fmp_event *event; /* the scope, or what happened */
    size_t index;           /* of the event in its thread */
    uint64_t at_ns, end_ns; /* end_ns: of FMP_STEP_BEGIN, where its end will be */
    const fmp_event *parent; /* innermost scope around it, NULL when there is none */
    size_t parent_index;
} fmp_step;

typedef struct fmp_open_scope {
    size_t index;
    uint64_t end_ns;
} fmp_open_scope;

typedef struct fmp_walk {
    const fmp_trace_thread *thread;
    size_t next;
    uint64_t now_ns;
    fmp_open_scope *open; /* outermost first */
    size_t depth, capacity;
    bool failed; /* memory was out: the walk ended early */
} fmp_walk;

void fmp_walk_start(fmp_walk *walk, const fmp_trace_thread *thread);
/* False at the end, when every scope that began has ended (see `failed`). */
bool fmp_walk_next(fmp_walk *walk, fmp_step *step);
void fmp_walk_stop(fmp_walk *walk);

#endif
