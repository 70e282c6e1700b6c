#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"
#include "utf8.h"

void fm_text_dashes(FILE *out, int columns, bool utf8)
{
    for (int i = 0; i < columns; i++)
        fputs(utf8 ? "─" : "-", out);
}

void fm_text_rule(FILE *out, bool heavy, bool utf8)
{
    for (int i = 0; i < FM_REPORT_COLUMNS; i++)
        fputs(heavy ? (utf8 ? "═" : "=") : (utf8 ? "─" : "-"), out);
    fputc('\n', out);
}

/* Head, rule and rows share the columns' widths. */
enum { COUNT_COLUMNS = 8, TIME_COLUMNS = 10, SHARE_COLUMNS = 6 };

static void operation_head(FILE *out, bool with_self, bool utf8)
{
    fprintf(out, "%-*s %*s %*s ", FM_NAME_COLUMNS, "Operation", COUNT_COLUMNS, "Count",
            TIME_COLUMNS, "Total");
    if (with_self)
        fprintf(out, "%*s ", TIME_COLUMNS, "Self");
    fprintf(out, "%*s %*s %*s %*s\n", TIME_COLUMNS, "Avg", TIME_COLUMNS, "Min", TIME_COLUMNS,
            "Max", SHARE_COLUMNS, "%");

    fm_text_dashes(out, FM_NAME_COLUMNS, utf8);
    fputc(' ', out);
    fm_text_dashes(out, COUNT_COLUMNS, utf8);
    for (int i = 0; i < (with_self ? 5 : 4); i++) {
        fputc(' ', out);
        fm_text_dashes(out, TIME_COLUMNS, utf8);
    }
    fputc(' ', out);
    fm_text_dashes(out, SHARE_COLUMNS, utf8);
    fputc('\n', out);
}

static void time_cell(FILE *out, double nanoseconds)
{
    char text[FM_TIME_TEXT_SIZE];
    fm_time_text(text, nanoseconds * 1e-9);
    fprintf(out, " %*s", TIME_COLUMNS, text);
}

static void operation_row(FILE *out, const fmp_operation *op, int tenths, bool with_self)
{
    fm_utf8_print_fitted(out, op->operation, FM_NAME_COLUMNS);
    if (op->count < 100000000u)
        fprintf(out, " %*" PRIu64, COUNT_COLUMNS, op->count);
    else
        fprintf(out, " %*.2e", COUNT_COLUMNS, (double)op->count);
    time_cell(out, (double)op->total_ns);
    if (with_self)
        time_cell(out, (double)op->self_ns);
    time_cell(out, op->mean_ns);
    time_cell(out, (double)op->min_ns);
    time_cell(out, (double)op->max_ns);
    fprintf(out, " %*d.%d%%\n", SHARE_COLUMNS - 3, tenths / 10, tenths % 10);
}

/* Is there an operation whose inner scopes take more than 1 % of it? */
static bool needs_self(const fm_category *category)
{
    for (size_t i = 0; i < category->count; i++) {
        double total = (double)category->operations[i].total_ns;
        double self = (double)category->operations[i].self_ns;
        if (total - self > 0.01 * total || self - total > 0.01 * total)
            return true;
    }
    return false;
}

static fm_status print_category(FILE *out, const fm_category *category, int category_tenths,
                                bool utf8, fm_error *err)
{
    uint64_t *self = calloc(category->count, sizeof *self);
    int *tenths = calloc(category->count, sizeof *tenths);
    fm_status status = FM_E_NO_MEMORY;
    if (self && tenths) {
        for (size_t i = 0; i < category->count; i++)
            self[i] = category->operations[i].self_ns;
        if (fm_shares(self, category->count, tenths))
            status = FM_OK;
    }
    if (status == FM_OK) {
        char total[FM_TIME_TEXT_SIZE];
        fm_time_text(total, (double)category->self_ns * 1e-9);
        fm_text_rule(out, false, utf8);
        fputs("Category: ", out);
        fm_utf8_print(out, category->name);
        fputc('\n', out);
        fm_text_rule(out, false, utf8);
        fprintf(out, "Total Time: %s (%d.%d%% of total)\n\n", total, category_tenths / 10,
                category_tenths % 10);
        bool with_self = needs_self(category);
        operation_head(out, with_self, utf8);
        for (size_t i = 0; i < category->count; i++)
            operation_row(out, &category->operations[i], tenths[i], with_self);
        fputc('\n', out);
    } else {
        fm_fail(err, status, "Cannot write the report: out of memory; close other programs.");
    }
    free(tenths);
    free(self);
    return status;
}

static fm_status print_categories(FILE *out, const fmp_snapshot *snapshot, bool utf8,
                                  fm_error *err)
{
    size_t count = 0;
    fm_category *categories = fm_categories(snapshot, &count);
    uint64_t *self = calloc(count + 1, sizeof *self);
    int *tenths = calloc(count + 1, sizeof *tenths);
    fm_status status = FM_OK;
    if (categories && self && tenths) {
        for (size_t i = 0; i < count; i++)
            self[i] = categories[i].self_ns;
        if (!fm_shares(self, count, tenths))
            status = FM_E_NO_MEMORY;
    } else {
        status = FM_E_NO_MEMORY;
    }
    if (status != FM_OK)
        fm_fail(err, status, "Cannot write the report: out of memory; close other programs.");
    for (size_t i = 0; status == FM_OK && i < count; i++)
        status = print_category(out, &categories[i], tenths[i], utf8, err);
    free(tenths);
    free(self);
    free(categories);
    return status;
}

static void print_notes(FILE *out, const fmp_snapshot *snapshot, const fm_report_run *run)
{
    size_t count = run ? run->note_count : 0;
    for (size_t i = 0; i < count; i++) {
        fputs("NOTE: ", out);
        fm_utf8_print(out, run->notes[i]);
        fputc('\n', out);
    }
    bool lost = snapshot && snapshot->lost > 0;
    if (lost)
        fprintf(out, "NOTE: %" PRIu64 " scopes are missing: memory was out, or they ended on "
                     "another thread than they began on.\n", snapshot->lost);
    if (count > 0 || lost)
        fputc('\n', out);
}

fm_status fm_report_text(FILE *out, const fmp_snapshot *snapshot, const fm_report_run *run,
                         const fm_report_options *options, fm_error *err)
{
    bool utf8 = options && options->utf8;
    fm_text_rule(out, true, utf8);
    fputs("DETAILED PERFORMANCE PROFILING\n", out);
    fm_text_rule(out, true, utf8);
    fputc('\n', out);
    print_notes(out, snapshot, run);

    char total[FM_TIME_TEXT_SIZE];
    fm_time_text(total, snapshot ? (double)snapshot->self_ns * 1e-9 : 0);
    fprintf(out, "Total Profiled Time: %s\n\n", total);
    if (!snapshot || snapshot->operation_count == 0)
        fputs("Nothing was recorded: the profiler was off, or no scope has ended.\n\n", out);
    fm_status status = print_categories(out, snapshot, utf8, err);
    if (status != FM_OK)
        return status;
    fm_text_summary(out, snapshot, run, utf8);

    errno = 0;
    if (fflush(out) != 0 || ferror(out)) {
        int cause = errno ? errno : EIO;
        return fm_fail(err, fm_status_from_errno(cause, FM_E_OUTPUT),
                       "Cannot write the report: %s; check where its output goes.",
                       strerror(cause));
    }
    return FM_OK;
}
