/* The parts of the text report (report.h); each writes to a stream whose errors the caller checks. */
#ifndef FM_REPORT_TEXT_H
#define FM_REPORT_TEXT_H

#include "report.h"

enum { FM_REPORT_COLUMNS = 80, FM_NAME_COLUMNS = 30 };

/* A rule over the report's width: double or single lines. */
void fm_text_rule(FILE *out, bool heavy, bool utf8);

/* A rule of `columns` columns and nothing behind it, for table heads. */
void fm_text_dashes(FILE *out, int columns, bool utf8);

/* The RUN SUMMARY section. run and snapshot may be NULL. */
void fm_text_summary(FILE *out, const fmp_snapshot *snapshot, const fm_report_run *run, bool utf8);

#endif
