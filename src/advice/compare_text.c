/* A comparison for a terminal. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "advice/compare_format.h"
#include "export/text.h"
#include "export/utf8.h"
#include "report/json_writer.h" /* fm_stream_status */

enum { WIDTH = 108, NAME = 30 };

static void rule(FILE *out, bool utf8)
{
    fmp_text_dashes(out, WIDTH, utf8);
    fputc('\n', out);
}

static void head(FILE *out, const char *first, bool utf8)
{
    rule(out, utf8);
    fprintf(out, "%-*s %11s %11s %7s %16s %8s  %s\n", NAME, first, "base", "new", "ratio", "95 % interval", "p",
            "verdict");
    rule(out, utf8);
}

static void row_line(FILE *out, const fm_compare_row *row)
{
    fm_compare_cells cells;
    fm_compare_format(row, &cells);
    fmp_utf8_print_fitted(out, row->name, NAME);
    fprintf(out, " %11s %11s %7s %16s %8s  %s\n", cells.base, cells.now, cells.ratio, cells.interval, cells.p,
            cells.verdict);
}

static void lines(FILE *out, const fm_compare_lines *from, const char *lead)
{
    for (size_t i = 0; i < from->count; i++) {
        fputs(lead, out);
        fmp_utf8_print(out, from->text[i]);
        fputc('\n', out);
    }
}

static void side(FILE *out, const char *label, const fm_samples *s)
{
    fprintf(out, "%s ", label);
    fmp_utf8_print(out, s->name);
    fprintf(out, " (%zu run%s)\n", s->count, s->count == 1 ? "" : "s");
}

static void operations(FILE *out, const fm_comparison *c, bool utf8)
{
    size_t hidden = 0;
    head(out, "Operation, self time a frame", utf8);
    for (size_t i = 0; i < c->operation_count; i++) {
        if (fm_compare_shown(&c->operations[i]))
            row_line(out, &c->operations[i]);
        else
            hidden++;
    }
    if (hidden > 0)
        fprintf(out, "%zu operations below 0.1 %% of the work that did not change are left out; JSON has them\n",
                hidden);
}

/* --- results ---------------------------------------------------------------- */

static void figures_line(FILE *out, const char *name, const fm_shift_figures *f, double scale, const char *unit)
{
    fprintf(out, "  %-28s median %.4f%s, p95 %.4f%s, max %.4f%s (frame %lld)\n", name, f->median * scale, unit,
            f->p95 * scale, unit, f->max * scale, unit, (long long)f->worst);
}

static void frames_line(FILE *out, const char *name, const fm_shift_frames *f)
{
    fprintf(out, "%s: %lld frames compared", name, (long long)f->compared);
    if (f->face_in_one > 0)
        fprintf(out, "; %lld with a face on one side alone", (long long)f->face_in_one);
    if (f->missing > 0)
        fprintf(out, "; %lld that only one side has", (long long)f->missing);
    fputc('\n', out);
}

static void landmarks(FILE *out, const fm_shift_landmarks *l)
{
    if (!l->compared)
        return;
    frames_line(out, "Landmarks", &l->frames);
    if (l->frames.compared == 0)
        return;
    figures_line(out, "shift, mean of the points", &l->pixels, 1, " px");
    if (isfinite(l->share.median))
        figures_line(out, "the same of the eye distance", &l->share, 100, " %");
    fprintf(out, "  %-28s %.4f px\n", "farthest single point", l->point_max);
}

static void units(FILE *out, const char *name, const fm_shift_table *t)
{
    if (!t->compared)
        return;
    size_t unchanged = 0;
    frames_line(out, name, &t->frames);
    for (size_t i = 0; i < t->unit_count; i++) {
        const fm_shift_unit *u = &t->units[i];
        if (u->change.max > 0 || u->presence > 0) {
            char label[64];
            snprintf(label, sizeof label, "%s, change", u->name);
            figures_line(out, label, &u->change, 1, "");
            if (u->presence > 0)
                fprintf(out, "  %-28s in %lld frames\n", "  present on one side alone", (long long)u->presence);
        } else {
            unchanged++;
        }
    }
    if (unchanged > 0)
        fprintf(out, "  %zu action units did not change at all\n", unchanged);
}

static void results(FILE *out, const fm_shift *s, bool utf8)
{
    if (!s->asked)
        return;
    rule(out, utf8);
    fputs("Results of both sides, frame by frame\n", out);
    rule(out, utf8);
    if (s->why[0])
        fprintf(out, "%s\n", s->why);
    landmarks(out, &s->landmarks);
    units(out, "Action units of the left-mirrored face, 0 to 5", &s->left);
    units(out, "Action units of the right-mirrored face, 0 to 5", &s->right);
}

fm_status fm_comparison_text(FILE *out, const fm_comparison *c, bool utf8, fm_error *err)
{
    errno = 0;
    if (c->base) {
        side(out, "Base:", c->base);
        side(out, "New: ", c->now);
        lines(out, &c->facts, "  ");
        lines(out, &c->warnings, "! ");
        head(out, "A frame takes", utf8);
        for (int i = 0; i < FM_COMPARE_TOTALS; i++)
            row_line(out, &c->totals[i]);
        operations(out, c, utf8);
        rule(out, utf8);
        lines(out, &c->conclusions, "");
    }
    results(out, &c->shift, utf8);
    return fm_stream_status(out, "the comparison", err);
}
