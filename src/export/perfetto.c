/*
 * Perfetto's trace format: a Trace message of TracePackets with TrackEvents.
 * Each thread is a packet sequence of its own with a default track and its own
 * table of names, so that an event takes some 20 bytes. Field numbers are of
 * the published .proto files (perfetto/trace/trace_packet.proto and others).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fmprof/export.h"
#include "protobuf.h"
#include "trace_facts.h"
#include "walk.h"
#include "writer.h"

enum {
    TRACE_PACKET = 1,

    PACKET_TIMESTAMP = 8,
    PACKET_SEQUENCE = 10,
    PACKET_TRACK_EVENT = 11,
    PACKET_INTERNED = 12,
    PACKET_FLAGS = 13,
    PACKET_PREVIOUS_DROPPED = 42,
    PACKET_DEFAULTS = 59,
    PACKET_TRACK = 60,
    FLAG_STATE_CLEARED = 1,
    FLAG_NEEDS_STATE = 2,

    DEFAULTS_TRACK_EVENT = 11,
    INTERNED_CATEGORIES = 1,
    INTERNED_NAMES = 2,
    INTERNED_IID = 1,
    INTERNED_TEXT = 2,

    TRACK_UUID = 1,
    TRACK_NAME = 2,
    TRACK_PROCESS = 3,
    TRACK_THREAD = 4,
    TRACK_PARENT = 5,
    TRACK_COUNTER = 8,
    TRACK_CHILD_ORDERING = 11,
    ORDERING_EXPLICIT = 3,
    TRACK_RANK = 12,
    PROCESS_PID = 1,
    PROCESS_NAME = 6,
    THREAD_PID = 1,
    THREAD_TID = 2,
    THREAD_NAME = 5,
    COUNTER_UNIT_NAME = 6,

    EVENT_CATEGORY = 3,
    EVENT_TYPE = 9,
    EVENT_NAME = 10,
    EVENT_TRACK = 11,
    EVENT_COUNTER_VALUE = 30,
    EVENT_FLOW = 47,
    EVENT_LAST_FLOW = 48,
    TYPE_SLICE_BEGIN = 1,
    TYPE_SLICE_END = 2,
    TYPE_INSTANT = 3,
    TYPE_COUNTER = 4
};

typedef struct perfetto {
    fmp_writer writer;
    fmp_protobuf packet;
    const fmp_trace *trace;
    const uint64_t *thread_ids;
    uint32_t sequence; /* from 1 */
} perfetto;

/* splitmix64's finaliser (Steele, Lea and Flood, 2014): distinct inputs give distinct, scattered outputs. */
static uint64_t scatter(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

/* Tracks and flows of several processes may meet in one viewer, so their ids depend on the process. */
enum { PROCESS_TRACK, THREAD_TRACKS, METRIC_TRACKS, FLOWS };

static uint64_t id_of(const perfetto *p, unsigned kind, uint64_t a, uint64_t b)
{
    uint64_t id = scatter(scatter(scatter(scatter(p->trace->process_id) ^ kind) ^ a) ^ b);
    return id ? id : 1; /* 0 is Perfetto's default track */
}

static size_t begin_packet(perfetto *p)
{
    p->packet.size = 0;
    return fmp_protobuf_begin(&p->packet, TRACE_PACKET);
}

static void end_packet(perfetto *p, size_t begun)
{
    fmp_protobuf_varint(&p->packet, PACKET_SEQUENCE, p->sequence);
    fmp_protobuf_end(&p->packet, begun);
    if (p->packet.failed)
        fmp_writer_fail(&p->writer, ENOMEM);
    else
        fmp_write(&p->writer, p->packet.data, p->packet.size);
}

/* --- tracks ------------------------------------------------------------------- */

static void process_track(perfetto *p)
{
    fmp_protobuf *b = &p->packet;
    size_t packet = begin_packet(p), track = fmp_protobuf_begin(b, PACKET_TRACK);
    fmp_protobuf_varint(b, TRACK_UUID, id_of(p, PROCESS_TRACK, 0, 0));
    size_t process = fmp_protobuf_begin(b, TRACK_PROCESS);
    fmp_protobuf_varint(b, PROCESS_PID, p->trace->process_id);
    fmp_protobuf_text(b, PROCESS_NAME, "libfmprof");
    fmp_protobuf_end(b, process);
    fmp_protobuf_varint(b, TRACK_CHILD_ORDERING, ORDERING_EXPLICIT);
    fmp_protobuf_end(b, track);
    end_packet(p, packet);
}

static void thread_track(perfetto *p, size_t index)
{
    fmp_protobuf *b = &p->packet;
    size_t packet = begin_packet(p), track = fmp_protobuf_begin(b, PACKET_TRACK);
    fmp_protobuf_varint(b, TRACK_UUID, id_of(p, THREAD_TRACKS, index, 0));
    fmp_protobuf_varint(b, TRACK_PARENT, id_of(p, PROCESS_TRACK, 0, 0));
    size_t thread = fmp_protobuf_begin(b, TRACK_THREAD);
    fmp_protobuf_varint(b, THREAD_PID, p->trace->process_id);
    fmp_protobuf_varint(b, THREAD_TID, p->thread_ids[index]);
    fmp_protobuf_text(b, THREAD_NAME, p->trace->threads[index].name);
    fmp_protobuf_end(b, thread);
    fmp_protobuf_varint(b, TRACK_RANK, index);
    fmp_protobuf_end(b, track);
    end_packet(p, packet);
}

static void metric_track(perfetto *p, uint32_t name_index)
{
    fmp_protobuf *b = &p->packet;
    fmp_trace_name name = fmp_trace_name_at(p->trace, name_index);
    size_t packet = begin_packet(p), track = fmp_protobuf_begin(b, PACKET_TRACK);
    fmp_protobuf_varint(b, TRACK_UUID, id_of(p, METRIC_TRACKS, name_index, 0));
    fmp_protobuf_text(b, TRACK_NAME, name.operation);
    fmp_protobuf_varint(b, TRACK_PARENT, id_of(p, PROCESS_TRACK, 0, 0));
    size_t counter = fmp_protobuf_begin(b, TRACK_COUNTER);
    if (name.unit[0])
        fmp_protobuf_text(b, COUNTER_UNIT_NAME, name.unit);
    fmp_protobuf_end(b, counter);
    fmp_protobuf_end(b, track);
    end_packet(p, packet);
}

/* --- the state of a sequence: its default track and its names ------------------- */

static void interned(fmp_protobuf *b, uint32_t table, uint32_t name, const char *text)
{
    size_t entry = fmp_protobuf_begin(b, table);
    fmp_protobuf_varint(b, INTERNED_IID, (uint64_t)name + 1); /* 0 is no id */
    fmp_protobuf_text(b, INTERNED_TEXT, text);
    fmp_protobuf_end(b, entry);
}

/* The names that the thread's scopes, marks and flows use, in one table. */
static void intern_names(perfetto *p, const fmp_trace_thread *thread)
{
    size_t names = p->trace->name_count + 1; /* one more for those out of range */
    bool *used = calloc(names, sizeof *used);
    if (!used) {
        fmp_writer_fail(&p->writer, ENOMEM);
        return;
    }
    for (size_t i = 0; i < thread->event_count; i++) {
        const fmp_event *event = &thread->events[i];
        if (event->kind != FMP_EVENT_COUNTER && event->kind != FMP_EVENT_GAUGE)
            used[event->name < names ? event->name : names - 1] = true;
    }
    size_t table = fmp_protobuf_begin(&p->packet, PACKET_INTERNED);
    for (size_t i = 0; i < names; i++) {
        fmp_trace_name name = fmp_trace_name_at(p->trace, (uint32_t)i);
        if (!used[i])
            continue;
        interned(&p->packet, INTERNED_NAMES, (uint32_t)i, name.operation);
        if (name.category[0])
            interned(&p->packet, INTERNED_CATEGORIES, (uint32_t)i, name.category);
    }
    fmp_protobuf_end(&p->packet, table);
    free(used);
}

static void begin_sequence(perfetto *p, size_t index)
{
    fmp_protobuf *b = &p->packet;
    const fmp_trace_thread *thread = &p->trace->threads[index];
    p->sequence++;
    size_t packet = begin_packet(p);
    fmp_protobuf_varint(b, PACKET_FLAGS, FLAG_STATE_CLEARED);
    if (thread->dropped > 0)
        fmp_protobuf_varint(b, PACKET_PREVIOUS_DROPPED, 1);
    size_t defaults = fmp_protobuf_begin(b, PACKET_DEFAULTS);
    size_t event = fmp_protobuf_begin(b, DEFAULTS_TRACK_EVENT);
    fmp_protobuf_varint(b, EVENT_TRACK, id_of(p, THREAD_TRACKS, index, 0));
    fmp_protobuf_end(b, event);
    fmp_protobuf_end(b, defaults);
    intern_names(p, thread);
    end_packet(p, packet);
}

/* --- flows: carried by the scope that they were called in ------------------------ */

static bool is_flow(const fmp_event *event)
{
    return event->kind == FMP_EVENT_FLOW_BEGIN || event->kind == FMP_EVENT_FLOW_STEP ||
           event->kind == FMP_EVENT_FLOW_END;
}

/*
 * A scope's begin is written before the flows inside it come up, so they are
 * gathered beforehand: a list for each scope, linked by event index + 1.
 */
typedef struct flow_lists {
    size_t *first, *next; /* NULL when the thread has no flows */
} flow_lists;

static void free_flows(flow_lists *flows)
{
    free(flows->first);
    free(flows->next);
}

/* False when memory is out. */
static bool gather_flows(const fmp_trace_thread *thread, flow_lists *flows)
{
    size_t count = 0;
    *flows = (flow_lists){0};
    for (size_t i = 0; i < thread->event_count; i++)
        count += is_flow(&thread->events[i]);
    if (count == 0)
        return true;
    flows->first = calloc(thread->event_count, sizeof *flows->first);
    flows->next = calloc(thread->event_count, sizeof *flows->next);
    if (!flows->first || !flows->next)
        return false;
    fmp_walk walk;
    fmp_step step;
    fmp_walk_start(&walk, thread);
    while (fmp_walk_next(&walk, &step)) {
        if (step.kind != FMP_STEP_EVENT || !is_flow(step.event) || !step.parent)
            continue;
        flows->next[step.index] = flows->first[step.parent_index];
        flows->first[step.parent_index] = step.index + 1;
    }
    fmp_walk_stop(&walk);
    return !walk.failed;
}

static void flow_id(perfetto *p, const fmp_event *flow)
{
    fmp_protobuf_fixed64(&p->packet,
                         flow->kind == FMP_EVENT_FLOW_END ? EVENT_LAST_FLOW : EVENT_FLOW,
                         id_of(p, FLOWS, flow->name, flow->value));
}

/* --- events -------------------------------------------------------------------- */

typedef struct event_packet {
    size_t packet, event;
} event_packet;

static event_packet begin_event(perfetto *p, uint64_t at_ns, unsigned type, uint64_t flags)
{
    event_packet begun;
    begun.packet = begin_packet(p);
    fmp_protobuf_varint(&p->packet, PACKET_TIMESTAMP, at_ns);
    if (flags)
        fmp_protobuf_varint(&p->packet, PACKET_FLAGS, flags);
    begun.event = fmp_protobuf_begin(&p->packet, PACKET_TRACK_EVENT);
    fmp_protobuf_varint(&p->packet, EVENT_TYPE, type);
    return begun;
}

static void end_event(perfetto *p, event_packet begun)
{
    fmp_protobuf_end(&p->packet, begun.event);
    end_packet(p, begun.packet);
}

static void event_name(perfetto *p, uint32_t index)
{
    size_t names = p->trace->name_count;
    uint64_t iid = (index < names ? index : names) + 1;
    fmp_protobuf_varint(&p->packet, EVENT_NAME, iid);
    if (fmp_trace_name_at(p->trace, index).category[0])
        fmp_protobuf_varint(&p->packet, EVENT_CATEGORY, iid);
}

static void write_step(perfetto *p, const fmp_trace_thread *thread, const flow_lists *flows,
                       const fmp_step *step)
{
    bool flow = is_flow(step->event);
    unsigned type = step->kind == FMP_STEP_BEGIN ? TYPE_SLICE_BEGIN
                    : step->kind == FMP_STEP_END ? TYPE_SLICE_END
                                                 : TYPE_INSTANT;
    if (type == TYPE_INSTANT && step->event->kind != FMP_EVENT_MARK && !(flow && !step->parent))
        return; /* a flow that a scope carries, or a metric */
    event_packet begun = begin_event(p, step->at_ns, type, FLAG_NEEDS_STATE);
    if (type != TYPE_SLICE_END)
        event_name(p, step->event->name);
    if (type == TYPE_SLICE_BEGIN && flows->first)
        for (size_t i = flows->first[step->index]; i != 0; i = flows->next[i - 1])
            flow_id(p, &thread->events[i - 1]);
    if (flow)
        flow_id(p, step->event);
    end_event(p, begun);
}

static void thread_events(perfetto *p, size_t index)
{
    const fmp_trace_thread *thread = &p->trace->threads[index];
    flow_lists flows;
    fmp_walk walk;
    fmp_step step;
    begin_sequence(p, index);
    bool ready = gather_flows(thread, &flows);
    fmp_walk_start(&walk, thread);
    while (ready && fmp_walk_next(&walk, &step))
        write_step(p, thread, &flows, &step);
    if (!ready || walk.failed)
        fmp_writer_fail(&p->writer, ENOMEM);
    fmp_walk_stop(&walk);
    free_flows(&flows);
}

static void metric_events(perfetto *p)
{
    size_t count = 0;
    fmp_point *points = fmp_trace_points(p->trace, &count);
    if (!points)
        fmp_writer_fail(&p->writer, ENOMEM);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || points[i].name != points[i - 1].name)
            metric_track(p, points[i].name);
        event_packet begun = begin_event(p, points[i].at_ns, TYPE_COUNTER, 0);
        fmp_protobuf_varint(&p->packet, EVENT_TRACK, id_of(p, METRIC_TRACKS, points[i].name, 0));
        fmp_protobuf_varint(&p->packet, EVENT_COUNTER_VALUE, (uint64_t)points[i].value);
        end_event(p, begun);
    }
    free(points);
}

int fmp_print_perfetto(FILE *out, const fmp_trace *trace)
{
    static const fmp_trace nothing = {.complete = true};
    perfetto p = {.trace = trace ? trace : &nothing, .sequence = 1};
    uint64_t *ids = fmp_trace_thread_ids(p.trace);
    fmp_writer_open(&p.writer, out);
    p.thread_ids = ids;
    if (ids) {
        process_track(&p);
        for (size_t i = 0; i < p.trace->thread_count; i++)
            thread_track(&p, i);
        metric_events(&p);
        for (size_t i = 0; i < p.trace->thread_count; i++)
            thread_events(&p, i);
    } else {
        fmp_writer_fail(&p.writer, ENOMEM);
    }
    free(p.packet.data);
    free(ids);
    return fmp_writer_close(&p.writer);
}
