/* Counters and gauges. */
#include "metric.h"

#include <sched.h>

#include "clock.h"
#include "events.h"
#include "registry.h"
#include "site.h"

enum { READ_TRIES = 4096, TRIES_BEFORE_YIELD = 64 };

#define OWN(field) atomic_load_explicit(&cell->field, memory_order_relaxed)
#define SET(field, value) atomic_store_explicit(&cell->field, (value), memory_order_release)
#define GET(field) atomic_load_explicit(&cell->field, memory_order_acquire)

static int64_t add_wrapping(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static void store(fmp_metric_cell *cell, const fmp_metric_figures *figures)
{
    SET(count, figures->count);
    SET(sum, figures->sum);
    SET(last, figures->last);
    SET(min, figures->min);
    SET(max, figures->max);
    SET(values, figures->values);
    SET(last_at, figures->last_at);
}

static void begin_update(fmp_metric_cell *cell)
{
    atomic_store_explicit(&cell->sequence, OWN(sequence) + 1, memory_order_relaxed);
    uint32_t generation = fmp_generation_now();
    if (FMP_UNLIKELY(OWN(generation) != generation)) {
        store(cell, &(fmp_metric_figures){0});
        SET(generation, generation);
    }
}

static void end_update(fmp_metric_cell *cell)
{
    SET(sequence, OWN(sequence) + 1);
}

/* The calling thread's cell; NULL when memory is out. */
static fmp_metric_cell *cell_of(const fmp_metric *metric)
{
    fmp_recorder *recorder = fmp_this_recorder;
    if (FMP_UNLIKELY(!recorder))
        recorder = fmp_recorder_get();
    fmp_metric_cell *cell = recorder ? fmp_recorder_slot(recorder, metric->site.index) : NULL;
    if (FMP_UNLIKELY(!cell)) {
        cell = recorder ? fmp_recorder_make_cell(recorder, metric->site.index) : NULL;
        if (!cell)
            atomic_fetch_add_explicit(&fmp_the_registry.lost, 1, memory_order_relaxed);
    }
    return cell;
}

void fmp_counter_add(const fmp_metric *counter, int64_t amount)
{
    if (FMP_UNLIKELY(!fmp_enabled() || counter->site.kind != FMP_SITE_COUNTER))
        return;
    fmp_metric_cell *cell = cell_of(counter);
    if (FMP_UNLIKELY(!cell))
        return;
    begin_update(cell);
    SET(count, OWN(count) + 1);
    SET(sum, add_wrapping(OWN(sum), amount));
    end_update(cell);
    if (FMP_UNLIKELY(fmp_events_on()))
        fmp_event_put(fmp_clock_ticks(), (uint64_t)OWN(sum), &counter->site, FMP_EVENT_COUNTER);
}

void fmp_gauge_set(const fmp_metric *gauge, int64_t value)
{
    if (FMP_UNLIKELY(!fmp_enabled() || gauge->site.kind != FMP_SITE_GAUGE))
        return;
    fmp_metric_cell *cell = cell_of(gauge);
    if (FMP_UNLIKELY(!cell))
        return;
    uint64_t now = fmp_clock_ticks();
    begin_update(cell);
    uint64_t count = OWN(count);
    if (count == 0 || value < OWN(min))
        SET(min, value);
    if (count == 0 || value > OWN(max))
        SET(max, value);
    SET(last, value);
    SET(last_at, now);
    SET(values, OWN(values) + (double)value);
    SET(count, count + 1);
    end_update(cell);
    if (FMP_UNLIKELY(fmp_events_on()))
        fmp_event_put(now, (uint64_t)value, &gauge->site, FMP_EVENT_GAUGE);
}

bool fmp_metric_read(const fmp_metric_cell *cell, uint32_t generation, fmp_metric_figures *out)
{
    uint32_t own_generation = 0;
    for (int attempt = 1; attempt <= READ_TRIES; attempt++) {
        uint64_t before = GET(sequence);
        own_generation = GET(generation);
        *out = (fmp_metric_figures){.count = GET(count),
                                    .sum = GET(sum),
                                    .last = GET(last),
                                    .min = GET(min),
                                    .max = GET(max),
                                    .values = GET(values),
                                    .last_at = GET(last_at)};
        if (before == OWN(sequence) && !(before & 1))
            break;
        if (attempt % TRIES_BEFORE_YIELD == 0)
            sched_yield();
    }
    return own_generation == generation && out->count > 0;
}

void fmp_metric_figures_merge(fmp_metric_figures *into, const fmp_metric_figures *from)
{
    if (from->count == 0)
        return;
    if (into->count == 0) {
        *into = *from;
        return;
    }
    into->count += from->count;
    into->sum = add_wrapping(into->sum, from->sum);
    into->values += from->values;
    into->min = from->min < into->min ? from->min : into->min;
    into->max = from->max > into->max ? from->max : into->max;
    if (from->last_at >= into->last_at) {
        into->last_at = from->last_at;
        into->last = from->last;
    }
}

void fmp_metric_merge(fmp_metric_cell *into, const fmp_metric_cell *from, uint32_t generation)
{
    fmp_metric_figures added, sum;
    if (!fmp_metric_read(from, generation, &added))
        return;
    if (!fmp_metric_read(into, generation, &sum))
        sum = (fmp_metric_figures){0};
    fmp_metric_figures_merge(&sum, &added);
    store(into, &sum);
    atomic_store_explicit(&into->generation, generation, memory_order_release);
}
