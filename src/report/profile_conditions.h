/* The member "conditions" of a profile. Internal to the report module. */
#ifndef FM_REPORT_PROFILE_CONDITIONS_H
#define FM_REPORT_PROFILE_CONDITIONS_H

#include "report/json_writer.h"
#include "report/profile_reader.h"

/* null where they are not known. */
void fm_conditions_write(fm_json *json, const fm_report_run *run);
/* Leaves NULL where the member is missing or null. */
void fm_conditions_read(fm_profile_reader *l, const json_t *root);
/*
 * Of several runs: amounts add up, shares and loads are the worst, texts are those of all or else "" (a note of the
 * merging says where machines differ). NULL when one of them does not know its own. False when memory is out.
 */
bool fm_conditions_merge(fm_profile *out, const fm_profile *const *profiles, size_t count);

#endif
