/* The hot path: what every scope costs. */
#include <stdlib.h>

#include "clock.h"
#include "fmprof/fmprof.h"
#include "registry.h"

/* The first scope of a thread, or of a site on a thread. */
static FMP_NOINLINE fmp_block *block_slow(const fmp_site *site)
{
    fmp_recorder *recorder = fmp_recorder_get();
    fmp_block *block = NULL;
    if (recorder) {
        block = fmp_recorder_block(recorder, site->index);
        if (!block)
            block = fmp_recorder_make_block(recorder, site->index);
    }
    if (!block)
        atomic_fetch_add_explicit(&fmp_the_registry.lost, 1, memory_order_relaxed);
    return block;
}

static inline fmp_block *block_of(const fmp_site *site)
{
    const fmp_recorder *recorder = fmp_this_recorder;
    if (!FMP_UNLIKELY(!recorder)) {
        fmp_block *block = fmp_recorder_block(recorder, site->index);
        if (!FMP_UNLIKELY(!block))
            return block;
    }
    return block_slow(site);
}

static inline bool is_off(void)
{
    return atomic_load_explicit(&fmp_the_registry.disabled, memory_order_relaxed);
}

static inline uint32_t generation_now(void)
{
    return atomic_load_explicit(&fmp_the_registry.generation, memory_order_relaxed);
}

/*
 * The time of inner scopes is kept in the recorder and only saved in the
 * scope: an outer scope is never written through a pointer, so one that was
 * left by longjmp cannot corrupt a stack.
 */
static inline void begin(fmp_scope *scope, const fmp_site *site)
{
    fmp_block *block = block_of(site);
    if (FMP_UNLIKELY(!block)) {
        scope->site = NULL;
        return;
    }
    fmp_recorder *recorder = block->owner;
    block->depth++;
    scope->site = site;
    scope->block = block;
    scope->child = recorder->child;
    recorder->child = 0;
    scope->start = fmp_clock_ticks();
}

static inline void end(fmp_scope *scope)
{
    uint64_t now = fmp_clock_ticks();
    fmp_block *block = scope->block;
    fmp_recorder *recorder = fmp_this_recorder;
    scope->site = NULL;
    if (FMP_UNLIKELY(block->owner != recorder)) {
        /* Ended on another thread, or after the thread's end: only its owner may write a block. */
        atomic_fetch_add_explicit(&fmp_the_registry.lost, 1, memory_order_relaxed);
        return;
    }
    uint64_t duration = now > scope->start ? now - scope->start : 0;
    uint64_t self = duration > recorder->child ? duration - recorder->child : 0;
    recorder->child = scope->child + duration;
    bool outermost = true;
    if (!FMP_UNLIKELY(block->depth == 0))
        outermost = --block->depth == 0;
    fmp_block_add(block, generation_now(), scope->start, duration, outermost ? duration : 0, self);
}

void fmp_scope_begin(fmp_scope *scope, const fmp_site *site)
{
    if (FMP_UNLIKELY(is_off())) {
        scope->site = NULL;
        return;
    }
    begin(scope, site);
}

/* A scope that began while the profiler was on is recorded even when it ends while it is off. */
void fmp_scope_end(fmp_scope *scope)
{
    if (scope->site)
        end(scope);
}

void fmp_record(const fmp_site *site, uint64_t nanoseconds)
{
    if (FMP_UNLIKELY(is_off()))
        return;
    fmp_block *block = block_of(site);
    if (FMP_UNLIKELY(!block))
        return;
    double rate = fmp_clock_ns_per_tick();
    /* One tick a nanosecond stays exact; beyond 2^53 the double rounds far below 1 %. */
    uint64_t ticks = rate == 1.0 ? nanoseconds : (uint64_t)((double)nanoseconds / rate + 0.5);
    uint64_t now = fmp_clock_ticks();
    fmp_block_add(block, generation_now(), now > ticks ? now - ticks : 0, ticks, ticks, ticks);
}

/* Called, not inlined, as the real ones are, and deaf to the switch. */
static FMP_NOINLINE void begin_always(fmp_scope *scope, const fmp_site *site)
{
    begin(scope, site);
}

static FMP_NOINLINE void end_always(fmp_scope *scope)
{
    if (scope->site)
        end(scope);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/*
 * Lower quartile of many short batches: whatever interrupts a batch, a busy
 * machine above all, only ever makes it longer. A reading of the system clock
 * a batch adds under half a nanosecond.
 */
static double measure_scope_cost(void)
{
    enum { BATCHES = 101, BATCH = 100 };
    double cost[BATCHES];
    const fmp_site *site = fmp_registry_cost_site();
    fmp_recorder *recorder = fmp_recorder_get();
    if (!recorder || !block_of(site))
        return 0;
    uint64_t child = recorder->child;
    for (int i = 0; i < BATCHES; i++) {
        uint64_t start = fmp_clock_monotonic_ns();
        for (int k = 0; k < BATCH; k++) {
            fmp_scope scope;
            begin_always(&scope, site);
            end_always(&scope);
        }
        cost[i] = (double)(fmp_clock_monotonic_ns() - start) / BATCH;
    }
    recorder->child = child; /* the enclosing scope, if any, took this time itself */
    qsort(cost, BATCHES, sizeof cost[0], compare_doubles);
    return cost[BATCHES / 4];
}

double fmp_scope_cost_ns(void)
{
    _Atomic(double) *cached = &fmp_the_registry.scope_cost_ns;
    double cost = atomic_load_explicit(cached, memory_order_relaxed);
    if (cost > 0)
        return cost;
    fmp_registry_init();
    double measured = measure_scope_cost(), none = 0;
    if (atomic_compare_exchange_strong_explicit(cached, &none, measured, memory_order_relaxed,
                                                memory_order_relaxed))
        return measured;
    return none; /* another thread was faster: one answer for all */
}
