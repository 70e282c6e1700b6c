/* libfmprof, and the clock readings that every profiler needs. */
#include <stdio.h>
#include <time.h>

#include "fmprof/fmprof.h"
#include "fmprof/trace.h"
#include "peer.h"
#include "profiler/clock.h"

enum { TRACE_EVENTS = 1024 };

static char trace_path[4096], failure[512];
static volatile uint64_t sink;

static void clock_batch(int count)
{
    uint64_t sum = 0;
    for (int i = 0; i < count; i++)
        sum += fmp_clock_ticks();
    sink = sum;
}

static void system_clock_batch(int count)
{
    struct timespec t = {0, 0};
    uint64_t sum = 0;
    for (int i = 0; i < count; i++) {
        clock_gettime(CLOCK_MONOTONIC, &t);
        sum += (uint64_t)t.tv_nsec;
    }
    sink = sum;
}

static void scope_batch(int count)
{
    for (int i = 0; i < count; i++) {
        FMP_SCOPE("PEERS", "scope");
        PEER_BODY();
    }
}

static void switch_off(void)
{
    fmp_enable(false);
}

static void switch_on(void)
{
    fmp_enable(true);
}

/* A ring smaller than a batch, gone round once: the state of a flight recorder that has run for a while. */
static void start_trace(void)
{
    const fmp_trace_options options = {.events_per_thread = TRACE_EVENTS, .full = FMP_TRACE_DROP_OLDEST};
    fmp_trace_start(trace_path, &options);
    scope_batch(2 * TRACE_EVENTS);
}

static void stop_trace(void)
{
    fmp_trace_stop();
}

/* Shows that the traced case is traced. */
static const char *start(const char *folder)
{
    int length = snprintf(trace_path, sizeof trace_path, "%s/peers.fmptrace", folder);
    if (length < 0 || length >= (int)sizeof trace_path)
        return "the folder's name is too long";
    start_trace();
    stop_trace();
    fmp_trace *trace = fmp_trace_read(trace_path, failure, sizeof failure);
    if (!trace)
        return failure;
    bool full = trace->thread_count == 1 && trace->threads[0].event_count == TRACE_EVENTS;
    fmp_trace_free(&trace);
    return full ? NULL : "the trace does not hold the scopes that it should";
}

const peer the_peer = {
    .open = start,
    .cases = {
        {"one clock reading (what fmprof reads)", NULL, clock_batch, NULL},
        {"one clock_gettime(CLOCK_MONOTONIC)", NULL, system_clock_batch, NULL},
        {"fmprof, on (statistics)", NULL, scope_batch, NULL},
        {"fmprof, on, in a trace as well", start_trace, scope_batch, stop_trace},
        {"fmprof, switched off", switch_off, scope_batch, switch_on},
    },
};
