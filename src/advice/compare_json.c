/* A comparison as JSON; docs/bench-json.md says what each member means. */
#include <math.h>

#include "advice/compare.h"
#include "report/json_writer.h"
#include "report/profile_fields.h"

static void write_side(fm_json *json, const char *key, const fm_samples *s)
{
    fm_json_open(json, key, '{');
    fm_json_text(json, "name", s->name);
    fm_json_count(json, "runs", s->count);
    fm_json_text(json, "input", s->facts.input);
    fm_json_integer(json, "frames", s->facts.frames);
    fm_json_text(json, "version", s->build.version);
    fm_json_bool(json, "optimised", s->build.optimised);
    fm_json_text(json, "cpu_model", s->machine.cpu_model);
    fm_json_close(json, '}');
}

static void write_lines(fm_json *json, const char *key, const fm_compare_lines *lines)
{
    fm_json_open(json, key, '[');
    for (size_t i = 0; i < lines->count; i++)
        fm_json_text(json, NULL, lines->text[i]);
    fm_json_close(json, ']');
}

static void write_row(fm_json *json, const fm_compare_row *row)
{
    static const char *const units[] = {"seconds", "per_second", "bytes"}; /* as fm_compare_unit */
    fm_json_open(json, NULL, '{');
    if (row->category)
        fm_json_text(json, "category", row->category);
    fm_json_text(json, "name", row->name);
    fm_json_text(json, "unit", units[row->unit]);
    fm_json_real(json, "base", row->base);
    fm_json_real(json, "new", row->now);
    fm_json_real(json, "ratio", row->ratio.value);
    fm_json_real(json, "ratio_low", row->ratio.low);
    fm_json_real(json, "ratio_high", row->ratio.high);
    fm_json_real(json, "p", row->p);
    fm_json_text(json, "verdict", fm_compare_verdict_name(row->verdict));
    if (row->category)
        fm_json_real(json, "share", row->share);
    fm_json_close(json, '}');
}

static void write_figures(fm_json *json, const char *key, const fm_shift_figures *f)
{
    fm_json_open(json, key, '{');
    fm_json_real(json, "median", f->median);
    fm_json_real(json, "p95", f->p95);
    fm_json_real(json, "max", f->max);
    if (f->worst >= 0)
        fm_json_integer(json, "worst_frame", f->worst);
    else
        fm_json_null(json, "worst_frame");
    fm_json_close(json, '}');
}

static void write_frames(fm_json *json, const fm_shift_frames *f)
{
    fm_json_integer(json, "frames", f->compared);
    fm_json_integer(json, "face_in_one", f->face_in_one);
    fm_json_integer(json, "missing", f->missing);
}

static void write_landmarks(fm_json *json, const fm_shift_landmarks *l)
{
    if (!l->compared) {
        fm_json_null(json, "landmarks");
        return;
    }
    fm_json_open(json, "landmarks", '{');
    write_frames(json, &l->frames);
    fm_json_integer(json, "points", l->points);
    write_figures(json, "pixels", &l->pixels);
    write_figures(json, "share_of_eye_distance", &l->share);
    fm_json_real(json, "farthest_point_pixels", l->point_max);
    fm_json_close(json, '}');
}

static void write_units(fm_json *json, const char *key, const fm_shift_table *t)
{
    if (!t->compared) {
        fm_json_null(json, key);
        return;
    }
    fm_json_open(json, key, '{');
    write_frames(json, &t->frames);
    fm_json_open(json, "units", '[');
    for (size_t i = 0; i < t->unit_count; i++) {
        fm_json_open(json, NULL, '{');
        fm_json_text(json, "name", t->units[i].name);
        write_figures(json, "change", &t->units[i].change);
        fm_json_integer(json, "presence_differs", t->units[i].presence);
        fm_json_close(json, '}');
    }
    fm_json_close(json, ']');
    fm_json_close(json, '}');
}

static void write_results(fm_json *json, const fm_shift *s)
{
    if (!s->asked) {
        fm_json_null(json, "results");
        return;
    }
    fm_json_open(json, "results", '{');
    fm_json_text(json, "base", s->base);
    fm_json_text(json, "new", s->now);
    fm_json_text(json, "why_not", s->why[0] ? s->why : NULL);
    write_landmarks(json, &s->landmarks);
    write_units(json, "left", &s->left);
    write_units(json, "right", &s->right);
    fm_json_close(json, '}');
}

static void write_speed(fm_json *json, const fm_comparison *c)
{
    write_side(json, "base", c->base);
    write_side(json, "new", c->now);
    fm_json_bool(json, "comparable", c->comparable);
    fm_json_bool(json, "enough_runs", c->enough);
    write_lines(json, "warnings", &c->warnings);
    write_lines(json, "differences", &c->facts);
    fm_json_open(json, "totals", '[');
    for (int i = 0; i < FM_COMPARE_TOTALS; i++)
        write_row(json, &c->totals[i]);
    fm_json_close(json, ']');
    fm_json_open(json, "operations", '[');
    for (size_t i = 0; i < c->operation_count; i++)
        write_row(json, &c->operations[i]);
    fm_json_close(json, ']');
    fm_json_open(json, "causes", '[');
    for (size_t i = 0; i < c->cause_count; i++) {
        fm_json_open(json, NULL, '{');
        fm_json_text(json, "category", c->causes[i].row->category);
        fm_json_text(json, "name", c->causes[i].row->name);
        fm_json_real(json, "change_seconds", c->causes[i].change);
        fm_json_real(json, "part", c->causes[i].part);
        fm_json_close(json, '}');
    }
    fm_json_close(json, ']');
    write_lines(json, "conclusions", &c->conclusions);
}

fm_status fm_comparison_json(FILE *out, const fm_comparison *c, fm_error *err)
{
    fm_json json = fm_json_begin(out);
    fm_json_open(&json, NULL, '{');
    fm_json_text(&json, "schema", FM_COMPARE_SCHEMA);
    if (c->base)
        write_speed(&json, c);
    write_results(&json, &c->shift);
    fm_json_close(&json, '}');
    return fm_json_finish(&json, "the comparison", err);
}
