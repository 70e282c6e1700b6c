/* The sections of the text report behind the categories. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"
#include "text.h"
#include "utf8.h"

enum { TIME_COLUMNS = 10, SHARE_COLUMNS = 7, COUNT_COLUMNS = 10, BYTES_COLUMNS = 11 };

static void label(FILE *out, const char *text)
{
    fprintf(out, "%-*s", FMP_LABEL_COLUMNS, text);
}

/* A column behind the names. Negative: left-aligned, the last one, so its cells need no width. */
typedef struct table_column {
    const char *name;
    int columns;
} table_column;

enum { TABLE_COLUMNS_MAX = 8 };

static void begin_table(FILE *out, const char *title, const char *names, const table_column *list, size_t count,
                        bool utf8)
{
    int columns[TABLE_COLUMNS_MAX];
    fmp_text_section(out, title, utf8);
    fprintf(out, "%-*s", FMP_NAME_COLUMNS, names);
    for (size_t i = 0; i < count; i++) {
        columns[i] = abs(list[i].columns);
        fprintf(out, " %*s", list[i].columns < 0 ? 0 : columns[i], list[i].name);
    }
    fputc('\n', out);
    fmp_text_head_rule(out, columns, count, utf8);
}

/* The same for a list that is an array. */
#define BEGIN_TABLE(out, title, names, list, utf8) \
    begin_table(out, title, names, list, sizeof(list) / sizeof(list)[0], utf8)

static void time_cell(FILE *out, double nanoseconds)
{
    char text[FMP_TIME_TEXT_SIZE];
    fmp_time_text(text, nanoseconds * 1e-9);
    fprintf(out, " %*s", TIME_COLUMNS, text);
}

static void share_cell(FILE *out, double ratio)
{
    char text[FMP_TIME_TEXT_SIZE];
    fmp_fixed(text, ratio * 100, 1);
    if (isfinite(ratio))
        strcat(text, "%");
    fprintf(out, " %*s", SHARE_COLUMNS, text);
}

static void bytes_cell(FILE *out, int64_t bytes)
{
    char text[FMP_TIME_TEXT_SIZE];
    fmp_bytes_text(text, bytes);
    fprintf(out, " %*s", BYTES_COLUMNS, text);
}

static void count_cell(FILE *out, uint64_t count)
{
    char text[FMP_TIME_TEXT_SIZE];
    fmp_count_text(text, count, COUNT_COLUMNS);
    fprintf(out, " %*s", COUNT_COLUMNS, text);
}

static double wall_ns(const fmp_text_options *options)
{
    double wall = options->wall_seconds * 1e9;
    return isfinite(wall) && wall > 0 ? wall : (double)NAN;
}

/* --- wall time ---------------------------------------------------------------- */

static void wall_row(FILE *out, const char *name, double time_ns, double wall)
{
    fprintf(out, "%-*s", FMP_NAME_COLUMNS, name);
    time_cell(out, time_ns);
    share_cell(out, fmp_ratio(time_ns, wall));
    fputc('\n', out);
}

/*
 * Self times of several threads overlap, so only the caller can know how much
 * of the wall time had a scope open; else the busiest thread is a lower bound,
 * and of a single thread the figure itself.
 */
void fmp_text_wall(FILE *out, const fmp_snapshot *snapshot, const fmp_text_options *options)
{
    static const table_column columns[] = {{"Time", TIME_COLUMNS}, {"%", SHARE_COLUMNS}};
    double wall = wall_ns(options), covered = options->covered_seconds * 1e9;
    if (!isfinite(wall))
        return;
    bool bound = false;
    if (!isfinite(covered) || covered <= 0) {
        bound = snapshot->thread_count > 1;
        covered = bound ? (double)snapshot->threads[0].busy_ns : (double)snapshot->self_ns;
        for (size_t i = 1; bound && i < snapshot->thread_count; i++)
            covered = fmax(covered, (double)snapshot->threads[i].busy_ns);
    }
    covered = fmin(covered, wall);
    BEGIN_TABLE(out, "WALL TIME", "Part", columns, options->utf8);
    wall_row(out, bound ? "A scope is open, at least" : "A scope is open", covered, wall);
    wall_row(out, bound ? "(unexplained), at most" : "(unexplained)", wall - covered, wall);
    wall_row(out, "Wall time", wall, wall);
    char busy[FMP_TIME_TEXT_SIZE];
    fmp_fixed(busy, (double)snapshot->self_ns / wall, 2);
    fprintf(out, "\nScopes busy at a time: %s on average", busy);
    if (snapshot->thread_count > 0) {
        fmp_fixed(busy, (double)snapshot->self_ns / wall / (double)snapshot->thread_count * 100, 1);
        fprintf(out, ", %s%% of %zu %s", busy, snapshot->thread_count,
                snapshot->thread_count == 1 ? "thread" : "threads");
    }
    fputs("\n\n", out);
}

/* --- waiting and memory ------------------------------------------------------- */

static bool measured(const fmp_snapshot *snapshot, unsigned measure)
{
    for (size_t i = 0; i < snapshot->operation_count; i++)
        if (snapshot->operations[i].measures & measure)
            return true;
    return false;
}

void fmp_text_waiting(FILE *out, const fmp_snapshot *snapshot, bool utf8)
{
    static const table_column columns[] = {
        {"Total", TIME_COLUMNS}, {"CPU", TIME_COLUMNS}, {"Waiting", TIME_COLUMNS}, {"%", SHARE_COLUMNS}};
    if (!measured(snapshot, FMP_MEASURE_CPU))
        return;
    BEGIN_TABLE(out, "WAITING (total time less CPU time of the thread)", "Operation", columns, utf8);
    for (size_t i = 0; i < snapshot->operation_count; i++) {
        const fmp_operation *op = &snapshot->operations[i];
        if (!(op->measures & FMP_MEASURE_CPU))
            continue;
        /* The CPU clock is coarser than ours: it may run ahead by a tick. */
        double waiting = op->total_ns > op->cpu_ns ? (double)(op->total_ns - op->cpu_ns) : 0;
        fmp_utf8_print_fitted(out, op->operation, FMP_NAME_COLUMNS);
        time_cell(out, (double)op->total_ns);
        time_cell(out, (double)op->cpu_ns);
        time_cell(out, waiting);
        share_cell(out, fmp_ratio(waiting, (double)op->total_ns));
        fputc('\n', out);
    }
    fputc('\n', out);
}

void fmp_text_memory(FILE *out, const fmp_snapshot *snapshot, bool utf8)
{
    static const table_column columns[] = {{"Count", COUNT_COLUMNS},
                                           {"Resident", BYTES_COLUMNS},
                                           {"one call", BYTES_COLUMNS},
                                           {"Allocated", BYTES_COLUMNS},
                                           {"one call", BYTES_COLUMNS}};
    if (!measured(snapshot, FMP_MEASURE_MEMORY))
        return;
    BEGIN_TABLE(out, "MEMORY (change over the calls, and largest of one call)", "Operation", columns, utf8);
    for (size_t i = 0; i < snapshot->operation_count; i++) {
        const fmp_operation *op = &snapshot->operations[i];
        if (!(op->measures & FMP_MEASURE_MEMORY))
            continue;
        fmp_utf8_print_fitted(out, op->operation, FMP_NAME_COLUMNS);
        count_cell(out, op->count);
        bytes_cell(out, op->rss_change);
        bytes_cell(out, op->rss_peak_change);
        bytes_cell(out, op->live_change);
        bytes_cell(out, op->live_peak_change);
        fputc('\n', out);
    }
    fputc('\n', out);
}

/* --- counters and gauges ------------------------------------------------------ */

enum { VALUE_COLUMNS = 20, RATE_COLUMNS = 12, UNIT_COLUMNS = 6 };

static size_t metric_count(const fmp_snapshot *snapshot, bool gauge)
{
    size_t count = 0;
    for (size_t i = 0; i < snapshot->metric_count; i++)
        count += snapshot->metrics[i].gauge == gauge;
    return count;
}

/* The unit ends the row, so it needs no width. */
static void unit_cell(FILE *out, const char *unit)
{
    if (unit && *unit) {
        fputc(' ', out);
        fmp_utf8_print(out, unit);
    }
    fputc('\n', out);
}

static void counters(FILE *out, const fmp_snapshot *snapshot, const fmp_text_options *options)
{
    static const table_column columns[] = {
        {"Updates", COUNT_COLUMNS}, {"Sum", VALUE_COLUMNS}, {"A second", RATE_COLUMNS}, {"Unit", -UNIT_COLUMNS}};
    BEGIN_TABLE(out, "COUNTERS", "Counter", columns, options->utf8);
    for (size_t i = 0; i < snapshot->metric_count; i++) {
        const fmp_metric_value *metric = &snapshot->metrics[i];
        if (metric->gauge)
            continue;
        char rate[FMP_TIME_TEXT_SIZE];
        fmp_fixed(rate, (double)metric->sum / (wall_ns(options) * 1e-9), 1);
        fmp_utf8_print_fitted(out, metric->name, FMP_NAME_COLUMNS);
        count_cell(out, metric->count);
        fprintf(out, " %*" PRId64 " %*s", VALUE_COLUMNS, metric->sum, RATE_COLUMNS, rate);
        unit_cell(out, metric->unit);
    }
    fputc('\n', out);
}

static void gauge_cell(FILE *out, int64_t value)
{
    fprintf(out, " %*" PRId64, TIME_COLUMNS, value);
}

static void gauges(FILE *out, const fmp_snapshot *snapshot, bool utf8)
{
    static const table_column columns[] = {{"Updates", COUNT_COLUMNS}, {"Last", TIME_COLUMNS},
                                           {"Min", TIME_COLUMNS},      {"Mean", TIME_COLUMNS},
                                           {"Max", TIME_COLUMNS},      {"Unit", -UNIT_COLUMNS}};
    BEGIN_TABLE(out, "GAUGES", "Gauge", columns, utf8);
    for (size_t i = 0; i < snapshot->metric_count; i++) {
        const fmp_metric_value *metric = &snapshot->metrics[i];
        if (!metric->gauge)
            continue;
        char mean[FMP_TIME_TEXT_SIZE];
        fmp_fixed(mean, metric->mean, 1);
        fmp_utf8_print_fitted(out, metric->name, FMP_NAME_COLUMNS);
        count_cell(out, metric->count);
        gauge_cell(out, metric->last);
        gauge_cell(out, metric->min);
        fprintf(out, " %*s", TIME_COLUMNS, mean);
        gauge_cell(out, metric->max);
        unit_cell(out, metric->unit);
    }
    fputc('\n', out);
}

void fmp_text_metrics(FILE *out, const fmp_snapshot *snapshot, const fmp_text_options *options)
{
    if (metric_count(snapshot, false) > 0)
        counters(out, snapshot, options);
    if (metric_count(snapshot, true) > 0)
        gauges(out, snapshot, options->utf8);
}

/* --- threads ------------------------------------------------------------------ */

void fmp_text_threads(FILE *out, const fmp_snapshot *snapshot, const fmp_text_options *options)
{
    static const table_column columns[] = {
        {"Scopes", COUNT_COLUMNS}, {"Busy", TIME_COLUMNS}, {"CPU", TIME_COLUMNS}, {"Of wall", SHARE_COLUMNS}};
    if (snapshot->thread_count == 0)
        return;
    BEGIN_TABLE(out, "THREADS", "Thread", columns, options->utf8);
    for (size_t i = 0; i < snapshot->thread_count; i++) {
        const fmp_thread *thread = &snapshot->threads[i];
        fmp_utf8_print_fitted(out, thread->name, FMP_NAME_COLUMNS);
        count_cell(out, thread->scopes);
        time_cell(out, (double)thread->busy_ns);
        time_cell(out, thread->cpu_ns > 0 ? (double)thread->cpu_ns : (double)NAN);
        share_cell(out, fmp_ratio((double)thread->busy_ns, wall_ns(options)));
        fputc('\n', out);
    }
    fputc('\n', out);
}

/* --- profiler ----------------------------------------------------------------- */

static void cost_lines(FILE *out, const fmp_snapshot *snapshot, const fmp_text_options *options)
{
    double one = snapshot->cost.inside_ns + snapshot->cost.outside_ns;
    double all = one * (double)snapshot->scopes;
    char total[FMP_TIME_TEXT_SIZE], text[FMP_TIME_TEXT_SIZE];
    label(out, "Profiler's own cost:");
    if (!isfinite(one) || one <= 0) {
        fprintf(out, "not known (%" PRIu64 " scopes)\n", snapshot->scopes);
        return;
    }
    fmp_time_text(total, all * 1e-9);
    fmp_fixed(text, one, 1);
    fprintf(out, "%s (%" PRIu64 " scopes x %s ns", total, snapshot->scopes, text);
    double share = fmp_ratio(all, wall_ns(options));
    if (isfinite(share)) {
        fmp_fixed(text, share * 100, 3);
        fprintf(out, ", %s%% of the wall time", text);
    }
    fputs(")\n", out);
    label(out, "Of one scope:");
    fmp_fixed(text, snapshot->cost.inside_ns, 1);
    fprintf(out, "%s ns inside it, ", text);
    fmp_fixed(text, snapshot->cost.outside_ns, 1);
    fprintf(out, "%s ns in the one around it (%s)\n", text,
            snapshot->cost_subtracted ? "subtracted above" : "not subtracted");
}

void fmp_text_profiler(FILE *out, const fmp_snapshot *snapshot, const fmp_text_options *options)
{
    fmp_text_section(out, "PROFILER", options->utf8);
    cost_lines(out, snapshot, options);
    char text[FMP_TIME_TEXT_SIZE];
    label(out, "Clock:");
    fmp_utf8_print(out, snapshot->clock[0] ? snapshot->clock : "unknown");
    if (snapshot->clock_resolution_ns > 0) {
        fmp_fixed(text, snapshot->clock_resolution_ns, 3);
        fprintf(out, ", a tick of %s ns", text);
    }
    if (snapshot->clock_read_ns > 0) {
        fmp_fixed(text, snapshot->clock_read_ns, 1);
        fprintf(out, ", a reading of %s ns", text);
    }
    fputc('\n', out);
    if (snapshot->clock_reason[0]) {
        label(out, "Why no better clock:");
        fmp_utf8_print(out, snapshot->clock_reason);
        fputc('\n', out);
    }
}
