#include "trace_events.h"

#include <stdlib.h>

static const double LONGEST_NS = 4e18; /* 126 years: fits an int64_t */

static bool valid(const fmp_trace_clock *clock, const fmp_trace_file_event *event)
{
    if (event->kind < FMP_EVENT_SCOPE || event->kind > FMP_EVENT_GAUGE)
        return false;
    uint64_t end = event->start;
    if (event->kind == FMP_EVENT_SCOPE) {
        if (event->value > UINT64_MAX - event->start)
            return false;
        end += event->value;
    }
    return (double)(end - clock->start_ticks) * clock->ns_per_tick < LONGEST_NS;
}

fmp_raw_add fmp_raw_events_add(fmp_raw_events *events, const fmp_trace_clock *clock,
                               const fmp_trace_file_event *event)
{
    if (event->start < clock->start_ticks)
        return event->kind >= FMP_EVENT_SCOPE && event->kind <= FMP_EVENT_GAUGE ? FMP_RAW_EARLY
                                                                               : FMP_RAW_INVALID;
    if (!valid(clock, event))
        return FMP_RAW_INVALID;
    if (events->count == events->room) {
        size_t room = events->room ? events->room * 2 : 256;
        if (room > SIZE_MAX / sizeof *events->event)
            return FMP_RAW_NO_MEMORY;
        fmp_raw_event *grown = realloc(events->event, room * sizeof *grown);
        if (!grown)
            return FMP_RAW_NO_MEMORY;
        events->event = grown;
        events->room = room;
    }
    events->event[events->count] = (fmp_raw_event){.start = event->start,
                                                   .value = event->value,
                                                   .order = events->count,
                                                   .name = event->name,
                                                   .kind = event->kind};
    events->count++;
    return FMP_RAW_ADDED;
}

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* An event is recorded when it ends, so of two equal scopes the later recorded one is the outer. */
static int by_start_outer_first(const void *left, const void *right)
{
    const fmp_raw_event *a = left, *b = right;
    if (a->start != b->start)
        return compare(a->start, b->start);
    bool a_scope = a->kind == FMP_EVENT_SCOPE, b_scope = b->kind == FMP_EVENT_SCOPE;
    if (a_scope != b_scope)
        return a_scope ? -1 : 1;
    if (!a_scope)
        return compare(a->order, b->order);
    return a->value != b->value ? compare(b->value, a->value) : compare(b->order, a->order);
}

/* Rounds down, like every other time of the trace: what nests in ticks nests in nanoseconds. */
static uint64_t to_ns(const fmp_trace_clock *clock, uint64_t ticks)
{
    return (uint64_t)((double)(ticks - clock->start_ticks) * clock->ns_per_tick);
}

/* The ends of the scopes that are open at the event being looked at, outermost first. */
typedef struct open_scopes {
    uint64_t *end;
    size_t count, room;
} open_scopes;

/* Opens a scope; returns where it ends inside those around it. False when memory is out. */
static bool open_scope(open_scopes *open, uint64_t start, uint64_t *end)
{
    while (open->count > 0 && open->end[open->count - 1] <= start)
        open->count--;
    if (open->count > 0 && *end > open->end[open->count - 1])
        *end = open->end[open->count - 1];
    if (open->count == open->room) {
        size_t room = open->room ? open->room * 2 : 64;
        uint64_t *grown = realloc(open->end, room * sizeof *grown);
        if (!grown)
            return false;
        open->end = grown;
        open->room = room;
    }
    open->end[open->count++] = *end;
    return true;
}

fmp_event *fmp_raw_events_settle(fmp_raw_events *events, const fmp_trace_clock *clock)
{
    fmp_event *settled = malloc((events->count ? events->count : 1) * sizeof *settled);
    if (!settled)
        return NULL;
    if (events->count)
        qsort(events->event, events->count, sizeof *events->event, by_start_outer_first);
    open_scopes open = {0};
    bool ok = true;
    for (size_t i = 0; i < events->count && ok; i++) {
        const fmp_raw_event *raw = &events->event[i];
        fmp_event *event = &settled[i];
        *event = (fmp_event){.start_ns = to_ns(clock, raw->start),
                             .value = raw->value,
                             .kind = (fmp_event_kind)raw->kind,
                             .name = raw->name};
        if (raw->kind == FMP_EVENT_SCOPE) {
            uint64_t end = raw->start + raw->value;
            ok = open_scope(&open, raw->start, &end);
            event->value = to_ns(clock, end) - event->start_ns;
        }
    }
    free(open.end);
    if (!ok) {
        free(settled);
        return NULL;
    }
    return settled;
}
