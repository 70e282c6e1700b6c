/* fmp_snapshot_take: the figures of all threads, while they record. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "recorder.h"
#include "registry.h"
#include "snapshot.h"

/* What the snapshot is made of, gathered under the registry's lock. */
typedef struct gathering {
    fmp_operation *operations;
    size_t operation_count;
    fmp_metric_value *metrics;
    size_t metric_count;
    fmp_thread *threads; /* one a recorder, in the order of the registry's list */
    size_t thread_count;
    fmp_bucket *buckets; /* of all operations, one after the other */
    size_t bucket_count, bucket_room;
    uint64_t *one, *sum; /* histograms at work, of a block and of a site; all 0 in between */
    double ns_per_tick;
    uint32_t generation;
} gathering;

static uint64_t to_ns(uint64_t ticks, double ns_per_tick)
{
    /* The clocks with one tick a nanosecond keep every bit. */
    return ns_per_tick == 1.0 ? ticks : (uint64_t)((double)ticks * ns_per_tick + 0.5);
}

static double clamp(double value, uint64_t low, uint64_t high)
{
    return value < (double)low ? (double)low : value > (double)high ? (double)high : value;
}

static void fill_operation(fmp_operation *out, const fmp_site *site, const fmp_figures *figures,
                           double rate)
{
    double variance = figures->m2 / (double)figures->count;
    *out = (fmp_operation){
        .category = site->category,
        .operation = site->operation,
        .count = figures->count,
        .total_ns = to_ns(figures->total, rate),
        .self_ns = to_ns(figures->self, rate),
        .children = figures->children,
        .inner = figures->inner,
        .recorded = figures->recorded,
        .min_ns = to_ns(figures->min, rate),
        .max_ns = to_ns(figures->max, rate),
        .first_ns = to_ns(figures->first, rate),
        .mean_ns = clamp(figures->mean, figures->min, figures->max) * rate,
        .stddev_ns = sqrt(variance) * rate,
        .last_count = figures->last_count,
        .threads = (int)figures->threads,
        .measures = figures->measures,
        .cpu_ns = figures->cpu_ns,
        .rss_change = figures->rss,
        .rss_peak_change = figures->rss_peak,
        .live_change = figures->live,
        .live_peak_change = figures->live_peak,
    };
    for (unsigned i = 0; i < figures->last_count; i++)
        out->last_ns[i] = to_ns(figures->last[i], rate);
}

/* Room for `count` more buckets; false when memory is out. */
static bool reserve_buckets(gathering *g, size_t count)
{
    if (g->bucket_room - g->bucket_count >= count)
        return true;
    size_t room = g->bucket_room * 2 + count;
    fmp_bucket *buckets =
        room > SIZE_MAX / sizeof *buckets ? NULL : realloc(g->buckets, room * sizeof *buckets);
    if (!buckets)
        return false;
    g->buckets = buckets;
    g->bucket_room = room;
    return true;
}

/* Moves the octaves of the block's histogram into the site's. */
static void add_one(gathering *g, uint64_t octaves)
{
    for (unsigned octave = 0; octave < FMP_OCTAVES; octave++) {
        if (!(octaves >> octave & 1))
            continue;
        for (unsigned i = octave * FMP_SUB_COUNT; i < (octave + 1) * FMP_SUB_COUNT; i++) {
            g->sum[i] += g->one[i];
            g->one[i] = 0;
        }
    }
}

/* Moves the octaves of the site's histogram to the end of the buckets; returns how many entries came. */
static size_t take_buckets(gathering *g, uint64_t octaves)
{
    size_t before = g->bucket_count;
    for (uint32_t octave = 0; octave < FMP_OCTAVES; octave++) {
        if (!(octaves >> octave & 1))
            continue;
        uint64_t *counts = &g->sum[octave * FMP_SUB_COUNT];
        for (uint32_t i = 0; i < FMP_SUB_COUNT; i++)
            if (counts[i] > 0)
                g->buckets[g->bucket_count++] =
                    (fmp_bucket){octave * FMP_SUB_COUNT + i, counts[i]};
        memset(counts, 0, FMP_SUB_COUNT * sizeof *counts);
    }
    return g->bucket_count - before;
}

/* Sums a site over all recorders; false when memory is out. */
static bool gather_site(gathering *g, const fmp_site *site)
{
    fmp_figures sum = {0};
    uint64_t octaves = 0;
    size_t thread = 0;
    for (const fmp_recorder *r = fmp_the_registry.recorders; r; r = r->next, thread++) {
        const fmp_block *block = fmp_recorder_slot(r, site->index);
        fmp_figures figures;
        uint64_t touched =
            block ? fmp_block_read_all(block, g->generation, &figures, g->one) : 0;
        if (touched == 0)
            continue;
        fmp_figures_merge(&sum, &figures);
        octaves |= touched;
        add_one(g, touched);
        g->threads[thread].busy_ns += to_ns(figures.self, g->ns_per_tick);
        g->threads[thread].scopes += figures.count;
    }
    if (sum.count == 0)
        return true;
    if (!reserve_buckets(g, FMP_HISTOGRAM_BUCKETS))
        return false;
    fmp_operation *out = &g->operations[g->operation_count++];
    fill_operation(out, site, &sum, g->ns_per_tick);
    out->histogram_count = take_buckets(g, octaves);
    return true;
}

static void gather_metric(gathering *g, const fmp_site *site)
{
    fmp_metric_figures sum = {0};
    for (const fmp_recorder *r = fmp_the_registry.recorders; r; r = r->next) {
        const fmp_metric_cell *cell = fmp_recorder_slot(r, site->index);
        fmp_metric_figures figures;
        if (cell && fmp_metric_read(cell, g->generation, &figures))
            fmp_metric_figures_merge(&sum, &figures);
    }
    if (sum.count == 0)
        return;
    bool gauge = site->kind == FMP_SITE_GAUGE;
    g->metrics[g->metric_count++] = (fmp_metric_value){
        .category = site->category,
        .name = site->operation,
        .unit = site->unit,
        .gauge = gauge,
        .count = sum.count,
        .sum = sum.sum,
        .last = sum.last,
        .min = sum.min,
        .max = sum.max,
        .mean = gauge ? sum.values / (double)sum.count : 0,
    };
}

static bool allocate(gathering *g)
{
    size_t sites = fmp_the_registry.site_count, metrics = 0;
    for (const fmp_recorder *r = fmp_the_registry.recorders; r; r = r->next)
        g->thread_count++;
    for (const struct fmp_site *site = fmp_the_registry.first_site; site; site = site->next)
        metrics += site->kind != FMP_SITE_SCOPES;
    g->operations = calloc(sites - metrics + 1, sizeof *g->operations);
    g->metrics = calloc(metrics + 1, sizeof *g->metrics);
    g->threads = calloc(g->thread_count + 1, sizeof *g->threads);
    g->one = calloc(FMP_HISTOGRAM_BUCKETS, sizeof *g->one);
    g->sum = calloc(FMP_HISTOGRAM_BUCKETS, sizeof *g->sum);
    return g->operations && g->metrics && g->threads && g->one && g->sum;
}

/* Under the lock: sites and recorders stand still while this runs, figures do not. */
static bool gather(gathering *g)
{
    const fmp_registry *registry = &fmp_the_registry;
    g->generation = fmp_generation_now();
    if (!allocate(g))
        return false;
    size_t thread = 0;
    for (const fmp_recorder *r = registry->recorders; r; r = r->next, thread++) {
        memcpy(g->threads[thread].name, r->name, FMP_THREAD_NAME_SIZE);
        g->threads[thread].cpu_ns = fmp_recorder_cpu_ns(r);
    }
    for (const struct fmp_site *site = registry->first_site; site; site = site->next) {
        if (site->hidden)
            continue;
        if (site->kind != FMP_SITE_SCOPES)
            gather_metric(g, site);
        else if (!gather_site(g, site))
            return false;
    }
    const fmp_bucket *buckets = g->buckets;
    for (size_t i = 0; i < g->operation_count; i++) {
        g->operations[i].histogram = buckets;
        buckets += g->operations[i].histogram_count;
    }
    return true;
}

fmp_snapshot *fmp_snapshot_take(void)
{
    fmp_registry_init();
    fmp_clock_info clock;
    fmp_clock_describe(&clock);
    fmp_cost cost = fmp_scope_cost();
    gathering g = {.ns_per_tick = fmp_clock_refined_ns_per_tick()};
    pthread_mutex_lock(&fmp_the_registry.mutex);
    bool ok = gather(&g);
    pthread_mutex_unlock(&fmp_the_registry.mutex);
    fmp_snapshot *snapshot =
        ok ? fmp_snapshot_make(g.operations, g.operation_count, g.threads, g.thread_count,
                               g.metrics, g.metric_count)
           : NULL;
    free(g.operations);
    free(g.metrics);
    free(g.threads);
    free(g.buckets);
    free(g.one);
    free(g.sum);
    if (!snapshot)
        return NULL;
    snapshot->lost = atomic_load_explicit(&fmp_the_registry.lost, memory_order_relaxed);
    snapshot->cost = cost;
    snprintf(snapshot->clock, sizeof snapshot->clock, "%s", clock.name);
    snprintf(snapshot->clock_reason, sizeof snapshot->clock_reason, "%s", clock.reason);
    snapshot->clock_resolution_ns = clock.resolution_ns;
    snapshot->clock_read_ns = clock.read_ns;
    return snapshot;
}
