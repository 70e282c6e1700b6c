/* What text and JSON of answers share. Internal to the advice module. */
#ifndef FM_ADVICE_WHAT_IF_INTERNAL_H
#define FM_ADVICE_WHAT_IF_INTERNAL_H

#include "advice/changes.h"
#include "advice/what_if.h"

const fm_calibration *fm_what_if_calibration(const fm_what_if *what_if);

/* A question and its answer. */
typedef struct fm_what_if_answer {
    const char *question;
    fm_changes changes;
    fm_change_effect effects[FM_CHANGES_MAX]; /* of each change by itself */
    fm_what_if_prediction prediction;
} fm_what_if_answer;

/* All that is printed. */
typedef struct fm_what_if_answers {
    const fm_report_run *run;
    fm_what_if_base base;
    const fm_calibration *recorded;
    fm_what_if_answer *list;
    size_t count;
} fm_what_if_answers;

enum { FM_ASSUMPTIONS_MAX = 8, FM_ASSUMPTION_LENGTH = 320 };

/* What the predictions take for granted, one sentence each. */
typedef struct fm_assumptions {
    char list[FM_ASSUMPTIONS_MAX][FM_ASSUMPTION_LENGTH];
    int count;
} fm_assumptions;
void fm_what_if_assume(const fm_what_if_answers *answers, fm_assumptions *out);

/* The names of the stages that a change is on, "left mirror, right mirror"; of those that do not fit, "...". */
void fm_what_if_stages(const fm_report_run *run, const fm_change_effect *effect, char *out, size_t size);

/* The caller checks the stream. */
void fm_what_if_text(FILE *out, const fm_what_if_answers *answers, bool utf8);
fm_status fm_what_if_json(FILE *out, const fm_what_if_answers *answers, fm_error *err);

#endif
