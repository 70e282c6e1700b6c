/* What limits the run: a stage, the processors, or neither; and the processors' use. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "advice/finding.h"

static double part(const fm_facts *f, double seconds)
{
    return isfinite(seconds) && f->wall > 0 ? seconds / f->wall : 0;
}

/* Stages that wait most: "left encoder waited for frames 71 % of the time". */
static const char *waits_text(fm_advice *a)
{
    enum { NAMED_MAX = 3 };
    const fm_facts *f = &a->facts;
    const char *text = "";
    int named = 0;
    for (size_t i = 0; i < f->stage_count && named < NAMED_MAX; i++) {
        const fm_report_stage *s = &f->stages[i];
        const double starved = part(f, s->starved_seconds), blocked = part(f, s->blocked_seconds);
        if (s == f->busiest || fmax(starved, blocked) < fm_facts_share(f, FM_RULE_STAGE_WAITS))
            continue;
        const char *what =
            starved >= blocked ? "for frames (its queue was empty)" : "for room behind it (that queue was full)";
        text = fm_advice_text(a, "%s%s%s waited %.0f %% of the time %s", text, named ? ", " : " ", s->name,
                              100 * fmax(starved, blocked), what);
        named++;
    }
    return named ? fm_advice_text(a, "%s.", text) : "";
}

/* The mean depth of the queue before a stage, as its gauge saw it. */
static const char *queue_text(fm_advice *a, const fm_report_stage *stage)
{
    const fm_facts *f = &a->facts;
    for (size_t i = 0; stage->queue > 0 && i < f->snapshot->metric_count; i++) {
        const fmp_metric_value *m = &f->snapshot->metrics[i];
        if (m->gauge && strcmp(m->category, "QUEUES") == 0 && strcmp(stage->name, "analysis") == 0 &&
            fm_begins_with(m->name, "analysis "))
            return fm_advice_text(a, " The queue before it held %.1f frames on average, of %d.", m->mean, stage->queue);
    }
    return "";
}

static void stage_limits(fm_advice *a)
{
    const fm_facts *f = &a->facts;
    const fm_report_stage *s = f->busiest;
    const fmp_operation *op = f->bottleneck;
    const double on_stage = op ? fm_op_seconds(op) * fm_op_on(f, op, (size_t)(s - f->stages)) / s->busy_seconds : 0;
    const char *title =
        op ? fm_advice_text(a, "'%s' limits the run: %s takes %.0f %% of its time", s->name, op->operation,
                            100 * on_stage)
           : fm_advice_text(a, "'%s' limits the run", s->name);
    const char *held = s->held > 0 && s->frames > 0
                           ? fm_advice_text(a, " It held up %" PRId64 " of %" PRId64 " frames longest.", s->held,
                                            s->frames) : "";
    const char *evidence =
        fm_advice_text(a, "It was at work %.1f %% of the wall time, %.1f ms a frame.%s%s%s", 100 * part(f,
                                                                                s->busy_seconds),
                       1e3 * s->service_mean, held, queue_text(a, s), waits_text(a));
    fm_report_finding *finding =
        fm_finding_add(a, "stage-limits", op ? fm_op_title(op) : s->name, FM_PRIORITY_HIGH, title, evidence,
                       "Stages work side by side, so the slowest alone sets the number of frames a second. Work on any "
                       "other stage gains nothing until this one is faster.");
    if (op) {
        fm_finding_fixes_of(a, finding, op);
        fm_finding_gain(a, finding, op, 0.5, 1);
    } else {
        finding->gain = "no operation of that stage is in the profile";
    }
}

static void processors_limit(fm_advice *a)
{
    const fm_facts *f = &a->facts;
    const fmp_operation *op = f->bottleneck;
    const fm_report_conditions *c = f->run->conditions;
    const double busy = f->cpu / f->wall, others = c ? c->others_share : (double)NAN;
    const char *beside = isfinite(others) && others > fm_facts_share(f, FM_RULE_OTHERS_BUSY)
                             ? fm_advice_text(a, " Other programs took %.0f %% of the processors' time.", 100 * others)
                             : "";
    const fmp_operation *ops[FM_RELATED_MAX];
    const size_t count = op ? fm_op_related(f, op, ops) : 0;
    double cpu = 0;
    for (size_t i = 0; i < count; i++)
        cpu += fm_op_cpu(f, ops[i]);
    const char *own = op && fm_op_encodes(op) && f->helpers >= 0.01 * f->cpu
                          ? fm_advice_text(a, ", and threads of the encoders' and the decoder's own %.1f s",
                                           f->helpers) : "";
    const char *heaviest = op ? fm_advice_text(a, " Of its %.1f s of processor time %s took about %.1f s%s.", f->cpu,
                                               fm_op_title(op), cpu, own) : "";
    fm_report_finding *finding = fm_finding_add(
        a, "processors-limit", op ? fm_op_title(op) : "", FM_PRIORITY_HIGH,
        op ? fm_advice_text(a, "the processors limit the run: the largest part of their time goes to %s",
                            fm_op_title(op))
           : "the processors limit the run",
        fm_advice_text(a, "The run kept %.2f of %.4g processor threads busy on average.%s%s", busy, f->processors,
                       beside, heaviest),
        "With all processors at work it does not matter which stage is the slowest: each second of processor time "
        "that is "
        "saved anywhere shortens the run.");
    if (!op)
        return;
    fm_finding_fixes_of(a, finding, op);
    fm_finding_gain(a, finding, op, 0.5, 1);
}

static void waiting_limits(fm_advice *a)
{
    const fm_facts *f = &a->facts;
    const fm_report_stage *s = f->busiest;
    const char *cpu = isfinite(f->cpu_share)
                          ? fm_advice_text(a, " The run used %.0f %% of the processor time that was to be had.",
                                           100 * f->cpu_share)
                          : "";
    fm_report_finding *finding = fm_finding_add(
        a, "waiting-limits", s->name, FM_PRIORITY_MEDIUM, "stages wait for each other: none is at work all the time",
        fm_advice_text(a, "The busiest, %s, was at work %.1f %% of the wall time.%s%s", s->name,
                       100 * part(f, s->busy_seconds), cpu, waits_text(a)),
        "The queues between the stages are too short for how unevenly long their frames take, or something outside "
        "held "
        "them up, such as the disk or another program.");
    fm_finding_fix(finding, "--trace: shows what each thread waited for");
    fm_finding_fix(finding, "run it again on a quiet machine before anything is changed");
    finding->gain_least = 0;
    finding->gain_most = fmax(0, 1 - part(f, s->busy_seconds));
    finding->gain = fm_advice_text(a, "without waiting the run takes as long as its busiest stage, %.2f s of %.2f s",
                                   s->busy_seconds, f->wall);
    if (finding->gain_most >= fm_facts_share(f, FM_RULE_GAIN_HIGH))
        finding->priority = FM_PRIORITY_HIGH;
}

/* More stages want to work than there are processors: each then takes longer than it would alone. */
static void oversubscribed(fm_advice *a)
{
    const fm_facts *f = &a->facts;
    const double stages = f->wall > 0 ? f->profiled / f->wall : 0;
    if (f->processors <= 0 || stages <= fm_facts_share(f, FM_RULE_OVERSUBSCRIBED) * f->processors)
        return;
    if (f->limit != FM_LIMIT_PROCESSORS && isfinite(f->cpu_share)) /* they wait, and not for a processor */
        return;
    fm_report_finding *finding = fm_finding_add(
        a, "oversubscribed", "", FM_PRIORITY_LOW, "more stages want to work than there are processors",
        fm_advice_text(a, "%.1f stages were at work on average, on %.4g processor threads.", stages, f->processors),
        "Stages then wait for a processor in the middle of their work, which counts as their time: a time in the "
        "tables is "
        "longer than the same work takes alone.");
    fm_finding_fix(finding, "--no-debug, --mode mirror or --mode au: fewer stages");
    fm_finding_fix(finding, "--threads N: a smaller number gives the decoder fewer threads");
    finding->gain_least = finding->gain_most = 0;
    finding->gain = "the work stays the same; less of it gains what the findings on its parts say";
}

void fm_rules_limits(fm_advice *a)
{
    switch (a->facts.limit) {
    case FM_LIMIT_STAGE:
        stage_limits(a);
        break;
    case FM_LIMIT_PROCESSORS:
        processors_limit(a);
        break;
    case FM_LIMIT_WAITING:
        waiting_limits(a);
        break;
    case FM_LIMIT_UNKNOWN:
        break;
    }
    oversubscribed(a);
}
