/* What was recorded, in the terms of alloc_api.h. */
#include "alloc/callers.h"
#include "alloc/recording.h"

static uint64_t whole(uint64_t count)
{
    return (count + FMP_LIVE_ONE / 2) / FMP_LIVE_ONE;
}

static uint64_t value(const _Atomic(uint64_t) *of)
{
    return atomic_load_explicit(of, memory_order_relaxed);
}

void fmp_alloc_read_totals(fmp_alloc_totals *out)
{
    *out = (fmp_alloc_totals){0};
    const fmp_alloc_recording *r = fmp_alloc_stopped();
    if (!r)
        return;
    const uint32_t used = fmp_alloc_threads_used(r->number);
    for (uint32_t i = 0; i < used; i++) {
        uint64_t count, bytes;
        fmp_alloc_threads_sum(r->number, i, &count, &bytes);
        out->count += count;
        out->bytes += bytes;
        if (i == FMP_ALLOC_OPERATIONS - 1)
            out->other_operations = count;
    }
    out->interval = r->interval;
    out->samples = value(&r->samples);
    out->live_count = whole(value(&r->all.count));
    out->live_bytes = value(&r->all.bytes);
    out->peak_bytes = value(&r->all.peak);
    out->memory = value(&r->pages.used) + sizeof *r + fmp_alloc_threads_memory();
    out->dropped_stacks = value(&r->dropped_stacks);
    out->dropped_live = value(&r->dropped_live);
    out->fast = fmp_alloc_callers_fast();
}

void fmp_alloc_each_operation(void (*visit)(const fmp_alloc_operation *one, void *context), void *context)
{
    const fmp_alloc_recording *r = fmp_alloc_stopped();
    const uint32_t used = r ? fmp_alloc_threads_used(r->number) : 0;
    for (uint32_t i = 0; i < used; i++) {
        fmp_alloc_operation one = {.operation = i};
        fmp_alloc_threads_sum(r->number, i, &one.count, &one.bytes);
        if (one.count == 0)
            continue;
        one.live_count = whole(value(&r->operations[i].count));
        one.live_bytes = value(&r->operations[i].bytes);
        one.peak_bytes = value(&r->operations[i].peak);
        visit(&one, context);
    }
}

typedef struct visitor {
    void (*visit)(const fmp_alloc_stack *one, void *context);
    void *context;
} visitor;

static void visit_node(const fmp_stack_node *node, void *opaque)
{
    const visitor *v = opaque;
    const fmp_alloc_stack one = {.operation = node->operation,
                                 .frame_count = node->depth,
                                 .frames = node->frames,
                                 .samples = value(&node->samples),
                                 .count = whole(value(&node->count)),
                                 .bytes = value(&node->bytes),
                                 .live_count = whole(value(&node->live.count)),
                                 .live_bytes = value(&node->live.bytes),
                                 .peak_bytes = value(&node->live.peak),
                                 .late_count = whole(node->late_count),
                                 .late_bytes = node->late_bytes};
    if (one.samples)
        v->visit(&one, v->context);
}

void fmp_alloc_each_stack(void (*visit)(const fmp_alloc_stack *one, void *context), void *context)
{
    const fmp_alloc_recording *r = fmp_alloc_stopped();
    if (r)
        fmp_stacks_each(&r->stacks, visit_node, &(visitor){visit, context});
}
