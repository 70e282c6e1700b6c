/* A comparison as Markdown, for a pull request or a job's summary. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "advice/compare_format.h"
#include "export/utf8.h"
#include "report/json_writer.h" /* fm_stream_status */

/* Names come from anywhere: nothing in them may end a cell or begin a link. */
static void put_text(FILE *out, const char *text)
{
    for (const char *at = text; *at;) {
        const char *begin = at;
        const int32_t c = fmp_utf8_next(&at);
        if (c < 0x20 || c == 0x7F) {
            fputc('?', out);
            continue;
        }
        if (c < 0x80 && strchr("\\`*_{}[]<>()#!|~", (int)c))
            fputc('\\', out);
        fwrite(begin, 1, (size_t)(at - begin), out);
    }
}

static void lines(FILE *out, const fm_compare_lines *from, const char *lead)
{
    for (size_t i = 0; i < from->count; i++) {
        fputs(lead, out);
        put_text(out, from->text[i]);
        fputc('\n', out);
    }
    if (from->count > 0)
        fputc('\n', out);
}

static void head(FILE *out, const char *first)
{
    fprintf(out, "| %s | base | new | ratio | 95 %% interval | p | verdict |\n", first);
    fputs("| --- | ---: | ---: | ---: | ---: | ---: | --- |\n", out);
}

static void row_line(FILE *out, const fm_compare_row *row)
{
    fm_compare_cells cells;
    fm_compare_format(row, &cells);
    const bool mark = row->verdict != FM_COMPARE_NONE && row->verdict != FM_COMPARE_SAME;
    fputs("| ", out);
    put_text(out, row->name);
    fprintf(out, " | %s | %s | %s | %s | %s | %s%s%s |\n", cells.base, cells.now, cells.ratio, cells.interval, cells.p,
            mark ? "**" : "", cells.verdict, mark ? "**" : "");
}

static void side(FILE *out, const char *label, const fm_samples *s)
{
    fprintf(out, "%s: ", label);
    put_text(out, s->name);
    fprintf(out, ", %zu run%s", s->count, s->count == 1 ? "" : "s");
}

static void figures_row(FILE *out, const char *name, const fm_shift_figures *f, double scale, const char *unit)
{
    fprintf(out, "| %s | %.4f%s | %.4f%s | %.4f%s | %lld |\n", name, f->median * scale, unit, f->p95 * scale, unit,
            f->max * scale, unit, (long long)f->worst);
}

static void unit_rows(FILE *out, const char *of, const fm_shift_table *t)
{
    for (size_t i = 0; t->compared && i < t->unit_count; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s of the %s-mirrored face", t->units[i].name, of);
        if (t->units[i].change.max > 0)
            figures_row(out, name, &t->units[i].change, 1, "");
    }
}

static void results(FILE *out, const fm_shift *s)
{
    if (!s->asked)
        return;
    fputs("### Results of both sides, frame by frame\n\n", out);
    if (s->why[0]) {
        put_text(out, s->why);
        fputs("\n\n", out);
    }
    if (!s->landmarks.compared && !s->left.compared && !s->right.compared)
        return;
    fputs("| change | median | p95 | max | worst frame |\n| --- | ---: | ---: | ---: | ---: |\n", out);
    if (s->landmarks.compared && s->landmarks.frames.compared > 0) {
        figures_row(out, "landmarks, mean of the points", &s->landmarks.pixels, 1, " px");
        if (isfinite(s->landmarks.share.median))
            figures_row(out, "the same of the eye distance", &s->landmarks.share, 100, " %");
    }
    unit_rows(out, "left", &s->left);
    unit_rows(out, "right", &s->right);
    fputs("\nAction units that are not listed did not change.\n", out);
}

fm_status fm_comparison_markdown(FILE *out, const fm_comparison *c, fm_error *err)
{
    errno = 0;
    fputs("## facemirror compare\n\n", out);
    if (c->base) {
        lines(out, &c->conclusions, "- ");
        lines(out, &c->warnings, "- **Note:** ");
        side(out, "Base", c->base);
        side(out, ". New", c->now);
        fputs(".\n\n", out);
        lines(out, &c->facts, "- ");
        head(out, "a frame takes");
        for (int i = 0; i < FM_COMPARE_TOTALS; i++)
            row_line(out, &c->totals[i]);
        fputs("\n<details><summary>Operations, self time a frame</summary>\n\n", out);
        head(out, "operation");
        for (size_t i = 0; i < c->operation_count; i++)
            if (fm_compare_shown(&c->operations[i]))
                row_line(out, &c->operations[i]);
        fputs("\n</details>\n\n", out);
    }
    results(out, &c->shift);
    return fm_stream_status(out, "the comparison", err);
}
