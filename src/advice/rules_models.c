/* What models cost, where they run, and what that costs. */
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "advice/finding.h"

static const char *name_of(const fm_report_model *model)
{
    return model->name && *model->name ? model->name : "a model";
}

/* The runs of a model in all uses, largest first; their number. */
static size_t runs_of(const fm_facts *f, const fm_report_model *model, const fmp_operation *out[FM_USES])
{
    size_t count = 0;
    for (int use = 0; use < FM_USES; use++) {
        const fmp_operation *op = fm_model_op(f, model, (fm_use)use, model->backend);
        if (!op)
            continue;
        out[count++] = op;
        if (count == 2 && out[1]->self_ns > out[0]->self_ns) {
            out[1] = out[0];
            out[0] = op;
        }
    }
    return count;
}

static double share_of(const fm_facts *f, const fmp_operation *const *ops, size_t count)
{
    double share = 0;
    for (size_t i = 0; i < count; i++)
        share += fm_op_share(f, ops[i]);
    return share;
}

/* By how much of the profiled time it is about, where no gain decides; `down`: one lower than that. */
static fm_priority priority_of(const fm_facts *f, double share, bool down)
{
    const fm_priority p = share >= fm_facts_share(f, FM_RULE_FIRST_SHARE)   ? FM_PRIORITY_HIGH
                          : share >= fm_facts_share(f, FM_RULE_MINOR_SHARE) ? FM_PRIORITY_MEDIUM
                                                                       : FM_PRIORITY_LOW;
    return down && p < FM_PRIORITY_LOW ? (fm_priority)(p + 1) : p;
}

static void dominates(fm_advice *a, const fmp_operation *op)
{
    const fm_facts *f = &a->facts;
    const double share = f->models > 0 ? fm_op_seconds(op) / f->models : 0;
    if (share <= fm_facts_share(f, FM_RULE_MODEL_DOMINATES) || fm_finding_there(a, op->operation))
        return;
    fm_report_finding *finding = fm_finding_add(
        a, "model-dominates", op->operation, FM_PRIORITY_HIGH,
        fm_advice_text(a, "%s takes %.1f %% of all models' time", op->operation, 100 * share),
        fm_advice_text(a, "%" PRIu64 " calls, %.1f s in all, %.1f ms each; %.1f %% of the profiled time.", op->count,
                       fm_op_total(op), op->mean_ns * 1e-6, 100 * fm_op_share(f, op)),
        "What is done to one model counts only where most of the time goes.");
    fm_finding_fixes_of(a, finding, op);
    fm_finding_gain(a, finding, op, 0.5, 1);
}

static void detection(fm_advice *a, const fm_report_model *model)
{
    static const char *const steps[] = {"preprocess", "postprocess"};
    const fm_facts *f = &a->facts;
    const fmp_operation *ops[3], *run = fm_model_op(f, model, FM_USE_ANALYSIS, model->backend);
    size_t count = 0;
    if (!run || !model->role || strcmp(model->role, "detector") != 0)
        return;
    ops[count++] = run;
    for (size_t i = 0; i < 2; i++) {
        const fmp_operation *op = fm_model_op(f, model, FM_USE_ANALYSIS, steps[i]);
        if (op)
            ops[count++] = op;
    }
    const double share = share_of(f, ops, count);
    if (share <= fm_facts_share(f, FM_RULE_DETECTION) || fm_finding_there(a, run->operation))
        return;
    fm_report_finding *finding = fm_finding_add(
        a, "detection", run->operation, FM_PRIORITY_HIGH,
        fm_advice_text(a, "finding faces takes %.1f %% of the profiled time", 100 * share),
        fm_advice_text(a, "%s ran %" PRIu64 " times in %" PRId64 " frames, %.1f ms each.", name_of(model), run->count,
                       f->run->frames, run->mean_ns * 1e-6),
        "A face that is followed from frame to frame need not be looked for in each.");
    fm_finding_fixes_of(a, finding, run);
    fm_finding_gains(a, finding, ops, count, name_of(model), 0.5, 1);
}

/* On the CPU though asked for elsewhere, or though an accelerator is there that was not tried. */
static void on_cpu(fm_advice *a, const fm_report_model *model)
{
    const fm_facts *f = &a->facts;
    const fm_report_conditions *c = f->run->conditions;
    const fm_report_breakdown *b = &model->breakdown;
    const fmp_operation *ops[FM_USES];
    const size_t count = runs_of(f, model, ops);
    if (!model->has_breakdown || !model->backend || !fm_ends_with(model->backend, "_cpu") || count == 0)
        return;
    const char *asked = b->asked ? b->asked : "auto";
    const bool by_name = strcasecmp(asked, "auto") != 0 && strcasecmp(asked, "cpu") != 0;
    const bool present = strcasecmp(asked, "cpu") == 0 && c && c->accelerators && *c->accelerators;
    if (!by_name && !present)
        return;
    const double share = share_of(f, ops, count);
    const char *evidence =
        by_name ? fm_advice_text(a, "It was asked for on %s and ran as %s: %s", asked, model->backend,
                                 b->reason ? b->reason : "the reason is not known")
                : fm_advice_text(a, "It ran as %s, as --ep asked for, and took %.1f %% of the profiled time; the "
                                    "runtime also "
                                    "offers: %s.", model->backend, 100 * share, c->accelerators);
    fm_report_finding *finding = fm_finding_add(
        a, "model-on-cpu", name_of(model), priority_of(f, share, false),
        by_name ? fm_advice_text(a, "%s runs on the CPU, not on %s", name_of(model), asked)
                : fm_advice_text(a, "%s is kept on the CPU though an accelerator is here", name_of(model)),
        evidence, "An accelerator may run it in less time, and leaves the processors to the other stages.");
    fm_finding_fix(finding, "--ep auto: takes the fastest of what works here, by a trial");
    fm_finding_fix(finding, "'facemirror doctor': says which providers work here, and why others do not");
    fm_finding_gains(a, finding, ops, count, name_of(model), 0, 1);
}

static void coverage(fm_advice *a, const fm_report_model *model)
{
    const fm_facts *f = &a->facts;
    const fm_report_breakdown *b = &model->breakdown;
    const fmp_operation *ops[FM_USES];
    const size_t count = runs_of(f, model, ops);
    if (!model->has_breakdown || b->accelerator <= 0 || b->operators <= 0 || count == 0)
        return;
    const double covered = (double)b->accelerator / b->operators;
    if (covered >= fm_facts_share(f, FM_RULE_COVERAGE))
        return;
    const char *most = b->fallback_count > 0 && b->fallbacks[0].type
                           ? fm_advice_text(a, " Most of them: %d %s.", b->fallbacks[0].count, b->fallbacks[0].type)
                           : "";
    fm_report_finding *finding = fm_finding_add(
        a, "coverage", name_of(model), priority_of(f, share_of(f, ops, count), true),
        fm_advice_text(a, "the accelerator takes only %.1f %% of %s", 100 * covered, name_of(model)),
        fm_advice_text(a, "%d of %d operators; %d stay on the CPU.%s", b->accelerator, b->operators,
                       b->operators - b->accelerator, most),
        "What the provider does not know runs on the CPU, and data go to and fro.");
    fm_finding_fix(finding, "--ep cpu: compare; with many fallbacks the CPU alone may be faster");
    fm_finding_fix(finding, "export the model anew without the operators that fall back ('facemirror models inspect' "
                            "lists them)");
    if (!model->has_nodes)
        fm_finding_fix(finding, "--profile-ops: measures what these operators cost");
    finding->gain = "counting operators does not tell their time; --profile-ops measures it";
}

/* Nanoseconds that the hand-overs take, as a share of the model's runs; NAN when they were not sampled. */
static double boundary_share(const fm_report_model *model)
{
    return model->has_nodes && model->nodes.run_ns > 0
               ? (double)model->nodes.boundary_ns / (double)model->nodes.run_ns : (double)NAN;
}

static void partitions(fm_advice *a, const fm_report_model *model)
{
    const fm_facts *f = &a->facts;
    const fm_report_breakdown *b = &model->breakdown;
    const fmp_operation *ops[FM_USES];
    const size_t count = runs_of(f, model, ops);
    if (!model->has_breakdown || count == 0 || b->partitions < f->rules->value[FM_RULE_PARTITIONS_MODERATE])
        return;
    const bool high = b->partitions >= f->rules->value[FM_RULE_PARTITIONS_HIGH];
    const double lost = boundary_share(model);
    fm_report_finding *finding = fm_finding_add(
        a, high ? "partitions-high" : "partitions-moderate", name_of(model), priority_of(f, share_of(f, ops, count),
                                                                                !high),
        fm_advice_text(a, "%s falls into %d pieces (%s fragmentation)", name_of(model), b->partitions, high ? "high"
                       : "moderate"),
        fm_advice_text(a, "%d of %d operators run on the accelerator, in %d partitions; %s%d tensors cross between "
                          "devices in "
                          "each of %" PRIu64 " runs.", b->accelerator, b->operators, b->partitions,
                       b->crossings_known ? "" : "at least ", b->crossings, ops[0]->count),
        "Each boundary costs a copy, a synchronisation and a dispatch, however small the piece behind it is.");
    fm_finding_fix(finding, "--ep cpu, or another provider: compare; in one piece it may be faster");
    if (b->fallback_count > 0 && b->fallbacks[0].type)
        fm_finding_fix(finding, fm_advice_text(a, "export the model anew without what falls back most: %d %s",
                                               b->fallbacks[0].count, b->fallbacks[0].type));
    if (isfinite(lost)) {
        fm_finding_gains(a, finding, ops, count, name_of(model), 0, fmin(1, lost));
    } else {
        fm_finding_fix(finding, "--profile-ops: measures what the boundaries cost, and which operators cause them");
        finding->gain = "the number of pieces does not tell their price; --profile-ops measures it";
    }
}

static void boundaries(fm_advice *a, const fm_report_model *model)
{
    const fm_facts *f = &a->facts;
    const double lost = boundary_share(model);
    const fmp_operation *ops[FM_USES];
    const size_t count = runs_of(f, model, ops);
    if (!isfinite(lost) || lost <= fm_facts_share(f, FM_RULE_BOUNDARY_SHARE) || count == 0)
        return;
    const fm_report_nodes *n = &model->nodes;
    const char *cause = n->cause_count > 0 && n->causes[0].type
                            ? fm_advice_text(a, " Most of it stands at %d nodes of %s.", n->causes[0].nodes,
                                             n->causes[0].type) : "";
    fm_report_finding *finding = fm_finding_add(
        a, "boundary-share", name_of(model), priority_of(f, lost * share_of(f, ops, count), false),
        fm_advice_text(a, "%s loses %.1f %% of its time between devices", name_of(model), 100 * lost),
        fm_advice_text(a, "%" PRIu64 " hand-overs in %" PRIu64 " sampled runs took %.1f ms of %.1f ms.%s",
                       n->boundaries, n->samples,
                       (double)n->boundary_ns * 1e-6, (double)n->run_ns * 1e-6, cause),
        "Between providers data are copied, and one waits for the other.");
    fm_finding_fix(finding, "--ep cpu, or another provider: compare; in one piece it may be faster");
    fm_finding_fix(finding, "export the model anew without the operators at the boundaries (section MODELS names "
                            "them)");
    fm_finding_gains(a, finding, ops, count, name_of(model), 0.5 * lost, lost);
}

static void first_call(fm_advice *a, const fmp_operation *op, const char *model)
{
    const fm_facts *f = &a->facts;
    const double first = (double)op->first_ns, median = op->p50_ns;
    const double longer = (first - median) * 1e-9;
    if (!(median > 0) || op->count < 3 || f->wall <= 0 || first <= f->rules->value[FM_RULE_FIRST_CALL_RATIO] * median ||
        longer <= fm_facts_share(f, FM_RULE_FIRST_CALL_SHARE) * f->wall)
        return;
    fm_report_finding *finding = fm_finding_add(
        a, "first-call", op->operation, FM_PRIORITY_LOW,
        fm_advice_text(a, "the first call of %s is %.1f times as long as the others", op->operation, first / median),
        fm_advice_text(a, "It took %.1f ms, the median is %.1f ms; the difference is %.1f %% of the wall time of %.2f "
                          "s.",
                       first * 1e-6, median * 1e-6, 100 * longer / f->wall, f->wall),
        fm_advice_text(a, "%s allocates and compiles what it needs at its first run. In a short clip that weighs.",
                       model));
    fm_finding_fix(finding, "measure with a longer clip: the share falls with its length");
    fm_finding_fix(finding, "leave --no-model-cache away: compiled models are then kept for the next run");
    finding->gain_least = 0;
    finding->gain_most = fmin(1, longer / f->wall);
    finding->gain = "what the first call takes longer than the median";
}

/* A landmark model that looks at each frame twice: at the picture and at its mirror image. */
static void looks(fm_advice *a, const fm_report_model *model)
{
    const fm_facts *f = &a->facts;
    const fmp_operation *op = fm_model_op(f, model, FM_USE_ANALYSIS, model->backend);
    if (!op || !model->role || strcmp(model->role, "landmarker") != 0 || f->run->frames <= 0)
        return;
    const double rate = (double)op->count / (double)f->run->frames;
    if (rate <= f->rules->value[FM_RULE_LOOKS] || fm_op_share(f, op) < fm_facts_share(f, FM_RULE_MINOR_SHARE))
        return;
    fm_report_finding *finding = fm_finding_add(
        a, "looks-twice", name_of(model), FM_PRIORITY_LOW,
        fm_advice_text(a, "%s looks at each frame %.1f times", name_of(model), rate),
        fm_advice_text(a, "%" PRIu64 " runs for %" PRId64 " frames in the stage 'analysis'.", op->count,
                       f->run->frames),
        "By default it sees the picture and its mirror image, and the mean takes out its own left-right bias. Where "
        "that does "
        "not matter, such as for a preview, one look will do.");
    fm_finding_fix(finding, "--no-flip-average: one look a frame");
    const double less = 1 - 1 / rate;
    fm_finding_gain(a, finding, op, less, less);
    if (finding->priority == FM_PRIORITY_HIGH) /* it costs accuracy: never the first thing to do */
        finding->priority = FM_PRIORITY_MEDIUM;
}

void fm_rules_models(fm_advice *a)
{
    const fm_facts *f = &a->facts;
    for (size_t i = 0; i < f->run->model_count; i++) {
        const fm_report_model *model = &f->run->models[i];
        on_cpu(a, model);
        coverage(a, model);
        partitions(a, model);
        boundaries(a, model);
        detection(a, model);
        looks(a, model);
    }
    for (size_t i = 0; i < f->snapshot->operation_count; i++) {
        const fmp_operation *op = &f->snapshot->operations[i];
        fm_use use;
        if (strcmp(op->category, "MODEL_INFERENCE") != 0)
            continue;
        dominates(a, op);
        const fm_report_model *model = fm_op_model(f, op, &use);
        first_call(a, op, model ? name_of(model) : op->operation);
    }
}
