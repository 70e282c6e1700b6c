#include "trace_facts.h"

#include <stdlib.h>
#include <string.h>

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

fmp_trace_name fmp_trace_name_at(const fmp_trace *trace, uint32_t index)
{
    if (index >= trace->name_count)
        return (fmp_trace_name){"", "(unknown)", ""};
    const fmp_trace_name *name = &trace->names[index];
    return (fmp_trace_name){or_empty(name->category), or_empty(name->operation),
                            or_empty(name->unit)};
}

static int by_id(const void *a, const void *b)
{
    const fmp_trace_thread *const *x = a, *const *y = b;
    if ((*x)->id != (*y)->id)
        return (*x)->id < (*y)->id ? -1 : 1;
    return (*x > *y) - (*x < *y);
}

/* Viewers hold ids in a double or in 32 bits: larger ones are given anew as well. */
enum { ID_MAX = INT32_MAX };

uint64_t *fmp_trace_thread_ids(const fmp_trace *trace)
{
    size_t count = trace->thread_count;
    uint64_t *ids = calloc(count + 1, sizeof *ids);
    const fmp_trace_thread **sorted = calloc(count + 1, sizeof *sorted);
    if (!ids || !sorted) {
        free(sorted);
        free(ids);
        return NULL;
    }
    uint64_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        sorted[i] = &trace->threads[i];
        if (sorted[i]->id <= ID_MAX && sorted[i]->id > largest)
            largest = sorted[i]->id;
    }
    qsort(sorted, count, sizeof *sorted, by_id);
    if (largest > ID_MAX - count)
        largest = 0; /* then all are given anew */
    bool all_anew = largest == 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t id = sorted[i]->id;
        bool again = i > 0 && sorted[i - 1]->id == id;
        if (all_anew || again || id == 0 || id > ID_MAX)
            id = ++largest;
        ids[sorted[i] - trace->threads] = id;
    }
    free(sorted);
    return ids;
}

/* An update of a metric on one thread; `change` of a counter, the value of a gauge. */
typedef struct update {
    fmp_point point;
    size_t order; /* among updates of the same time */
} update;

static int by_name_and_time(const void *a, const void *b)
{
    const update *x = a, *y = b;
    if (x->point.name != y->point.name)
        return x->point.name < y->point.name ? -1 : 1;
    if (x->point.at_ns != y->point.at_ns)
        return x->point.at_ns < y->point.at_ns ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static bool is_metric(const fmp_event *event)
{
    return event->kind == FMP_EVENT_COUNTER || event->kind == FMP_EVENT_GAUGE;
}

/* A thread's sums become changes; `last` and `seen` have room for every name. */
static size_t thread_updates(const fmp_trace *trace, const fmp_trace_thread *thread, update *updates,
                             size_t count, uint64_t *last, bool *seen)
{
    memset(seen, 0, trace->name_count * sizeof *seen);
    for (size_t i = 0; i < thread->event_count; i++) {
        const fmp_event *event = &thread->events[i];
        if (!is_metric(event) || event->name >= trace->name_count)
            continue;
        uint64_t value = event->value;
        if (event->kind == FMP_EVENT_COUNTER) {
            uint64_t before = seen[event->name] ? last[event->name] : 0;
            last[event->name] = value;
            seen[event->name] = true;
            value -= before;
        }
        updates[count] = (update){{event->start_ns, (int64_t)value, event->name}, count};
        count++;
    }
    return count;
}

fmp_point *fmp_trace_points(const fmp_trace *trace, size_t *count)
{
    size_t room = 0;
    for (size_t t = 0; t < trace->thread_count; t++)
        for (size_t i = 0; i < trace->threads[t].event_count; i++)
            room += is_metric(&trace->threads[t].events[i]);
    fmp_point *points = calloc(room + 1, sizeof *points);
    update *updates = calloc(room + 1, sizeof *updates);
    uint64_t *last = calloc(trace->name_count + 1, sizeof *last);
    bool *seen = calloc(trace->name_count + 1, sizeof *seen);
    bool *counter = calloc(trace->name_count + 1, sizeof *counter);
    *count = 0;
    if (points && updates && last && seen && counter) {
        for (size_t t = 0; t < trace->thread_count; t++) {
            *count = thread_updates(trace, &trace->threads[t], updates, *count, last, seen);
            for (size_t n = 0; n < trace->name_count; n++)
                counter[n] = counter[n] || seen[n];
        }
        qsort(updates, *count, sizeof *updates, by_name_and_time);
        uint64_t sum = 0; /* wraps as the sums of the threads do */
        for (size_t i = 0; i < *count; i++) {
            points[i] = updates[i].point;
            if (i == 0 || points[i].name != points[i - 1].name)
                sum = 0;
            sum += (uint64_t)points[i].value;
            if (counter[points[i].name])
                points[i].value = (int64_t)sum;
        }
    } else {
        free(points);
        points = NULL;
    }
    free(counter);
    free(seen);
    free(last);
    free(updates);
    return points;
}
