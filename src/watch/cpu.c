/* CPU time: of the process, its threads and operations, and what scopes wait for. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "watch/cpu_operations.h"
#include "watch/cpu_tracks.h"
#include "watch/facility.h"
#include "watch/memory_process.h"
#include "watch/proc_text.h"
#include "watch/waits.h"

typedef struct process_figures {
    double user, system; /* seconds */
    fmp_thread_figures all; /* ready_ns and migrations are not told of a process */
} process_figures;

typedef struct cpu_state {
    fmp_threads threads;
    fmp_waits waits;
    fmp_cpu_tracks tracks;
    process_figures process; /* at the start */
    fmp_snapshot *before;    /* NULL: memory was out */
} cpu_state;

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

static process_figures read_process(void)
{
    const double unknown = (double)NAN;
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return (process_figures){unknown, unknown, {unknown, unknown, unknown, unknown, unknown, unknown}};
    const double user = seconds(usage.ru_utime), system = seconds(usage.ru_stime);
    return (process_figures){.user = user,
                             .system = system,
                             .all = {.cpu_ns = (user + system) * 1e9,
                                     .ready_ns = unknown,
                                     .voluntary = (double)usage.ru_nvcsw,
                                     .involuntary = (double)usage.ru_nivcsw,
                                     .migrations = unknown,
                                     .major_faults = (double)usage.ru_majflt}};
}

static process_figures process_between(const process_figures *a, const process_figures *b)
{
    return (process_figures){.user = fmp_growth(a->user, b->user),
                             .system = fmp_growth(a->system, b->system),
                             .all = {.cpu_ns = fmp_growth(a->all.cpu_ns, b->all.cpu_ns),
                                     .ready_ns = (double)NAN,
                                     .voluntary = fmp_growth(a->all.voluntary, b->all.voluntary),
                                     .involuntary = fmp_growth(a->all.involuntary, b->all.involuntary),
                                     .migrations = (double)NAN,
                                     .major_faults = fmp_growth(a->all.major_faults, b->all.major_faults)}};
}

/* Asked of this thread; others may have to do with the system call, where files or locked memory are out. */
static void says_operations(fmp_tables *tables)
{
    const char *reason, *clock = fmp_cpu_clock(&reason);
    const char *how = "CPU clock of the thread, at both ends of each scope: ";
    if (strcmp(clock, "system call") == 0)
        how = fmp_tables_text(tables, "%sa system call, since %s", how, reason);
    else
        how = fmp_tables_text(tables, "%sno system call while the thread keeps its processor, as the kernel tells of "
                                      "switches (%s)", how, clock);
    fmp_facility_says(tables, FMP_SYSTEM_CPU, "CPU time of operations", FMP_STATE_ON, how, "");
}

static void *start(const fmp_system_options *options, const fmp_watch_info *info, fmp_tables *tables)
{
    cpu_state *state = calloc(1, sizeof *state);
    if (!state || !fmp_threads_create(&state->threads, info->root)) {
        free(state);
        fmp_facility_says(tables, FMP_SYSTEM_CPU, "CPU time of threads", FMP_STATE_NOT_HERE, "memory is out", "");
        return NULL;
    }
    fmp_thread_source_says(state->threads.source, tables, options->readings_hz);
    says_operations(tables);
    state->before = fmp_snapshot_take();
    fmp_measure_everywhere(FMP_MEASURE_CPU);
    fmp_threads_begin(&state->threads, info->start_ns);
    state->process = read_process();
    fmp_threads_settle(&state->threads, true);
    return state;
}

static void read_state(void *opaque, const fmp_watch_info *info, uint64_t now_ns)
{
    cpu_state *state = opaque;
    const uint64_t before_ns = state->threads.now_ns;
    fmp_threads_ask(&state->threads);
    fmp_waits_read(&state->waits, &state->threads, now_ns > before_ns ? (double)(now_ns - before_ns) / 1e9 : 0);
    const bool last = info->end_ns != 0;
    fmp_threads_read(&state->threads, now_ns, info->watcher, last);
    if (!last)
        fmp_cpu_tracks_set(&state->tracks, &state->threads);
}

static void add_tables(cpu_state *state, const fmp_watch_info *info, fmp_tables *tables)
{
    fmp_threads_settle(&state->threads, false);
    const process_figures now = read_process(), process = process_between(&state->process, &now);
    const double wall_ns = info->end_ns > info->start_ns ? (double)(info->end_ns - info->start_ns) : 0;
    fmp_table_add(tables, "process",
                  (fmp_cell[]){FMP_TEXT(fmp_process_name()), FMP_NUMBER(wall_ns / 1e9),
                               FMP_NUMBER(process.all.cpu_ns / 1e9), FMP_NUMBER(process.user),
                               FMP_NUMBER(process.system), FMP_NUMBER(process.all.voluntary),
                               FMP_NUMBER(process.all.involuntary)});
    fmp_threads_table(&state->threads, &process.all, tables);
    fmp_snapshot *after = fmp_snapshot_take();
    fmp_cpu_operations_table(state->before, after, tables);
    fmp_snapshot_free(&after);
    fmp_waits_table(&state->waits, tables);
}

static void stop(void *opaque, const fmp_watch_info *info, fmp_tables *tables)
{
    cpu_state *state = opaque;
    fmp_measure_everywhere(0);
    if (info->end_ns != 0) /* else the watch did not even begin */
        add_tables(state, info, tables);
    fmp_snapshot_free(&state->before);
    fmp_waits_free(&state->waits);
    fmp_threads_free(&state->threads);
    free(state);
}

const fmp_facility_calls fmp_facility_cpu = {FMP_SYSTEM_CPU, start, read_state, stop, NULL};
