/* What the profiler itself costs: fmp_scope_cost. */
#include <stdlib.h>

#include "clock.h"
#include "fmprof/fmprof.h"
#include "registry.h"

enum { BATCHES = 1001, BATCH = 50 };

/* Part of the profiler registry, guarded by its mutex; kept here because nothing else touches it. */
static struct {
    bool measured;
    fmp_cost cost;
} state;

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/*
 * Batches of empty scopes inside an outer one, as in a program. What a scope
 * records of itself is `inside`; what the outer one has as self time, a scope,
 * is `outside`. The lower quartile of many short batches: whatever interrupts
 * one, a busy machine above all, only ever makes it longer.
 */
static fmp_cost measure(const fmp_site *site)
{
    double inside[BATCHES], outside[BATCHES];
    double rate = fmp_clock_ns_per_tick();
    fmp_recorder *recorder = fmp_this_recorder;
    uint64_t child = recorder->child, children = recorder->children, kept = recorder->inner;
    const fmp_context *context = recorder->context;
    recorder->context = NULL;
    for (int i = 0; i < BATCHES; i++) {
        recorder->child = 0;
        uint64_t start = fmp_clock_ticks();
        for (int k = 0; k < BATCH; k++) {
            fmp_scope scope;
            fmp_scope_begin_on(&scope, site);
            fmp_scope_end(&scope);
        }
        uint64_t all = fmp_clock_ticks() - start, inner = recorder->child;
        inside[i] = (double)inner * rate / BATCH;
        outside[i] = all > inner ? (double)(all - inner) * rate / BATCH : 0;
    }
    recorder->child = child; /* the enclosing scope, if any, took this time itself */
    recorder->children = children;
    recorder->inner = kept;
    recorder->context = context;
    qsort(inside, BATCHES, sizeof inside[0], compare_doubles);
    qsort(outside, BATCHES, sizeof outside[0], compare_doubles);
    return (fmp_cost){inside[BATCHES / 4], outside[BATCHES / 4]};
}

fmp_cost fmp_scope_cost(void)
{
    fmp_registry_init();
    if (fmp_clock_is_for_tests() || !fmp_recorder_get())
        return (fmp_cost){0, 0};
    pthread_mutex_lock(&fmp_the_registry.mutex);
    if (!state.measured) {
        state.cost = measure(fmp_registry_cost_site());
        state.measured = true;
    }
    fmp_cost cost = state.cost;
    pthread_mutex_unlock(&fmp_the_registry.mutex);
    return cost;
}
