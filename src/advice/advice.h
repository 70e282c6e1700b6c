/*
 * Reads a profile as an experienced person would: what limits the run, what is
 * worth work and why, what this program offers against it, and how much that
 * would gain. It sees snapshots and the facts of a run alone.
 *
 *     fm_advice *advice;
 *     status = fm_advise(snapshot, &run, NULL, &advice, err);
 *     run.findings = fm_advice_findings(advice);
 *     ...fm_report_text, fm_report_json...
 *     fm_advice_free(&advice);
 *
 * docs/interpreting.md describes every rule.
 *
 * Thread-safety: Safe on distinct objects.
 */
#ifndef FM_ADVICE_ADVICE_H
#define FM_ADVICE_ADVICE_H

#include "advice/rules.h"
#include "report/profile.h"

typedef struct fm_advice fm_advice;

/*
 * Applies all rules. snapshot and run may be NULL; rules NULL: the defaults. What the profile holds need not be
 * sound: figures that are not finite count as not known. The snapshot and the run must live as long as the result.
 * FM_E_NO_MEMORY alone.
 */
fm_status fm_advise(const fmp_snapshot *snapshot, const fm_report_run *run, const fm_advice_rules *rules,
                    fm_advice **out, fm_error *err);

/* Valid as long as the advice. */
const fm_report_findings *fm_advice_findings(const fm_advice *advice);

void fm_advice_free(fm_advice **advice); /* NULL and *NULL are fine */

#endif
