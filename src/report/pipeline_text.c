/* The PIPELINE section of the text report: what each stage did and waited for, the slowest frames, and what was wasted. */
#include <inttypes.h>
#include <math.h>

#include "export/figures.h"
#include "export/text.h"
#include "export/utf8.h"
#include "report/model_figures.h"
#include "summary.h"

static const int columns[] = {9, 7, 7, 7, 9, 9, 9, 9};
enum { STAGE_COLUMNS = 16, COLUMNS = sizeof columns / sizeof columns[0] };

/* --- stages -------------------------------------------------------------------- */

static void table_head(FILE *out, bool utf8)
{
    static const char *const titles[COLUMNS] = {"Frames", "Busy", "Starved", "Blocked", "Mean", "p99", "CPU/frame", "Held"};
    fprintf(out, "%-*s", STAGE_COLUMNS, "Stage");
    for (int i = 0; i < COLUMNS; i++)
        fprintf(out, " %*s", columns[i], titles[i]);
    fputc('\n', out);
    fmp_text_dashes(out, STAGE_COLUMNS, utf8);
    for (int i = 0; i < COLUMNS; i++) {
        fputc(' ', out);
        fmp_text_dashes(out, columns[i], utf8);
    }
    fputc('\n', out);
}

static void table_row(FILE *out, const fm_report_stage *s, double wall)
{
    char text[COLUMNS][FMP_TIME_TEXT_SIZE];
    const double cpu = s->cpu_seconds > 0 ? s->cpu_seconds : (double)NAN;
    fmp_count_text(text[0], (uint64_t)s->frames, 9);
    fm_figure_percent(text[1], s->busy_seconds, wall);
    fm_figure_percent(text[2], s->starved_seconds, wall);
    fm_figure_percent(text[3], s->blocked_seconds, wall);
    fmp_time_text(text[4], s->frames > 0 ? s->service_mean : (double)NAN);
    fmp_time_text(text[5], s->frames > 0 ? s->service_p99 : (double)NAN);
    fmp_time_text(text[6], fmp_ratio(cpu, (double)s->frames));
    fmp_count_text(text[7], (uint64_t)s->held, 9);
    fmp_utf8_print_fitted(out, fm_figure_text(s->name, "?"), STAGE_COLUMNS);
    for (int i = 0; i < COLUMNS; i++)
        fprintf(out, " %*s", columns[i], text[i]);
    fputc('\n', out);
}

static void stage_table(FILE *out, const fm_report_run *run, bool utf8)
{
    const fm_report_pipeline *p = run->pipeline;
    table_head(out, utf8);
    for (size_t i = 0; i < p->stage_count; i++)
        table_row(out, &p->stages[i], run->wall_seconds);
    fputs("Shares are of the wall time; the rest is after the stage's own end.\n"
          "Starved: no frame to work on. Blocked: no room behind it. Held: frames of whose\n"
          "way it was the slowest part. CPU: of the stage's thread, without helper threads\n"
          "of decoder and encoders.\n", out);
}

/* --- frames --------------------------------------------------------------------- */

/* "1:02.345" */
static void clip_time(char out[FMP_TIME_TEXT_SIZE], double seconds)
{
    if (!(fabs(seconds) < 1e9)) {
        snprintf(out, FMP_TIME_TEXT_SIZE, "n/a");
        return;
    }
    const int64_t ms = (int64_t)llround(fabs(seconds) * 1e3);
    snprintf(out, FMP_TIME_TEXT_SIZE, "%s%" PRId64 ":%02d.%03d", seconds < 0 ? "-" : "", ms / 60000,
             (int)(ms / 1000 % 60), (int)(ms % 1000));
}

static void frame_head(FILE *out, bool utf8)
{
    static const int widths[] = {10, 8, 9, STAGE_COLUMNS, 9, 5, 6, 25};
    fprintf(out, "%10s %8s %9s %-*s %9s %5s %6s %s\n", "In clip", "Frame", "Work", STAGE_COLUMNS, "Most in", "Of this",
            "Faces", "Size", "Why");
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        fputs(i > 0 ? " " : "", out);
        fmp_text_dashes(out, widths[i], utf8);
    }
    fputc('\n', out);
}

static void frame_line(FILE *out, const fm_report_outlier *o)
{
    char at[FMP_TIME_TEXT_SIZE], whole[FMP_TIME_TEXT_SIZE], part[FMP_TIME_TEXT_SIZE], size[FMP_TIME_TEXT_SIZE] = "-";
    clip_time(at, o->timestamp);
    fmp_time_text(whole, o->seconds);
    fmp_time_text(part, o->stage_seconds);
    if (o->faces > 0 && o->face_size > 0)
        fm_figure_percent(size, o->face_size, 1);
    fprintf(out, "%10s %8" PRId64 " %9s ", at, o->frame, whole);
    fmp_utf8_print_fitted(out, fm_figure_text(o->stage, "?"), STAGE_COLUMNS);
    fprintf(out, " %9s %5d %6s", part, o->faces, size);
    fputs(o->frame == 0 ? " first frame" : "", out);
    fputs(o->detected ? (o->frame == 0 ? ", detector ran\n" : " detector ran\n") : "\n", out);
}

static void frame_lines(FILE *out, const fm_report_run *run, bool utf8)
{
    const fm_report_pipeline *p = run->pipeline;
    char half[FMP_TIME_TEXT_SIZE], most[FMP_TIME_TEXT_SIZE];
    if (isfinite(p->frame_p50) && p->stage_count > 0) {
        fmp_time_text(half, p->frame_p50);
        fmp_time_text(most, p->frame_p99);
        fprintf(out, "\nWork on a frame, along its slowest way: %s in the median, %s at p99\n", half, most);
    }
    if (p->outlier_count == 0) {
        if (run->runs > 1)
            fputs("\nThe slowest frames are not known of these merged runs.\n", out);
        return;
    }
    fputs("\nSlowest frames (size: distance of the outer canthi over the picture's width)\n", out);
    frame_head(out, utf8);
    for (size_t i = 0; i < p->outlier_count; i++)
        frame_line(out, &p->outliers[i]);
}

static void label(FILE *out, const char *text)
{
    fprintf(out, "%-*s", FMP_LABEL_COLUMNS, text);
}

/* --- content --------------------------------------------------------------------- */

/* "none 3.1ms (12 frames), one 39.0ms (168 frames)"; nothing where all frames are of one kind. */
static void content_line(FILE *out, const fm_report_pipeline *p, const char *title, size_t first,
                         const char *const *names, size_t count)
{
    int kinds = 0;
    for (size_t i = 0; i < count; i++)
        kinds += p->content[first + i].frames > 0;
    if (kinds < 2)
        return;
    label(out, title);
    const char *comma = "";
    for (size_t i = 0; i < count; i++) {
        const fm_report_cost *cost = &p->content[first + i];
        char mean[FMP_TIME_TEXT_SIZE];
        if (cost->frames <= 0)
            continue;
        fmp_time_text(mean, fmp_ratio(cost->seconds, (double)cost->frames));
        fprintf(out, "%s%s %s (%" PRId64 " %s)", comma, names[i], mean, cost->frames, cost->frames == 1 ? "frame" : "frames");
        comma = ", ";
    }
    fputc('\n', out);
}

static void content_lines(FILE *out, const fm_report_pipeline *p)
{
    static const char *const faces[] = {"none", "one", "several"};
    static const char *const sizes[] = {"below 15%", "15 to 30%", "30% or more"};
    static const char *const looks[] = {"did not run", "ran"};
    content_line(out, p, "Work by faces:", FM_CONTENT_NO_FACE, faces, 3);
    content_line(out, p, "Work by face size:", FM_CONTENT_SMALL, sizes, 3);
    content_line(out, p, "Work by detector:", FM_CONTENT_FOLLOWED, looks, 2);
}

/* --- waste ---------------------------------------------------------------------- */

static double mebibytes(int64_t bytes)
{
    return (double)bytes / (1024.0 * 1024.0);
}

static void memory_lines(FILE *out, const fm_report_pipeline *p)
{
    if (p->frame_bytes_copied > 0) {
        label(out, "Copied unchanged:");
        fprintf(out, "%.1f MiB a frame\n", mebibytes(p->frame_bytes_copied));
    }
    if (p->allocation_frames > 0) {
        label(out, "Allocated:");
        fprintf(out, "%" PRId64 " picture buffers for %" PRId64 " frames after warm-up\n", p->allocations,
                p->allocation_frames);
    }
    if (p->rss_frames > 0 && p->rss_first > 0) {
        char change[FMP_TIME_TEXT_SIZE];
        fmp_bytes_text(change, p->rss_last - p->rss_first);
        label(out, "Resident memory:");
        fprintf(out, "%.1f MiB after warm-up, %s over the %" PRId64 " frames that followed\n", mebibytes(p->rss_first),
                change, p->rss_frames);
    }
}

static void picture_lines(FILE *out, const fm_report_run *run)
{
    const fm_report_pipeline *p = run->pipeline;
    const fm_report_detections *d = &p->detections;
    char times[FMP_TIME_TEXT_SIZE];
    if (p->frames_converted > 0) {
        label(out, "Converted:");
        fprintf(out, "%" PRId64 " frames, turned, scaled or converted after decoding, once each\n", p->frames_converted);
    }
    if (p->frames_cropped_again > 0) {
        label(out, "Cropped again:");
        fprintf(out, "%" PRId64 " frames, for the landmarks, after a detection\n", p->frames_cropped_again);
    }
    fmp_fixed(times, (double)d->searching + (double)d->lost + (double)d->checking, 0);
    label(out, "Detector:");
    fprintf(out, "%s frames: %" PRId64 " without a face to follow, %" PRId64 " as it was lost", times, d->searching, d->lost);
    if (d->checking > 0)
        fprintf(out, ",\n%*s%" PRId64 " by its interval, %" PRId64 " of these saw the face that was followed anyway",
                FMP_LABEL_COLUMNS, "", d->checking, d->confirmed);
    fputc('\n', out);
}

void fm_text_pipeline(FILE *out, const fm_report_run *run, bool utf8)
{
    if (!run || !run->pipeline)
        return;
    fputs("PIPELINE\n", out);
    fmp_text_rule(out, true, utf8);
    stage_table(out, run, utf8);
    frame_lines(out, run, utf8);
    fputc('\n', out);
    content_lines(out, run->pipeline);
    memory_lines(out, run->pipeline);
    picture_lines(out, run);
    fmp_text_rule(out, true, utf8);
}
