/*
 * Chrome's Trace Event Format, the JSON object form. ts and dur are in
 * microseconds there; three decimals make them exact to the nanosecond.
 */
#include <errno.h>
#include <stdlib.h>

#include "fmprof/export.h"
#include "trace_facts.h"
#include "walk.h"
#include "writer.h"

typedef struct chrome {
    fmp_writer writer;
    const fmp_trace *trace;
    const uint64_t *thread_ids;
    bool begun; /* an event is there: the next needs a comma */
} chrome;

/* `phase`: "X", "i"... Leaves the object open. */
static void begin_event(chrome *c, const char *phase, uint64_t thread_id)
{
    fmp_writer *w = &c->writer;
    fmp_write_text(w, c->begun ? ",\n{\"ph\":\"" : "\n{\"ph\":\"");
    fmp_write_text(w, phase);
    fmp_write_text(w, "\",\"pid\":");
    fmp_write_u64(w, c->trace->process_id);
    fmp_write_text(w, ",\"tid\":");
    fmp_write_u64(w, thread_id);
    c->begun = true;
}

static void time_member(chrome *c, const char *key, uint64_t nanoseconds)
{
    fmp_write_text(&c->writer, key);
    fmp_write_scaled(&c->writer, nanoseconds, 3);
}

static void name_members(chrome *c, const fmp_trace_name *name)
{
    fmp_write_text(&c->writer, ",\"name\":");
    fmp_write_json(&c->writer, name->operation);
    fmp_write_text(&c->writer, ",\"cat\":");
    fmp_write_json(&c->writer, name->category);
}

static void metadata(chrome *c, uint64_t thread_id, const char *what, const char *text)
{
    begin_event(c, "M", thread_id);
    fmp_write_text(&c->writer, ",\"name\":\"");
    fmp_write_text(&c->writer, what);
    fmp_write_text(&c->writer, "\",\"args\":{\"name\":");
    fmp_write_json(&c->writer, text);
    fmp_write_text(&c->writer, "}}");
}

static void thread_metadata(chrome *c, size_t index)
{
    const fmp_trace_thread *thread = &c->trace->threads[index];
    uint64_t id = c->thread_ids[index];
    metadata(c, id, "thread_name", thread->name);
    begin_event(c, "M", id);
    fmp_write_text(&c->writer, ",\"name\":\"thread_sort_index\",\"args\":{\"sort_index\":");
    fmp_write_u64(&c->writer, index);
    fmp_write_text(&c->writer, "}}");
}

/* One complete event; a begin and an end would take twice the space. */
static void scope_event(chrome *c, uint64_t thread_id, uint64_t start, uint64_t end,
                        const fmp_trace_name *name)
{
    begin_event(c, "X", thread_id);
    time_member(c, ",\"ts\":", start);
    time_member(c, ",\"dur\":", end - start);
    name_members(c, name);
    fmp_write_char(&c->writer, '}');
}

static void mark_event(chrome *c, uint64_t thread_id, const fmp_step *step)
{
    fmp_trace_name name = fmp_trace_name_at(c->trace, step->event->name);
    begin_event(c, "i", thread_id);
    time_member(c, ",\"ts\":", step->at_ns);
    fmp_write_text(&c->writer, ",\"s\":\"t\"");
    name_members(c, &name);
    fmp_write_char(&c->writer, '}');
}

/*
 * Bound to the scope around it ("bp":"e"); where there is none, one without
 * duration stands in. Ids of 64 bits are strings, a double could not hold them.
 */
static void flow_event(chrome *c, uint64_t thread_id, const fmp_step *step)
{
    fmp_event_kind kind = step->event->kind;
    fmp_trace_name name = fmp_trace_name_at(c->trace, step->event->name);
    if (!step->parent)
        scope_event(c, thread_id, step->at_ns, step->at_ns, &name);
    begin_event(c, kind == FMP_EVENT_FLOW_BEGIN ? "s" : kind == FMP_EVENT_FLOW_STEP ? "t" : "f",
                thread_id);
    time_member(c, ",\"ts\":", step->at_ns);
    fmp_write_text(&c->writer, ",\"bp\":\"e\",\"id\":\"");
    fmp_write_u64(&c->writer, step->event->value);
    fmp_write_char(&c->writer, '"');
    name_members(c, &name);
    fmp_write_char(&c->writer, '}');
}

static void thread_events(chrome *c, size_t index)
{
    fmp_walk walk;
    fmp_step step;
    uint64_t id = c->thread_ids[index];
    fmp_walk_start(&walk, &c->trace->threads[index]);
    while (fmp_walk_next(&walk, &step)) {
        if (step.kind == FMP_STEP_END)
            continue;
        fmp_trace_name name = fmp_trace_name_at(c->trace, step.event->name);
        switch (step.event->kind) {
        case FMP_EVENT_SCOPE: scope_event(c, id, step.at_ns, step.end_ns, &name); break;
        case FMP_EVENT_MARK: mark_event(c, id, &step); break;
        case FMP_EVENT_FLOW_BEGIN:
        case FMP_EVENT_FLOW_STEP:
        case FMP_EVENT_FLOW_END: flow_event(c, id, &step); break;
        case FMP_EVENT_COUNTER:
        case FMP_EVENT_GAUGE: break; /* lines of the process, below */
        }
    }
    if (walk.failed)
        fmp_writer_fail(&c->writer, ENOMEM);
    fmp_walk_stop(&walk);
}

static void metric_events(chrome *c)
{
    size_t count = 0;
    fmp_point *points = fmp_trace_points(c->trace, &count);
    if (!points)
        fmp_writer_fail(&c->writer, ENOMEM);
    for (size_t i = 0; i < count; i++) {
        fmp_trace_name name = fmp_trace_name_at(c->trace, points[i].name);
        begin_event(c, "C", c->trace->process_id);
        time_member(c, ",\"ts\":", points[i].at_ns);
        name_members(c, &name);
        fmp_write_text(&c->writer, ",\"args\":{");
        fmp_write_json(&c->writer, name.unit[0] ? name.unit : "value");
        fmp_write_char(&c->writer, ':');
        fmp_write_i64(&c->writer, points[i].value);
        fmp_write_text(&c->writer, "}}");
    }
    free(points);
}

static void other_data(chrome *c)
{
    fmp_writer *w = &c->writer;
    fmp_write_text(w, "\n],\"displayTimeUnit\":\"ns\",\"otherData\":{\"exporter\":\"libfmprof\","
                      "\"complete\":");
    fmp_write_text(w, c->trace->complete ? "true" : "false");
    fmp_write_text(w, ",\"dropped_events\":");
    fmp_write_u64(w, c->trace->dropped);
    fmp_write_text(w, ",\"dropped_by_thread\":[");
    for (size_t i = 0; i < c->trace->thread_count; i++) {
        fmp_write_text(w, i > 0 ? ",{\"tid\":" : "{\"tid\":");
        fmp_write_u64(w, c->thread_ids[i]);
        fmp_write_text(w, ",\"name\":");
        fmp_write_json(w, c->trace->threads[i].name);
        fmp_write_text(w, ",\"dropped\":");
        fmp_write_u64(w, c->trace->threads[i].dropped);
        fmp_write_char(w, '}');
    }
    fmp_write_text(w, "]}}\n");
}

int fmp_print_chrome_trace(FILE *out, const fmp_trace *trace)
{
    static const fmp_trace nothing = {.complete = true};
    chrome c = {.trace = trace ? trace : &nothing};
    uint64_t *ids = fmp_trace_thread_ids(c.trace);
    fmp_writer_open(&c.writer, out);
    c.thread_ids = ids;
    if (ids) {
        fmp_write_text(&c.writer, "{\"traceEvents\":[");
        metadata(&c, c.trace->process_id, "process_name", "libfmprof");
        for (size_t i = 0; i < c.trace->thread_count; i++)
            thread_metadata(&c, i);
        for (size_t i = 0; i < c.trace->thread_count; i++)
            thread_events(&c, i);
        metric_events(&c);
        other_data(&c);
    } else {
        fmp_writer_fail(&c.writer, ENOMEM);
    }
    free(ids);
    return fmp_writer_close(&c.writer);
}
