/* The member system of a profile: written, read and merged, a table at a time. Internal to the report module. */
#ifndef FM_REPORT_PROFILE_SYSTEM_H
#define FM_REPORT_PROFILE_SYSTEM_H

#include "report/json_writer.h"
#include "report/profile_reader.h"

void fm_system_write(fm_json *json, const fmp_system_report *report);
/* Absent in profiles that an earlier version wrote. */
void fm_system_read(fm_profile_reader *l, const json_t *root);
/*
 * Adds up what the profiles tell: rows whose keys are equal are one, as fmp_column_merge says; a figure that one of
 * them does not know is not known. A table that all have in falling order of a column is so again. Runs that were not
 * watched add nothing. False when memory is out.
 */
bool fm_system_merge(fm_profile *out, const fm_profile *const *profiles, size_t count);

#endif
