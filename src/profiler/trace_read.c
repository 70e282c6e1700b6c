/*
 * Reads a trace file. Nothing in it is believed: every size, offset, count,
 * kind and name is checked against the file's length and the format's limits.
 * The areas that are read may not add up to more than the file, so that memory
 * is bounded by its length whatever the table says.
 */
#include "trace_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace_events.h"
#include "trace_format.h"

enum {
    READ_CHUNK = 2048,                    /* events */
    NAMES_AREA_MAX = 8 * 1024 * 1024      /* bytes; the writer's are at most 4 MiB */
};
static const double NS_PER_TICK_MIN = 1e-6, NS_PER_TICK_MAX = 1e6;

typedef struct source {
    int fd;                     /* -1: from memory */
    const unsigned char *bytes;
    uint64_t size;
} source;

typedef struct read_name {
    uint32_t number; /* as events say it */
    uint32_t order;
    char *strings;   /* category, operation, unit; each with a terminator */
    fmp_trace_name name;
} read_name;

typedef struct read_thread {
    char name[FMP_TRACE_THREAD_NAME_SIZE];
    uint64_t id, dropped;
    fmp_event *events;
    size_t count;
} read_thread;

/* What fmp_trace points into. */
typedef struct reading {
    fmp_trace trace;
    source from;
    fmp_trace_file_header header;
    fmp_trace_clock clock;
    uint64_t budget; /* bytes of areas that may still be read */
    bool damaged;

    read_name *names;
    size_t name_count, name_room;
    read_thread *threads;
    size_t thread_count;
    bool has_unnamed; /* events of names that the file does not hold */
    fmp_trace_name *public_names;
    fmp_trace_thread *public_threads;
    fmp_trace_file_event chunk[READ_CHUNK];
} reading;

static bool fail(char *message, size_t message_size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (message && message_size > 0)
        vsnprintf(message, message_size, format, arguments);
    va_end(arguments);
    return false;
}

static bool read_at(const source *from, uint64_t offset, void *to, size_t size)
{
    if (offset > from->size || size > from->size - offset)
        return false;
    if (from->fd < 0) {
        memcpy(to, from->bytes + offset, size);
        return true;
    }
    char *at = to;
    while (size > 0) {
        ssize_t got = pread(from->fd, at, size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false; /* an error, or cut off meanwhile */
        at += got;
        size -= (size_t)got;
        offset += (uint64_t)got;
    }
    return true;
}

static uint64_t add_saturating(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* --- header and areas ------------------------------------------------------------- */

static bool read_header(reading *r, char *message, size_t message_size)
{
    fmp_trace_file_header *header = &r->header;
    if (!read_at(&r->from, 0, header, sizeof *header) ||
        memcmp(header->magic, FMP_TRACE_MAGIC, sizeof header->magic) != 0)
        return fail(message, message_size, "is not a trace file of this profiler");
    if (header->byte_order != FMP_TRACE_BYTE_ORDER)
        return fail(message, message_size,
                    "was written by a machine of the other byte order; read it on such a machine");
    if (header->version != FMP_TRACE_VERSION)
        return fail(message, message_size,
                    "is a trace of format version %u, and this program reads version %d",
                    (unsigned)header->version, (int)FMP_TRACE_VERSION);
    if (header->event_size != FMP_TRACE_EVENT_SIZE || header->table_offset < sizeof *header ||
        header->area_max > FMP_TRACE_AREAS_MAX ||
        !(header->ns_per_tick >= NS_PER_TICK_MIN && header->ns_per_tick <= NS_PER_TICK_MAX))
        return fail(message, message_size, "is damaged: its header contradicts itself");
    r->clock = (fmp_trace_clock){header->start_ticks, header->ns_per_tick};
    r->budget = r->from.size;
    r->trace.process_id = header->process_id;
    r->trace.start_unix_ns = header->start_unix_ns;
    r->trace.dropped = atomic_load_explicit(&header->dropped, memory_order_relaxed);
    return true;
}

/* Reads an entry of the table and cuts the area to the file; false when nothing is left. */
static bool read_area(reading *r, uint32_t index, size_t header_size, fmp_trace_file_area *area)
{
    uint64_t at = (uint64_t)r->header.table_offset + (uint64_t)index * sizeof *area;
    if (!read_at(&r->from, at, area, sizeof *area) || area->offset > r->from.size)
        return false;
    if (area->size > r->from.size - area->offset) {
        area->size = r->from.size - area->offset;
        r->damaged = true;
    }
    return area->size >= header_size;
}

static bool spend(reading *r, uint64_t bytes)
{
    if (bytes > r->budget)
        return false;
    r->budget -= bytes;
    return true;
}

/* --- names ----------------------------------------------------------------------- */

static bool add_name(reading *r, const fmp_trace_file_name *record, const char *text)
{
    if (r->name_count == r->name_room) {
        size_t room = r->name_room ? r->name_room * 2 : 64;
        read_name *grown = realloc(r->names, room * sizeof *grown);
        if (!grown)
            return false;
        r->names = grown;
        r->name_room = room;
    }
    size_t category = record->category, operation = record->operation, unit = record->unit;
    char *strings = malloc(category + operation + unit + 3);
    if (!strings)
        return false;
    read_name *name = &r->names[r->name_count];
    *name = (read_name){record->name, (uint32_t)r->name_count, strings, {0}};
    r->name_count++;
    const size_t length[3] = {category, operation, unit};
    const char **to[3] = {&name->name.category, &name->name.operation, &name->name.unit};
    for (int i = 0; i < 3; i++) {
        memcpy(strings, text, length[i]);
        strings[length[i]] = '\0';
        *to[i] = strings;
        strings += length[i] + 1;
        text += length[i];
    }
    return true;
}

/* False when memory is out; a record that cannot be ends the area. */
static bool add_names(reading *r, const char *records, size_t size)
{
    while (size > 0) {
        fmp_trace_file_name record;
        if (size < sizeof record)
            break;
        memcpy(&record, records, sizeof record);
        size_t text = (size_t)record.category + record.operation + record.unit;
        if (record.size > size || record.size % 8 != 0 || record.size < sizeof record + text)
            break;
        if (!add_name(r, &record, records + sizeof record))
            return false;
        records += record.size;
        size -= record.size;
    }
    if (size > 0)
        r->damaged = true;
    return true;
}

static bool read_names(reading *r, const fmp_trace_file_area *area)
{
    fmp_trace_file_names names;
    if (!read_at(&r->from, area->offset, &names, sizeof names) ||
        names.type != FMP_TRACE_AREA_NAMES) {
        r->damaged = true;
        return true;
    }
    uint64_t used = atomic_load_explicit(&names.used, memory_order_relaxed);
    uint64_t room = area->size - sizeof names;
    if (used > room || used > NAMES_AREA_MAX) {
        r->damaged = true;
        used = room < NAMES_AREA_MAX ? room : NAMES_AREA_MAX;
    }
    if (used == 0)
        return true;
    if (!spend(r, used)) {
        r->damaged = true;
        return true;
    }
    char *records = malloc((size_t)used);
    if (!records)
        return false;
    bool ok = true;
    if (read_at(&r->from, area->offset + sizeof names, records, (size_t)used))
        ok = add_names(r, records, (size_t)used);
    else
        r->damaged = true;
    free(records);
    return ok;
}

static int by_number(const void *left, const void *right)
{
    const read_name *a = left, *b = right;
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

/* Sorts the names; of those with one number the first stays. */
static void settle_names(reading *r)
{
    if (r->name_count == 0)
        return;
    qsort(r->names, r->name_count, sizeof *r->names, by_number);
    size_t kept = 1;
    for (size_t i = 1; i < r->name_count; i++) {
        if (r->names[i].number != r->names[kept - 1].number) {
            r->names[kept++] = r->names[i];
        } else {
            r->damaged = true;
            free(r->names[i].strings);
        }
    }
    r->name_count = kept;
}

/* The index of a number's name; that of the unnamed, behind all others, when there is none. */
static uint32_t find_name(reading *r, uint32_t number)
{
    size_t low = 0, high = r->name_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (r->names[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < r->name_count && r->names[low].number == number)
        return (uint32_t)low;
    r->has_unnamed = true;
    return (uint32_t)r->name_count;
}

/* --- rings ------------------------------------------------------------------------ */

typedef struct ring_slots {
    uint64_t offset;   /* of slot 0 in the file */
    uint64_t readable; /* slots that the file holds */
    uint64_t dropped;
} ring_slots;

/* Reads slots [first, first + count); those without an event or beyond the file count as dropped. */
static bool read_slots(reading *r, ring_slots *slots, uint64_t first, uint64_t count,
                       fmp_raw_events *events)
{
    uint64_t readable = first >= slots->readable ? 0 : slots->readable - first;
    if (readable > count)
        readable = count;
    slots->dropped = add_saturating(slots->dropped, count - readable);
    while (readable > 0) {
        size_t part = readable < READ_CHUNK ? (size_t)readable : READ_CHUNK;
        if (!read_at(&r->from, slots->offset + first * FMP_TRACE_EVENT_SIZE, r->chunk,
                     part * FMP_TRACE_EVENT_SIZE)) {
            r->damaged = true;
            slots->dropped = add_saturating(slots->dropped, readable);
            return true;
        }
        for (size_t i = 0; i < part; i++) {
            switch (fmp_raw_events_add(events, &r->clock, &r->chunk[i])) {
            case FMP_RAW_NO_MEMORY: return false;
            case FMP_RAW_INVALID: slots->dropped = add_saturating(slots->dropped, 1); break;
            case FMP_RAW_ADDED:
            case FMP_RAW_EARLY: break;
            }
        }
        first += part;
        readable -= part;
    }
    return true;
}

/* The events that the head counts and later ones have not overwritten, oldest first. */
static bool read_events(reading *r, const fmp_trace_file_ring *ring, ring_slots *slots,
                        fmp_raw_events *events)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    uint64_t capacity = ring->slots - FMP_TRACE_SPARE_SLOTS;
    uint64_t count = head < capacity ? head : capacity;
    slots->dropped = add_saturating(atomic_load_explicit(&ring->dropped, memory_order_relaxed),
                                    head - count);
    uint64_t first = (head - count) % ring->slots;
    uint64_t before_turn = ring->slots - first;
    if (before_turn > count)
        before_turn = count;
    return read_slots(r, slots, first, before_turn, events) &&
           read_slots(r, slots, 0, count - before_turn, events);
}

static bool add_thread(reading *r, const fmp_trace_file_ring *ring, const ring_slots *slots,
                       fmp_raw_events *raw)
{
    fmp_event *events = fmp_raw_events_settle(raw, &r->clock);
    if (!events)
        return false;
    for (size_t i = 0; i < raw->count; i++)
        events[i].name = find_name(r, events[i].name);
    read_thread *thread = &r->threads[r->thread_count++];
    memcpy(thread->name, ring->name, sizeof thread->name);
    thread->name[sizeof thread->name - 1] = '\0';
    thread->id = ring->thread_id;
    thread->dropped = slots->dropped;
    thread->events = events;
    thread->count = raw->count;
    r->trace.dropped = add_saturating(r->trace.dropped, slots->dropped);
    return true;
}

static bool read_ring(reading *r, const fmp_trace_file_area *area)
{
    fmp_trace_file_ring ring;
    if (!read_at(&r->from, area->offset, &ring, sizeof ring) || ring.type != FMP_TRACE_AREA_RING ||
        ring.slots <= FMP_TRACE_SPARE_SLOTS ||
        ring.slots > FMP_TRACE_EVENTS_MAX + FMP_TRACE_SPARE_SLOTS) {
        r->damaged = true;
        return true;
    }
    ring_slots slots = {.offset = area->offset + sizeof ring,
                        .readable = (area->size - sizeof ring) / FMP_TRACE_EVENT_SIZE};
    if (slots.readable > ring.slots)
        slots.readable = ring.slots;
    if (!spend(r, sizeof ring + slots.readable * FMP_TRACE_EVENT_SIZE)) {
        r->damaged = true;
        return true;
    }
    fmp_raw_events events = {0};
    bool ok = read_events(r, &ring, &slots, &events) && add_thread(r, &ring, &slots, &events);
    free(events.event);
    return ok;
}

/* --- the whole -------------------------------------------------------------------- */

/* Reads all areas of one type; false when memory is out. */
static bool read_areas(reading *r, uint32_t type, size_t header_size,
                       bool (*read)(reading *r, const fmp_trace_file_area *area))
{
    uint32_t count = atomic_load_explicit(&r->header.area_count, memory_order_relaxed);
    if (count > r->header.area_max) {
        count = r->header.area_max;
        r->damaged = true;
    }
    for (uint32_t i = 0; i < count; i++) {
        fmp_trace_file_area area;
        if (!read_area(r, i, header_size, &area))
            r->damaged = true;
        else if (area.type == type && !read(r, &area))
            return false;
    }
    return true;
}

static bool publish(reading *r)
{
    r->public_names = calloc(r->name_count + 1, sizeof *r->public_names);
    r->public_threads = calloc(r->thread_count + 1, sizeof *r->public_threads);
    if (!r->public_names || !r->public_threads)
        return false;
    for (size_t i = 0; i < r->name_count; i++)
        r->public_names[i] = r->names[i].name;
    r->public_names[r->name_count] = (fmp_trace_name){"(unnamed)", "(unnamed)", ""};
    for (size_t i = 0; i < r->thread_count; i++) {
        const read_thread *thread = &r->threads[i];
        r->public_threads[i] = (fmp_trace_thread){.name = thread->name,
                                                  .id = thread->id,
                                                  .events = thread->events,
                                                  .event_count = thread->count,
                                                  .dropped = thread->dropped};
    }
    fmp_trace *trace = &r->trace;
    trace->names = r->public_names;
    trace->name_count = r->name_count + (r->has_unnamed ? 1 : 0);
    trace->threads = r->public_threads;
    trace->thread_count = r->thread_count;
    trace->complete = r->header.state == FMP_TRACE_COMPLETE && !r->damaged;
    trace->memory = r;
    return true;
}

static fmp_trace *read_source(const source *from, char *message, size_t message_size)
{
    if (message && message_size > 0)
        message[0] = '\0';
    reading *r = calloc(1, sizeof *r);
    if (!r) {
        fail(message, message_size, "memory is out");
        return NULL;
    }
    r->trace.memory = r;
    r->from = *from;
    fmp_trace *trace = &r->trace;
    if (!read_header(r, message, message_size)) {
        fmp_trace_free(&trace);
        return NULL;
    }
    r->threads = calloc((size_t)r->header.area_max + 1, sizeof *r->threads);
    bool ok = r->threads != NULL &&
              read_areas(r, FMP_TRACE_AREA_NAMES, sizeof(fmp_trace_file_names), read_names);
    if (ok)
        settle_names(r);
    ok = ok && read_areas(r, FMP_TRACE_AREA_RING, sizeof(fmp_trace_file_ring), read_ring) &&
         publish(r);
    if (!ok) {
        fail(message, message_size, "does not fit in memory");
        fmp_trace_free(&trace);
    }
    return trace;
}

fmp_trace *fmp_trace_read_memory(const void *bytes, size_t size, char *message,
                                 size_t message_size)
{
    return read_source(&(source){.fd = -1, .bytes = bytes, .size = size}, message, message_size);
}

fmp_trace *fmp_trace_read(const char *path, char *message, size_t message_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not make it wait */
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        fail(message, message_size, "Cannot open the trace %s: %s.", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    fmp_trace *trace = NULL;
    char why[160] = "is not a regular file";
    if (S_ISREG(status.st_mode))
        trace = read_source(&(source){.fd = fd, .size = (uint64_t)status.st_size}, why, sizeof why);
    close(fd);
    if (!trace)
        fail(message, message_size, "%s %s.", path, why);
    return trace;
}

void fmp_trace_free(fmp_trace **trace)
{
    if (!trace || !*trace)
        return;
    reading *r = (*trace)->memory;
    for (size_t i = 0; i < r->name_count; i++)
        free(r->names[i].strings);
    for (size_t i = 0; i < r->thread_count; i++)
        free(r->threads[i].events);
    free(r->names);
    free(r->threads);
    free(r->public_names);
    free(r->public_threads);
    free(r);
    *trace = NULL;
}
