/* The hot path: what every scope costs. */
#include "clock.h"
#include "events.h"
#include "fmprof/fmprof.h"
#include "measure.h"
#include "registry.h"
#include "site.h"
#include "thread_clock.h"
#include "usdt.h"

/* The calling thread's block for a site as it is; NULL (counted as lost) when memory is out. */
static fmp_block *block_slow(const fmp_site *site)
{
    fmp_recorder *recorder = fmp_recorder_get();
    fmp_block *block = NULL;
    if (recorder) {
        block = fmp_recorder_slot(recorder, site->index);
        if (!block)
            block = fmp_recorder_make_block(recorder, site->index);
    }
    if (!block)
        atomic_fetch_add_explicit(&fmp_the_registry.lost, 1, memory_order_relaxed);
    return block;
}

/* Makes `*site` what it stands for on this thread, and gives the block of that. */
static fmp_block *block_in_context(const fmp_site **site)
{
    const fmp_recorder *recorder = fmp_this_recorder;
    if (recorder && recorder->context) {
        *site = fmp_site_in_context(*site, recorder->context);
        fmp_block *block = fmp_recorder_slot(recorder, (*site)->index);
        if (!FMP_UNLIKELY(!block))
            return block;
    }
    return block_slow(*site);
}

static inline fmp_block *block_of(const fmp_site **site)
{
    const fmp_recorder *recorder = fmp_this_recorder;
    if (!FMP_UNLIKELY(!recorder || recorder->context)) {
        fmp_block *block = fmp_recorder_slot(recorder, (*site)->index);
        if (!FMP_UNLIKELY(!block))
            return block;
    }
    return block_in_context(site);
}

/*
 * Reading a CPU clock is where a busy machine likes to run another thread. Who
 * looks at the open operation from the side should see then what is timed, and
 * that the call into the kernel is ours.
 */
static void set_open(fmp_recorder *recorder, uint32_t operation)
{
    atomic_store_explicit(&recorder->operation, operation, memory_order_relaxed);
}

/* CPU time last, since the memory is not what it should show. */
static FMP_NOINLINE void begin_measures(fmp_scope *scope, unsigned measures, fmp_recorder *recorder)
{
    scope->measures |= measures;
    set_open(recorder, scope->outer | FMP_OPERATION_OWN);
    if (measures & FMP_MEASURE_MEMORY) {
        scope->rss_start = fmp_resident_bytes();
        scope->live_start = fmp_live_bytes();
    }
    if (measures & FMP_MEASURE_CPU)
        scope->cpu_start = fmp_thread_clock_read();
    set_open(recorder, scope->site->index + 1);
}

static void end_measures(const fmp_scope *scope, fmp_measurement *m)
{
    if (m->which & FMP_MEASURE_BRIDGE)
        fmp_bridge_end();
    if (m->which & FMP_MEASURE_CPU) {
        uint64_t now = fmp_thread_clock_read();
        m->cpu_ns = now > scope->cpu_start ? now - scope->cpu_start : 0;
    }
    if (m->which & FMP_MEASURE_MEMORY) {
        m->rss = fmp_resident_bytes() - scope->rss_start;
        m->live = fmp_live_bytes() - scope->live_start;
    }
}

/*
 * The time of inner scopes is kept in the recorder and only saved in the
 * scope: an outer scope is never written through a pointer, so one that was
 * left by longjmp cannot corrupt a stack.
 */
static inline uint32_t open_scope(fmp_scope *scope, const fmp_site *site, fmp_block *block,
                                  fmp_recorder *recorder)
{
    uint32_t depth = block->depth++;
    scope->site = site;
    scope->block = block;
    scope->measures = 0;
    scope->child = recorder->child;
    scope->children = recorder->children;
    scope->inner = recorder->inner;
    scope->outer = atomic_load_explicit(&recorder->operation, memory_order_relaxed);
    atomic_store_explicit(&recorder->operation, site->index + 1, memory_order_relaxed);
    FMP_PROBE(scope_begin, site);
    recorder->child = 0;
    recorder->children = 0;
    recorder->inner = 0;
    return depth;
}

/* Everything that is not usual: a first call, a context, measures, a clock that is a function. */
static FMP_NOINLINE void begin_slow(fmp_scope *scope, const fmp_site *site)
{
    fmp_block *block = block_of(&site);
    if (!block) {
        scope->site = NULL;
        return;
    }
    uint32_t depth = open_scope(scope, site, block, block->owner);
    uint32_t measures = atomic_load_explicit(&site->measures, memory_order_relaxed);
    measures = (measures | measures >> FMP_MEASURES_SHIFT) & FMP_MEASURES_OWN;
    if (measures & FMP_MEASURE_BRIDGE) {
        scope->measures = FMP_MEASURE_BRIDGE;
        fmp_bridge_begin(site);
    }
    measures &= ~(uint32_t)FMP_MEASURE_BRIDGE;
    if (measures && depth == 0) /* an inner call's are those of the outermost one, too */
        begin_measures(scope, measures, block->owner);
    scope->start = fmp_clock_ticks();
}

/*
 * Begin and end call nothing but in their last position, so that the usual way
 * through them saves no registers: it is what every scope costs.
 */
void fmp_scope_begin_on(fmp_scope *scope, const fmp_site *site)
{
    fmp_recorder *recorder = fmp_this_recorder;
    if (!FMP_UNLIKELY(!recorder || recorder->context)) {
        fmp_block *block = fmp_recorder_slot(recorder, site->index);
        bool measures = atomic_load_explicit(&site->measures, memory_order_relaxed) != 0;
        if (!FMP_UNLIKELY(!block || measures || !fmp_clock_is_counter())) {
            open_scope(scope, site, block, recorder);
            scope->start = FMP_READ_COUNTER();
            return;
        }
    }
    begin_slow(scope, site);
}

static inline fmp_call close_scope(fmp_scope *scope, uint64_t now, fmp_block *block,
                                   fmp_recorder *recorder)
{
    FMP_PROBE(scope_end, scope->site);
    scope->site = NULL;
    atomic_store_explicit(&recorder->operation, scope->outer, memory_order_relaxed);
    /* A clock that went backwards measured nothing. */
    uint64_t duration = now > scope->start ? now - scope->start : 0;
    uint64_t child = recorder->child, children = recorder->children, inner = recorder->inner;
    recorder->child = scope->child + duration;
    recorder->children = scope->children + 1;
    recorder->inner = scope->inner + inner + 1;
    bool outermost = true;
    if (!FMP_UNLIKELY(block->depth == 0))
        outermost = --block->depth == 0;
    return (fmp_call){.start = scope->start,
                      .duration = duration,
                      .total = outermost ? duration : 0,
                      .self = duration > child ? duration - child : 0,
                      .children = children,
                      .inner = outermost ? inner : 0};
}

/* A first call, measures, a trace, another thread. */
static FMP_NOINLINE void end_slow(fmp_scope *scope, uint64_t now)
{
    fmp_block *block = scope->block;
    fmp_recorder *recorder = fmp_this_recorder;
    const fmp_site *site = scope->site;
    if (block->owner != recorder) {
        /* Ended on another thread, or after the thread's end: only its owner may write a block. */
        scope->site = NULL;
        atomic_fetch_add_explicit(&fmp_the_registry.lost, 1, memory_order_relaxed);
        return;
    }
    fmp_measurement measurement = {.which = scope->measures};
    if (measurement.which) {
        set_open(recorder, scope->outer | FMP_OPERATION_OWN);
        end_measures(scope, &measurement);
    }
    measurement.which &= FMP_MEASURE_CPU | FMP_MEASURE_MEMORY;
    fmp_call call = close_scope(scope, now, block, recorder);
    fmp_block_add(block, fmp_generation_now(), &call);
    if (measurement.which)
        fmp_block_add_measurement(block, &measurement);
    if (fmp_events_on())
        fmp_event_put(call.start, call.duration, site, FMP_EVENT_SCOPE);
}

/* A scope that began while the profiler was on is recorded even when it ends while it is off. */
void fmp_scope_end_on(fmp_scope *scope)
{
    if (FMP_UNLIKELY(!fmp_clock_is_counter())) {
        end_slow(scope, fmp_clock_ticks_slow());
        return;
    }
    uint64_t now = FMP_READ_COUNTER();
    fmp_block *block = scope->block;
    fmp_recorder *recorder = fmp_this_recorder;
    uint32_t generation = atomic_load_explicit(&block->generation, memory_order_relaxed);
    if (FMP_UNLIKELY(block->owner != recorder || scope->measures || fmp_events_on() ||
                     generation != fmp_generation_now())) {
        end_slow(scope, now);
        return;
    }
    fmp_block_add_next(block, close_scope(scope, now, block, recorder));
}

FMP_NOINLINE void fmp_event_put(uint64_t start_ticks, uint64_t value, const struct fmp_site *site,
                                fmp_event_kind kind)
{
    fmp_recorder *recorder = fmp_this_recorder;
    uint32_t generation = atomic_load_explicit(&fmp_trace_generation, memory_order_relaxed);
    if (generation == 0 || !recorder || site->hidden)
        return;
    if (FMP_UNLIKELY(recorder->trace_generation != generation)) {
        recorder->ring = fmp_trace_attach(generation, recorder->name);
        recorder->trace_generation = generation;
    }
    fmp_trace_put(recorder->ring, start_ticks, value, site->index, kind);
}

/* Ticks for nanoseconds, no more than 2^63 - 1. */
static uint64_t to_ticks(uint64_t nanoseconds)
{
    double rate = fmp_clock_ns_per_tick();
    if (rate == 1.0)
        return nanoseconds > INT64_MAX ? INT64_MAX : nanoseconds;
    double ticks = (double)nanoseconds / rate + 0.5;
    return ticks >= 0x1p63 ? INT64_MAX : (uint64_t)ticks;
}

void fmp_record(const fmp_site *site, uint64_t nanoseconds)
{
    if (FMP_UNLIKELY(!fmp_enabled()))
        return;
    fmp_block *block = block_of(&site);
    if (FMP_UNLIKELY(!block))
        return;
    uint64_t ticks = to_ticks(nanoseconds), now = fmp_clock_ticks();
    uint64_t start = now > ticks ? now - ticks : 0;
    const fmp_call call = {
        .start = start, .duration = ticks, .total = ticks, .self = ticks, .recorded = true};
    fmp_block_add(block, fmp_generation_now(), &call);
}

void fmp_mark(const fmp_site *site)
{
    if (FMP_UNLIKELY(!fmp_enabled()))
        return;
    fmp_block *block = block_of(&site);
    if (FMP_UNLIKELY(!block))
        return;
    uint64_t now = fmp_clock_ticks();
    const fmp_call call = {.start = now, .recorded = true};
    fmp_block_add(block, fmp_generation_now(), &call);
    if (FMP_UNLIKELY(fmp_events_on()))
        fmp_event_put(now, 0, site, FMP_EVENT_MARK);
}

void fmp_flow(const fmp_site *flow, uint64_t id, fmp_flow_step step)
{
    if (!FMP_UNLIKELY(fmp_events_on()) || !fmp_enabled() || !fmp_recorder_get())
        return;
    fmp_event_kind kind = step == FMP_FLOW_BEGIN  ? FMP_EVENT_FLOW_BEGIN
                          : step == FMP_FLOW_STEP ? FMP_EVENT_FLOW_STEP
                                                  : FMP_EVENT_FLOW_END;
    fmp_event_put(fmp_clock_ticks(), id, flow, kind);
}

bool fmp_trace_running(void)
{
    return fmp_events_on();
}

void fmp_trace_scope(const fmp_site *site, uint64_t start_ns, uint64_t end_ns)
{
    if (!FMP_UNLIKELY(fmp_events_on()) || !fmp_enabled() || !fmp_recorder_get())
        return;
    const uint64_t start = fmp_clock_ticks_at(start_ns), end = fmp_clock_ticks_at(end_ns);
    fmp_event_put(start, end > start ? end - start : 0, site, FMP_EVENT_SCOPE);
}
