#include "inference/breakdown.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inference/internal.h"
#include "inference/outline.h"

/* --- what the runtime says ------------------------------------------------------- */

typedef struct assigned {
    const char *name, *domain, *op_type; /* the session's */
    int provider; /* into the breakdown's list */
} assigned;

typedef struct assignment {
    assigned *nodes;
    size_t count;
    int accelerator_pieces; /* subgraphs of all providers but the CPU's */
} assignment;

static int provider_index(fm_breakdown *b, const char *full)
{
    const char *name = fm_provider_suffix(full);
    for (int i = 0; i < b->provider_count; i++)
        if (strcmp(b->providers[i].name, name) == 0)
            return i;
    if (b->provider_count == FM_BREAKDOWN_PROVIDERS_MAX)
        return FM_BREAKDOWN_PROVIDERS_MAX - 1;
    b->providers[b->provider_count].name = name;
    return b->provider_count++;
}

static bool is_cpu(const fm_breakdown *b, int provider)
{
    return strcmp(b->providers[provider].name, fm_provider_suffix(FM_CPU_PROVIDER)) == 0;
}

static OrtStatus *read_node(const OrtApi *api, const OrtEpAssignedNode *node, assigned *out)
{
    OrtStatus *status = api->EpAssignedNode_GetName(node, &out->name);
    if (!status)
        status = api->EpAssignedNode_GetDomain(node, &out->domain);
    if (!status)
        status = api->EpAssignedNode_GetOperatorType(node, &out->op_type);
    return status;
}

static OrtStatus *read_piece(const OrtApi *api, const OrtEpAssignedSubgraph *piece, fm_breakdown *b, assignment *a,
                             bool *no_memory)
{
    const char *full = NULL;
    const OrtEpAssignedNode *const *nodes = NULL;
    size_t count = 0;
    OrtStatus *status = api->EpAssignedSubgraph_GetEpName(piece, &full);
    if (!status)
        status = api->EpAssignedSubgraph_GetNodes(piece, &nodes, &count);
    if (status || count == 0)
        return status;
    assigned *grown = realloc(a->nodes, (a->count + count) * sizeof *grown);
    if (!grown) {
        *no_memory = true;
        return NULL;
    }
    a->nodes = grown;
    const int provider = provider_index(b, full);
    a->accelerator_pieces += !is_cpu(b, provider);
    for (size_t i = 0; !status && i < count; i++) {
        a->nodes[a->count].provider = provider;
        status = read_node(api, nodes[i], &a->nodes[a->count]);
        a->count += !status;
    }
    return status;
}

static fm_status read_assignment(const fm_session *s, fm_breakdown *b, assignment *a, fm_error *err)
{
    const OrtApi *api = s->runtime->api;
    const OrtEpAssignedSubgraph *const *pieces = NULL; /* owned by the session */
    size_t count = 0;
    bool no_memory = false;
    OrtStatus *status = api->Session_GetEpGraphAssignmentInfo(s->session, &pieces, &count);
    for (size_t i = 0; !status && !no_memory && i < count; i++)
        status = read_piece(api, pieces[i], b, a, &no_memory);
    if (no_memory)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory inspecting '%s'", s->name);
    return fm_ort_check(s->runtime, status, FM_E_RUNTIME, "learn what runs the model", s->name, err);
}

/* --- counting ----------------------------------------------------------------------- */

static void type_text(char *out, size_t size, const assigned *node)
{
    const bool standard = !*node->domain || strcmp(node->domain, "ai.onnx") == 0;
    snprintf(out, size, "%s%s%s", standard ? "" : node->domain, standard ? "" : ".", node->op_type);
}

static bool count_type(fm_breakdown *b, const char *op_type, bool cpu)
{
    int i = 0;
    while (i < b->type_count && strcmp(b->types[i].op_type, op_type) != 0)
        i++;
    if (i == b->type_count) {
        fm_breakdown_type *grown = realloc(b->types, (size_t)(i + 1) * sizeof *grown);
        if (!grown)
            return false;
        b->types = grown;
        char *name = strdup(op_type);
        if (!name)
            return false;
        b->types[b->type_count++] = (fm_breakdown_type){.op_type = name};
    }
    if (cpu)
        b->types[i].cpu++;
    else
        b->types[i].accelerator++;
    return true;
}

static int by_operators(const void *a, const void *b)
{
    const fm_breakdown_provider *x = a, *y = b;
    return x->operators != y->operators ? (x->operators < y->operators ? 1 : -1) : strcmp(x->name, y->name);
}

static int by_count(const void *a, const void *b)
{
    const fm_breakdown_type *x = a, *y = b;
    const int m = x->accelerator + x->cpu, n = y->accelerator + y->cpu;
    return m != n ? (m < n ? 1 : -1) : strcmp(x->op_type, y->op_type);
}

static bool count_nodes(fm_breakdown *b, const assignment *a)
{
    for (size_t i = 0; i < a->count; i++) {
        const assigned *node = &a->nodes[i];
        const bool cpu = is_cpu(b, node->provider);
        char text[160];
        type_text(text, sizeof text, node);
        b->operators++;
        b->cpu += cpu;
        b->accelerator += !cpu;
        b->providers[node->provider].operators++;
        if (!count_type(b, text, cpu))
            return false;
    }
    return true;
}

/* --- edges --------------------------------------------------------------------------- */

typedef struct entry {
    fm_view key;
    uint32_t value;
} entry;

/* The graph of the file with the provider of each node. */
typedef struct graph {
    const fm_outline *outline;
    int *provider;      /* of each node of the file; -1: the runtime has optimised it away */
    entry *makers;      /* tensor -> node, sorted */
    size_t maker_count;
    uint32_t *behind;   /* of each node that was optimised away: the entry of its real maker, NOTHING or NOT_LOOKED */
    uint32_t *trail;    /* room for the nodes of one walk */
    uint32_t *root;     /* of each node's island, as in union-find */
    uint64_t *handed;   /* hand-overs seen: maker's output << 8 | reading provider */
    size_t handed_count;
    bool complete;      /* every assigned node is in the file */
} graph;

#define NOTHING UINT32_MAX /* an input of the graph or a constant */
#define NOT_LOOKED (UINT32_MAX - 1)

static int by_key(const void *a, const void *b)
{
    return fm_view_compare(((const entry *)a)->key, ((const entry *)b)->key);
}

static const entry *look_up(const entry *list, size_t count, fm_view key)
{
    const entry wanted = {.key = key};
    return count ? bsearch(&wanted, list, count, sizeof *list, by_key) : NULL;
}

/* Finds each assigned node in the file by its name. A name that the file has twice, or not at all, says nothing. */
static bool match_nodes(graph *g, const assignment *a)
{
    const size_t count = g->outline->node_count;
    entry *names = malloc((count + 1) * sizeof *names);
    if (!names)
        return false;
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        g->provider[i] = -1;
        if (g->outline->nodes[i].name.size > 0)
            names[used++] = (entry){g->outline->nodes[i].name, (uint32_t)i};
    }
    qsort(names, used, sizeof *names, by_key);
    g->complete = true;
    for (size_t i = 0; i < a->count; i++) {
        const entry *found = look_up(names, used, (fm_view){a->nodes[i].name, strlen(a->nodes[i].name)});
        const size_t at = found ? (size_t)(found - names) : 0;
        const bool unique = found && (at == 0 || !fm_view_equal(names[at - 1].key, found->key)) &&
                            (at + 1 == used || !fm_view_equal(names[at + 1].key, found->key));
        if (unique && g->provider[found->value] < 0)
            g->provider[found->value] = a->nodes[i].provider;
        else
            g->complete = false;
    }
    free(names);
    return true;
}

static bool index_makers(graph *g)
{
    const fm_outline *o = g->outline;
    g->makers = malloc((o->output_count + 1) * sizeof *g->makers);
    if (!g->makers)
        return false;
    for (size_t i = 0; i < o->node_count; i++)
        for (uint32_t k = 0; k < o->nodes[i].output_count; k++)
            g->makers[g->maker_count++] = (entry){o->outputs[o->nodes[i].first_output + k], (uint32_t)i};
    qsort(g->makers, g->maker_count, sizeof *g->makers, by_key);
    return true;
}

static uint32_t entry_of(const graph *g, fm_view tensor)
{
    const entry *maker = tensor.size ? look_up(g->makers, g->maker_count, tensor) : NULL;
    return maker ? (uint32_t)(maker - g->makers) : NOTHING;
}

static uint32_t first_computed_input(const graph *g, const fm_outline_node *node)
{
    uint32_t found = NOTHING;
    for (uint32_t k = 0; k < node->input_count && found == NOTHING; k++)
        found = entry_of(g, g->outline->inputs[node->first_input + k]);
    return found;
}

/*
 * The entry that really makes a tensor: through nodes that were optimised
 * away (an Identity, a Pad that went into its Conv) to what made their first
 * computed input. Each such node is walked through once, however many read it.
 */
static uint32_t maker_of(graph *g, fm_view tensor)
{
    size_t steps = 0;
    uint32_t at = entry_of(g, tensor);
    while (at != NOTHING && g->provider[g->makers[at].value] < 0) {
        const uint32_t gone = g->makers[at].value;
        at = g->behind[gone];
        if (at != NOT_LOOKED)
            break;
        g->behind[gone] = NOTHING; /* what a file with a cycle comes back to */
        g->trail[steps++] = gone;
        at = first_computed_input(g, &g->outline->nodes[gone]);
    }
    while (steps > 0)
        g->behind[g->trail[--steps]] = at;
    return at;
}

static uint32_t root_of(const graph *g, uint32_t node)
{
    while (g->root[node] != node) {
        g->root[node] = g->root[g->root[node]];
        node = g->root[node];
    }
    return node;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void follow_edges(graph *g)
{
    const fm_outline *o = g->outline;
    for (size_t i = 0; i < o->node_count; i++) {
        if (g->provider[i] < 0)
            continue;
        for (uint32_t k = 0; k < o->nodes[i].input_count; k++) {
            const uint32_t made = maker_of(g, o->inputs[o->nodes[i].first_input + k]);
            if (made == NOTHING)
                continue;
            const uint32_t maker = g->makers[made].value;
            if (g->provider[maker] == g->provider[i])
                g->root[root_of(g, (uint32_t)i)] = root_of(g, maker);
            else
                g->handed[g->handed_count++] = (uint64_t)made << 8 | (unsigned)g->provider[i];
        }
    }
    qsort(g->handed, g->handed_count, sizeof *g->handed, by_number);
}

/* A tensor that several operators of a device read crosses once. */
static int count_crossings(const graph *g)
{
    int count = 0;
    for (size_t i = 0; i < g->handed_count; i++)
        count += i == 0 || g->handed[i] != g->handed[i - 1];
    return count;
}

static int count_islands(const graph *g, const fm_breakdown *b)
{
    int count = 0;
    for (size_t i = 0; i < g->outline->node_count; i++)
        count += g->provider[i] >= 0 && !is_cpu(b, g->provider[i]) && g->root[i] == i;
    return count;
}

static bool read_edges(fm_breakdown *b, const assignment *a, const fm_outline *outline)
{
    graph g = {
        .outline = outline,
        .provider = malloc((outline->node_count + 1) * sizeof *g.provider),
        .behind = malloc((outline->node_count + 1) * sizeof *g.behind),
        .trail = malloc((outline->node_count + 1) * sizeof *g.trail),
        .root = malloc((outline->node_count + 1) * sizeof *g.root),
        .handed = malloc((outline->input_count + 1) * sizeof *g.handed),
    };
    const bool good = g.provider && g.behind && g.trail && g.root && g.handed && match_nodes(&g, a) && index_makers(&g);
    if (good) {
        for (size_t i = 0; i < outline->node_count; i++) {
            g.behind[i] = NOT_LOOKED;
            g.root[i] = (uint32_t)i;
        }
        follow_edges(&g);
        b->crossings = count_crossings(&g);
        b->crossings_known = g.complete;
        /* One piece an operator: the provider does not compile pieces, and what hangs together counts. */
        if (g.complete && a->accelerator_pieces == b->accelerator)
            b->partitions = count_islands(&g, b);
    }
    free(g.provider);
    free(g.behind);
    free(g.trail);
    free(g.root);
    free(g.handed);
    free(g.makers);
    return good;
}

/* --- together -------------------------------------------------------------------------- */

static fm_status count_all(fm_session *s, const assignment *a, const fm_outline *outline, fm_error *err)
{
    fm_breakdown *b = &s->breakdown;
    bool good = count_nodes(b, a);
    b->partitions = a->accelerator_pieces;
    b->crossings_known = b->accelerator == 0 || b->cpu == 0;
    if (outline) {
        b->parameters = outline->parameters;
        b->weight_bytes = outline->weight_bytes;
        if (good && b->accelerator > 0)
            good = read_edges(b, a, outline);
    }
    if (!good)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory inspecting '%s'", s->name);
    qsort(b->providers, (size_t)b->provider_count, sizeof b->providers[0], by_operators);
    if (b->type_count > 0)
        qsort(b->types, (size_t)b->type_count, sizeof b->types[0], by_count);
    /* No operator at all (everything was constant): nothing but the CPU takes part. */
    snprintf(s->backend, sizeof s->backend, "%s",
             b->provider_count ? b->providers[0].name : fm_provider_suffix(FM_CPU_PROVIDER));
    return FM_OK;
}

fm_status fm_ort_breakdown(fm_session *s, const void *data, size_t size, fm_error *err)
{
    assignment a = {0};
    fm_outline outline = {0};
    fm_status status = read_assignment(s, &s->breakdown, &a, err);
    /* The runtime has taken the model already, so bytes that we cannot read (its own .ort format) cost only details. */
    fm_error ignored = {0};
    const bool read = status == FM_OK && data && fm_outline_read(&outline, data, size, s->name, &ignored) == FM_OK;
    if (status == FM_OK)
        status = count_all(s, &a, read ? &outline : NULL, err);
    fm_outline_free(&outline);
    free(a.nodes);
    return status;
}

void fm_breakdown_free(fm_breakdown *b)
{
    for (int i = 0; i < b->type_count; i++)
        free((char *)b->types[i].op_type); /* made by strdup in count_type */
    free(b->types);
    *b = (fm_breakdown){0};
}
