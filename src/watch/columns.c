#include "watch/columns.h"

#include <math.h>
#include <string.h>

#define KEY(key, title) {key, title, FMP_COLUMN_TEXT, FMP_MERGE_KEY, 0, 0}
#define FACT(key, title) {key, title, FMP_COLUMN_TEXT, FMP_MERGE_FACT, 0, 0}
#define SUM(key, title, kind) {key, title, FMP_COLUMN_##kind, FMP_MERGE_SUM, 0, 0}
#define MAX(key, title, kind) {key, title, FMP_COLUMN_##kind, FMP_MERGE_MAX, 0, 0}
#define RATIO(key, title, kind, of, per) {key, title, FMP_COLUMN_##kind, FMP_MERGE_RATIO, of, per}

static const fmp_column facilities[] = {KEY("facility", "Facility"), KEY("what", "What"), FACT("state", "State"),
                                        FACT("how", "How, or why not"), FACT("remedy", "To permit it")};

static const fmp_column process[] = {
    KEY("process", "Process"),
    SUM("wall_seconds", "Wall", SECONDS),
    SUM("cpu_seconds", "CPU", SECONDS),
    RATIO("utilisation", "Use", SHARE, 2, 1),
    SUM("user_seconds", "User", SECONDS),
    SUM("system_seconds", "Kernel", SECONDS),
    SUM("voluntary_switches", "Voluntary", COUNT),
    SUM("involuntary_switches", "Involuntary", COUNT),
};

static const fmp_column threads[] = {
    KEY("thread", "Thread"),
    SUM("wall_seconds", "Alive", SECONDS),
    SUM("cpu_seconds", "CPU", SECONDS),
    RATIO("utilisation", "Use", SHARE, 2, 1),
    SUM("ready_seconds", "Run queue", SECONDS),
    SUM("voluntary_switches", "Voluntary", COUNT),
    SUM("involuntary_switches", "Involuntary", COUNT),
    SUM("migrations", "Migrations", COUNT),
    SUM("major_faults", "Major faults", COUNT),
};

static const fmp_column operations[] = {
    KEY("operation", "Operation"),
    SUM("calls", "Calls", COUNT),
    SUM("wall_seconds", "Wall", SECONDS),
    SUM("cpu_seconds", "CPU", SECONDS),
    RATIO("cpu_share", "On CPU", SHARE, 3, 2),
    SUM("waiting_seconds", "Waiting", SECONDS),
};

static const fmp_column waits[] = {
    KEY("operation", "Innermost scope"),
    SUM("seconds", "Open", SECONDS),
    SUM("running_seconds", "Running", SECONDS),
    SUM("lock_seconds", "Lock", SECONDS),
    SUM("sleep_seconds", "Sleep", SECONDS),
    SUM("io_seconds", "I/O", SECONDS),
    SUM("poll_seconds", "Poll", SECONDS),
    SUM("other_seconds", "Other", SECONDS),
};

static const fmp_column memory[] = {
    KEY("process", "Process"),
    MAX("resident_begin_bytes", "At begin", BYTES),
    MAX("resident_end_bytes", "At end", BYTES),
    MAX("resident_peak_bytes", "Peak", BYTES),
    SUM("minor_faults", "Minor faults", COUNT),
    SUM("major_faults", "Major faults", COUNT),
};

/* What operations have live at their peaks does not add up: they peak at different moments. */
static const fmp_column heap[] = {
    KEY("process", "Process"),
    SUM("count", "Allocations", COUNT),
    SUM("bytes", "Bytes", BYTES),
    SUM("live_count", "Live", COUNT),
    SUM("live_bytes", "Live bytes", BYTES),
    MAX("peak_bytes", "Peak bytes", BYTES),
};

static const fmp_column allocations[] = {
    KEY("operation", "Operation"),
    SUM("count", "Allocations", COUNT),
    SUM("bytes", "Bytes", BYTES),
    SUM("live_count", "Live", COUNT),
    SUM("live_bytes", "Live bytes", BYTES),
    MAX("peak_bytes", "Peak bytes", BYTES),
};

static const fmp_column allocation_stacks[] = {
    KEY("operation", "Operation"),
    SUM("count", "Allocations", COUNT),
    SUM("bytes", "Bytes", BYTES),
    MAX("peak_bytes", "Peak bytes", BYTES),
    KEY("stack", "Stack, innermost first"),
};

static const fmp_column leaks[] = {
    KEY("operation", "Operation"),
    SUM("count", "Blocks", COUNT),
    SUM("late_count", "Taken late", COUNT),
    SUM("bytes", "Bytes", BYTES),
    KEY("stack", "Stack, innermost first"),
};

static const fmp_column samples[] = {
    KEY("operation", "Innermost scope"),
    SUM("samples", "Samples", COUNT),
    SUM("seconds", "CPU", SECONDS),
};

static const fmp_column functions[] = {
    KEY("operation", "Innermost scope"),
    SUM("samples", "Samples", COUNT),
    SUM("self_seconds", "Self", SECONDS),
    SUM("total_seconds", "Total", SECONDS),
    KEY("function", "Function"),
    KEY("module", "Module"),
};

static const fmp_column syscalls[] = {
    KEY("operation", "Innermost scope"),
    KEY("call", "Call"),
    SUM("count", "Calls", COUNT),
    SUM("errors", "Errors", COUNT),
    SUM("seconds", "Time", SECONDS),
    RATIO("mean_seconds", "Mean", SECONDS, 4, 2),
    MAX("max_seconds", "Max", SECONDS),
    SUM("bytes", "Bytes", BYTES),
};

static const fmp_column accelerators[] = {
    KEY("device", "Device"),
    SUM("seconds", "Watched", SECONDS),
    SUM("busy_seconds", "Busy", SECONDS),
    RATIO("utilisation", "Use", SHARE, 2, 1),
    MAX("utilisation_peak", "Peak use", SHARE),
    MAX("memory_peak_bytes", "Peak memory", BYTES),
    MAX("memory_bytes", "Memory", BYTES),
    MAX("temperature_peak", "Peak C", COUNT),
};

static const fmp_column energy[] = {
    KEY("domain", "Domain"),
    SUM("seconds", "Watched", SECONDS),
    SUM("joules", "Energy", JOULES),
    RATIO("watts", "Mean power", WATTS, 2, 1),
    SUM("units", "Frames", COUNT),
    RATIO("joules_per_unit", "A frame", JOULES, 2, 4),
};

#define TABLE(name, title, note) {#name, title, note, name, sizeof name / sizeof name[0], NULL, 0}

const fmp_table fmp_known_tables[] = {
    TABLE(facilities, "Facilities", ""),
    TABLE(process, "Process", ""),
    TABLE(threads, "Threads",
          "Use: CPU time over the time that the thread was there. Run queue: ready, but no processor was free."),
    TABLE(operations, "CPU and wall time of operations",
          "What is inside an operation counts in it. Waiting: wall time without CPU time."),
    TABLE(waits, "What threads did while a scope was their innermost",
          "Estimated from readings. Running includes waiting for a processor; lock is a futex: mutexes, conditions, joins."),
    TABLE(memory, "Memory of the process", ""),
    TABLE(heap, "Allocations of the process", "Of blocks that were taken during the watch."),
    TABLE(allocations, "Allocations by operation",
          "By the scope that was open when the block was taken; live: not given back when the watch ended."),
    TABLE(allocation_stacks, "Allocations by call stack", ""),
    TABLE(leaks, "Not given back at the end",
          "Late: in the second half of the watch; - where too few samples tell. What goes on being taken is a leak more "
          "probably; what is taken once, while models open, is a cache."),
    TABLE(samples, "CPU time by operation, sampled", ""),
    TABLE(functions, "Functions that took CPU time", "Self: in the function itself; total: with what it called."),
    TABLE(syscalls, "System calls",
          "Tracing makes calls slower; its measured cost is taken out. Short calls look longer on a busy machine."),
    TABLE(accelerators, "Accelerators", ""),
    TABLE(energy, "Energy", "Of the whole machine, other programs included."),
};
const size_t fmp_known_table_count = sizeof fmp_known_tables / sizeof fmp_known_tables[0];

const fmp_table *fmp_known_table(const char *key)
{
    for (size_t i = 0; i < fmp_known_table_count; i++)
        if (strcmp(fmp_known_tables[i].key, key) == 0)
            return &fmp_known_tables[i];
    return NULL;
}

double fmp_column_value(const fmp_column *column, double value)
{
    double least = 0, most = 1e15;
    if (column->kind == FMP_COLUMN_COUNT || column->kind == FMP_COLUMN_BYTES) {
        value = round(value);
        most = 9e18; /* below INT64_MAX */
        least = column->kind == FMP_COLUMN_BYTES ? -most : 0;
    } else if (column->kind == FMP_COLUMN_SECONDS) {
        most = 9.2e9;
    }
    return value >= least && value <= most ? value + 0.0 : (double)NAN; /* -0 becomes 0 */
}
