/* Every sample of a run, in the shape of the profiles of earlier programs. */
#include <stdlib.h>
#include <string.h>

#include "report/json_writer.h"
#include "report/report.h"

/* A scope that ended, or a count without one. */
typedef struct sample {
    uint32_t name; /* of the trace */
    uint64_t start_ns, duration_ns;
} sample;

typedef struct samples {
    sample *list;
    size_t count;
    const fmp_trace *trace;
} samples;

/* Names sorted by category and operation; those that are equal share a rank, their first one's. */
typedef struct ranked {
    const fmp_trace_name *name;
    uint32_t index;
} ranked;

static int by_text(const void *a, const void *b)
{
    const fmp_trace_name *x = ((const ranked *)a)->name, *y = ((const ranked *)b)->name;
    const int order = strcmp(x->category, y->category);
    return order ? order : strcmp(x->operation, y->operation);
}

/* For every name of the trace the index of the name that stands for it: rank[i] rises with the text. NULL: no memory. */
static uint32_t *rank_names(const fmp_trace *trace, uint32_t **representative)
{
    ranked *sorted = malloc((trace->name_count + 1) * sizeof *sorted);
    uint32_t *rank = malloc((trace->name_count + 1) * sizeof *rank);
    uint32_t *by_rank = malloc((trace->name_count + 1) * sizeof *by_rank);
    *representative = by_rank;
    if (sorted && rank && by_rank) {
        for (size_t i = 0; i < trace->name_count; i++)
            sorted[i] = (ranked){&trace->names[i], (uint32_t)i};
        qsort(sorted, trace->name_count, sizeof *sorted, by_text);
        uint32_t next = 0;
        for (size_t i = 0; i < trace->name_count; i++) {
            if (i == 0 || by_text(&sorted[i - 1], &sorted[i]) != 0)
                by_rank[next++] = sorted[i].index;
            rank[sorted[i].index] = next - 1;
        }
    } else {
        free(rank);
        free(by_rank);
        *representative = rank = NULL;
    }
    free(sorted);
    return rank;
}

static int by_rank_and_start(const void *a, const void *b)
{
    const sample *x = a, *y = b;
    if (x->name != y->name)
        return x->name < y->name ? -1 : 1;
    return (x->start_ns > y->start_ns) - (x->start_ns < y->start_ns);
}

/* All scopes of all threads, by name and by the time they began. False when memory is out. */
static bool collect(samples *s, const uint32_t *rank)
{
    size_t room = 0;
    for (size_t t = 0; t < s->trace->thread_count; t++)
        room += s->trace->threads[t].event_count;
    s->list = room < SIZE_MAX / sizeof *s->list ? malloc((room + 1) * sizeof *s->list) : NULL;
    if (!s->list)
        return false;
    for (size_t t = 0; t < s->trace->thread_count; t++) {
        const fmp_trace_thread *thread = &s->trace->threads[t];
        for (size_t i = 0; i < thread->event_count; i++) {
            const fmp_event *event = &thread->events[i];
            if (event->kind == FMP_EVENT_SCOPE && event->name < s->trace->name_count)
                s->list[s->count++] = (sample){rank[event->name], event->start_ns, event->value};
        }
    }
    qsort(s->list, s->count, sizeof *s->list, by_rank_and_start);
    return true;
}

/* Opens the object of a category when it is another one than before; `current` is NULL at the start. */
static void enter_category(fm_json *json, const char **current, const char *category)
{
    if (*current && strcmp(*current, category) == 0)
        return;
    if (*current)
        fm_json_close(json, '}');
    fm_json_open(json, category, '{');
    *current = category;
}

static void leave_category(fm_json *json, const char *current)
{
    if (current)
        fm_json_close(json, '}');
}

static void write_timings(fm_json *json, const samples *s, const uint32_t *name_of_rank)
{
    const char *category = NULL;
    fm_json_open(json, "timings", '{');
    for (size_t i = 0; i < s->count;) {
        const uint32_t rank = s->list[i].name;
        const fmp_trace_name *name = &s->trace->names[name_of_rank[rank]];
        enter_category(json, &category, name->category);
        fm_json_open_line(json, name->operation);
        for (; i < s->count && s->list[i].name == rank; i++)
            fm_json_seconds(json, NULL, s->list[i].duration_ns);
        fm_json_close_line(json);
    }
    leave_category(json, category);
    fm_json_close(json, '}');
}

/* How often each ran: as the snapshot says, which has lost none; else the samples. */
static void write_counts(fm_json *json, const samples *s, const uint32_t *name_of_rank, const fmp_snapshot *snapshot)
{
    const char *category = NULL;
    fm_json_open(json, "counts", '{');
    for (size_t i = 0; snapshot && i < snapshot->operation_count; i++) {
        const fmp_operation *op = &snapshot->operations[i];
        enter_category(json, &category, op->category);
        fm_json_count(json, op->operation, op->count);
    }
    for (size_t i = 0; !snapshot && i < s->count;) {
        const uint32_t rank = s->list[i].name;
        const size_t first = i;
        const fmp_trace_name *name = &s->trace->names[name_of_rank[rank]];
        while (i < s->count && s->list[i].name == rank)
            i++;
        enter_category(json, &category, name->category);
        fm_json_count(json, name->operation, i - first);
    }
    leave_category(json, category);
    fm_json_close(json, '}');
}

/* One figure an operation, the sum over its calls: single calls are not kept. */
static void write_memory(fm_json *json, const fmp_snapshot *snapshot)
{
    const char *category = NULL;
    fm_json_open(json, "memory", '{');
    for (size_t i = 0; snapshot && i < snapshot->operation_count; i++) {
        const fmp_operation *op = &snapshot->operations[i];
        if (!(op->measures & FMP_MEASURE_MEMORY))
            continue;
        enter_category(json, &category, op->category);
        fm_json_open_line(json, op->operation);
        fm_json_integer(json, NULL, op->rss_change);
        fm_json_close_line(json);
    }
    leave_category(json, category);
    fm_json_close(json, '}');
}

fm_status fm_report_compat_json(FILE *out, const fmp_trace *trace, const fmp_snapshot *snapshot, fm_error *err)
{
    samples s = {.trace = trace};
    uint32_t *name_of_rank = NULL, *rank = rank_names(trace, &name_of_rank);
    fm_status status = FM_OK;
    if (!rank || !collect(&s, rank)) {
        status = fm_fail(err, FM_E_NO_MEMORY, "cannot write the samples: out of memory; close other programs");
    } else {
        fm_json json = fm_json_begin(out);
        fm_json_open(&json, NULL, '{');
        write_timings(&json, &s, name_of_rank);
        write_memory(&json, snapshot);
        write_counts(&json, &s, name_of_rank, snapshot);
        fm_json_close(&json, '}');
        status = fm_json_finish(&json, "the samples", err);
    }
    free(s.list);
    free(rank);
    free(name_of_rank);
    return status;
}
