/*
 * The events of one thread as they come out of a ring, put in order: sorted,
 * nested, in nanoseconds.
 *
 * Thread-safety: Unsafe on one list.
 */
#ifndef FMP_TRACE_EVENTS_H
#define FMP_TRACE_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fmprof/trace.h"
#include "trace_format.h"

/* How ticks become nanoseconds since the trace began. */
typedef struct fmp_trace_clock {
    uint64_t start_ticks;
    double ns_per_tick; /* finite and above 0 */
} fmp_trace_clock;

typedef struct fmp_raw_event {
    uint64_t start, value; /* ticks */
    uint64_t order;        /* of recording */
    uint32_t name, kind;
} fmp_raw_event;

typedef struct fmp_raw_events {
    fmp_raw_event *event;
    size_t count, room;
} fmp_raw_events; /* all zero at first; free(event) */

typedef enum fmp_raw_add {
    FMP_RAW_ADDED,
    FMP_RAW_EARLY,   /* it began before the trace and does not belong in it */
    FMP_RAW_INVALID, /* no such kind, or a time that no trace reaches */
    FMP_RAW_NO_MEMORY
} fmp_raw_add;

fmp_raw_add fmp_raw_events_add(fmp_raw_events *events, const fmp_trace_clock *clock,
                               const fmp_trace_file_event *event);

/*
 * The events by start, a scope before what is inside it; a scope that would
 * outlast the one it began in is cut to that one's end, so that all nest.
 * `name` stays as recorded. NULL when memory is out; the caller frees it.
 * `events` is reordered.
 */
fmp_event *fmp_raw_events_settle(fmp_raw_events *events, const fmp_trace_clock *clock);

#endif
