/* Feeds bytes to the reader of trace files; what it accepts must be as trace.h promises. */
#include <stdint.h>
#include <stdlib.h>

#include "profiler/trace_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int condition)
{
    if (!condition)
        abort();
}

/* Sorted, nested, names and kinds in range, and no more events than bytes for them. */
static void check(const fmp_trace *trace, size_t size)
{
    size_t events = 0;
    for (size_t t = 0; t < trace->thread_count; t++) {
        const fmp_trace_thread *thread = &trace->threads[t];
        events += thread->event_count;
        uint64_t *open = malloc((thread->event_count + 1) * sizeof *open);
        size_t depth = 0;
        for (size_t i = 0; open && i < thread->event_count; i++) {
            const fmp_event *event = &thread->events[i];
            demand(event->name < trace->name_count);
            demand(event->kind >= FMP_EVENT_SCOPE && event->kind <= FMP_EVENT_GAUGE);
            demand(i == 0 || event[-1].start_ns <= event->start_ns);
            if (event->kind != FMP_EVENT_SCOPE)
                continue;
            uint64_t end = event->start_ns + event->value;
            demand(end >= event->start_ns && end < UINT64_MAX / 2);
            while (depth > 0 && open[depth - 1] <= event->start_ns)
                depth--;
            demand(depth == 0 || end <= open[depth - 1]);
            open[depth++] = end;
        }
        free(open);
    }
    demand(events <= size / 24);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char message[128];
    fmp_trace *trace = fmp_trace_read_memory(data, size, message, sizeof message);
    if (trace)
        check(trace, size);
    else
        demand(message[0] != '\0');
    fmp_trace_free(&trace);
    return 0;
}
