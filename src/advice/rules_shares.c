/* Operations by their share of the time: what to look at first, what not at all, and what varies. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "advice/finding.h"

enum { PARTS_MAX = 16, MINOR_MAX = 12 };

typedef bool picks(const fmp_operation *op);

/* The largest operations that are picked, up to PARTS_MAX; *share is that of all of them. */
static size_t pick(const fm_facts *f, picks *picked, const fmp_operation *out[PARTS_MAX], double *share)
{
    size_t count = 0;
    *share = 0;
    for (size_t i = 0; i < f->snapshot->operation_count; i++) {
        const fmp_operation *op = &f->snapshot->operations[i];
        if (!picked(op))
            continue;
        *share += fm_op_share(f, op);
        if (count < PARTS_MAX)
            out[count++] = op;
    }
    return count;
}

static const char *largest_text(fm_advice *a, const fmp_operation *const *ops, size_t count)
{
    const fmp_operation *most = ops[0];
    for (size_t i = 1; i < count; i++)
        most = ops[i]->self_ns > most->self_ns ? ops[i] : most;
    return fm_advice_text(a, "The largest part is %s: %" PRIu64 " calls, %.2f s, %.1f ms each.", most->operation,
                          most->count, fm_op_seconds(most), most->mean_ns * 1e-6);
}

static const fmp_operation *largest(const fmp_operation *const *ops, size_t count)
{
    const fmp_operation *most = ops[0];
    for (size_t i = 1; i < count; i++)
        most = ops[i]->self_ns > most->self_ns ? ops[i] : most;
    return most;
}

static bool preprocesses(const fmp_operation *op)
{
    return strcmp(op->category, "PREPROCESSING") == 0 || fm_ends_with(op->operation, "_preprocess");
}

/* Decoding and encoding stand in that category, too, and are no copies. */
static bool moves_memory(const fmp_operation *op)
{
    return strcmp(op->category, "MEMORY_OPERATIONS") == 0 && !fm_op_encodes(op) && !fm_op_decodes(op);
}

static void group(fm_advice *a, const char *rule, fm_threshold threshold, picks *picked, const char *what,
                  const char *why)
{
    const fm_facts *f = &a->facts;
    const fmp_operation *ops[PARTS_MAX];
    double share;
    const size_t count = pick(f, picked, ops, &share);
    if (count == 0 || share <= fm_facts_share(f, threshold))
        return;
    fm_report_finding *finding =
        fm_finding_add(a, rule, largest(ops, count)->operation, FM_PRIORITY_MEDIUM,
                       fm_advice_text(a, "%s takes %.1f %% of the profiled time", what, 100 * share),
                       largest_text(a, ops, count), why);
    fm_finding_fixes_of(a, finding, largest(ops, count));
    fm_finding_gains(a, finding, ops, count, what, 0.5, 1);
}

static void first(fm_advice *a, const fmp_operation *op)
{
    const fm_facts *f = &a->facts;
    const fmp_operation *ops[FM_RELATED_MAX];
    const size_t count = fm_op_related(f, op, ops);
    double share = 0, seconds = 0;
    for (size_t i = 0; i < count; i++) {
        share += fm_op_share(f, ops[i]);
        seconds += fm_op_seconds(ops[i]);
    }
    if (share <= fm_facts_share(f, FM_RULE_FIRST_SHARE) || fm_finding_there(a, fm_op_title(op)))
        return;
    const char *several = count > 1 ? fm_advice_text(a, "%zu videos side by side. ", count) : "";
    fm_report_finding *finding = fm_finding_add(
        a, "first-share", fm_op_title(op), FM_PRIORITY_MEDIUM,
        fm_advice_text(a, "%s takes %.1f %% of the profiled time", fm_op_title(op), 100 * share),
        fm_advice_text(a, "%s%.2f s of its own; %s: %" PRIu64 " calls, %.1f ms each.", several, seconds, op->operation,
                       op->count,
                       op->mean_ns * 1e-6),
        "What is large is worth a look before what is small.");
    fm_finding_fixes_of(a, finding, op);
    fm_finding_gain(a, finding, op, 0.5, 1);
}

static bool varies(const fm_facts *f, const fmp_operation *op)
{
    enum { CALLS_MIN = 100 }; /* below, the p99 is the largest */
    return op->count >= CALLS_MIN && op->p50_ns > 0 && fm_op_share(f, op) >= fm_facts_share(f, FM_RULE_MINOR_SHARE) &&
           op->p99_ns > f->rules->value[FM_RULE_SPREAD_RATIO] * op->p50_ns;
}

/* One finding for all operations that vary, since the cause is mostly one. */
static void spread(fm_advice *a)
{
    enum { NAMED_MAX = 4 };
    const fm_facts *f = &a->facts;
    const fmp_operation *most = NULL;
    const char *text = "";
    size_t count = 0;
    for (size_t i = 0; i < f->snapshot->operation_count; i++) {
        const fmp_operation *op = &f->snapshot->operations[i];
        if (!varies(f, op))
            continue;
        most = !most || op->p99_ns / op->p50_ns > most->p99_ns / most->p50_ns ? op : most;
        if (count++ < NAMED_MAX)
            text = fm_advice_text(a, "%s%s%s: median %.2f ms, p99 %.2f ms", text, count > 1 ? "; " : "", op->operation,
                                  op->p50_ns * 1e-6, op->p99_ns * 1e-6);
    }
    if (count == 0)
        return;
    fm_report_finding *finding = fm_finding_add(
        a, "spread", most->operation, FM_PRIORITY_LOW,
        fm_advice_text(a, "times vary: the p99 of %s is %.1f times its median", most->operation,
                       most->p99_ns / most->p50_ns),
        fm_advice_text(a, "%s%s.", text, count > NAMED_MAX ? fm_advice_text(a, "; and %zu more", count - NAMED_MAX)
                       : ""),
        "Calls that do the same work take different times when their thread waits for a processor in the middle of it. "
        "Encoders also work in bursts, and frames differ in what they cost.");
    fm_finding_fix(finding, "--trace: shows which frames, and what ran beside them");
    fm_finding_fix(finding, "--profile-percentiles: shows how many calls are slow");
    finding->gain = "what slow calls cost shows in a trace alone";
}

/* One line for all that is small. */
static void minor(fm_advice *a)
{
    const fm_facts *f = &a->facts;
    const char *text = "";
    size_t count = 0;
    double share = 0;
    for (size_t i = 0; i < f->snapshot->operation_count; i++) {
        const fmp_operation *op = &f->snapshot->operations[i];
        if (fm_op_share(f, op) >= fm_facts_share(f, FM_RULE_MINOR_SHARE))
            continue;
        share += fm_op_share(f, op);
        if (count++ < MINOR_MAX)
            text = fm_advice_text(a, "%s%s%s", text, count > 1 ? ", " : "", op->operation);
    }
    if (count == 0 || f->profiled <= 0)
        return;
    const char *more = count > MINOR_MAX ? fm_advice_text(a, " and %zu more", count - MINOR_MAX) : "";
    a->out.minor = fm_advice_text(a, "Not worth work (each under %.4g %% of the profiled time, %.1f %% together): "
                                     "%s%s.",
                                  f->rules->value[FM_RULE_MINOR_SHARE], 100 * share, text, more);
}

void fm_rules_shares(fm_advice *a)
{
    const fm_facts *f = &a->facts;
    group(a, "preprocessing", FM_RULE_PREPROCESSING, preprocesses, "pre-processing",
          "Pictures are cut out, scaled and converted for each model; with fewer looks there is less of it.");
    group(a, "memory-operations", FM_RULE_MEMORY_OPERATIONS, moves_memory, "copying and writing",
          "Bytes that are only moved make nothing, and take memory bandwidth from all stages.");
    for (size_t i = 0; i < f->snapshot->operation_count; i++)
        first(a, &f->snapshot->operations[i]);
    spread(a);
    minor(a);
}
