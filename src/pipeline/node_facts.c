#include "pipeline/node_facts.h"

#include <stdlib.h>
#include <string.h>

#include "inference/node_sampling.h"
#include "report/node_order.h"

typedef struct lists {
    fm_report_node_group *providers, *types;
    fm_report_node *nodes;
    fm_report_boundary *causes;
    int64_t *boundary_us; /* of each cause, with its sign */
} lists;

static uint64_t ns(uint64_t us)
{
    return 1000 * us;
}

static const char *type_of(const fm_node_time *node)
{
    return node->kind == FM_NODE_COMPILED ? FM_REPORT_COMPILED : node->op_type;
}

static void add_to_group(fm_report_node_group *list, size_t *count, const char *name, const fm_node_time *node)
{
    size_t i = 0;
    while (i < *count && strcmp(list[i].name, name) != 0)
        i++;
    if (i == FM_REPORT_GROUPS_MAX)
        i--;
    else if (i == *count)
        list[(*count)++] = (fm_report_node_group){.name = name};
    list[i].nodes++;
    list[i].total_ns += ns(node->total_us);
    list[i].cpu_ns += node->cpu ? ns(node->total_us) : 0;
}

static void add_to_causes(const lists *l, size_t *count, const fm_node_time *node)
{
    size_t i = 0;
    while (i < *count && strcmp(l->causes[i].type, type_of(node)) != 0)
        i++;
    if (i == FM_REPORT_GROUPS_MAX)
        i--;
    else if (i == *count)
        l->causes[(*count)++] = (fm_report_boundary){.type = type_of(node)};
    l->causes[i].nodes++;
    l->causes[i].operator_ns += ns(node->total_us);
    l->boundary_us[i] += node->boundary_us;
}

static void fill(fm_report_nodes *out, const lists *l, const fm_node_totals *t)
{
    for (size_t i = 0; i < t->node_count; i++) {
        const fm_node_time *node = &t->nodes[i];
        if (node->count == 0)
            continue;
        l->nodes[out->nodes++] = (fm_report_node){.name = node->name, .type = type_of(node), .provider = node->provider,
                                                  .count = node->count, .total_ns = ns(node->total_us),
                                                  .min_ns = ns(node->min_us), .max_ns = ns(node->max_us)};
        out->cpu_ns += node->cpu ? ns(node->total_us) : 0;
        add_to_group(l->providers, &out->provider_count, node->provider, node);
        add_to_group(l->types, &out->type_count, type_of(node), node);
        if (node->boundaries > 0)
            add_to_causes(l, &out->cause_count, node);
    }
    for (size_t i = 0; i < out->cause_count; i++) {
        l->causes[i].boundary_ns = l->boundary_us[i] > 0 ? ns((uint64_t)l->boundary_us[i]) : 0;
        out->boundary_ns += l->causes[i].boundary_ns;
    }
    fm_node_groups_sort(l->providers, out->provider_count);
    fm_node_groups_sort(l->types, out->type_count);
    fm_nodes_sort(l->nodes, (size_t)out->nodes);
    fm_boundaries_sort(l->causes, out->cause_count);
    out->costliest_count = out->nodes < FM_REPORT_COSTLIEST ? (size_t)out->nodes : FM_REPORT_COSTLIEST;
}

fm_status fm_node_facts_make(fm_report_nodes *out, const fm_node_times *times, int every, fm_error *err)
{
    const fm_node_totals t = fm_node_times_totals(times);
    const size_t room = t.node_count + 1;
    lists l = {
        .providers = calloc(room, sizeof *l.providers),
        .types = calloc(room, sizeof *l.types),
        .nodes = calloc(room, sizeof *l.nodes),
        .causes = calloc(room, sizeof *l.causes),
        .boundary_us = calloc(room, sizeof *l.boundary_us),
    };
    *out = (fm_report_nodes){
        .every = every, .samples = t.samples, .lost_runs = t.lost_runs, .lost_events = t.lost_events,
        .run_ns = ns(t.run_us), .node_ns = ns(t.node_us), .copies = t.copies, .copy_ns = ns(t.copy_us),
        .boundaries = t.boundaries, .base_ns = ns(t.base_us), .base_known = t.base_known,
        .providers = l.providers, .types = l.types, .costliest = l.nodes, .causes = l.causes,
    };
    const bool good = l.providers && l.types && l.nodes && l.causes && l.boundary_us;
    if (good)
        fill(out, &l, &t);
    free(l.boundary_us);
    if (good)
        return FM_OK;
    fm_node_facts_free(out);
    return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the times of the model's nodes");
}

void fm_node_facts_free(fm_report_nodes *facts)
{
    free((void *)facts->providers); /* all made by fm_node_facts_make */
    free((void *)facts->types);
    free((void *)facts->costliest);
    free((void *)facts->causes);
    *facts = (fm_report_nodes){0};
}

/* --- the models of a run ------------------------------------------------------------------ */

fm_status fm_face_models_sample_nodes(const fm_face_models *models, int every, fm_error *err)
{
    fm_status status = FM_OK;
    for (int role = 0; every > 0 && status == FM_OK && role < FM_ROLES; role++) {
        const fm_face_model *model = fm_face_models_get(models, (fm_model_role)role);
        if (model)
            status = fm_session_sample_nodes(model->session, every, err);
    }
    return status;
}

static fm_status add_nodes(const fm_face_model *model, fm_report_model *list, int count, fm_error *err)
{
    const fm_node_times *times = fm_session_node_times(model->session);
    for (int i = 0; times && i < count; i++) {
        if (strcmp(list[i].name, model->spec->name) != 0)
            continue;
        fm_status status = fm_node_facts_make(&list[i].nodes, times, fm_session_sample_every(model->session), err);
        list[i].has_nodes = status == FM_OK;
        return status;
    }
    return FM_OK;
}

fm_status fm_face_models_add_nodes(const fm_face_models *models, fm_report_model *list, int count, fm_error *err)
{
    fm_status status = FM_OK;
    for (int role = 0; status == FM_OK && role < FM_ROLES; role++) {
        const fm_face_model *model = fm_face_models_get(models, (fm_model_role)role);
        if (model)
            status = add_nodes(model, list, count, err);
    }
    return status;
}

void fm_face_models_free_nodes(fm_report_model *list, int count)
{
    for (int i = 0; i < count; i++)
        if (list[i].has_nodes)
            fm_node_facts_free(&list[i].nodes);
}
