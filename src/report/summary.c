#include <inttypes.h>
#include <math.h>

#include "export/figures.h"
#include "export/text.h"
#include "export/utf8.h"
#include "summary.h"

enum { LABEL_COLUMNS = 22 };

static void label(FILE *out, const char *text)
{
    fprintf(out, "%-*s", LABEL_COLUMNS, text);
}

static void text_line(FILE *out, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    label(out, name);
    fmp_utf8_print(out, value);
    fputc('\n', out);
}

static void time_line(FILE *out, const char *name, double seconds, const char *remark)
{
    char text[FMP_TIME_TEXT_SIZE];
    fmp_time_text(text, seconds);
    label(out, name);
    fprintf(out, "%s%s\n", text, remark);
}

/* "n/a" where the ratio has no meaning; format takes one double. */
static void ratio_text(char out[FMP_TIME_TEXT_SIZE], double ratio, double scale, const char *unit)
{
    if (isfinite(ratio))
        snprintf(out, FMP_TIME_TEXT_SIZE, "%.1f%s", ratio * scale, unit);
    else
        snprintf(out, FMP_TIME_TEXT_SIZE, "n/a");
}

static void frame_lines(FILE *out, const fm_report_run *run)
{
    char text[FMP_TIME_TEXT_SIZE];
    label(out, "Frames:");
    fprintf(out, "%" PRId64 "\n", run->frames);
    label(out, "Frames with face:");
    ratio_text(text, fmp_ratio((double)run->frames_with_face, (double)run->frames), 100, "%");
    fprintf(out, "%" PRId64 " (%s)\n", run->frames_with_face, text);
    if (run->frames_damaged > 0) {
        label(out, "Damaged frames:");
        fprintf(out, "%" PRId64 " (unreadable, skipped)\n", run->frames_damaged);
    }
    label(out, "Effective speed:");
    ratio_text(text, fmp_ratio((double)run->frames, run->wall_seconds), 1, " fps");
    fprintf(out, "%s\n", text);
    time_line(out, "Time per frame:", fmp_ratio(run->wall_seconds, (double)run->frames), "");
}

static void run_lines(FILE *out, const fmp_snapshot *snapshot, const fm_report_run *run)
{
    char text[FMP_TIME_TEXT_SIZE];
    text_line(out, "Program:", run->program_version);
    if (run->runs > 1) {
        label(out, "Runs:");
        fprintf(out, "%" PRId64 " (merged: times, frames and loads add up)\n", run->runs);
    }
    if (run->input && *run->input) {
        label(out, "Input:");
        fmp_utf8_print(out, run->input);
        if (run->width > 0 && run->height > 0)
            fprintf(out, " (%dx%d)", run->width, run->height);
        fputc('\n', out);
    }
    text_line(out, "Status:", run->status);
    time_line(out, "Wall time:", run->wall_seconds, " (frame loop)");
    time_line(out, "Set-up time:", run->setup_seconds, " (before the loop, not in the wall time)");
    frame_lines(out, run);

    label(out, "Explained:");
    ratio_text(text, fmp_ratio(run->covered_seconds, run->wall_seconds), 100, "%");
    fprintf(out, "%s of the wall time has a scope open\n", text);
    label(out, "Parallelism:");
    double self = snapshot ? (double)snapshot->self_ns * 1e-9 : 0;
    ratio_text(text, fmp_ratio(self, run->wall_seconds), 1, "");
    fprintf(out, "%s stages busy on average", text);
    if (run->threads > 0) {
        ratio_text(text, fmp_ratio(self, run->wall_seconds) / run->threads, 100, "%");
        fprintf(out, ", %s of %d processor %s", text, run->threads, run->threads == 1 ? "thread" : "threads");
    }
    fputc('\n', out);
    text_line(out, "Runtime:", run->runtime);
    text_line(out, "Encoder:", run->encoder);
    if (run->peak_rss_bytes > 0) {
        label(out, "Peak memory:");
        fprintf(out, "%.1f MiB\n", (double)run->peak_rss_bytes / (1024.0 * 1024.0));
    }
}

static void model_table(FILE *out, const fm_report_run *run, bool utf8)
{
    enum { BACKEND_COLUMNS = 16 };
    if (!run || run->model_count == 0)
        return;
    fprintf(out, "\n%-*s %-*s %10s\n", FMP_NAME_COLUMNS, "Model", BACKEND_COLUMNS, "Backend",
            "Load");
    fmp_text_dashes(out, FMP_NAME_COLUMNS, utf8);
    fputc(' ', out);
    fmp_text_dashes(out, BACKEND_COLUMNS, utf8);
    fputc(' ', out);
    fmp_text_dashes(out, 10, utf8);
    fputc('\n', out);
    for (size_t i = 0; i < run->model_count; i++) {
        char load[FMP_TIME_TEXT_SIZE];
        fmp_time_text(load, run->models[i].load_seconds);
        fmp_utf8_print_fitted(out, run->models[i].name, FMP_NAME_COLUMNS);
        fputc(' ', out);
        fmp_utf8_print_fitted(out, run->models[i].backend, BACKEND_COLUMNS);
        fprintf(out, " %10s\n", load);
    }
}

void fm_text_summary(FILE *out, const fmp_snapshot *snapshot, const fm_report_run *run, bool utf8)
{
    fputs("RUN SUMMARY\n", out);
    fmp_text_rule(out, true, utf8);
    if (run)
        run_lines(out, snapshot, run);
    model_table(out, run, utf8);
    fmp_text_rule(out, true, utf8);
}
