#include "advice/facts.h"

#include <math.h>
#include <string.h>

#include "advice/places.h"

/* A time that is not known, or makes no sense, is none. */
static double sound(double value)
{
    return isfinite(value) && value > 0 ? value : 0;
}

bool fm_begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool fm_ends_with(const char *text, const char *suffix)
{
    const size_t a = strlen(text), b = strlen(suffix);
    return a >= b && strcmp(text + a - b, suffix) == 0;
}

double fm_facts_share(const fm_facts *facts, fm_threshold threshold)
{
    return facts->rules->value[threshold] / 100;
}

/* --- operations -------------------------------------------------------------------- */

double fm_op_seconds(const fmp_operation *op)
{
    return (double)op->self_ns * 1e-9;
}

double fm_op_total(const fmp_operation *op)
{
    return (double)op->total_ns * 1e-9;
}

double fm_op_share(const fm_facts *facts, const fmp_operation *op)
{
    return facts->profiled > 0 ? fm_op_seconds(op) / facts->profiled : 0;
}

bool fm_op_encodes(const fmp_operation *op)
{
    return fm_begins_with(op->operation, "frame_write");
}

bool fm_op_decodes(const fmp_operation *op)
{
    return fm_begins_with(op->operation, "frame_read");
}

double fm_op_on(const fm_facts *facts, const fmp_operation *op, size_t stage)
{
    return fm_place_share(facts->run->pipeline, stage, op->operation);
}

const fm_report_stage *fm_op_stage(const fm_facts *facts, const fmp_operation *op)
{
    for (size_t i = 0; i < facts->stage_count; i++)
        if (fm_op_on(facts, op, i) > 0)
            return &facts->stages[i];
    return NULL;
}

double fm_op_cpu(const fm_facts *facts, const fmp_operation *op)
{
    double busy = 0, cpu = 0;
    if (op->measures & FMP_MEASURE_CPU && op->children == 0)
        return (double)op->cpu_ns * 1e-9;
    for (size_t i = 0; i < facts->stage_count; i++) {
        const fm_report_stage *stage = &facts->stages[i];
        if (fm_op_on(facts, op, i) > 0 && sound(stage->busy_seconds) > 0 && sound(stage->cpu_seconds) > 0) {
            busy += stage->busy_seconds;
            cpu += stage->cpu_seconds;
        }
    }
    return busy > 0 ? fm_op_seconds(op) * cpu / busy : fm_op_seconds(op);
}

size_t fm_op_related(const fm_facts *facts, const fmp_operation *op, const fmp_operation *out[FM_RELATED_MAX])
{
    size_t count = 0;
    out[0] = op;
    if (!fm_op_encodes(op))
        return 1;
    for (size_t i = 0; i < facts->snapshot->operation_count && count < FM_RELATED_MAX; i++)
        if (fm_op_encodes(&facts->snapshot->operations[i]))
            out[count++] = &facts->snapshot->operations[i];
    return count;
}

const char *fm_op_title(const fmp_operation *op)
{
    return fm_op_encodes(op) ? "encoding" : op->operation;
}

/* --- models ------------------------------------------------------------------------ */

const fmp_operation *fm_model_op(const fm_facts *facts, const fm_report_model *model, fm_use use, const char *what)
{
    char name[256];
    if (!model->name || !what)
        return NULL;
    const int length = snprintf(name, sizeof name, "%s%s_%s", use == FM_USE_AU ? "AU_" : "", model->name, what);
    if (length < 0 || (size_t)length >= sizeof name)
        return NULL;
    for (size_t i = 0; i < facts->snapshot->operation_count; i++)
        if (strcmp(facts->snapshot->operations[i].operation, name) == 0)
            return &facts->snapshot->operations[i];
    return NULL;
}

const fm_report_model *fm_op_model(const fm_facts *facts, const fmp_operation *op, fm_use *use)
{
    for (size_t i = 0; i < facts->run->model_count; i++)
        for (int u = 0; u < FM_USES; u++)
            if (fm_model_op(facts, &facts->run->models[i], (fm_use)u, facts->run->models[i].backend) == op) {
                *use = (fm_use)u;
                return &facts->run->models[i];
            }
    return NULL;
}

/* --- what limits the run -------------------------------------------------------------- */

static void read_processors(fm_facts *f)
{
    const fm_report_conditions *c = f->run->conditions;
    const fm_report_pipeline *p = f->run->pipeline;
    f->cpu = f->cpu_share = (double)NAN;
    f->processors = p && p->processors > 0 ? p->processors : c && c->cpu_count > 0 ? c->cpu_count : f->run->threads;
    if (c && c->cpu_limit > 0 && c->cpu_limit < f->processors)
        f->processors = c->cpu_limit;
    if (!p || sound(p->process_cpu_seconds) <= 0 || f->wall <= 0 || f->processors <= 0)
        return;
    f->cpu = f->helpers = p->process_cpu_seconds;
    for (size_t i = 0; i < f->stage_count; i++)
        f->helpers -= sound(f->stages[i].cpu_seconds);
    f->helpers = fmax(0, f->helpers);
    const double others = c && isfinite(c->others_share) ? fmin(c->others_share, 0.95) : 0;
    f->cpu_share = f->cpu / (f->wall * f->processors * (1 - others));
}

/*
 * Seconds that a stage would be at work had its thread a processor whenever it wants one: without the time in which
 * it was ready and none was free, but never less than the processor time that it took.
 */
static double own_seconds(const fm_report_stage *stage)
{
    const double busy = sound(stage->busy_seconds), cpu = fmin(busy, sound(stage->cpu_seconds));
    return fmax(cpu, busy - sound(stage->ready_seconds));
}

/* Of the time in which it could be: a run begins before its first frame and ends after its last. */
static bool always_busy(const fm_facts *f, const fm_report_stage *stage)
{
    const double busy = sound(stage->busy_seconds);
    const double there = busy + sound(stage->starved_seconds) + sound(stage->blocked_seconds);
    return busy >= fm_facts_share(f, FM_RULE_STAGE_BUSY) * fmin(f->wall, there);
}

/* The stage with the most work of its own, if it is at work all the time; else that which is at work longest. */
static void find_busiest(fm_facts *f)
{
    const fm_report_stage *longest = NULL;
    for (size_t i = 0; i < f->stage_count; i++) {
        const fm_report_stage *stage = &f->stages[i];
        if (sound(stage->busy_seconds) <= 0)
            continue;
        longest = !longest || stage->busy_seconds > longest->busy_seconds ? stage : longest;
        f->busiest = !f->busiest || own_seconds(stage) > own_seconds(f->busiest) ? stage : f->busiest;
    }
    if (f->busiest && !always_busy(f, f->busiest))
        f->busiest = longest;
}

/*
 * On processors of its own a run takes as long as its longest stage, or as its processor time on all of them: the
 * larger of both limits it.
 */
static fm_limit find_limit(const fm_facts *f)
{
    if (f->wall <= 0 || !f->busiest)
        return FM_LIMIT_UNKNOWN;
    const bool busy = always_busy(f, f->busiest);
    const double all = isfinite(f->cpu) ? f->cpu / f->processors : 0;
    if (busy && own_seconds(f->busiest) >= all)
        return FM_LIMIT_STAGE;
    if (f->cpu_share >= fm_facts_share(f, FM_RULE_PROCESSORS_BUSY))
        return FM_LIMIT_PROCESSORS;
    return busy ? FM_LIMIT_STAGE : FM_LIMIT_WAITING;
}

/*
 * What counts of an operation: its time on the limiting stage; or processor time, with that of all encoders together
 * and of their own threads; or all of its time.
 */
static double weight_of(const fm_facts *f, const fmp_operation *op)
{
    const fmp_operation *all[FM_RELATED_MAX];
    if (f->limit == FM_LIMIT_STAGE)
        return fm_op_seconds(op) * fm_op_on(f, op, (size_t)(f->busiest - f->stages));
    if (f->limit != FM_LIMIT_PROCESSORS)
        return fm_op_seconds(op);
    double cpu = fm_op_encodes(op) ? f->helpers : 0;
    const size_t count = fm_op_related(f, op, all);
    for (size_t i = 0; i < count; i++)
        cpu += fm_op_cpu(f, all[i]);
    return cpu;
}

static const fmp_operation *find_bottleneck(const fm_facts *f)
{
    const fmp_operation *best = NULL;
    double most = 0;
    for (size_t i = 0; i < f->snapshot->operation_count; i++) {
        const fmp_operation *op = &f->snapshot->operations[i];
        const double weight = weight_of(f, op);
        if (weight > most) {
            most = weight;
            best = op;
        }
    }
    if (f->limit == FM_LIMIT_WAITING)
        return NULL;
    if (f->limit == FM_LIMIT_UNKNOWN && (!best || fm_op_share(f, best) < fm_facts_share(f, FM_RULE_FIRST_SHARE)))
        return NULL;
    return best;
}

void fm_facts_read(fm_facts *out, const fmp_snapshot *snapshot, const fm_report_run *run, const fm_advice_rules *rules)
{
    *out = (fm_facts){.snapshot = snapshot, .run = run, .rules = rules, .wall = sound(run->wall_seconds)};
    for (size_t i = 0; i < snapshot->operation_count; i++) {
        out->profiled += fm_op_seconds(&snapshot->operations[i]);
        if (strcmp(snapshot->operations[i].category, "MODEL_INFERENCE") == 0)
            out->models += fm_op_seconds(&snapshot->operations[i]);
    }
    if (run->pipeline) {
        out->stages = run->pipeline->stages;
        out->stage_count = run->pipeline->stage_count < FM_STAGES_MAX ? run->pipeline->stage_count : FM_STAGES_MAX;
    }
    read_processors(out);
    find_busiest(out);
    out->limit = find_limit(out);
    out->bottleneck = find_bottleneck(out);
}

/* --- gains ----------------------------------------------------------------------------- */

void fm_removal_add(const fm_facts *facts, fm_removal *removal, const fmp_operation *op, double part)
{
    for (size_t i = 0; i < facts->stage_count; i++)
        removal->stage[i] += part * fm_op_seconds(op) * fm_op_on(facts, op, i);
    removal->cpu += part * fm_op_cpu(facts, op);
}

double fm_removal_gain(const fm_facts *f, const fm_removal *removal, bool free)
{
    if (f->limit == FM_LIMIT_UNKNOWN)
        return (double)NAN;
    double left = 0; /* work of the stage that is then the busiest */
    for (size_t i = 0; i < f->stage_count; i++) {
        const fm_report_stage *stage = &f->stages[i];
        const bool own = free && stage != f->busiest;
        left = fmax(left, (own ? own_seconds(stage) : sound(stage->busy_seconds)) - removal->stage[i]);
    }
    double saved = sound(f->busiest->busy_seconds) - left;
    if (f->limit == FM_LIMIT_PROCESSORS)
        saved = f->wall * fmin(1, removal->cpu / f->cpu);
    else if (isfinite(f->cpu)) /* the processors are the next limit */
        saved = fmin(saved, f->wall - fmax(0, f->cpu - removal->cpu) / f->processors);
    return fmin(1, fmax(0, saved / f->wall));
}
