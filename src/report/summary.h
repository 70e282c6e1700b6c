/* The RUN SUMMARY section of the text report; it goes on below the rule that closes the profiler's tables. */
#ifndef FM_REPORT_SUMMARY_H
#define FM_REPORT_SUMMARY_H

#include "report.h"

/* Writes to a stream whose errors the caller checks. run and snapshot may be NULL. */
void fm_text_summary(FILE *out, const fmp_snapshot *snapshot, const fm_report_run *run, bool utf8);

/* The MODELS section, which goes on below the summary's last rule: what each model costs, and what runs where in it. */
void fm_text_models(FILE *out, const fmp_snapshot *snapshot, const fm_report_run *run, bool utf8);

/* The PIPELINE section, below the rule of the one before. Nothing where it is not known. */
void fm_text_pipeline(FILE *out, const fm_report_run *run, bool utf8);

#endif
