/* models[].nodes of a profile: written, read and merged. Internal to the report module. */
#ifndef FM_REPORT_PROFILE_NODES_H
#define FM_REPORT_PROFILE_NODES_H

#include "report/json_writer.h"
#include "report/profile_reader.h"

void fm_nodes_write(fm_json *json, const fm_report_model *model);
/* Absent in profiles that an earlier version wrote. */
void fm_nodes_read(fm_profile_reader *l, const json_t *model, fm_report_model *out);
/*
 * Adds what another run tells of the same model: sums add up, groups and causes by their names. The costliest nodes are
 * those of both lists. False when memory, which is that of `profile`, is out.
 */
bool fm_nodes_merge(fm_profile *profile, fm_report_model *to, const fm_report_model *from);

#endif
