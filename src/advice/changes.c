#include <math.h>
#include <string.h>
#include <strings.h>

#include "advice/changes_match.h"
#include "advice/places.h"

/* Operations of an accelerator on a stage, as a share of its work, from which on its waiting is taken as theirs. */
#define ACCELERATOR_SHARE 0.05

/* --- names ------------------------------------------------------------------- */

static bool same(const fm_change *c, const char *name)
{
    return (c->any_case ? strcasecmp(c->name, name) : strcmp(c->name, name)) == 0;
}

bool fm_change_is_stage(const fm_change *c, const fm_report_pipeline *pipeline, size_t stage)
{
    bool exact = false;
    for (size_t i = 0; i < pipeline->stage_count; i++)
        exact = exact || same(c, pipeline->stages[i].name);
    const char *name = pipeline->stages[stage].name;
    const char *last = strrchr(name, ' ');
    return same(c, name) || (!exact && last && same(c, last + 1));
}

/* "MTL" is "MTL_coreml", "MTL_preprocess", and "AU_MTL_coreml". */
static bool is_of_model(const fm_change *c, const char *operation)
{
    static const char lane[] = "AU_";
    const size_t length = strlen(c->name);
    if (strncmp(operation, lane, sizeof lane - 1) == 0 && strncasecmp(c->name, lane, sizeof lane - 1) != 0)
        operation += sizeof lane - 1;
    const int differ = c->any_case ? strncasecmp(operation, c->name, length) : strncmp(operation, c->name, length);
    return differ == 0 && operation[length] == '_';
}

bool fm_change_is_inference(const fmp_operation *op)
{
    return strcmp(op->category, "MODEL_INFERENCE") == 0;
}

bool fm_change_is_operation(const fm_change *c, const fmp_operation *op)
{
    switch (c->kind) {
    case FM_OF_OPERATION:
        return same(c, op->operation);
    case FM_OF_CATEGORY:
        return same(c, op->category);
    case FM_OF_MODEL:
        /* A call of a model is an inference: times are added to that and not to what is around it, too. */
        return is_of_model(c, op->operation) &&
               (fm_change_is_inference(op) || c->how == FM_CHANGE_FASTER || c->how == FM_CHANGE_OFF);
    default:
        return false;
    }
}

const char *fm_change_kind_name(fm_change_kind kind)
{
    static const char *const names[] = {"stage", "operation", "model", "category"};
    return names[kind];
}

/* --- effect ------------------------------------------------------------------ */

/* An operation, or a whole stage, on one stage; in one of its works. */
typedef struct piece {
    double seconds; /* as it was measured */
    double calls;
    fm_change_nature nature;
} piece;

/* A piece's time without what it was delayed by others, seconds. */
typedef struct times {
    double cpu, wait;
} times;

static times times_of(const fm_sim_stage *was, double busy, const piece *p)
{
    const double worked = busy - was->wait; /* wall time on a processor, or ready for one */
    double wait = busy > 0 ? p->seconds * was->wait / busy : 0;
    if (p->nature == FM_TIME_CPU)
        wait = fmax(0, p->seconds - worked);
    else if (p->nature == FM_TIME_WAIT)
        wait = fmin(p->seconds, was->wait);
    return (times){.cpu = (p->seconds - wait) * (worked > 0 ? was->cpu / worked : 1), .wait = wait};
}

static double removed_share(const fm_change *c, const piece *p, const times *t)
{
    const double mean = p->calls > 0 ? (t->cpu + t->wait) / p->calls : 0;
    switch (c->how) {
    case FM_CHANGE_FASTER:
        return 1 - 1 / c->amount;
    case FM_CHANGE_OFF:
        return 1;
    case FM_CHANGE_SHORTER:
        return mean > c->amount ? c->amount / mean : 1;
    case FM_CHANGE_TO: /* below 0 when it becomes longer */
        return mean > 0 ? 1 - c->amount / mean : 0;
    default:
        return 0;
    }
}

/* How much of each kind of time is taken away; below 0: added. */
static times removed_shares(const fm_change *c, const piece *p, const times *t)
{
    double left = c->amount * p->calls;
    if (c->how != FM_CHANGE_SHORTER || p->nature == FM_TIME_AS_STAGE) {
        const double share = removed_share(c, p, t);
        return (times){share, share};
    }
    /* So many seconds of a kind; of the other kind only when there are no more. */
    const bool cpu_first = p->nature == FM_TIME_CPU;
    const double first = cpu_first ? t->cpu : t->wait, second = cpu_first ? t->wait : t->cpu;
    const double of_first = fmin(left, first);
    left = fmin(left - of_first, second);
    const double share1 = first > 0 ? of_first / first : 0, share2 = second > 0 ? left / second : 0;
    return cpu_first ? (times){share1, share2} : (times){share2, share1};
}

/* Takes shares (below 0: adds them) of a piece's times from a stage. */
static void scale(const fm_sim_stage *was, const times *t, const times *shares, fm_sim_stage *stage)
{
    const double work = was->cpu + was->wait;
    const double gone = shares->cpu * t->cpu + shares->wait * t->wait;
    const double part = work > 0 ? fmin(1, gone / work) : 0;
    stage->cpu = fmax(0, stage->cpu - shares->cpu * t->cpu);
    stage->wait = fmax(0, stage->wait - shares->wait * t->wait);
    stage->helper = fmax(0, stage->helper - part * was->helper);
    stage->spread = fmax(0, stage->spread - part * was->spread);
}

static void lengthen(const fm_sim_stage *was, fm_change_nature nature, double seconds, fm_sim_stage *stage)
{
    const double work = was->cpu + was->wait;
    const double cpu = nature == FM_TIME_CPU ? 1 : nature == FM_TIME_WAIT ? 0 : work > 0 ? was->cpu / work : 1;
    stage->cpu += seconds * cpu;
    stage->wait += seconds * (1 - cpu);
}

typedef struct application {
    const fm_change *change;
    const fm_report_run *run;
    const fmp_snapshot *snapshot;
    const fm_calibration *recorded;
    fm_sim_model *model;
    fm_change_effect *effect;
} application;

static void apply_piece(const application *a, size_t stage, const piece *p)
{
    const fm_sim_stage *was = &a->recorded->model.stages[stage];
    const double works = a->recorded->works[stage];
    const double busy = a->recorded->busy[stage];
    const times t = times_of(was, busy, p);
    const times shares = removed_shares(a->change, p, &t);
    const double added = a->change->how == FM_CHANGE_LONGER ? a->change->amount * p->calls : 0;
    if (added > 0)
        lengthen(was, p->nature, added, &a->model->stages[stage]);
    else
        scale(was, &t, &shares, &a->model->stages[stage]);
    const double work = t.cpu + t.wait, gone = shares.cpu * t.cpu + shares.wait * t.wait;
    const double measured = work > 0 ? p->seconds * gone / work : 0;
    a->effect->on[stage] = true;
    a->effect->calls += a->change->kind == FM_OF_STAGE ? a->recorded->model.frames : p->calls * works;
    a->effect->seconds += p->seconds * works;
    a->effect->removed += fmax(0, measured) * works;
    a->effect->added += (added + fmax(0, -measured)) * works;
}

/* Inference on an accelerator: its time is no processor's. */
static bool on_accelerator(const fmp_operation *op)
{
    const size_t length = strlen(op->operation);
    return fm_change_is_inference(op) && (length < 4 || strcmp(op->operation + length - 4, "_cpu") != 0);
}

static double accelerator_seconds(const application *a, size_t stage)
{
    double sum = 0;
    for (size_t i = 0; i < a->snapshot->operation_count; i++) {
        const fmp_operation *op = &a->snapshot->operations[i];
        if (on_accelerator(op))
            sum += (double)op->self_ns * 1e-9 * fm_place_share(a->run->pipeline, stage, op->operation);
    }
    return sum / a->recorded->works[stage];
}

static fm_change_nature nature_of(const application *a, size_t stage, const fmp_operation *op,
                                  fm_change_nature fallback)
{
    if (a->change->nature != FM_TIME_AS_STAGE)
        return a->change->nature;
    if (on_accelerator(op))
        return FM_TIME_WAIT;
    if (accelerator_seconds(a, stage) > ACCELERATOR_SHARE * a->recorded->busy[stage])
        return FM_TIME_CPU; /* the stage's waiting is the accelerator's */
    return fallback;
}

/* With an operation all that is inside it changes; of a set each has its own time, so that none counts twice. */
static double seconds_of(const fm_change *c, const fmp_operation *op)
{
    return (double)(c->kind == FM_OF_OPERATION ? op->total_ns : op->self_ns) * 1e-9;
}

static void apply_operation(const application *a, const fmp_operation *op, fm_change_nature nature, double *outside)
{
    const double seconds = seconds_of(a->change, op);
    bool placed = false;
    for (size_t i = 0; i < a->model->stage_count; i++) {
        const double share = fm_place_share(a->run->pipeline, i, op->operation) / a->recorded->works[i];
        if (!(share > 0))
            continue;
        placed = true;
        const piece p = {seconds * share, (double)op->count * share, nature_of(a, i, op, nature)};
        apply_piece(a, i, &p);
    }
    if (placed)
        return;
    const piece p = {seconds, (double)op->count, nature};
    const times t = {.wait = seconds};
    const double removed = removed_share(a->change, &p, &t) * seconds;
    const double added = a->change->how == FM_CHANGE_LONGER ? a->change->amount * p.calls : 0;
    *outside = fmax(0, *outside - removed + added);
    a->effect->outside = true;
    a->effect->calls += p.calls;
    a->effect->seconds += seconds;
    a->effect->removed += fmax(0, removed);
    a->effect->added += added + fmax(0, -removed);
}

void fm_change_apply(const fm_change *change, fm_change_nature nature, const fm_report_run *run,
                     const fmp_snapshot *snapshot, const fm_calibration *recorded, fm_sim_model *model,
                     double *outside_seconds, fm_change_effect *effect)
{
    fm_change_effect unused;
    effect = effect ? effect : &unused;
    memset(effect, 0, sizeof *effect);
    const application a = {change, run, snapshot, recorded, model, effect};
    for (size_t i = 0; change->kind == FM_OF_STAGE && i < model->stage_count; i++) {
        if (!fm_change_is_stage(change, run->pipeline, i))
            continue;
        const piece p = {recorded->busy[i], 1, change->nature != FM_TIME_AS_STAGE ? change->nature : nature};
        apply_piece(&a, i, &p);
    }
    for (size_t i = 0; change->kind != FM_OF_STAGE && i < snapshot->operation_count; i++) {
        if (fm_change_is_operation(change, &snapshot->operations[i]))
            apply_operation(&a, &snapshot->operations[i], nature, outside_seconds);
    }
}
