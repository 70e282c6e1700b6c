/*
 * The times of a session's nodes as facts for the report: by provider and by
 * operator type, the costliest nodes, and who causes boundaries.
 *
 * Thread-safety: Safe on distinct objects.
 */
#ifndef FM_PIPELINE_NODE_FACTS_H
#define FM_PIPELINE_NODE_FACTS_H

#include "inference/node_times.h"
#include "pipeline/face_models.h"
#include "report/report.h"

/* The facts point into `times`, which must stay as they are. `every`: one of so many runs was sampled. */
fm_status fm_node_facts_make(fm_report_nodes *out, const fm_node_times *times, int every, fm_error *err);
/* Safe on a zeroed object. */
void fm_node_facts_free(fm_report_nodes *facts);

/* Lets all models of a run sample their nodes, in one of `every` runs; 0: no. Before the stages make their buffers. */
fm_status fm_face_models_sample_nodes(const fm_face_models *models, int every, fm_error *err);
/* Adds the nodes to what fm_face_models_describe has written, when the stages are at rest. */
fm_status fm_face_models_add_nodes(const fm_face_models *models, fm_report_model *list, int count, fm_error *err);
/* Frees what was added. */
void fm_face_models_free_nodes(fm_report_model *list, int count);

#endif
