#include "advice/what_if.h"

#include <math.h>
#include <stdlib.h>

#include "advice/changes.h"
#include "advice/what_if_internal.h"

/* They limit a run that would be so many times as fast with more of them. */
#define PROCESSORS_LIMIT 1.15
#define PROCESSORS_PLENTY 1000.0

/* Two runs of the same clip differ by about so much, and by more when others take most of the processors. */
#define RUNS_DIFFER 0.03
#define RUNS_DIFFER_BUSY 0.15

struct fm_what_if {
    const fm_report_run *run;
    const fmp_snapshot *snapshot;
    fm_calibration recorded;
};

fm_status fm_what_if_open(fm_what_if **out, const fm_report_run *run, const fmp_snapshot *snapshot, fm_error *err)
{
    *out = NULL;
    fm_what_if *w = calloc(1, sizeof *w);
    if (!w)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for a prediction");
    w->run = run;
    w->snapshot = snapshot;
    fm_status status = fm_calibrate(run, &w->recorded, err);
    if (status == FM_OK && !(fabs(w->recorded.error) <= FM_WHAT_IF_ERROR_MAX))
        status = fm_fail(err, FM_E_BAD_INPUT, "the simulation of the run as it was is off by %.0f %%, more than the "
                         "%.0f %% up to which it is believed: something held the run back that the profile does not "
                         "show, such as another program on a busy machine", 100 * w->recorded.error,
                         100 * FM_WHAT_IF_ERROR_MAX);
    if (status != FM_OK) {
        fm_what_if_close(&w);
        return status;
    }
    *out = w;
    return FM_OK;
}

void fm_what_if_close(fm_what_if **what_if)
{
    free(*what_if);
    *what_if = NULL;
}

const fm_calibration *fm_what_if_calibration(const fm_what_if *w)
{
    return &w->recorded;
}

static fm_what_if_limit find_limit(const fm_what_if *w, const fm_sim_model *model, const fm_sim_result *result)
{
    fm_what_if_limit limit = {.stage = w->run->pipeline->stages[0].name, .gain_of_processors = 1};
    if (!(result->seconds > 0))
        return limit;
    for (size_t i = 0; i < model->stage_count; i++) {
        const double busy = fmin(1, result->stages[i].busy / result->seconds);
        if (busy > limit.busy) {
            limit.busy = busy;
            limit.stage = w->run->pipeline->stages[i].name;
        }
    }
    limit.processors_busy = fmin(1, result->cpu / (result->seconds * w->recorded.processors));
    fm_sim_model plenty = *model;
    plenty.processors = PROCESSORS_PLENTY;
    fm_sim_result unlimited;
    limit.gain_of_processors = fm_simulate(&plenty, &unlimited) ? fmax(1, result->seconds / unlimited.seconds) : 1;
    limit.processors = limit.gain_of_processors >= PROCESSORS_LIMIT;
    return limit;
}

fm_what_if_base fm_what_if_recorded(const fm_what_if *w)
{
    const fm_calibration *c = &w->recorded;
    return (fm_what_if_base){
        .frames = c->model.frames,
        .wall_seconds = w->run->wall_seconds,
        .fps = c->model.frames / w->run->wall_seconds,
        .model_error = c->error,
        .outside_seconds = c->outside_seconds,
        .processors = (int)c->processors,
        .share = c->model.processors / c->processors,
        .limit = find_limit(w, &c->model, &c->result),
    };
}

/* The wall time with changes whose time is of a nature; NaN when it cannot be simulated. */
static double predict(const fm_what_if *w, const fm_changes *changes, fm_change_nature nature, fm_what_if_limit *limit)
{
    const fm_calibration *c = &w->recorded;
    fm_sim_model model = c->model;
    fm_sim_result result;
    double outside = c->outside_seconds;
    for (int i = 0; i < changes->count; i++)
        fm_change_apply(&changes->list[i], nature, w->run, w->snapshot, c, &model, &outside, NULL);
    if (!fm_simulate(&model, &result))
        return NAN;
    if (limit)
        *limit = find_limit(w, &model, &result);
    return result.seconds / (1 + c->error) + outside;
}

fm_status fm_what_if_predict(const fm_what_if *w, const char *text, fm_what_if_prediction *out, fm_error *err)
{
    fm_changes changes;
    const fm_status status = fm_changes_read(text, w->run, w->snapshot, &changes, err);
    if (status != FM_OK)
        return status;
    const double wall = predict(w, &changes, FM_TIME_AS_STAGE, &out->limit);
    const double as_cpu = predict(w, &changes, FM_TIME_CPU, NULL), as_wait = predict(w, &changes, FM_TIME_WAIT, NULL);
    const double others = 1 - w->recorded.model.processors / w->recorded.processors;
    const double error = fmax(fabs(w->recorded.error), RUNS_DIFFER) + RUNS_DIFFER_BUSY * others;
    if (!(wall > 0 && as_cpu > 0 && as_wait > 0))
        return fm_fail(err, FM_E_BAD_INPUT, "with '%.100s' nothing of the run is left that takes time", text);
    out->wall_seconds = wall;
    out->fps = w->recorded.model.frames / wall;
    out->fps_low = w->recorded.model.frames / fmax(wall, fmax(as_cpu, as_wait)) * (1 - error);
    out->fps_high = w->recorded.model.frames / fmin(wall, fmin(as_cpu, as_wait)) * (1 + error);
    out->speedup = w->run->wall_seconds / wall;
    return FM_OK;
}
