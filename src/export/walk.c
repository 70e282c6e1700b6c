#include "walk.h"

#include <stdlib.h>
#include <string.h>

void fmp_walk_start(fmp_walk *walk, const fmp_trace_thread *thread)
{
    *walk = (fmp_walk){.thread = thread};
}

void fmp_walk_stop(fmp_walk *walk)
{
    free(walk->open);
    walk->open = NULL;
}

static bool make_room(fmp_walk *walk)
{
    if (walk->depth < walk->capacity)
        return true;
    size_t capacity = walk->capacity ? 2 * walk->capacity : 64;
    fmp_open_scope *open = realloc(walk->open, capacity * sizeof *open);
    if (!open) {
        walk->failed = true;
        return false;
    }
    walk->open = open;
    walk->capacity = capacity;
    return true;
}

static void set_parent(const fmp_walk *walk, fmp_step *step)
{
    step->parent = NULL;
    step->parent_index = 0;
    if (walk->depth > 0) {
        step->parent_index = walk->open[walk->depth - 1].index;
        step->parent = &walk->thread->events[step->parent_index];
    }
}

static bool end_scope(fmp_walk *walk, fmp_step *step)
{
    fmp_open_scope *scope = &walk->open[--walk->depth];
    walk->now_ns = scope->end_ns;
    *step = (fmp_step){.kind = FMP_STEP_END,
                       .event = &walk->thread->events[scope->index],
                       .index = scope->index,
                       .at_ns = scope->end_ns,
                       .end_ns = scope->end_ns};
    set_parent(walk, step);
    return true;
}

bool fmp_walk_next(fmp_walk *walk, fmp_step *step)
{
    const fmp_trace_thread *thread = walk->thread;
    if (walk->next >= thread->event_count || walk->failed)
        return walk->depth > 0 && end_scope(walk, step);

    const fmp_event *event = &thread->events[walk->next];
    bool scope = event->kind == FMP_EVENT_SCOPE;
    if (walk->depth > 0) {
        /* A mark at the very end of a scope is inside it; a scope that begins there is not. */
        uint64_t end = walk->open[walk->depth - 1].end_ns;
        if (scope ? end <= event->start_ns : end < event->start_ns)
            return end_scope(walk, step);
    }
    uint64_t at = event->start_ns > walk->now_ns ? event->start_ns : walk->now_ns;
    *step = (fmp_step){.kind = scope ? FMP_STEP_BEGIN : FMP_STEP_EVENT,
                       .event = event,
                       .index = walk->next,
                       .at_ns = at,
                       .end_ns = at};
    set_parent(walk, step);
    if (scope) {
        if (!make_room(walk))
            return fmp_walk_next(walk, step);
        uint64_t end = event->value > UINT64_MAX - event->start_ns ? UINT64_MAX
                                                                   : event->start_ns + event->value;
        end = end > at ? end : at;
        if (walk->depth > 0 && end > walk->open[walk->depth - 1].end_ns)
            end = walk->open[walk->depth - 1].end_ns;
        step->end_ns = end;
        walk->open[walk->depth++] = (fmp_open_scope){walk->next, end};
    }
    walk->now_ns = at;
    walk->next++;
    return true;
}
