/* Where the recorder hands single events to a running trace. */
#ifndef FMP_EVENTS_H
#define FMP_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "fmprof/fmprof.h"
#include "fmprof/trace.h"
#include "trace_record.h"

static inline bool fmp_events_on(void)
{
    return atomic_load_explicit(&fmp_trace_generation, memory_order_relaxed) != 0;
}

/* On the calling thread, which has a recorder. `value`: as fmp_event says, of a scope in ticks. */
void fmp_event_put(uint64_t start_ticks, uint64_t value, const struct fmp_site *site,
                   fmp_event_kind kind);

#endif
