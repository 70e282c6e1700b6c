#include "inference/node_times.h"

#include <stdlib.h>
#include <string.h>

#include "inference/node_stream.h"
#include "inference/provider.h"

enum { MOMENTS_MAX = 1 << 20, SLOTS = 2 * FM_NODE_TIMES_MAX, PROVIDER_MAX = 64, NEAR = 64 };

#define NO_NODE UINT32_MAX

/* A node at work, while a run is read. */
typedef struct moment {
    uint32_t node; /* NO_NODE: not attributed */
    bool inside;   /* of another node */
    uint64_t start_us, end_us;
    uint64_t self_us;
} moment;

struct fm_node_times {
    fm_node_time *nodes;
    size_t node_room;
    uint32_t *slots; /* hash table: index of a node + 1 */
    moment *run;     /* of the run that is read, in order of their ends */
    size_t run_count, run_room;
    uint32_t *chain; /* of these, those that lie in no other */
    size_t chain_count, chain_room;
    uint64_t *gaps;
    size_t gap_room;
    fm_node_moment *moments;
    size_t moment_room;
    fm_node_totals totals;
};

fm_node_times *fm_node_times_create(void)
{
    fm_node_times *t = calloc(1, sizeof *t);
    if (t)
        t->slots = calloc(SLOTS, sizeof *t->slots);
    if (t && !t->slots) {
        free(t);
        return NULL;
    }
    if (t)
        t->totals.base_known = true;
    return t;
}

void fm_node_times_destroy(fm_node_times **times)
{
    if (!times || !*times)
        return;
    fm_node_times *t = *times;
    for (size_t i = 0; i < t->totals.node_count; i++) {
        free((char *)t->nodes[i].name); /* made by copy_text */
        free((char *)t->nodes[i].op_type);
        free((char *)t->nodes[i].provider);
    }
    free(t->nodes);
    free(t->slots);
    free(t->run);
    free(t->chain);
    free(t->gaps);
    free(t->moments);
    free(t);
    *times = NULL;
}

fm_node_totals fm_node_times_totals(const fm_node_times *times)
{
    fm_node_totals totals = times->totals;
    totals.nodes = times->nodes;
    totals.moments = times->moments;
    return totals;
}

/* The list, with room for one more element. NULL: memory is out, and the list as it was. */
static void *with_room(void *list, size_t *room, size_t count, size_t size)
{
    if (count < *room)
        return list;
    const size_t more = *room ? 2 * *room : 256;
    void *grown = realloc(list, more * size);
    if (grown)
        *room = more;
    return grown;
}

/* --- nodes -------------------------------------------------------------------------- */

static fm_view cut(fm_view text)
{
    if (text.size <= FM_NODE_TEXT_MAX)
        return text;
    text.size = FM_NODE_TEXT_MAX;
    while (text.size > 0 && ((unsigned char)text.at[text.size] & 0xc0) == 0x80)
        text.size--;
    return text;
}

static char *copy_text(fm_view text)
{
    char *copy = malloc(text.size + 1);
    if (!copy)
        return NULL;
    for (size_t i = 0; i < text.size; i++)
        copy[i] = text.at[i] ? text.at[i] : '?';
    copy[text.size] = '\0';
    return copy;
}

/* FNV-1a, 64 bits (Fowler, Noll, Vo). */
static uint64_t hash_view(uint64_t hash, fm_view text)
{
    for (size_t i = 0; i < text.size; i++)
        hash = (hash ^ (unsigned char)text.at[i]) * 1099511628211u;
    return (hash ^ 0xff) * 1099511628211u;
}

static bool same_text(fm_view text, const char *copy)
{
    if (strlen(copy) != text.size)
        return false;
    for (size_t i = 0; i < text.size; i++)
        if (copy[i] != (text.at[i] ? text.at[i] : '?'))
            return false;
    return true;
}

static bool equal(fm_view text, const char *other)
{
    return fm_view_equal(text, (fm_view){other, strlen(other)});
}

/*
 * ONNX Runtime names the node of a compiled piece PROVIDER_TYPE_NUMBER; no operator's type begins its node's name in
 * that way, unless a model sets out to.
 */
static bool is_compiled(const fm_node_event *event)
{
    const fm_view name = event->name, provider = event->provider, type = event->op_type;
    const size_t head = provider.size + 1 + type.size + 1;
    if (name.size <= head || memcmp(name.at, provider.at, provider.size) != 0 || name.at[provider.size] != '_' ||
        memcmp(name.at + provider.size + 1, type.at, type.size) != 0 || name.at[head - 1] != '_')
        return false;
    for (size_t i = head; i < name.size; i++)
        if (name.at[i] < '0' || name.at[i] > '9')
            return false;
    return true;
}

static fm_node_kind kind_of(const fm_node_event *event)
{
    if (equal(event->op_type, "MemcpyToHost") || equal(event->op_type, "MemcpyFromHost"))
        return FM_NODE_COPY;
    return is_compiled(event) ? FM_NODE_COMPILED : FM_NODE_OPERATOR;
}

static bool make_node(fm_node_time *out, const fm_node_event *event, fm_view name, fm_view type, fm_view provider)
{
    char full[PROVIDER_MAX];
    const size_t length = provider.size < sizeof full ? provider.size : sizeof full - 1;
    memcpy(full, provider.at, length);
    full[length] = '\0';
    *out = (fm_node_time){.kind = kind_of(event), .cpu = equal(provider, FM_CPU_PROVIDER), .index = event->index};
    const char *suffix = fm_provider_suffix(full);
    out->name = copy_text(name);
    out->op_type = copy_text(type);
    out->provider = copy_text((fm_view){suffix, strlen(suffix)});
    if (out->name && out->op_type && out->provider)
        return true;
    free((char *)out->name);
    free((char *)out->op_type);
    free((char *)out->provider);
    return false;
}

/* The node of an event, made where it is new. NO_NODE beyond the bound. False: memory is out. */
static bool find_node(fm_node_times *t, const fm_node_event *event, uint32_t *out)
{
    const fm_view name = cut(event->name), type = cut(event->op_type), provider = cut(event->provider);
    uint64_t hash = hash_view(hash_view(hash_view(14695981039346656037u, name), type), provider);
    hash = (hash ^ (uint64_t)event->index) * 1099511628211u;
    size_t slot = (size_t)(hash >> 20) % SLOTS;
    for (; t->slots[slot]; slot = (slot + 1) % SLOTS) {
        const fm_node_time *node = &t->nodes[t->slots[slot] - 1];
        if (node->index == event->index && same_text(name, node->name) && same_text(type, node->op_type) &&
            node->cpu == equal(provider, FM_CPU_PROVIDER)) {
            *out = t->slots[slot] - 1;
            return true;
        }
    }
    *out = NO_NODE;
    if (t->totals.node_count == FM_NODE_TIMES_MAX)
        return true;
    fm_node_time *nodes = with_room(t->nodes, &t->node_room, t->totals.node_count, sizeof *nodes);
    if (!nodes)
        return false;
    t->nodes = nodes;
    if (!make_node(&nodes[t->totals.node_count], event, name, type, provider))
        return false;
    *out = (uint32_t)t->totals.node_count++;
    t->slots[slot] = *out + 1;
    return true;
}

/* --- a run ----------------------------------------------------------------------------- */

static moment *last_of_chain(const fm_node_times *t)
{
    return t->chain_count > 0 ? &t->run[t->chain[t->chain_count - 1]] : NULL;
}

static bool append(fm_node_times *t, const moment *m)
{
    moment *run = with_room(t->run, &t->run_room, t->run_count, sizeof *run);
    t->run = run ? run : t->run;
    uint32_t *chain = with_room(t->chain, &t->chain_room, t->chain_count, sizeof *chain);
    t->chain = chain ? chain : t->chain;
    if (!run || !chain)
        return false;
    chain[t->chain_count++] = (uint32_t)t->run_count;
    run[t->run_count++] = *m;
    return true;
}

/*
 * Adds an event behind those before it, which ended earlier. Those that lie inside it are its parts: their time is not
 * its own, and they leave the chain, since they have no boundary with what is outside. What overlaps otherwise cannot
 * be.
 */
static bool add_moment(fm_node_times *t, const fm_node_event *event)
{
    moment m = {.start_us = event->start_us, .end_us = event->start_us + event->duration_us,
                .self_us = event->duration_us};
    moment *last;
    while ((last = last_of_chain(t)) && last->start_us >= m.start_us && last->end_us > m.start_us &&
           last->end_us <= m.end_us) {
        m.self_us -= last->end_us - last->start_us; /* parts of one node do not overlap */
        last->inside = true;
        t->chain_count--;
    }
    if (t->run_count == MOMENTS_MAX || (last && last->end_us > m.start_us)) {
        t->totals.lost_events++;
        return true;
    }
    if (!find_node(t, event, &m.node))
        return false;
    t->totals.lost_events += m.node == NO_NODE;
    return append(t, &m);
}

/* Reads the stream into t->run. *run_us: what the runtime says of the whole run; 0: it was cut before that. */
static bool read_run(fm_node_times *t, const void *data, size_t size, uint64_t *run_us)
{
    fm_node_stream stream = fm_node_stream_of(data, size);
    fm_node_event event;
    t->run_count = t->chain_count = 0;
    *run_us = 0;
    while (fm_node_stream_next(&stream, &event)) {
        if (event.kind == FM_NODE_EVENT_RUN)
            *run_us = event.start_us + event.duration_us;
        else if (event.kind == FM_NODE_EVENT_NODE && !add_moment(t, &event))
            return false;
    }
    t->totals.lost_events += stream.lost;
    if (!stream.whole)
        *run_us = 0;
    return true;
}

static void count_node(fm_node_time *node, uint64_t us)
{
    if (node->count == 0 || us < node->min_us)
        node->min_us = us;
    if (us > node->max_us)
        node->max_us = us;
    node->count++;
    node->total_us += us;
}

static void count_nodes(fm_node_times *t, uint64_t run_us)
{
    for (size_t i = 0; i < t->run_count; i++) {
        moment *m = &t->run[i];
        if (m->node != NO_NODE && m->end_us > run_us) { /* what a name can pretend, a node cannot do */
            t->totals.lost_events++;
            m->node = NO_NODE;
        }
        if (m->node == NO_NODE)
            continue;
        count_node(&t->nodes[m->node], m->self_us);
        t->totals.node_us += m->self_us;
    }
}

/* --- boundaries -------------------------------------------------------------------------- */

static const moment *moment_at(const fm_node_times *t, size_t place)
{
    return &t->run[t->chain[place]];
}

static const fm_node_time *node_at(const fm_node_times *t, size_t place)
{
    const uint32_t node = moment_at(t, place)->node;
    return node == NO_NODE ? NULL : &t->nodes[node];
}

/* The gap behind a place of the chain. */
static uint64_t gap_behind(const fm_node_times *t, size_t place)
{
    return moment_at(t, place + 1)->start_us - moment_at(t, place)->end_us;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static bool same_provider(const fm_node_time *a, const fm_node_time *b)
{
    return a->cpu == b->cpu && strcmp(a->provider, b->provider) == 0;
}

/* What a gap takes where nothing is handed over. False: memory is out. */
static bool find_base(fm_node_times *t, uint64_t *base)
{
    size_t count = 0;
    uint64_t smallest = UINT64_MAX;
    for (size_t i = 0; i + 1 < t->chain_count; i++) {
        const fm_node_time *a = node_at(t, i), *b = node_at(t, i + 1);
        const uint64_t gap = gap_behind(t, i);
        if (!a || !b)
            continue;
        smallest = gap < smallest ? gap : smallest;
        if (!same_provider(a, b))
            continue;
        uint64_t *gaps = with_room(t->gaps, &t->gap_room, count, sizeof *gaps);
        if (!gaps)
            return false;
        t->gaps = gaps;
        gaps[count++] = gap;
    }
    if (count > 0) {
        qsort(t->gaps, count, sizeof *t->gaps, by_number);
        *base = t->gaps[count / 2];
    } else {
        *base = smallest == UINT64_MAX ? 0 : smallest;
        t->totals.base_known = false;
    }
    return true;
}

/* The nearest operator on the CPU from a place on, forwards or backwards; NULL: there is none near. */
static fm_node_time *cpu_operator_from(fm_node_times *t, size_t place, bool forwards)
{
    for (size_t steps = 0; steps < NEAR && (forwards ? place + steps < t->chain_count : steps <= place); steps++) {
        const size_t i = forwards ? place + steps : place - steps;
        const fm_node_time *node = node_at(t, i);
        if (node && node->cpu && node->kind != FM_NODE_COPY)
            return &t->nodes[moment_at(t, i)->node];
    }
    return NULL;
}

static void charge(fm_node_time *node, int64_t us)
{
    if (!node)
        return;
    node->boundaries++;
    node->boundary_us += us;
}

static void charge_copy(fm_node_times *t, size_t place)
{
    const fm_node_time *node = node_at(t, place);
    const uint64_t us = moment_at(t, place)->self_us;
    t->totals.copies++;
    t->totals.copy_us += us;
    charge(cpu_operator_from(t, place, strcmp(node->op_type, "MemcpyToHost") == 0), (int64_t)us);
}

/* Between two nodes of the chain: to the CPU's node, or, between two accelerators, to the later one. */
static void charge_gap(fm_node_times *t, size_t place, uint64_t base)
{
    const size_t owner = node_at(t, place)->cpu ? place : place + 1;
    t->totals.boundaries++;
    charge(&t->nodes[moment_at(t, owner)->node], (int64_t)gap_behind(t, place) - (int64_t)base);
}

static bool count_boundaries(fm_node_times *t)
{
    uint64_t base = 0;
    if (!find_base(t, &base))
        return false;
    t->totals.base_us += base;
    for (size_t i = 0; i < t->chain_count; i++) {
        const fm_node_time *node = node_at(t, i), *next = i + 1 < t->chain_count ? node_at(t, i + 1) : NULL;
        if (node && node->kind == FM_NODE_COPY)
            charge_copy(t, i);
        if (node && next && !same_provider(node, next))
            charge_gap(t, i, base);
    }
    return true;
}

static bool keep_moments(fm_node_times *t)
{
    t->totals.moment_count = 0;
    for (size_t i = 0; i < t->chain_count; i++) {
        const moment *m = moment_at(t, i);
        if (m->node == NO_NODE)
            continue;
        fm_node_moment *list = with_room(t->moments, &t->moment_room, t->totals.moment_count, sizeof *list);
        if (!list)
            return false;
        t->moments = list;
        list[t->totals.moment_count++] = (fm_node_moment){m->node, m->start_us, m->end_us - m->start_us};
    }
    return true;
}

fm_status fm_node_times_add(fm_node_times *t, const void *data, size_t size, fm_error *err)
{
    uint64_t run_us = 0;
    t->totals.moment_count = 0;
    bool good = read_run(t, data, size, &run_us);
    if (good && run_us == 0) {
        t->totals.lost_runs++;
        return FM_OK;
    }
    if (good) {
        count_nodes(t, run_us);
        t->totals.samples++;
        t->totals.run_us += run_us;
        good = count_boundaries(t) && keep_moments(t);
    }
    return good ? FM_OK : fm_fail(err, FM_E_NO_MEMORY, "out of memory for the times of the model's nodes");
}
