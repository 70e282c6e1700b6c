#include "alloc/stacks.h"

#include <string.h>

enum { BUCKETS = 1 << 15 };

bool fmp_stacks_begin(fmp_stacks *stacks, fmp_pages *pages)
{
    *stacks = (fmp_stacks){.pages = pages, .buckets = fmp_pages_map(pages, BUCKETS * sizeof *stacks->buckets)};
    return stacks->buckets != NULL;
}

/* The nodes go with the pages that they were taken from. */
void fmp_stacks_end(fmp_stacks *stacks)
{
    fmp_pages_unmap(stacks->pages, stacks->buckets, BUCKETS * sizeof *stacks->buckets);
    stacks->buckets = NULL;
}

static uint64_t mixed(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 32);
}

static fmp_stack_node *find(fmp_stack_node *from, const fmp_stack_node *until, uint64_t hash, uint32_t operation,
                            const uintptr_t *frames, size_t depth)
{
    for (fmp_stack_node *node = from; node != until; node = node->next)
        if (node->hash == hash && node->operation == operation && node->depth == depth &&
            memcmp(node->frames, frames, depth * sizeof *frames) == 0)
            return node;
    return NULL;
}

fmp_stack_node *fmp_stacks_intern(fmp_stacks *stacks, uint32_t operation, const uintptr_t *frames, size_t depth)
{
    uint64_t hash = mixed(depth, operation);
    for (size_t i = 0; i < depth; i++)
        hash = mixed(hash, frames[i]);
    _Atomic(fmp_stack_node *) *bucket = &stacks->buckets[hash % BUCKETS];
    fmp_stack_node *first = atomic_load_explicit(bucket, memory_order_acquire);
    fmp_stack_node *node = find(first, NULL, hash, operation, frames, depth);
    if (node)
        return node;
    fmp_stack_node *made = fmp_pages_take(stacks->pages, sizeof *made + depth * sizeof *frames);
    if (!made)
        return NULL;
    made->hash = hash;
    made->operation = operation;
    made->depth = (uint32_t)depth;
    memcpy(made->frames, frames, depth * sizeof *frames);
    made->next = first;
    while (!atomic_compare_exchange_weak_explicit(bucket, &made->next, made, memory_order_acq_rel,
                                                  memory_order_acquire)) {
        /* Others came first: one of them may be the same. Then this one stays unused. */
        node = find(made->next, first, hash, operation, frames, depth);
        if (node)
            return node;
        first = made->next;
    }
    return made;
}

void fmp_stacks_each(const fmp_stacks *stacks, void (*visit)(const fmp_stack_node *node, void *context), void *context)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (const fmp_stack_node *n = atomic_load_explicit(&stacks->buckets[i], memory_order_acquire); n; n = n->next)
            visit(n, context);
}
