/*
 * Findings in the making: a list with the text that it points to. Internal to
 * the advice module. When memory is out the functions give "" and note it.
 */
#ifndef FM_ADVICE_FINDING_H
#define FM_ADVICE_FINDING_H

#include "advice/advice.h"
#include "advice/facts.h"

enum { FM_FINDINGS_MAX = 64, FM_CAVEATS_MAX = 24 };

struct fm_advice {
    fm_report_findings out;
    fm_report_finding list[FM_FINDINGS_MAX];
    const char *caveats[FM_CAVEATS_MAX];
    fm_report_threshold thresholds[FM_THRESHOLDS];
    fm_facts facts;
    fm_advice_rules rules;
    void *texts; /* private */
    bool no_memory;
};

/* Text that lives as long as the advice. */
const char *fm_advice_text(fm_advice *a, const char *format, ...) FM_PRINTF(2, 3);

void fm_advice_caveat(fm_advice *a, const char *format, ...) FM_PRINTF(2, 3);

/*
 * Adds a finding without fixes whose gain is not known, and gives it for the rest to be set. It is never NULL: when
 * there are too many it is one that nobody sees. title, evidence and why are kept, not copied.
 */
fm_report_finding *fm_finding_add(fm_advice *a, const char *rule, const char *subject, fm_priority priority,
                                  const char *title, const char *evidence, const char *why);
void fm_finding_fix(fm_report_finding *finding, const char *fix);

/* Sets the gain from what the fixes take away at least and at most of an operation, and the priority that follows. */
void fm_finding_gain(fm_advice *a, fm_report_finding *finding, const fmp_operation *op, double least, double most);
/* The same of several operations at once. `what` names them in the derivation. */
void fm_finding_gains(fm_advice *a, fm_report_finding *finding, const fmp_operation *const *ops, size_t count,
                      const char *what, double least, double most);

/* What this program offers against the time of an operation. */
void fm_finding_fixes_of(fm_advice *a, fm_report_finding *finding, const fmp_operation *op);

/* The rules; each adds what it finds. */
void fm_rules_trust(fm_advice *a);
void fm_rules_limits(fm_advice *a);
void fm_rules_models(fm_advice *a);
void fm_rules_shares(fm_advice *a);
void fm_rules_waste(fm_advice *a);
void fm_rules_system(fm_advice *a);
/* Caveats of the watching itself. */
void fm_rules_watched(fm_advice *a);

/* True when a finding of a rule about the operation is there already: one is enough to say that it is large. */
bool fm_finding_there(const fm_advice *a, const char *subject);

#endif
