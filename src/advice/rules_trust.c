/* What keeps the figures from meaning what they seem to: caveats for the top of the report. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "advice/finding.h"

static bool above(double value, double limit)
{
    return isfinite(value) && value > limit;
}

static void machine_caveats(fm_advice *a, const fm_report_conditions *c)
{
    const fm_facts *f = &a->facts;
    if (c->hypervisor && *c->hypervisor)
        fm_advice_caveat(a, "This is a virtual machine%s%s: what its host does beside it changes the times.",
                         strcmp(c->hypervisor, "yes") == 0 ? "" : " of ",
                         strcmp(c->hypervisor, "yes") == 0 ? "" : c->hypervisor);
    if (above(c->steal_share, fm_facts_share(f, FM_RULE_STOLEN)))
        fm_advice_caveat(a, "The hypervisor gave %.0f %% of the processors' time to others during the run.",
                         100 * c->steal_share);
    if (above(c->others_share, fm_facts_share(f, FM_RULE_OTHERS_BUSY)))
        fm_advice_caveat(a, "Other programs took %.0f %% of the processors' time during the run: on a quiet machine "
                            "it is faster.",
                         100 * c->others_share);
    else if (c->cpu_count > 0 && above(c->load_before, f->rules->value[FM_RULE_LOAD] * c->cpu_count))
        fm_advice_caveat(a, "The machine was busy before the run began: load %.1f on %d processor threads.",
                         c->load_before,
                         c->cpu_count);
    if (c->throttled > 0)
        fm_advice_caveat(a, "Processors were slowed down for their heat %" PRId64 " times during the run.",
                         c->throttled);
    if (c->governor && (strcmp(c->governor, "powersave") == 0 || strcmp(c->governor, "conservative") == 0))
        fm_advice_caveat(a, "The processor's frequency governor is '%s': it runs slower at first, and times vary.",
                         c->governor);
    if (c->cpu_limit > 0 && c->cpu_count > 0 && c->cpu_limit < c->cpu_count)
        fm_advice_caveat(a, "The container may use %.1f of %d processor threads.", c->cpu_limit, c->cpu_count);
    if (above(c->quota_wait_seconds, 0.01 * f->wall) && c->quota_wait_seconds > 0)
        fm_advice_caveat(a, "The container's processor limit kept threads waiting for %.1f s.", c->quota_wait_seconds);
    if (c->dropped_events > 0)
        fm_advice_caveat(a, "The trace lacks %" PRId64 " events, for which its buffers were too small; this report has "
                            "all calls.",
                         c->dropped_events);
}

static void sample_caveats(fm_advice *a)
{
    const fm_report_run *run = a->facts.run;
    for (size_t i = 0; i < run->model_count; i++) {
        const fm_report_nodes *n = &run->models[i].nodes;
        if (run->models[i].has_nodes && (n->lost_runs > 0 || n->lost_events > 0))
            fm_advice_caveat(a, "Of %s, %" PRIu64 " sampled runs and %" PRIu64 " events could not be read: its "
                                "operators' times lack them.",
                             run->models[i].name ? run->models[i].name : "a model", n->lost_runs, n->lost_events);
    }
}

static double unexplained(const fm_facts *f)
{
    const double covered = f->run->covered_seconds;
    return f->wall > 0 && isfinite(covered) && covered > 0 ? fmax(0, 1 - covered / f->wall) : (double)NAN;
}

/* A profile that says of itself nothing that contradicts is trusted, since old ones do not tell more. */
static bool carries_high(const fm_facts *f)
{
    const fm_report_conditions *c = f->run->conditions;
    const double runs = f->run->runs > 0 ? (double)f->run->runs : 1;
    if (f->run->frames > 0 && (double)f->run->frames < f->rules->value[FM_RULE_TINY_FRAMES] * runs)
        return false;
    if (c && (!c->optimised || (c->sanitizers && *c->sanitizers)))
        return false;
    if ((double)f->snapshot->lost > 0.01 * (double)f->snapshot->scopes && f->snapshot->lost > 0)
        return false;
    return !above(unexplained(f), 0.5);
}

void fm_rules_trust(fm_advice *a)
{
    const fm_facts *f = &a->facts;
    const double missing = unexplained(f);
    if (f->run->conditions)
        machine_caveats(a, f->run->conditions);
    sample_caveats(a);
    if (f->run->runs > 1)
        fm_advice_caveat(a, "%" PRId64 " runs are added up here: what follows is of all of them together.",
                         f->run->runs);
    a->out.confident = carries_high(f);
    if (!above(missing, fm_facts_share(f, FM_RULE_UNEXPLAINED)))
        return;
    fm_advice_caveat(a, "No scope was open in %.1f %% of the wall time: the shares are of the rest.", 100 * missing);
    fm_report_finding *finding = fm_finding_add(
        a, "unexplained", "",
        missing > 2 * fm_facts_share(f, FM_RULE_UNEXPLAINED) ? FM_PRIORITY_MEDIUM : FM_PRIORITY_LOW,
        fm_advice_text(a, "%.1f %% of the wall time is not explained", 100 * missing),
        fm_advice_text(a, "A scope was open in %.2f s of %.2f s.", f->run->covered_seconds, f->wall),
        "All stages then waited for something that has no scope: the disk, the start of threads, another program.");
    fm_finding_fix(finding, "--trace: shows the gaps on each thread's line");
    finding->gain_least = 0;
    finding->gain_most = missing;
    finding->gain = "none to all of that time, since nothing tells what it was";
}
