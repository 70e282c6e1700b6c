#include "synthetic.h"

#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* --- by hand ------------------------------------------------------------------ */

enum { FRAME, DETECT, INFER, ODD, BROKEN, MARK, FLOW, FRAMES, DEPTH, EMPTY };

static const fmp_trace_name small_names[] = {
    [FRAME] = {"VIDEO_IO", "frame", ""},
    [DETECT] = {"MODEL_INFERENCE", "BlazeFace_onnx_cpu", ""},
    [INFER] = {"MODEL_INFERENCE", "FaceMesh \"468\" \\ onnx; cpu", ""},
    [ODD] = {"ODD\tcategory;\x01", "K\xC3\xB6pfe \xE9\xA1\x94 \xF0\x9F\x99\x82 tab\tline\nreturn\r\x1b[31m\x7f</script>", ""},
    [BROKEN] = {"ODD\tcategory;\x01", "broken \xFF\xC3( \xED\xA0\x80 \xC0\xAF \xF0\x9F\x99", ""},
    [MARK] = {"EVENTS", "scene \"cut\"", ""},
    [FLOW] = {"FLOWS", "frame's way", ""},
    [FRAMES] = {"COUNTERS", "frames \"read\"", "frames"},
    [DEPTH] = {"GAUGES", "queue depth", ""},
    [EMPTY] = {"", "", ""},
};

/* Times that a double of microseconds would blur if they were not written exactly: days into a run. */
#define DAY UINT64_C(86400000000000)
#define LATE (49 * DAY)

#define SCOPE(name, start, duration) {start, duration, FMP_EVENT_SCOPE, name}

static const fmp_event reader_events[] = {
    SCOPE(FRAME, 100, 1000),
    SCOPE(DETECT, 100, 400), /* begins with the scope around it */
    {150, 17, FMP_EVENT_FLOW_BEGIN, FLOW},
    SCOPE(INFER, 500, 600), /* begins where its neighbour ends, ends with the one around it */
    SCOPE(INFER, 501, 99),  /* recursion */
    {600, 0, FMP_EVENT_MARK, MARK}, /* at the very end of it */
    {700, 18, FMP_EVENT_FLOW_BEGIN, FLOW},
    {1100, 1, FMP_EVENT_COUNTER, FRAMES},
    SCOPE(ODD, 1100, 0), /* no duration, at the end of the others */
    SCOPE(BROKEN, 1101, 1),
    {1500, 3, FMP_EVENT_COUNTER, FRAMES},
    {1600, (uint64_t)-7, FMP_EVENT_GAUGE, DEPTH},
    SCOPE(FRAME, LATE + 1, 1234567891),
    SCOPE(EMPTY, LATE + 3, 1),
};
static const fmp_event mirror_events[] = {
    {90, 5, FMP_EVENT_GAUGE, DEPTH},
    SCOPE(ODD, 900, 5000),
    {950, 17, FMP_EVENT_FLOW_STEP, FLOW},
    {960, 18, FMP_EVENT_FLOW_STEP, FLOW},
    {1200, 10, FMP_EVENT_COUNTER, FRAMES},
    {1300, INT64_MAX, FMP_EVENT_GAUGE, DEPTH},
};
static const fmp_event writer_events[] = {
    SCOPE(BROKEN, 2000, 500),
    {2100, 17, FMP_EVENT_FLOW_END, FLOW},
    {2600, 18, FMP_EVENT_FLOW_END, FLOW}, /* in no scope */
    {2700, 0, FMP_EVENT_MARK, MARK},
    SCOPE(FRAME, 3000, 10),
};

static const fmp_trace_thread small_threads[] = {
    {"reader", 4711, reader_events, COUNT_OF(reader_events), 0},
    {"mirror \"left\" \xC3\xA4\xFF\n", 4712, mirror_events, COUNT_OF(mirror_events), 123456789012},
    {"writer", 4711, writer_events, COUNT_OF(writer_events), 0}, /* the id was given again */
    {"idle", 4713, NULL, 0, 0},
};

const fmp_trace synthetic_small = {
    .names = small_names,
    .name_count = COUNT_OF(small_names),
    .threads = small_threads,
    .thread_count = COUNT_OF(small_threads),
    .process_id = 4711,
    .dropped = 123456789013,
    .complete = false,
};

static fmp_operation operations[] = {
    {.category = "MODEL_INFERENCE", .operation = "FaceMesh \"468\", onnx; cpu", .count = 1942,
     .total_ns = 112345678901, .self_ns = 112345678000, .min_ns = 1, .max_ns = LATE, .first_ns = 89,
     .mean_ns = 57850504.068, .stddev_ns = 1.5e6, .p50_ns = 57.5e6, .p90_ns = 60e6, .p99_ns = 80e6,
     .p999_ns = 89e6, .threads = 2, .measures = FMP_MEASURE_CPU, .cpu_ns = 100000000001},
    {.category = "MODEL_INFERENCE", .operation = "=cmd()\r\nK\xC3\xB6pfe \xFF", .count = 3,
     .total_ns = 999, .self_ns = 999, .min_ns = 300, .max_ns = 400, .first_ns = 400,
     .mean_ns = 333, .stddev_ns = 0.25, .p50_ns = 333, .p90_ns = 400, .p99_ns = 400,
     .p999_ns = 400, .threads = 1, .measures = FMP_MEASURE_MEMORY, .rss_change = -4096,
     .rss_peak_change = 1048576, .live_change = INT64_MIN, .live_peak_change = INT64_MAX},
    {.category = "ODD;category \"\xC3(\"", .operation = "no time", .count = 1, .threads = 1},
    {.category = "", .operation = "", .count = 1, .total_ns = 5, .self_ns = 5, .min_ns = 5,
     .max_ns = 5, .first_ns = 5, .mean_ns = 5, .p50_ns = 5, .p90_ns = 5, .p99_ns = 5,
     .p999_ns = 5, .threads = 1},
};

const fmp_snapshot synthetic_snapshot = {
    .operations = operations,
    .operation_count = COUNT_OF(operations),
    .self_ns = 112345678000 + 999 + 5,
    .scopes = 1947,
};

/* --- by chance ---------------------------------------------------------------- */

enum { RANDOM_SCOPES = 40, RANDOM_NAMES = RANDOM_SCOPES + 4, RANDOM_DEPTH = 12 };
static const uint32_t random_mark = RANDOM_SCOPES, random_flow = RANDOM_SCOPES + 1,
                      random_counter = RANDOM_SCOPES + 2, random_gauge = RANDOM_SCOPES + 3;

typedef struct storage {
    fmp_trace trace;
    fmp_trace_name names[RANDOM_NAMES];
    char texts[RANDOM_NAMES][64];
} storage;

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX generator */
    return *state >> 33;
}

typedef struct dice {
    uint64_t random;
    int64_t sum;   /* of the counter */
    uint64_t flow; /* id and step: each flow has a begin, a step and an end, in this order */
} dice;

/* Cuts [start, end] into scopes, marks, flows and metrics, `room` events at most; deeper ones inside. */
static size_t fill(fmp_event *events, size_t room, uint64_t start, uint64_t end, int depth, dice *d)
{
    size_t count = 0;
    uint64_t at = start;
    while (count < room && at < end) {
        uint64_t left = end - at, length = left < 4 ? left : next_random(&d->random) % (left / 2) + 1;
        uint64_t choice = next_random(&d->random) % 16;
        fmp_event *event = &events[count++];
        if (choice < 12) {
            *event = (fmp_event){at, length, FMP_EVENT_SCOPE,
                                 (uint32_t)(next_random(&d->random) % RANDOM_SCOPES)};
            if (depth < RANDOM_DEPTH && length > 8)
                count += fill(events + count, room - count, at, at + length, depth + 1, d);
            at += length;
        } else if (choice == 12) {
            *event = (fmp_event){at, 0, FMP_EVENT_MARK, random_mark};
        } else if (choice == 13) {
            *event = (fmp_event){at, next_random(&d->random), FMP_EVENT_GAUGE, random_gauge};
        } else if (choice == 14) {
            d->sum += (int64_t)next_random(&d->random);
            *event = (fmp_event){at, (uint64_t)d->sum, FMP_EVENT_COUNTER, random_counter};
        } else {
            static const fmp_event_kind steps[] = {FMP_EVENT_FLOW_BEGIN, FMP_EVENT_FLOW_STEP,
                                                   FMP_EVENT_FLOW_END};
            *event = (fmp_event){at, d->flow / 3, steps[d->flow % 3], random_flow};
            d->flow++;
        }
        at += next_random(&d->random) % 3; /* sometimes scopes touch */
    }
    return count;
}

fmp_trace *synthetic_random(size_t events, size_t threads, uint64_t seed)
{
    storage *s = calloc(1, sizeof *s);
    fmp_trace_thread *lines = calloc(threads, sizeof *lines);
    if (!s || !lines)
        abort();
    for (size_t i = 0; i < RANDOM_NAMES; i++) {
        snprintf(s->texts[i], sizeof s->texts[i], "operation_%zu_onnx_cpu", i);
        s->names[i] = (fmp_trace_name){i % 3 ? "MODEL_INFERENCE" : "VIDEO_IO", s->texts[i], ""};
    }
    for (size_t t = 0; t < threads; t++) {
        fmp_event *line = calloc(events / threads, sizeof *line);
        if (!line)
            abort();
        size_t count = 0;
        uint64_t at = 1000 * t;
        dice d = {seed + t, 0, (uint64_t)t << 33};
        d.flow *= 3;
        while (count < events / threads) { /* one root after the other */
            uint64_t length = 1000 + next_random(&d.random) % 100000;
            count += fill(line + count, events / threads - count, at, at + length, 0, &d);
            at += length + next_random(&d.random) % 1000;
        }
        lines[t] = (fmp_trace_thread){"worker", 100 + t, line, count, 0};
    }
    s->trace = (fmp_trace){.names = s->names, .name_count = RANDOM_NAMES, .threads = lines,
                           .thread_count = threads, .process_id = 99, .complete = true};
    return &s->trace;
}

void synthetic_free(fmp_trace *trace)
{
    if (!trace)
        return;
    for (size_t t = 0; t < trace->thread_count; t++)
        free((void *)(uintptr_t)trace->threads[t].events);
    free((void *)(uintptr_t)trace->threads);
    free(trace); /* the first member of its storage */
}
