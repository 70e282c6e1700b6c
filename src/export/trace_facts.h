/*
 * What several trace formats need to know of a trace beside its scopes:
 * distinct thread ids, and counters and gauges as lines over time.
 *
 * Thread-safety: Safe.
 */
#ifndef FMP_EXPORT_TRACE_FACTS_H
#define FMP_EXPORT_TRACE_FACTS_H

#include "fmprof/trace.h"

/* A name of the trace; for an index out of range a name that says so. Its strings are never NULL. */
fmp_trace_name fmp_trace_name_at(const fmp_trace *trace, uint32_t index);

/*
 * One id per thread, malloc'ed: the operating system's where it has not been
 * given to two threads one after the other (viewers would mix them up), else
 * a number that none has. NULL when memory is out.
 */
uint64_t *fmp_trace_thread_ids(const fmp_trace *trace);

typedef struct fmp_point {
    uint64_t at_ns;
    int64_t value; /* of a counter: over all threads */
    uint32_t name;
} fmp_point;

/*
 * The counters and gauges, malloc'ed: by name, then by time. A trace has each
 * thread's own sum of a counter; here they are added up. NULL when memory is
 * out, never because there is none.
 */
fmp_point *fmp_trace_points(const fmp_trace *trace, size_t *count);

#endif
