/* Findings in the text report and in the JSON. Internal to the report module. */
#ifndef FM_REPORT_FINDINGS_SHOW_H
#define FM_REPORT_FINDINGS_SHOW_H

#include "report/findings.h"
#include "report/json_writer.h"

/* The FINDINGS section, 100 columns wide, which goes on below the last rule; nothing for NULL. */
void fm_text_findings(FILE *out, const fm_report_findings *findings, bool utf8);

/* The member "findings"; nothing for NULL. */
void fm_findings_write(fm_json *json, const fm_report_findings *findings);

#endif
