#include "report/node_order.h"

#include <stdlib.h>
#include <string.h>

static int falling(uint64_t a, uint64_t b)
{
    return (a < b) - (a > b);
}

static int by_group(const void *a, const void *b)
{
    const fm_report_node_group *x = a, *y = b;
    const int order = falling(x->total_ns, y->total_ns);
    return order ? order : strcmp(x->name, y->name);
}

static int by_node(const void *a, const void *b)
{
    const fm_report_node *x = a, *y = b;
    const int order = falling(x->total_ns, y->total_ns);
    return order ? order : strcmp(x->name, y->name);
}

static int by_cost(const void *a, const void *b)
{
    const fm_report_boundary *x = a, *y = b;
    const int order = falling(x->operator_ns + x->boundary_ns, y->operator_ns + y->boundary_ns);
    return order ? order : strcmp(x->type, y->type);
}

void fm_node_groups_sort(fm_report_node_group *groups, size_t count)
{
    if (count > 1)
        qsort(groups, count, sizeof *groups, by_group);
}

void fm_nodes_sort(fm_report_node *nodes, size_t count)
{
    if (count > 1)
        qsort(nodes, count, sizeof *nodes, by_node);
}

void fm_boundaries_sort(fm_report_boundary *causes, size_t count)
{
    if (count > 1)
        qsort(causes, count, sizeof *causes, by_cost);
}
