#include "advice/what_if_internal.h"
#include "report/json_writer.h"

static void write_limit(fm_json *json, const fm_what_if_limit *limit)
{
    fm_json_open(json, "limit", '{');
    fm_json_text(json, "stage", limit->stage);
    fm_json_real(json, "busy", limit->busy);
    fm_json_bool(json, "processors", limit->processors);
    fm_json_real(json, "processors_busy", limit->processors_busy);
    fm_json_real(json, "gain_of_processors", limit->gain_of_processors);
    fm_json_close(json, '}');
}

static void write_base(fm_json *json, const fm_what_if_base *base)
{
    fm_json_open(json, "recorded", '{');
    fm_json_real(json, "frames", base->frames);
    fm_json_real(json, "fps", base->fps);
    fm_json_real(json, "wall_seconds", base->wall_seconds);
    fm_json_real(json, "outside_seconds", base->outside_seconds);
    fm_json_integer(json, "processors", base->processors);
    fm_json_real(json, "share", base->share);
    fm_json_real(json, "model_error", base->model_error);
    write_limit(json, &base->limit);
    fm_json_close(json, '}');
}

static void write_change(fm_json *json, const fm_report_run *run, const fm_change *change,
                         const fm_change_effect *effect)
{
    fm_json_open(json, NULL, '{');
    fm_json_text(json, "name", change->name);
    fm_json_text(json, "kind", fm_change_kind_name(change->kind));
    fm_json_open(json, "stages", '[');
    for (size_t i = 0; i < run->pipeline->stage_count; i++) {
        if (effect->on[i])
            fm_json_text(json, NULL, run->pipeline->stages[i].name);
    }
    fm_json_close(json, ']');
    fm_json_real(json, "calls", effect->calls);
    fm_json_real(json, "seconds", effect->seconds);
    fm_json_real(json, "change_seconds", effect->added - effect->removed);
    fm_json_close(json, '}');
}

static void write_answer(fm_json *json, const fm_report_run *run, const fm_what_if_answer *a)
{
    const fm_what_if_prediction *p = &a->prediction;
    fm_json_open(json, NULL, '{');
    fm_json_text(json, "changes", a->question);
    fm_json_real(json, "fps", p->fps);
    fm_json_real(json, "fps_low", p->fps_low);
    fm_json_real(json, "fps_high", p->fps_high);
    fm_json_real(json, "wall_seconds", p->wall_seconds);
    fm_json_real(json, "speedup", p->speedup);
    write_limit(json, &p->limit);
    fm_json_open(json, "applied", '[');
    for (int i = 0; i < a->changes.count; i++)
        write_change(json, run, &a->changes.list[i], &a->effects[i]);
    fm_json_close(json, ']');
    fm_json_close(json, '}');
}

fm_status fm_what_if_json(FILE *out, const fm_what_if_answers *answers, fm_error *err)
{
    fm_assumptions assumptions;
    fm_what_if_assume(answers, &assumptions);
    fm_json json = fm_json_begin(out);
    fm_json_open(&json, NULL, '{');
    fm_json_text(&json, "schema", "facemirror-what-if/1");
    write_base(&json, &answers->base);
    fm_json_open(&json, "predictions", '[');
    for (size_t i = 0; i < answers->count; i++)
        write_answer(&json, answers->run, &answers->list[i]);
    fm_json_close(&json, ']');
    fm_json_open(&json, "assumptions", '[');
    for (int i = 0; i < assumptions.count; i++)
        fm_json_text(&json, NULL, assumptions.list[i]);
    fm_json_close(&json, ']');
    fm_json_close(&json, '}');
    return fm_json_finish(&json, "the prediction", err);
}
