#include "advice/calibrate.h"

#include <math.h>
#include <string.h>

/* Of one run of the simulation after another: enough to be within some parts in a thousand. */
enum { WAIT_STEPS = 12, LOAD_STEPS = 12, SPREAD_STEPS = 7, ROUNDS = 2 };
#define WAIT_STEP 0.7    /* of the gap that is closed at each; a whole one swings */
#define WAIT_GOOD 1e-3   /* of a stage's work: near enough */
#define LOAD_MAX 64.0    /* threads of others */

/* An encoder has several times a decoder's work: how the helpers' time is divided, where nothing tells it. */
#define DECODER_WEIGHT 1.0
#define ENCODER_WEIGHT 4.0

/* --- the stages ----------------------------------------------------------------- */

static int find_stage(const fm_report_pipeline *p, size_t end, const char *name)
{
    for (size_t i = 0; i < end; i++) {
        if (strcmp(p->stages[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

static bool has_readers(const fm_report_pipeline *p, const char *name)
{
    for (size_t i = 0; i < p->stage_count; i++) {
        if (p->stages[i].after && strcmp(p->stages[i].after, name) == 0)
            return true;
    }
    return false;
}

static double helper_weight(const fm_report_run *run, size_t index)
{
    const fm_report_pipeline *p = run->pipeline;
    if (index == 0)
        return DECODER_WEIGHT;
    /* Encoders are the ends behind stages that draw. Without videos no stage has pictures but the first. */
    const int after = find_stage(p, index, p->stages[index].after);
    const bool drawn = after > 0 && p->stages[after].pictures > 0;
    return drawn && !has_readers(p, p->stages[index].name) ? ENCODER_WEIGHT : 0;
}

static fm_status take_stage(const fm_report_run *run, size_t index, double frames, fm_calibration *out, fm_error *err)
{
    const fm_report_stage *from = &run->pipeline->stages[index];
    fm_sim_stage *to = &out->model.stages[index];
    to->after = -1;
    if (from->after)
        to->after = find_stage(run->pipeline, index, from->after);
    if ((index == 0) != (to->after < 0) || find_stage(run->pipeline, index, from->name) >= 0)
        return fm_fail(err, FM_E_BAD_INPUT, "the stages of the profile are none that could have run: see '%s'",
                       from->name);
    to->queue = from->queue;
    to->pictures = from->pictures;
    const double busy = from->busy_seconds / frames;
    out->busy[index] = busy;
    to->cpu = out->cpu_known ? fmin(from->cpu_seconds / frames, busy) : busy;
    out->variation[index] = from->service_mean > 0 ? from->service_stddev / from->service_mean : 0;
    return FM_OK;
}

static void take_helpers(const fm_report_run *run, double frames, fm_calibration *out)
{
    const fm_report_pipeline *p = run->pipeline;
    double cpu = 0, weights = 0;
    for (size_t i = 0; i < p->stage_count; i++) {
        cpu += p->stages[i].cpu_seconds;
        weights += helper_weight(run, i);
    }
    const double helpers = out->cpu_known ? fmax(0, p->process_cpu_seconds - cpu) / frames : 0;
    for (size_t i = 0; i < p->stage_count; i++) {
        fm_sim_stage *stage = &out->model.stages[i];
        stage->helper = helpers * helper_weight(run, i) / weights;
        stage->helpers = stage->helper > 0 ? (run->threads > 0 ? run->threads : 1) : 0;
    }
}

static double stage_seconds(const fm_report_stage *s)
{
    return s->busy_seconds + s->starved_seconds + s->blocked_seconds;
}

/* --- the fit --------------------------------------------------------------------- */

static void set_waits(const fm_report_run *run, fm_calibration *c)
{
    for (size_t i = 0; i < c->model.stage_count; i++) {
        fm_sim_stage *stage = &c->model.stages[i];
        const double ready = run->pipeline->stages[i].ready_seconds / c->model.frames;
        stage->wait = fmax(0, c->busy[i] - stage->cpu - (c->ready_known ? ready : 0));
    }
}

static bool simulate(fm_calibration *c)
{
    for (size_t i = 0; i < c->model.stage_count; i++) {
        fm_sim_stage *stage = &c->model.stages[i];
        stage->spread = c->spread * c->variation[i] * (stage->cpu + stage->wait);
    }
    return fm_simulate(&c->model, &c->result);
}

/* Finds what the stages wait for such that they are at work as long as was recorded. */
static bool fit_waits(fm_calibration *c)
{
    bool good = simulate(c), moved = true;
    for (int step = 0; step < WAIT_STEPS && good && moved; step++) {
        moved = false;
        for (size_t i = 0; i < c->model.stage_count; i++) {
            fm_sim_stage *stage = &c->model.stages[i];
            const double gap = c->busy[i] - c->result.stages[i].busy / c->model.frames;
            const double wait = fmin(fmax(0, stage->wait + WAIT_STEP * gap), c->busy[i] - stage->cpu);
            moved = moved || fabs(wait - stage->wait) > WAIT_GOOD * c->busy[i];
            stage->wait = wait;
        }
        good = simulate(c);
    }
    return good;
}

static double delayed(const fm_calibration *c)
{
    double sum = 0;
    for (size_t i = 0; i < c->model.stage_count; i++)
        sum += c->result.stages[i].delayed;
    return sum;
}

/* The delay of the stages' threads that was recorded, as far as it can have been in their work. */
static double recorded_delay(const fm_report_run *run, const fm_calibration *c)
{
    double sum = 0;
    for (size_t i = 0; i < c->model.stage_count; i++)
        sum += fmin(run->pipeline->stages[i].ready_seconds, (c->busy[i] - c->model.stages[i].cpu) * c->model.frames);
    return sum;
}

/* The more threads of others take part, the longer ours are delayed. */
static bool fit_load(const fm_report_run *run, fm_calibration *c)
{
    const double wanted = c->ready_known ? recorded_delay(run, c) : 0;
    double low = 0, high = LOAD_MAX;
    c->model.load = 0;
    bool good = fit_waits(c);
    if (!good || delayed(c) >= wanted)
        return good;
    for (int step = 0; step < LOAD_STEPS && good; step++) {
        c->model.load = low + (high - low) / (step == 0 ? 16 : 2); /* as a rule there are few */
        good = fit_waits(c);
        if (delayed(c) < wanted)
            low = c->model.load;
        else
            high = c->model.load;
    }
    return good;
}

/*
 * How much times vary from frame to frame costs time, too. A part of that is the work's own; the rest came from sharing
 * processors, which the simulation does by itself. How much is found such that the run takes as long as it did.
 */
static bool fit_spread(fm_calibration *c)
{
    double low = 0, high = 1;
    c->spread = 1;
    bool good = fit_waits(c);
    if (!good || c->result.seconds <= c->seconds)
        return good;
    fm_calibration best = *c;
    for (int step = 0; step < SPREAD_STEPS && good; step++) {
        c->spread = (low + high) / 2;
        good = fit_waits(c);
        if (c->result.seconds < c->seconds)
            low = c->spread;
        else
            high = c->spread;
        if (fabs(c->result.seconds - c->seconds) < fabs(best.result.seconds - c->seconds))
            best = *c;
    }
    *c = best;
    return good;
}

static bool fit(const fm_report_run *run, fm_calibration *c)
{
    bool good = true;
    c->spread = 0.5;
    set_waits(run, c);
    for (int round = 0; round < ROUNDS && good; round++)
        good = fit_load(run, c) && fit_spread(c);
    return good;
}

static fm_status take_run(const fm_report_run *run, fm_calibration *out, fm_error *err)
{
    const fm_report_pipeline *p = run->pipeline;
    double frames = 0, cpu = 0, ready = 0;
    for (size_t i = 0; i < p->stage_count; i++) {
        frames = fmax(frames, (double)p->stages[i].frames);
        cpu += p->stages[i].cpu_seconds;
        ready += p->stages[i].ready_seconds;
        out->seconds = fmax(out->seconds, stage_seconds(&p->stages[i]));
    }
    if (frames < FM_CALIBRATE_FRAMES_MIN)
        return fm_fail(err, FM_E_BAD_INPUT, "the run has %.0f frames; a prediction needs %d or more, since the first "
                       "ones are warm-up", frames, FM_CALIBRATE_FRAMES_MIN);
    if (!(out->seconds > 0 && run->wall_seconds > 0))
        return fm_fail(err, FM_E_BAD_INPUT, "the stages of the profile took no time");
    out->seconds = fmin(out->seconds, run->wall_seconds);
    out->outside_seconds = run->wall_seconds - out->seconds;
    out->cpu_known = cpu > 0;
    out->ready_known = ready > 0;
    out->model.stage_count = p->stage_count;
    out->model.frames = frames;
    const int processors = p->processors > 0 ? p->processors : run->threads;
    out->model.processors = processors > 0 ? processors : 1;
    fm_status status = FM_OK;
    for (size_t i = 0; i < p->stage_count && status == FM_OK; i++)
        status = take_stage(run, i, frames, out, err);
    if (status == FM_OK)
        take_helpers(run, frames, out);
    return status;
}

fm_status fm_calibrate(const fm_report_run *run, fm_calibration *out, fm_error *err)
{
    memset(out, 0, sizeof *out);
    const fm_report_pipeline *p = run->pipeline;
    if (!p || p->stage_count == 0)
        return fm_fail(err, FM_E_BAD_INPUT, "the profile does not tell how long its stages worked and waited, as those "
                       "of earlier versions and of other programs do not; run the clip again");
    if (p->stage_count > FM_SIM_STAGES_MAX)
        return fm_fail(err, FM_E_BAD_INPUT, "the profile has %zu stages, more than the %d that can be simulated",
                       p->stage_count, FM_SIM_STAGES_MAX);
    const fm_status status = take_run(run, out, err);
    if (status != FM_OK)
        return status;
    if (!fit(run, out))
        return fm_fail(err, FM_E_BAD_INPUT, "the stages of the profile cannot be simulated: their times are none that "
                       "a run could have had");
    out->error = out->result.seconds / out->seconds - 1;
    return FM_OK;
}
