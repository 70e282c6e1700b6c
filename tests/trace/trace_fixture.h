/* A folder for trace files, a clock that a test moves, and looks into a trace that was read. */
#ifndef TRACE_FIXTURE_H
#define TRACE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fmprof/trace.h"
#include "profiler/clock.h"
#include "profiler/trace_record.h"

static char trace_folder[256], trace_path[300];
static uint64_t fixture_now = 1000;

static inline uint64_t fixture_ticks(void)
{
    return fixture_now;
}

static inline int make_trace_folder(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(trace_folder, sizeof trace_folder, "%.200s/fmp-trace-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(trace_folder))
        return -1;
    snprintf(trace_path, sizeof trace_path, "%s/run.fmtrace", trace_folder);
    return 0;
}

static inline int remove_trace_folder(void **state)
{
    (void)state;
    unlink(trace_path);
    return rmdir(trace_folder);
}

/* One tick a nanosecond; the trace that starts next begins at tick 1000. */
static inline int use_moved_clock(void **state)
{
    (void)state;
    fixture_now = 1000;
    fmp_clock_set_for_tests(fixture_ticks);
    return 0;
}

/* Also ends what a failed test has left. */
static inline int use_own_clock(void **state)
{
    (void)state;
    fmp_trace_stop();
    fmp_trace_detach();
    fmp_clock_set_for_tests(NULL);
    return 0;
}

static inline uint32_t generation_now(void)
{
    return atomic_load_explicit(&fmp_trace_generation, memory_order_relaxed);
}

static inline struct fmp_trace_ring *attach(const char *thread_name)
{
    return fmp_trace_attach(generation_now(), thread_name);
}

/* Reads the trace, which must be readable. */
static inline fmp_trace *read_trace(void)
{
    char message[256];
    fmp_trace *trace = fmp_trace_read(trace_path, message, sizeof message);
    if (!trace)
        fail_msg("%s", message);
    return trace;
}

static inline const fmp_trace_thread *find_thread(const fmp_trace *trace, const char *name)
{
    for (size_t i = 0; i < trace->thread_count; i++)
        if (strcmp(trace->threads[i].name, name) == 0)
            return &trace->threads[i];
    fail_msg("no thread %s", name);
    return NULL;
}

static inline const fmp_trace_name *name_of(const fmp_trace *trace, const fmp_event *event)
{
    assert_true(event->name < trace->name_count);
    return &trace->names[event->name];
}

/* What must hold of every trace that can be read: sorted, nested, names and kinds in range. */
static inline void check_trace(const fmp_trace *trace)
{
    for (size_t t = 0; t < trace->thread_count; t++) {
        const fmp_trace_thread *thread = &trace->threads[t];
        uint64_t *open = malloc((thread->event_count + 1) * sizeof *open);
        assert_non_null(open);
        size_t depth = 0;
        for (size_t i = 0; i < thread->event_count; i++) {
            const fmp_event *event = &thread->events[i];
            assert_true(event->name < trace->name_count);
            assert_true(event->kind >= FMP_EVENT_SCOPE && event->kind <= FMP_EVENT_GAUGE);
            assert_true(i == 0 || event[-1].start_ns <= event->start_ns);
            if (event->kind != FMP_EVENT_SCOPE)
                continue;
            uint64_t end = event->start_ns + event->value;
            assert_true(end >= event->start_ns);
            while (depth > 0 && open[depth - 1] <= event->start_ns)
                depth--;
            assert_true(depth == 0 || end <= open[depth - 1]);
            open[depth++] = end;
        }
        free(open);
    }
}

#endif
