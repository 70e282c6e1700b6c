#include "advice/calibrate.h"

#include <math.h>
#include <string.h>

/* Simulations until the model is near enough to the run, at most, and what is near enough: a part in a thousand. */
enum { STEPS = 100 };
#define NEAR 1e-3
#define STEP 0.5          /* of the gap that is closed at each; whole ones swing */
#define DELAY_FLOOR 0.03  /* of a stage's work: less delay than that says nothing of its weight */
#define WEIGHT_MAX 10.0
#define SPREAD_MAX 3.0    /* times the recorded spread */
#define WORKS_MAX 10.0    /* times the frames: more than that at the end of a stage is not believed */

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
    const double of_frames = from->service_mean * frames;
    out->works[index] = frames;
    if (of_frames > 0 && from->busy_seconds > of_frames)
        out->works[index] = fmin(from->busy_seconds / from->service_mean, WORKS_MAX * frames);
    to->end = out->works[index] - frames;
    const double busy = from->busy_seconds / out->works[index];
    out->busy[index] = busy;
    to->cpu = out->cpu_known ? fmin(from->cpu_seconds / out->works[index], busy) : busy;
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

/*
 * A thread that gets a frame or a picture is ready to run and may have to wait for a processor before it says so: that
 * part of the time without one is outside of its work. How long it is on a frame shows on stages that were longer
 * without a processor than their work leaves room for.
 */
static double ready_outside(const fm_report_run *run, const fm_calibration *c)
{
    double sum = 0;
    int count = 0;
    for (size_t i = 0; i < c->model.stage_count; i++) {
        const double ready = run->pipeline->stages[i].ready_seconds / c->works[i];
        const double over = ready - (c->busy[i] - c->model.stages[i].cpu);
        sum += over > 0 ? over : 0;
        count += over > 0;
    }
    return count > 0 ? sum / count : 0;
}

/* What stages wait for beside a processor: what is left of their work. A first guess, where the rest is not known. */
static void set_waits(const fm_report_run *run, fm_calibration *c)
{
    const double outside = ready_outside(run, c);
    for (size_t i = 0; i < c->model.stage_count; i++) {
        fm_sim_stage *stage = &c->model.stages[i];
        const double ready = run->pipeline->stages[i].ready_seconds / c->works[i];
        const double idle = c->busy[i] - stage->cpu;
        stage->wait = fmax(0, idle - fmax(0, ready - outside));
        c->delay[i] = idle - stage->wait;
        c->wakes_seconds += c->ready_known ? fmax(0, ready - c->delay[i]) * c->works[i] : 0;
        stage->weight = 1;
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

/* --- the steps of the fit: each brings a part of the model nearer ----------------- */

/* What stages wait for, such that they are at work as long as was recorded. */
static void step_waits(fm_calibration *c)
{
    for (size_t i = 0; i < c->model.stage_count; i++) {
        fm_sim_stage *stage = &c->model.stages[i];
        const double gap = c->busy[i] - c->result.stages[i].busy / c->works[i];
        stage->wait = fmin(fmax(0, stage->wait + STEP * gap), c->busy[i] - stage->cpu);
    }
}

static double simulated_delay(const fm_calibration *c)
{
    double sum = 0;
    for (size_t i = 0; i < c->model.stage_count; i++)
        sum += c->result.stages[i].delayed;
    return sum;
}

/* Seconds of all stages, of what is given for a work of each. */
static double in_all(const fm_calibration *c, const double *of_work)
{
    double sum = 0;
    for (size_t i = 0; i < c->model.stage_count; i++)
        sum += of_work[i] * c->works[i];
    return sum;
}

/* Weights, such that each stage has its part of all delay: schedulers favour threads that sleep often. */
static void step_weights(fm_calibration *c)
{
    const double floor_of_all = DELAY_FLOOR * in_all(c, c->busy) + 1e-9;
    const double all = (in_all(c, c->delay) + floor_of_all) / (simulated_delay(c) + floor_of_all);
    for (size_t i = 0; i < c->model.stage_count; i++) {
        fm_sim_stage *stage = &c->model.stages[i];
        const double floor = DELAY_FLOOR * c->busy[i] * c->works[i] + 1e-9;
        const double is = c->result.stages[i].delayed, was = c->delay[i] * c->works[i];
        const double by = (is + floor) / (was + floor) * all;
        stage->weight = fmin(fmax(stage->weight * pow(by, STEP), 1 / WEIGHT_MAX), WEIGHT_MAX);
    }
}

/* What others leave of the processors, such that all delay is as long; they left at least what was used. */
static void step_processors(fm_calibration *c)
{
    const double floor = DELAY_FLOOR * in_all(c, c->busy) + 1e-9;
    const double by = (simulated_delay(c) + floor) / (in_all(c, c->delay) + floor);
    const double used = fmin(c->processors, c->result.cpu / c->seconds);
    c->model.processors = fmin(fmax(c->model.processors * pow(by, STEP / 2), used), c->processors);
}

/* How long it takes to run after a wait for another stage. */
static void step_wake(fm_calibration *c)
{
    const double wake = c->result.wakes > 0 ? c->wakes_seconds / c->result.wakes : 0;
    c->model.wake += STEP * (wake - c->model.wake);
}

/*
 * How much times vary from frame to frame costs time, too. A part of that is the work's own; the rest came from sharing
 * processors, which the simulation does by itself. Slow phases of many frames, as other programs make them, cost more
 * than as much spread from frame to frame. How much of it there is is found such that the run takes as long as it did.
 */
static void step_spread(fm_calibration *c)
{
    const double gap = 1 - c->result.seconds / c->seconds;
    c->spread = fmin(fmax(0, c->spread + STEP * gap), SPREAD_MAX);
}

/* How far the model is from what was recorded: the time in all, and that of the stages. */
static double distance(const fm_calibration *c)
{
    double gap = 0;
    for (size_t i = 0; i < c->model.stage_count; i++)
        gap += fabs(c->result.stages[i].busy - c->busy[i] * c->works[i]);
    return fabs(c->result.seconds / c->seconds - 1) + gap / in_all(c, c->busy);
}

static bool fit(const fm_report_run *run, fm_calibration *c)
{
    set_waits(run, c);
    c->spread = 1;
    bool good = simulate(c);
    fm_calibration best = *c;
    for (int step = 0; step < STEPS && good && distance(&best) > NEAR; step++) {
        if (c->ready_known) {
            step_weights(c);
            step_processors(c);
            step_wake(c);
        } else {
            step_waits(c);
        }
        step_spread(c);
        good = simulate(c);
        if (distance(c) < distance(&best))
            best = *c;
    }
    *c = best;
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
    out->processors = out->model.processors = processors > 0 ? processors : 1;
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
