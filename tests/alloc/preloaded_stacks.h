/* Allocations from known places, and the stacks that the interposer has of them. */
#ifndef FMP_TEST_PRELOADED_STACKS_H
#define FMP_TEST_PRELOADED_STACKS_H

#include <string.h>

#include "preloaded.h"

static const fmp_alloc_calls *api;
static void *volatile kept; /* so that no compiler leaves an allocation out */

static void *keep(void *pointer)
{
    kept = pointer;
    return kept;
}

typedef struct search {
    uintptr_t from, length; /* where the innermost frame returns to */
    fmp_alloc_stack found;
    uintptr_t frames[FMP_ALLOC_DEPTH];
    size_t how_many;
    uint64_t allocations;
} search;

static void see_stack(const fmp_alloc_stack *one, void *opaque)
{
    search *s = opaque;
    if (one->frames[0] - s->from >= s->length)
        return;
    s->found = *one;
    memcpy(s->frames, one->frames, one->frame_count * sizeof *one->frames);
    s->how_many++;
    s->allocations += one->count;
}

static APART void *takes(size_t size)
{
    void *block = malloc(size);
    kept = block;
    return block;
}

static APART void *calls_itself(int depth)
{
    void *block = depth ? calls_itself(depth - 1) : takes(123);
    kept = block;
    return block;
}

enum { NEAR = 256 }; /* bytes of a small function */

#endif
