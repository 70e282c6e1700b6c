/* libfmprof, and the clock readings that every profiler needs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fmprof/fmprof.h"
#include "fmprof/trace.h"
#include "peer.h"
#include "profiler/clock.h"

static char trace_path[4096], failure[8192];
static volatile uint64_t sink;

static const char *start(const char *folder)
{
    int length = snprintf(trace_path, sizeof trace_path, "%s/peers.fmptrace", folder);
    if (length < 0 || length >= (int)sizeof trace_path)
        return "the folder's name is too long";
    int error = fmp_trace_start(trace_path, NULL);
    if (error) {
        snprintf(failure, sizeof failure, "no trace can be written to %s: %s", trace_path, strerror(error));
        return failure;
    }
    fmp_trace_stop();
    return NULL;
}

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
    const fmp_trace_options options = {.events_per_thread = 1024, .full = FMP_TRACE_DROP_OLDEST};
    fmp_trace_start(trace_path, &options);
    scope_batch(2048);
}

static void stop_trace(void)
{
    fmp_trace_stop();
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
