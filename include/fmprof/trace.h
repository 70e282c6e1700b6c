/*
 * The event stream: every scope, mark, flow and gauge as one event of 24
 * bytes, in a bounded ring per thread, in a file that is mapped into memory. Off
 * by default. A crash, even SIGKILL, leaves the file readable up to the last
 * event, since the kernel owns the pages (docs/trace-format.md).
 *
 * Recording is one store of 24 bytes more per scope; no lock, no allocation,
 * no system call but the kernel's page faults.
 */
#ifndef FMPROF_TRACE_H
#define FMPROF_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fmprof.h"

#ifdef __cplusplus
extern "C" {
#endif
FMP_API_BEGIN

typedef enum fmp_trace_full {
    FMP_TRACE_DROP_OLDEST = 0, /* the ring goes round: the end of the run is there */
    FMP_TRACE_DROP_NEWEST      /* it stops when full: the beginning is there */
} fmp_trace_full;

typedef struct fmp_trace_options {
    uint32_t events_per_thread; /* 0: 65536 (1.5 MiB a thread) */
    uint32_t threads_max;       /* 0: 64; events of later threads are counted as dropped */
    fmp_trace_full full;
} fmp_trace_options;

/*
 * Starts writing to `path` (replaced). `options` may be NULL. Returns 0 or an
 * errno value: EBUSY when a trace is running. Events that begin before are not
 * in it. Thread-safety: Safe.
 */
int fmp_trace_start(const char *path, const fmp_trace_options *options);
/* Ends the trace and cuts the file to what is used; 0, or an errno value. Call it when threads are quiet: an event that is being written meanwhile may be lost. Fine when none runs. */
int fmp_trace_stop(void);

/* Whether a trace is running; cheap. Thread-safety: Safe. */
bool fmp_trace_running(void);

/*
 * Puts a scope that was measured elsewhere into the running trace, on the calling thread's line, with the times at
 * which it began and ended on this clock (fmp_now). Figures do not change: it shows in traces only. It has to lie in
 * the scope that is open around the call, and must not overlap others but by lying in them, or they in it: what does
 * not nest, readers cut. Thread-safety: Safe.
 */
void fmp_trace_scope(const fmp_site *site, uint64_t start_ns, uint64_t end_ns);

/* --- reading --------------------------------------------------------------- */

typedef enum fmp_event_kind {
    FMP_EVENT_SCOPE = 1, /* value: duration, ns */
    FMP_EVENT_MARK,
    FMP_EVENT_FLOW_BEGIN, /* value: id */
    FMP_EVENT_FLOW_STEP,
    FMP_EVENT_FLOW_END,
    FMP_EVENT_COUNTER,   /* value: the sum so far of that thread, as int64 */
    FMP_EVENT_GAUGE      /* value: as int64 */
} fmp_event_kind;

typedef struct fmp_event {
    uint64_t start_ns; /* since the trace began */
    uint64_t value;
    fmp_event_kind kind;
    uint32_t name; /* index into the trace's names */
} fmp_event;

typedef struct fmp_trace_name {
    const char *category, *operation, *unit; /* unit: "" but for counters and gauges */
} fmp_trace_name;

typedef struct fmp_trace_thread {
    const char *name;
    uint64_t id;             /* of the operating system */
    const fmp_event *events; /* sorted by start, scopes outer before inner: they nest */
    size_t event_count;
    uint64_t dropped;
} fmp_trace_thread;

typedef struct fmp_trace {
    const fmp_trace_name *names;
    size_t name_count;
    const fmp_trace_thread *threads;
    size_t thread_count;
    uint64_t process_id;
    uint64_t start_unix_ns; /* wall-clock time at which the trace began, since 1970 */
    uint64_t dropped;  /* on all threads, and on threads that had no ring */
    bool complete;     /* false: the program did not end the trace (it crashed), or the file is damaged */
    void *memory;      /* private */
} fmp_trace;

/*
 * Reads a trace file of any origin: everything is checked, a damaged file
 * gives what is readable or an error. NULL with a sentence in `message`
 * (`message_size` bytes, may be 0). Free with fmp_trace_free. Thread-safety: Safe.
 */
fmp_trace *fmp_trace_read(const char *path, char *message, size_t message_size);
void fmp_trace_free(fmp_trace **trace); /* NULL and *NULL are fine */

FMP_API_END
#ifdef __cplusplus
}
#endif
#endif
