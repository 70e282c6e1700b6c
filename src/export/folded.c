/*
 * Collapsed stacks, the input of flame graph tools: one line a stack, frames
 * joined by ';', a space, a whole number. The number is self time in
 * nanoseconds: what is shorter than a microsecond is not lost, and the tools
 * take any unit.
 */
#include <errno.h>
#include <stdlib.h>

#include "fmprof/export.h"
#include "trace_facts.h"
#include "walk.h"
#include "writer.h"

static void frame(fmp_writer *w, const char *name)
{
    fmp_write_line(w, name && *name ? name : "(no name)", ';', '_');
}

static void weight(fmp_writer *w, uint64_t nanoseconds)
{
    fmp_write_char(w, ' ');
    fmp_write_u64(w, nanoseconds);
    fmp_write_char(w, '\n');
}

int fmp_print_folded(FILE *out, const fmp_snapshot *snapshot)
{
    fmp_writer w;
    fmp_writer_open(&w, out);
    for (size_t i = 0; snapshot && i < snapshot->operation_count; i++) {
        const fmp_operation *op = &snapshot->operations[i];
        if (op->self_ns == 0)
            continue;
        frame(&w, op->category);
        fmp_write_char(&w, ';');
        frame(&w, op->operation);
        weight(&w, op->self_ns);
    }
    return fmp_writer_close(&w);
}

/* --- of a trace: a tree of stacks --------------------------------------------- */

enum { ROOT = 0 };

typedef struct node {
    size_t parent;
    uint32_t name;
    uint32_t next; /* in the hash chain; 0: none (the root is in no chain) */
    uint64_t self_ns;
} node;

typedef struct tree {
    node *nodes; /* [ROOT] is the thread */
    size_t count, capacity;
    uint32_t *heads; /* of the hash chains; their number is a power of two, not below the nodes' */
} tree;

static size_t hash_of(const tree *t, size_t parent, uint32_t name)
{
    uint64_t key = ((uint64_t)parent << 32 | name) * 0x9E3779B97F4A7C15u; /* Fibonacci hashing */
    return (size_t)(key >> 32) & (t->capacity - 1);
}

static bool grow(tree *t)
{
    size_t capacity = t->capacity ? 2 * t->capacity : 256;
    if (capacity > UINT32_MAX / 2)
        return false;
    uint32_t *heads = calloc(capacity, sizeof *heads);
    node *nodes = heads ? realloc(t->nodes, capacity * sizeof *nodes) : NULL;
    if (!nodes) {
        free(heads);
        return false;
    }
    free(t->heads);
    t->heads = heads;
    t->nodes = nodes;
    t->capacity = capacity;
    for (size_t i = 1; i < t->count; i++) {
        uint32_t *head = &heads[hash_of(t, nodes[i].parent, nodes[i].name)];
        nodes[i].next = *head;
        *head = (uint32_t)i;
    }
    return true;
}

/* The stack `parent` with `name` on top; ROOT when memory is out. */
static size_t child_of(tree *t, size_t parent, uint32_t name)
{
    for (size_t i = t->heads[hash_of(t, parent, name)]; i != 0; i = t->nodes[i].next)
        if (t->nodes[i].parent == parent && t->nodes[i].name == name)
            return i;
    if (t->count == t->capacity && !grow(t))
        return ROOT;
    uint32_t *head = &t->heads[hash_of(t, parent, name)];
    t->nodes[t->count] = (node){.parent = parent, .name = name, .next = *head};
    *head = (uint32_t)t->count;
    return t->count++;
}

/* False when memory is out. */
static bool add_thread(tree *t, const fmp_trace_thread *thread)
{
    fmp_walk walk;
    fmp_step step;
    size_t at = ROOT;
    uint64_t since = 0; /* when the stack `at` came to the top */
    t->count = 1;
    t->nodes[ROOT] = (node){0};
    for (size_t i = 0; i < t->capacity; i++)
        t->heads[i] = 0;
    fmp_walk_start(&walk, thread);
    while (fmp_walk_next(&walk, &step)) {
        if (step.kind == FMP_STEP_EVENT)
            continue;
        t->nodes[at].self_ns += step.at_ns - since;
        since = step.at_ns;
        at = step.kind == FMP_STEP_BEGIN ? child_of(t, at, step.event->name) : t->nodes[at].parent;
        if (step.kind == FMP_STEP_BEGIN && at == ROOT) {
            walk.failed = true;
            break;
        }
    }
    fmp_walk_stop(&walk);
    return !walk.failed;
}

/* The frames from the thread to `at`, through `path`, which has room for the deepest stack. */
static void print_stack(fmp_writer *w, const fmp_trace *trace, const fmp_trace_thread *thread,
                        const tree *t, size_t at, uint32_t *path)
{
    size_t depth = 0;
    for (size_t i = at; i != ROOT; i = t->nodes[i].parent)
        path[depth++] = t->nodes[i].name;
    frame(w, thread->name);
    while (depth > 0) {
        fmp_write_char(w, ';');
        frame(w, fmp_trace_name_at(trace, path[--depth]).operation);
    }
    weight(w, t->nodes[at].self_ns);
}

static bool print_thread(fmp_writer *w, const fmp_trace *trace, const fmp_trace_thread *thread,
                         tree *t)
{
    if (!add_thread(t, thread))
        return false;
    uint32_t *path = calloc(t->count, sizeof *path);
    if (!path)
        return false;
    for (size_t i = 1; i < t->count; i++)
        if (t->nodes[i].self_ns > 0)
            print_stack(w, trace, thread, t, i, path);
    free(path);
    return true;
}

int fmp_print_folded_trace(FILE *out, const fmp_trace *trace)
{
    fmp_writer w;
    tree t = {0};
    fmp_writer_open(&w, out);
    bool ready = grow(&t);
    for (size_t i = 0; ready && trace && i < trace->thread_count; i++)
        ready = print_thread(&w, trace, &trace->threads[i], &t);
    if (!ready)
        fmp_writer_fail(&w, ENOMEM);
    free(t.heads);
    free(t.nodes);
    return fmp_writer_close(&w);
}
