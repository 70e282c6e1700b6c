#include "advice/advice.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "advice/finding.h"

/* What has no figure comes behind what has one. */
static double gain_of(const fm_report_finding *f)
{
    return isfinite(f->gain_most) ? f->gain_most : -1;
}

/* Most important first; equals stay in the order of the rules, so that the result is the same everywhere. */
static void rank(fm_advice *a)
{
    for (size_t i = 1; i < a->out.count; i++) {
        const fm_report_finding one = a->list[i];
        size_t at = i;
        while (at > 0 && (a->list[at - 1].priority > one.priority ||
                          (a->list[at - 1].priority == one.priority && gain_of(&a->list[at - 1]) < gain_of(&one)))) {
            a->list[at] = a->list[at - 1];
            at--;
        }
        a->list[at] = one;
    }
}

static void note_thresholds(fm_advice *a)
{
    for (int i = 0; i < FM_THRESHOLDS; i++)
        if (a->rules.value[i] != fm_threshold_specs[i].value)
            a->thresholds[a->out.threshold_count++] =
                (fm_report_threshold){.name = fm_threshold_specs[i].name, .value = a->rules.value[i]};
}

/* What the profile cannot carry is not called HIGH. */
static void limit_priorities(fm_advice *a)
{
    for (size_t i = 0; !a->out.confident && i < a->out.count; i++)
        if (a->list[i].priority == FM_PRIORITY_HIGH)
            a->list[i].priority = FM_PRIORITY_MEDIUM;
}

fm_status fm_advise(const fmp_snapshot *snapshot, const fm_report_run *run, const fm_advice_rules *rules,
                    fm_advice **out, fm_error *err)
{
    static const fmp_snapshot no_snapshot = {0};
    static const fm_report_run no_run = {0};
    fm_advice *a = calloc(1, sizeof *a);
    *out = NULL;
    if (!a)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the findings");
    a->rules = rules ? *rules : fm_advice_rules_default();
    fm_facts_read(&a->facts, snapshot ? snapshot : &no_snapshot, run ? run : &no_run, &a->rules);
    a->out.list = a->list;
    a->out.caveats = a->caveats;
    a->out.thresholds = a->thresholds;
    a->out.confident = true;
    if (a->facts.bottleneck) {
        a->out.bottleneck_category = a->facts.bottleneck->category;
        a->out.bottleneck_operation = a->facts.bottleneck->operation;
    }
    note_thresholds(a);
    fm_rules_trust(a);
    fm_rules_watched(a);
    fm_rules_limits(a);
    fm_rules_models(a);
    fm_rules_shares(a);
    fm_rules_waste(a);
    fm_rules_system(a);
    limit_priorities(a);
    rank(a);
    if (a->no_memory) {
        fm_advice_free(&a);
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the findings");
    }
    *out = a;
    return FM_OK;
}

const fm_report_findings *fm_advice_findings(const fm_advice *advice)
{
    return &advice->out;
}
