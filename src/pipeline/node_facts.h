/*
 * The times of a session's nodes as facts for the report: by provider and by
 * operator type, the costliest nodes, and who causes boundaries.
 *
 * Thread-safety: Safe on distinct objects.
 */
#ifndef FM_PIPELINE_NODE_FACTS_H
#define FM_PIPELINE_NODE_FACTS_H

#include "inference/node_times.h"
#include "report/report.h"

/* The facts point into `times`, which must stay as they are. `every`: one of so many runs was sampled. FM_E_NO_MEMORY. */
fm_status fm_node_facts_make(fm_report_nodes *out, const fm_node_times *times, int every, fm_error *err);
/* Safe on a zeroed object. */
void fm_node_facts_free(fm_report_nodes *facts);

#endif
