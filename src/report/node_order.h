/*
 * The orders in which a report lists what was measured inside a model: by
 * time, falling; by name where times are equal, so that the order is one.
 *
 * Thread-safety: Safe on distinct lists.
 */
#ifndef FM_REPORT_NODE_ORDER_H
#define FM_REPORT_NODE_ORDER_H

#include "report/report.h"

/* Sorts `count` entries in place; names must not be NULL. */
void fm_node_groups_sort(fm_report_node_group *groups, size_t count);
void fm_nodes_sort(fm_report_node *nodes, size_t count);
void fm_boundaries_sort(fm_report_boundary *causes, size_t count);

#endif
