/* The member pipeline of a profile: written, read and merged. Internal to the report module. */
#ifndef FM_REPORT_PROFILE_PIPELINE_H
#define FM_REPORT_PROFILE_PIPELINE_H

#include "report/json_writer.h"
#include "report/profile_reader.h"

void fm_pipeline_write(fm_json *json, const fm_report_run *run);
/* Absent in profiles that an earlier version wrote. */
void fm_pipeline_read(fm_profile_reader *l, const json_t *root, fm_report_run *out);

/* All its times, for the check that merged ones stay in range; 0 when it is not known. */
double fm_pipeline_seconds(const fm_report_run *run);
/*
 * Adds up what all profiles tell into out->run, whose other members are merged already: stages by their names, sums,
 * means and deviations. Percentiles and growth of memory become unknown, and the slowest frames are kept where all
 * are of one clip. *told is false when some profile does not tell, so that the sum does not either. False when memory,
 * which is that of `out`, is out.
 */
bool fm_pipeline_merge(fm_profile *out, const fm_profile *const *profiles, size_t count, bool *told);

#endif
