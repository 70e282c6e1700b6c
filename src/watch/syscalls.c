/*
 * System calls by operation: how many, how long, how many bytes (tracer.h says
 * by which mechanism, why, and at what cost).
 *
 * Only the program's own calls count: from the moment when all facilities run
 * until the first of them is stopped, without the watching thread's, which is
 * not traced. What facilities do on the program's threads (a timer for a new
 * thread) is among them.
 */
#include "watch/facility.h"

#ifdef __linux__

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "watch/syscall_names.h"
#include "watch/tracer.h"

enum { ROWS_MAX = 200 };

static const char what[] = "count, time and bytes of calls";
static const char others[] = "(others)";

static void *start(const fmp_system_options *options, const fmp_watch_info *info, fmp_tables *tables)
{
    (void)options;
    fmp_tracer_refusal refusal;
    fmp_tracer *tracer = fmp_tracer_start(info->root, &refusal);
    if (!tracer) {
        fmp_facility_says(tables, FMP_SYSTEM_SYSCALLS, what,
                          refusal.permission ? FMP_STATE_NOT_PERMITTED : FMP_STATE_NOT_HERE, refusal.how,
                          refusal.remedy);
        return NULL;
    }
    const char *how = fmp_tables_text(tables,
                                      "ptrace by a process of its own; adds about %.0f us to each call, of which "
                                      "%.0f us that would be in the times are taken out",
                                      fmp_tracer_added_ns(tracer) * 1e-3, fmp_tracer_seen_ns(tracer) * 1e-3);
    fmp_facility_says(tables, FMP_SYSTEM_SYSCALLS, what, FMP_STATE_ON, how, "");
    return tracer;
}

static void count(void *state, const fmp_watch_info *info, bool on)
{
    fmp_tracer_count(state, on, info->watcher);
}

/* --- rows ------------------------------------------------------------------------------ */

/* Without what tracing added; never below 0, where it added less than it usually does. */
static double seconds_of(uint64_t ns, uint64_t count, double seen_ns)
{
    const double own = (double)ns - (double)count * seen_ns;
    return own > 0 ? own * 1e-9 : 0;
}

typedef struct call_row {
    const fmp_traced_call *call;
    double seconds;
} call_row;

static int by_seconds_falling(const void *a, const void *b)
{
    const call_row *x = a, *y = b;
    if (x->seconds != y->seconds)
        return x->seconds < y->seconds ? 1 : -1;
    return (x->call->count < y->call->count) - (x->call->count > y->call->count);
}

static const char *name_of(fmp_tables *tables, uint32_t call)
{
    const uint32_t number = call & ~FMP_FOREIGN_CALL;
    if (call & FMP_FOREIGN_CALL)
        return fmp_tables_text(tables, "syscall %u of another ABI", (unsigned)number);
    const char *name = fmp_syscall_name(number);
    return name ? name : fmp_tables_text(tables, "syscall %u", (unsigned)number);
}

static void add_row(fmp_tables *tables, const call_row *row, double seen_ns)
{
    const fmp_traced_call *c = row->call;
    const char *name = name_of(tables, c->call);
    const double bytes = fmp_syscall_gives_bytes(name) ? (double)c->results : NAN;
    fmp_table_row(tables, (fmp_cell[]){FMP_TEXT(fmp_operation_text(tables, c->operation)), FMP_TEXT(name),
                                       FMP_NUMBER(c->count), FMP_NUMBER(c->errors), FMP_NUMBER(row->seconds),
                                       FMP_NUMBER(seconds_of(c->max_ns, 1, seen_ns)), FMP_NUMBER(bytes)});
}

static void add_others(fmp_tables *tables, const call_row *rows, size_t count, double seen_ns)
{
    double calls = 0, errors = 0, seconds = 0, max = 0, bytes = NAN;
    for (size_t i = 0; i < count; i++) {
        const fmp_traced_call *c = rows[i].call;
        const double longest = seconds_of(c->max_ns, 1, seen_ns);
        calls += (double)c->count;
        errors += (double)c->errors;
        seconds += rows[i].seconds;
        max = longest > max ? longest : max;
        if (!(c->call & FMP_FOREIGN_CALL) && fmp_syscall_gives_bytes(fmp_syscall_name(c->call)))
            bytes = (isnan(bytes) ? 0 : bytes) + (double)c->results;
    }
    fmp_table_row(tables,
                  (fmp_cell[]){FMP_TEXT(others), FMP_TEXT(others), FMP_NUMBER(calls), FMP_NUMBER(errors),
                               FMP_NUMBER(seconds), FMP_NUMBER(max), FMP_NUMBER(bytes)});
}

static void add_table(fmp_tables *tables, const fmp_traced *traced, call_row *rows, double seen_ns)
{
    for (size_t i = 0; i < traced->call_count; i++) {
        const fmp_traced_call *c = &traced->calls[i];
        rows[i] = (call_row){c, seconds_of(c->ns, c->count, seen_ns)};
    }
    qsort(rows, traced->call_count, sizeof *rows, by_seconds_falling);
    fmp_table_begin(tables, "syscalls");
    for (size_t i = 0; i < traced->call_count && i < ROWS_MAX; i++)
        add_row(tables, &rows[i], seen_ns);
    if (traced->call_count > ROWS_MAX)
        add_others(tables, rows + ROWS_MAX, traced->call_count - ROWS_MAX, seen_ns);
}

static void say_limits(fmp_tables *tables, const fmp_traced *traced)
{
    if (traced->ended_early)
        fmp_facility_says(tables, FMP_SYSTEM_SYSCALLS, "tracing process", FMP_STATE_ON,
                          "ended before it was told to, perhaps killed: calls after that are missing", "");
    if (traced->lost)
        fmp_facility_says(tables, FMP_SYSTEM_SYSCALLS, "kinds of calls", FMP_STATE_ON,
                          fmp_tables_text(tables, "%llu calls of kinds beyond %d are left out",
                                          (unsigned long long)traced->lost, FMP_TRACED_CALLS / 4 * 3),
                          "");
    if (traced->unfinished)
        fmp_facility_says(tables, FMP_SYSTEM_SYSCALLS, "unfinished calls", FMP_STATE_ON,
                          fmp_tables_text(tables, "%llu calls had not returned; their time until then counts",
                                          (unsigned long long)traced->unfinished),
                          "");
}

static void stop(void *state, const fmp_watch_info *info, fmp_tables *tables)
{
    (void)info;
    fmp_tracer *tracer = state;
    const double seen_ns = fmp_tracer_seen_ns(tracer);
    fmp_traced *traced = fmp_tracer_stop(&tracer);
    call_row *rows = traced ? calloc(traced->call_count + 1, sizeof *rows) : NULL;
    if (rows) {
        say_limits(tables, traced);
        add_table(tables, traced, rows, seen_ns);
    }
    free(rows);
    free(traced);
}

const fmp_facility_calls fmp_facility_syscalls = {FMP_SYSTEM_SYSCALLS, start, NULL, stop, count};

#else

static void *start(const fmp_system_options *options, const fmp_watch_info *info, fmp_tables *tables)
{
    (void)options;
    (void)info;
    fmp_facility_says(tables, FMP_SYSTEM_SYSCALLS, "count, time and bytes of calls", FMP_STATE_NOT_HERE,
                      "Linux only", "use Instruments, System Trace");
    return NULL;
}

static void stop(void *state, const fmp_watch_info *info, fmp_tables *tables)
{
    (void)state;
    (void)info;
    (void)tables;
}

const fmp_facility_calls fmp_facility_syscalls = {FMP_SYSTEM_SYSCALLS, start, NULL, stop, NULL};

#endif
