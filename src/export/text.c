#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"
#include "stream.h"
#include "utf8.h"

/* Head, rule and rows share the columns' widths. */
enum { COUNT_COLUMNS = 8, TIME_COLUMNS = 10, SHARE_COLUMNS = 6 };

/* Which columns stand between Count and %. */
typedef struct layout {
    bool self, percentiles, utf8;
} layout;

static void head_cell(FILE *out, const char *name)
{
    fprintf(out, " %*s", TIME_COLUMNS, name);
}

static void operation_head(FILE *out, const layout *show)
{
    static const int columns[] = {COUNT_COLUMNS, TIME_COLUMNS, TIME_COLUMNS, TIME_COLUMNS,
                                  TIME_COLUMNS,  TIME_COLUMNS, TIME_COLUMNS, TIME_COLUMNS};
    fprintf(out, "%-*s %*s", FMP_NAME_COLUMNS, "Operation", COUNT_COLUMNS, "Count");
    head_cell(out, "Total");
    if (show->self)
        head_cell(out, "Self");
    head_cell(out, "Avg");
    if (show->percentiles) {
        head_cell(out, "p50");
        head_cell(out, "p90");
        head_cell(out, "p99");
        head_cell(out, "p99.9");
    } else {
        head_cell(out, "Min");
        head_cell(out, "Max");
    }
    fprintf(out, " %*s\n", SHARE_COLUMNS, "%");

    size_t times = 2u + (show->self ? 1u : 0u) + (show->percentiles ? 4u : 2u);
    int widths[sizeof columns / sizeof columns[0] + 1];
    memcpy(widths, columns, (1 + times) * sizeof widths[0]);
    widths[1 + times] = SHARE_COLUMNS;
    fmp_text_head_rule(out, widths, times + 2, show->utf8);
}

static void time_cell(FILE *out, double nanoseconds)
{
    char text[FMP_TIME_TEXT_SIZE];
    fmp_time_text(text, nanoseconds * 1e-9);
    fprintf(out, " %*s", TIME_COLUMNS, text);
}

static void print_mark(FILE *out, const fmp_operation *op, const fmp_text_options *options)
{
    for (size_t i = 0; i < options->mark_count; i++) {
        const fmp_text_mark *mark = &options->marks[i];
        if (strcmp(mark->operation, op->operation) == 0 && strcmp(mark->category, op->category) == 0) {
            fputc(' ', out);
            fmp_utf8_print(out, mark->text);
        }
    }
}

static void operation_row(FILE *out, const fmp_operation *op, int tenths, const layout *show,
                          const fmp_text_options *options)
{
    char count[FMP_TIME_TEXT_SIZE];
    fmp_count_text(count, op->count, COUNT_COLUMNS);
    fmp_utf8_print_fitted(out, op->operation, FMP_NAME_COLUMNS);
    fprintf(out, " %*s", COUNT_COLUMNS, count);
    time_cell(out, (double)op->total_ns);
    if (show->self)
        time_cell(out, (double)op->self_ns);
    time_cell(out, op->mean_ns);
    if (show->percentiles) {
        time_cell(out, op->p50_ns);
        time_cell(out, op->p90_ns);
        time_cell(out, op->p99_ns);
        time_cell(out, op->p999_ns);
    } else {
        time_cell(out, (double)op->min_ns);
        time_cell(out, (double)op->max_ns);
    }
    fprintf(out, " %*d.%d%%", SHARE_COLUMNS - 3, tenths / 10, tenths % 10);
    print_mark(out, op, options);
    fputc('\n', out);
}

/* Is there an operation whose inner scopes take more than 1 % of it? */
static bool needs_self(const fmp_category *category)
{
    for (size_t i = 0; i < category->count; i++) {
        double total = (double)category->operations[i].total_ns;
        double self = (double)category->operations[i].self_ns;
        if (total - self > 0.01 * total || self - total > 0.01 * total)
            return true;
    }
    return false;
}

static bool print_category(FILE *out, const fmp_category *category, int category_tenths,
                           const fmp_text_options *options)
{
    const fmp_operation **sorted = calloc(category->count, sizeof *sorted);
    uint64_t *self = calloc(category->count, sizeof *self);
    int *tenths = calloc(category->count, sizeof *tenths);
    bool ready = sorted && self && tenths;
    for (size_t i = 0; ready && i < category->count; i++)
        sorted[i] = &category->operations[i];
    ready = ready && fmp_sort_operations(sorted, category->count, options->sort);
    for (size_t i = 0; ready && i < category->count; i++)
        self[i] = sorted[i]->self_ns;
    ready = ready && fmp_shares(self, category->count, tenths);
    if (ready) {
        char total[FMP_TIME_TEXT_SIZE];
        fmp_time_text(total, (double)category->self_ns * 1e-9);
        fmp_text_rule(out, false, options->utf8);
        fputs("Category: ", out);
        fmp_utf8_print(out, category->name);
        fputc('\n', out);
        fmp_text_rule(out, false, options->utf8);
        fprintf(out, "Total Time: %s (%d.%d%% of total)\n\n", total, category_tenths / 10,
                category_tenths % 10);
        layout show = {.self = options->self || needs_self(category),
                       .percentiles = options->percentiles,
                       .utf8 = options->utf8};
        operation_head(out, &show);
        for (size_t i = 0; i < category->count; i++)
            operation_row(out, sorted[i], tenths[i], &show, options);
        fputc('\n', out);
    }
    free(tenths);
    free(self);
    free(sorted);
    return ready;
}

static bool print_categories(FILE *out, const fmp_snapshot *snapshot,
                             const fmp_text_options *options)
{
    size_t count = 0;
    fmp_category *categories = fmp_categories(snapshot, &count);
    uint64_t *self = calloc(count + 1, sizeof *self);
    int *tenths = calloc(count + 1, sizeof *tenths);
    bool ready = categories && self && tenths;
    for (size_t i = 0; ready && i < count; i++)
        self[i] = categories[i].self_ns;
    ready = ready && fmp_shares(self, count, tenths);
    for (size_t i = 0; ready && i < count; i++)
        ready = print_category(out, &categories[i], tenths[i], options);
    free(tenths);
    free(self);
    free(categories);
    return ready;
}

static void print_notes(FILE *out, const fmp_snapshot *snapshot, const fmp_text_options *options)
{
    for (size_t i = 0; i < options->note_count; i++) {
        fputs("NOTE: ", out);
        fmp_utf8_print(out, options->notes[i]);
        fputc('\n', out);
    }
    if (snapshot->lost > 0)
        fprintf(out, "NOTE: %" PRIu64 " scopes are missing: memory was out, or they ended on "
                     "another thread than they began on.\n", snapshot->lost);
    if (options->note_count > 0 || snapshot->lost > 0)
        fputc('\n', out);
}

int fmp_print_text(FILE *out, const fmp_snapshot *snapshot, const fmp_text_options *options)
{
    static const fmp_text_options defaults = {0};
    static const fmp_snapshot nothing = {0};
    options = options ? options : &defaults;
    snapshot = snapshot ? snapshot : &nothing;
    fmp_text_rule(out, true, options->utf8);
    fputs("DETAILED PERFORMANCE PROFILING\n", out);
    fmp_text_rule(out, true, options->utf8);
    fputc('\n', out);
    print_notes(out, snapshot, options);

    char total[FMP_TIME_TEXT_SIZE];
    fmp_time_text(total, (double)snapshot->self_ns * 1e-9);
    fprintf(out, "Total Profiled Time: %s\n\n", total);
    if (snapshot->operation_count == 0)
        fputs("Nothing was recorded: the profiler was off, or no scope has ended.\n\n", out);
    if (!print_categories(out, snapshot, options)) {
        errno = ENOMEM;
        return -1;
    }
    fmp_text_wall(out, snapshot, options);
    fmp_text_waiting(out, snapshot, options->utf8);
    fmp_text_memory(out, snapshot, options->utf8);
    fmp_text_metrics(out, snapshot, options);
    fmp_text_threads(out, snapshot, options);
    fmp_text_profiler(out, snapshot, options);
    fmp_text_rule(out, true, options->utf8);
    return fmp_stream_finish(out);
}
