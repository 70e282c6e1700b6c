/*
 * What a profile means: findings that the advice module makes of it, and that
 * this module shows as the end of the text report and as JSON. They follow
 * from the profile and from thresholds, so that a loader never reads them.
 *
 * Ownership: all text belongs to the maker of the findings (advice/advice.h).
 * Thread-safety: Safe.
 */
#ifndef FM_REPORT_FINDINGS_H
#define FM_REPORT_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef enum fm_priority { FM_PRIORITY_HIGH, FM_PRIORITY_MEDIUM, FM_PRIORITY_LOW } fm_priority;

enum { FM_FINDING_FIXES_MAX = 6 };

typedef struct fm_report_finding {
    fm_priority priority;
    const char *rule;      /* stable, such as "model-dominates"; docs/interpreting.md lists them */
    const char *subject;   /* the operation, model or stage that it is about; "": the run as a whole */
    const char *title;     /* what, in a few words */
    const char *evidence;  /* figures of this run, one or more sentences */
    const char *why;
    const char *fixes[FM_FINDING_FIXES_MAX]; /* what this program offers against it */
    size_t fix_count;
    /* Share of the run's wall time that a fix may save, 0 to 1; NAN: not known. */
    double gain_least, gain_most;
    const char *gain;      /* how that follows, one sentence */
} fm_report_finding;

/* A threshold that was not left at its default. */
typedef struct fm_report_threshold {
    const char *name;
    double value;
} fm_report_threshold;

typedef struct fm_report_findings {
    const fm_report_finding *list; /* most important first */
    size_t count;
    const char *const *caveats;    /* why the figures must be read with care, beyond the run's notes */
    size_t caveat_count;
    bool confident;                /* false: the profile does not carry a HIGH */
    const char *minor;             /* operations that are not worth work; NULL: none */
    /* The operation that limits throughput; NULL: none stands out. */
    const char *bottleneck_category, *bottleneck_operation;
    const fm_report_threshold *thresholds;
    size_t threshold_count;
} fm_report_findings;

/* "HIGH", "MEDIUM", "LOW". */
const char *fm_priority_name(fm_priority priority);

#endif
