#include "report/profile_nodes.h"

#include <stdlib.h>
#include <string.h>

#include "report/node_order.h"
#include "report/profile_memory.h"

#define FIELDS(table) {table, sizeof table / sizeof table[0]}
#define NODES(member) offsetof(fm_report_nodes, member)

static const fm_field nodes_table[] = {
    {"every", FM_FIELD_INT, NODES(every)},
    {"samples", FM_FIELD_COUNT, NODES(samples)},
    {"lost_runs", FM_FIELD_COUNT, NODES(lost_runs)},
    {"lost_events", FM_FIELD_COUNT, NODES(lost_events)},
    {"nodes", FM_FIELD_INT, NODES(nodes)},
    {"run_seconds", FM_FIELD_SECONDS, NODES(run_ns)},
    {"node_seconds", FM_FIELD_SECONDS, NODES(node_ns)},
    {"cpu_seconds", FM_FIELD_SECONDS, NODES(cpu_ns)},
    {"copies", FM_FIELD_COUNT, NODES(copies)},
    {"copy_seconds", FM_FIELD_SECONDS, NODES(copy_ns)},
    {"boundaries", FM_FIELD_COUNT, NODES(boundaries)},
    {"boundary_seconds", FM_FIELD_SECONDS, NODES(boundary_ns)},
    {"base_seconds", FM_FIELD_SECONDS, NODES(base_ns)},
    {"base_known", FM_FIELD_BOOL, NODES(base_known)},
};

static const fm_field group_table[] = {
    {"name", FM_FIELD_TEXT, offsetof(fm_report_node_group, name)},
    {"nodes", FM_FIELD_INT, offsetof(fm_report_node_group, nodes)},
    {"seconds", FM_FIELD_SECONDS, offsetof(fm_report_node_group, total_ns)},
    {"cpu_seconds", FM_FIELD_SECONDS, offsetof(fm_report_node_group, cpu_ns)},
};

static const fm_field node_table[] = {
    {"name", FM_FIELD_TEXT, offsetof(fm_report_node, name)},
    {"type", FM_FIELD_TEXT, offsetof(fm_report_node, type)},
    {"provider", FM_FIELD_TEXT, offsetof(fm_report_node, provider)},
    {"runs", FM_FIELD_COUNT, offsetof(fm_report_node, count)},
    {"seconds", FM_FIELD_SECONDS, offsetof(fm_report_node, total_ns)},
    {"min_seconds", FM_FIELD_SECONDS, offsetof(fm_report_node, min_ns)},
    {"max_seconds", FM_FIELD_SECONDS, offsetof(fm_report_node, max_ns)},
};

static const fm_field cause_table[] = {
    {"type", FM_FIELD_TEXT, offsetof(fm_report_boundary, type)},
    {"nodes", FM_FIELD_INT, offsetof(fm_report_boundary, nodes)},
    {"operator_seconds", FM_FIELD_SECONDS, offsetof(fm_report_boundary, operator_ns)},
    {"boundary_seconds", FM_FIELD_SECONDS, offsetof(fm_report_boundary, boundary_ns)},
};

static const fm_fields nodes_fields = FIELDS(nodes_table), group_fields = FIELDS(group_table),
                       node_fields = FIELDS(node_table), cause_fields = FIELDS(cause_table);

/* --- writing and reading ---------------------------------------------------------------- */

static void write_list(fm_json *json, const char *key, const fm_fields *fields, const void *list, size_t count,
                       size_t size)
{
    fm_json_open(json, key, '[');
    for (size_t i = 0; i < count; i++) {
        fm_json_open(json, NULL, '{');
        fm_write_fields(json, fields, (const char *)list + i * size);
        fm_json_close(json, '}');
    }
    fm_json_close(json, ']');
}

void fm_nodes_write(fm_json *json, const fm_report_model *model)
{
    const fm_report_nodes *n = &model->nodes;
    if (!model->has_nodes) {
        fm_json_null(json, "nodes");
        return;
    }
    fm_json_open(json, "nodes", '{');
    fm_write_fields(json, &nodes_fields, n);
    write_list(json, "providers", &group_fields, n->providers, n->provider_count, sizeof *n->providers);
    write_list(json, "types", &group_fields, n->types, n->type_count, sizeof *n->types);
    write_list(json, "costliest", &node_fields, n->costliest, n->costliest_count, sizeof *n->costliest);
    write_list(json, "causes", &cause_fields, n->causes, n->cause_count, sizeof *n->causes);
    fm_json_close(json, '}');
}

static void *read_list(fm_profile_reader *l, const json_t *object, const char *key, const fm_fields *fields,
                       size_t size, size_t most, size_t *count)
{
    const json_t *array = fm_read_array(l, object, key, false);
    if (json_array_size(array) > most)
        fm_read_bad(l, key, "must not hold more than %zu elements", most);
    char *list = fm_read_room(l, array, size, count);
    const size_t before = fm_read_enter(l, key);
    for (size_t i = 0; i < *count && l->status == FM_OK; i++) {
        const size_t element = fm_read_enter_element(l, i);
        fm_read_fields(l, json_array_get(array, i), fields, list + i * size);
        fm_read_leave(l, element);
    }
    fm_read_leave(l, before);
    return list;
}

void fm_nodes_read(fm_profile_reader *l, const json_t *model, fm_report_model *out)
{
    const json_t *value = l->status == FM_OK ? json_object_get(model, "nodes") : NULL;
    if (!value || json_is_null(value))
        return;
    fm_report_nodes *n = &out->nodes;
    const json_t *object = fm_read_object(l, model, "nodes");
    const size_t before = fm_read_enter(l, "nodes");
    fm_read_fields(l, object, &nodes_fields, n);
    const size_t most = FM_REPORT_GROUPS_MAX;
    n->providers = read_list(l, object, "providers", &group_fields, sizeof *n->providers, most, &n->provider_count);
    n->types = read_list(l, object, "types", &group_fields, sizeof *n->types, most, &n->type_count);
    n->costliest = read_list(l, object, "costliest", &node_fields, sizeof *n->costliest, FM_REPORT_COSTLIEST,
                             &n->costliest_count);
    n->causes = read_list(l, object, "causes", &cause_fields, sizeof *n->causes, most, &n->cause_count);
    if (n->cpu_ns > n->node_ns)
        fm_read_bad(l, "cpu_seconds", "must not be more than node_seconds");
    fm_read_leave(l, before);
    out->has_nodes = l->status == FM_OK;
}

/* --- merging ------------------------------------------------------------------------------ */

static uint64_t add(uint64_t a, uint64_t b)
{
    const uint64_t most = 9000000000000000000u; /* what a file can hold, as seconds too */
    return a > most || b > most - a ? most : a + b;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static bool same(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

/* One list behind the other, in new memory; NULL when it is out. */
static void *joined(fm_profile *profile, const void *a, size_t a_count, const void *b, size_t b_count, size_t size)
{
    char *list = fm_profile_allocate(profile, a_count + b_count + 1, size);
    if (!list)
        return NULL;
    if (a_count > 0)
        memcpy(list, a, a_count * size);
    if (b_count > 0)
        memcpy(list + a_count * size, b, b_count * size);
    return list;
}

static const char *text_of(fm_profile *profile, const char *text)
{
    return fm_profile_copy(profile, text ? text : "");
}

static const fm_report_node_group *merge_groups(fm_profile *profile, const fm_report_node_group *a, size_t *a_count,
                                                const fm_report_node_group *b, size_t b_count)
{
    fm_report_node_group *list = joined(profile, a, *a_count, b, b_count, sizeof *list);
    size_t count = *a_count;
    for (size_t k = 0; list && k < b_count; k++) {
        size_t i = 0;
        while (i < count && !same(list[i].name, b[k].name))
            i++;
        if (i == count && count < FM_REPORT_GROUPS_MAX) {
            list[count] = b[k];
            list[count++].name = text_of(profile, b[k].name);
        } else {
            i -= i == count;
            list[i].nodes = larger(list[i].nodes, b[k].nodes);
            list[i].total_ns = add(list[i].total_ns, b[k].total_ns);
            list[i].cpu_ns = add(list[i].cpu_ns, b[k].cpu_ns);
        }
        if (!list[i].name)
            return NULL;
    }
    if (list)
        fm_node_groups_sort(list, count);
    *a_count = count;
    return list;
}

static const fm_report_node *merge_costliest(fm_profile *profile, const fm_report_node *a, size_t *a_count,
                                             const fm_report_node *b, size_t b_count)
{
    fm_report_node *list = joined(profile, a, *a_count, b, b_count, sizeof *list);
    size_t count = *a_count;
    for (size_t k = 0; list && k < b_count; k++) {
        size_t i = 0;
        while (i < count && !(same(list[i].name, b[k].name) && same(list[i].type, b[k].type) &&
                              same(list[i].provider, b[k].provider)))
            i++;
        if (i == count) {
            list[count] = b[k];
            list[count].name = text_of(profile, b[k].name);
            list[count].type = text_of(profile, b[k].type);
            list[count++].provider = text_of(profile, b[k].provider);
        } else {
            list[i].count = add(list[i].count, b[k].count);
            list[i].total_ns = add(list[i].total_ns, b[k].total_ns);
            list[i].min_ns = b[k].min_ns < list[i].min_ns ? b[k].min_ns : list[i].min_ns;
            list[i].max_ns = b[k].max_ns > list[i].max_ns ? b[k].max_ns : list[i].max_ns;
        }
        if (!list[i].name || !list[i].type || !list[i].provider)
            return NULL;
    }
    if (list)
        fm_nodes_sort(list, count);
    *a_count = count < FM_REPORT_COSTLIEST ? count : FM_REPORT_COSTLIEST;
    return list;
}

static const fm_report_boundary *merge_causes(fm_profile *profile, const fm_report_boundary *a, size_t *a_count,
                                              const fm_report_boundary *b, size_t b_count)
{
    fm_report_boundary *list = joined(profile, a, *a_count, b, b_count, sizeof *list);
    size_t count = *a_count;
    for (size_t k = 0; list && k < b_count; k++) {
        size_t i = 0;
        while (i < count && !same(list[i].type, b[k].type))
            i++;
        if (i == count && count < FM_REPORT_GROUPS_MAX) {
            list[count] = b[k];
            list[count++].type = text_of(profile, b[k].type);
        } else {
            i -= i == count;
            list[i].nodes = larger(list[i].nodes, b[k].nodes);
            list[i].operator_ns = add(list[i].operator_ns, b[k].operator_ns);
            list[i].boundary_ns = add(list[i].boundary_ns, b[k].boundary_ns);
        }
        if (!list[i].type)
            return NULL;
    }
    if (list)
        fm_boundaries_sort(list, count);
    *a_count = count;
    return list;
}

static void add_sums(fm_report_nodes *to, const fm_report_nodes *from)
{
    for (size_t i = 0; i < nodes_fields.count; i++) {
        const fm_field *field = &nodes_fields.list[i];
        if (field->kind != FM_FIELD_COUNT && field->kind != FM_FIELD_SECONDS)
            continue;
        uint64_t *sum = (uint64_t *)(void *)((char *)to + field->offset);
        *sum = add(*sum, *(const uint64_t *)(const void *)((const char *)from + field->offset));
    }
    to->nodes = larger(to->nodes, from->nodes);
}

bool fm_nodes_merge(fm_profile *profile, fm_report_model *to, const fm_report_model *from)
{
    fm_report_nodes *n = &to->nodes;
    const fm_report_nodes *other = &from->nodes;
    if (!from->has_nodes)
        return true;
    n->every = to->has_nodes && n->every != other->every ? 0 : other->every;
    n->base_known = (!to->has_nodes || n->base_known) && other->base_known;
    to->has_nodes = true;
    add_sums(n, other);
    n->providers = merge_groups(profile, n->providers, &n->provider_count, other->providers, other->provider_count);
    n->types = merge_groups(profile, n->types, &n->type_count, other->types, other->type_count);
    n->costliest = merge_costliest(profile, n->costliest, &n->costliest_count, other->costliest,
                                   other->costliest_count);
    n->causes = merge_causes(profile, n->causes, &n->cause_count, other->causes, other->cause_count);
    return n->providers && n->types && n->costliest && n->causes;
}
