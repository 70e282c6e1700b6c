/*
 * speedscope's own file format. Times are whole nanoseconds. The address in
 * "$schema" is how a file says that it has this format; nothing is fetched.
 */
#include <errno.h>
#include <string.h>

#include "fmprof/export.h"
#include "trace_facts.h"
#include "walk.h"
#include "writer.h"

static void begin_file(fmp_writer *w, const char *title)
{
    fmp_write_text(w, "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\","
                      "\"exporter\":\"libfmprof\",\"name\":");
    fmp_write_json(w, title && *title ? title : "profile");
    fmp_write_text(w, ",\"activeProfileIndex\":0,\"shared\":{\"frames\":[");
}

static void frame(fmp_writer *w, bool first, const char *name, const char *category)
{
    fmp_write_text(w, first ? "\n{\"name\":" : ",\n{\"name\":");
    fmp_write_json(w, name && *name ? name : "(no name)");
    if (category && *category) { /* shown as the frame's file, by which speedscope can colour */
        fmp_write_text(w, ",\"file\":");
        fmp_write_json(w, category);
    }
    fmp_write_char(w, '}');
}

static void begin_profile(fmp_writer *w, bool first, const char *type, const char *name,
                          uint64_t start, uint64_t end)
{
    fmp_write_text(w, first ? "\n{\"type\":\"" : ",\n{\"type\":\"");
    fmp_write_text(w, type);
    fmp_write_text(w, "\",\"name\":");
    fmp_write_json(w, name && *name ? name : "(no name)");
    fmp_write_text(w, ",\"unit\":\"nanoseconds\",\"startValue\":");
    fmp_write_u64(w, start);
    fmp_write_text(w, ",\"endValue\":");
    fmp_write_u64(w, end);
}

/* --- of a snapshot: two frames a stack, the category and the operation -------- */

static bool begins_category(const fmp_snapshot *snapshot, size_t index)
{
    return index == 0 ||
           strcmp(snapshot->operations[index - 1].category, snapshot->operations[index].category);
}

static void snapshot_frames(fmp_writer *w, const fmp_snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->operation_count; i++) {
        const fmp_operation *op = &snapshot->operations[i];
        if (begins_category(snapshot, i))
            frame(w, i == 0, op->category, NULL);
        frame(w, false, op->operation, op->category);
    }
}

/* Frames were numbered as snapshot_frames wrote them. */
static void snapshot_samples(fmp_writer *w, const fmp_snapshot *snapshot)
{
    size_t category = 0, next = 0;
    for (size_t i = 0; i < snapshot->operation_count; i++) {
        if (begins_category(snapshot, i))
            category = next++;
        fmp_write_text(w, i > 0 ? ",[" : "[");
        fmp_write_u64(w, category);
        fmp_write_char(w, ',');
        fmp_write_u64(w, next++);
        fmp_write_char(w, ']');
    }
}

int fmp_print_speedscope(FILE *out, const fmp_snapshot *snapshot, const char *title)
{
    static const fmp_snapshot nothing = {0};
    snapshot = snapshot ? snapshot : &nothing;
    uint64_t sum = 0;
    for (size_t i = 0; i < snapshot->operation_count; i++)
        sum += snapshot->operations[i].self_ns;
    fmp_writer w;
    fmp_writer_open(&w, out);
    begin_file(&w, title);
    snapshot_frames(&w, snapshot);
    fmp_write_text(&w, "\n]},\"profiles\":[");
    begin_profile(&w, true, "sampled", "self time", 0, sum);
    fmp_write_text(&w, ",\n\"samples\":[");
    snapshot_samples(&w, snapshot);
    fmp_write_text(&w, "],\n\"weights\":[");
    for (size_t i = 0; i < snapshot->operation_count; i++) {
        if (i > 0)
            fmp_write_char(&w, ',');
        fmp_write_u64(&w, snapshot->operations[i].self_ns);
    }
    fmp_write_text(&w, "]}\n]}\n");
    return fmp_writer_close(&w);
}

/* --- of a trace: one profile a thread ------------------------------------------ */

/* The end of the last scope of a thread; 0 when it has none. False when memory is out. */
static bool last_end(const fmp_trace_thread *thread, uint64_t *end)
{
    fmp_walk walk;
    fmp_step step;
    *end = 0;
    fmp_walk_start(&walk, thread);
    while (fmp_walk_next(&walk, &step))
        if (step.kind == FMP_STEP_END)
            *end = step.at_ns;
    fmp_walk_stop(&walk);
    return !walk.failed;
}

static void thread_events(fmp_writer *w, const fmp_trace *trace, const fmp_trace_thread *thread)
{
    fmp_walk walk;
    fmp_step step;
    bool first = true;
    fmp_walk_start(&walk, thread);
    while (fmp_walk_next(&walk, &step)) {
        if (step.kind == FMP_STEP_EVENT)
            continue;
        uint64_t name = step.event->name < trace->name_count ? step.event->name : trace->name_count;
        fmp_write_text(w, first ? "\n{\"type\":\"" : ",\n{\"type\":\"");
        fmp_write_char(w, step.kind == FMP_STEP_BEGIN ? 'O' : 'C');
        fmp_write_text(w, "\",\"frame\":");
        fmp_write_u64(w, name);
        fmp_write_text(w, ",\"at\":");
        fmp_write_u64(w, step.at_ns);
        fmp_write_char(w, '}');
        first = false;
    }
    if (walk.failed)
        fmp_writer_fail(w, ENOMEM);
    fmp_walk_stop(&walk);
}

static bool has_scope(const fmp_trace_thread *thread)
{
    for (size_t i = 0; i < thread->event_count; i++)
        if (thread->events[i].kind == FMP_EVENT_SCOPE)
            return true;
    return false;
}

int fmp_print_speedscope_trace(FILE *out, const fmp_trace *trace, const char *title)
{
    static const fmp_trace nothing = {0};
    trace = trace ? trace : &nothing;
    fmp_writer w;
    fmp_writer_open(&w, out);
    begin_file(&w, title);
    for (size_t i = 0; i < trace->name_count; i++) {
        fmp_trace_name name = fmp_trace_name_at(trace, (uint32_t)i);
        frame(&w, i == 0, name.operation, name.category);
    }
    frame(&w, trace->name_count == 0, "(unknown)", NULL); /* for names out of range */
    fmp_write_text(&w, "\n]},\"profiles\":[");
    bool first = true;
    for (size_t i = 0; i < trace->thread_count; i++) {
        const fmp_trace_thread *thread = &trace->threads[i];
        uint64_t end = 0;
        if (!has_scope(thread))
            continue;
        if (!last_end(thread, &end))
            fmp_writer_fail(&w, ENOMEM);
        begin_profile(&w, first, "evented", thread->name, 0, end);
        fmp_write_text(&w, ",\"events\":[");
        thread_events(&w, trace, thread);
        fmp_write_text(&w, "]}");
        first = false;
    }
    if (first) { /* speedscope wants a profile */
        begin_profile(&w, true, "evented", "(no scopes)", 0, 0);
        fmp_write_text(&w, ",\"events\":[]}");
    }
    fmp_write_text(&w, "\n]}\n");
    return fmp_writer_close(&w);
}
