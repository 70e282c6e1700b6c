#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fmprof/fmprof.h"
#include "registry.h"

/* An operation while the snapshot is being sorted. */
typedef struct row {
    fmp_operation operation;
    uint64_t category_self_ns;
} row;

/* What the snapshot is made of, gathered under the registry's lock. */
typedef struct gathering {
    row *rows;
    size_t row_count;
    fmp_thread *threads; /* one a recorder, in the order of the registry's list */
    size_t thread_count;
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
                           const uint64_t *bucket, uint64_t octaves, double rate)
{
    double variance = figures->m2 / (double)figures->count;
    *out = (fmp_operation){
        .category = site->category,
        .operation = site->operation,
        .count = figures->count,
        .total_ns = to_ns(figures->total, rate),
        .self_ns = to_ns(figures->self, rate),
        .min_ns = to_ns(figures->min, rate),
        .max_ns = to_ns(figures->max, rate),
        .first_ns = to_ns(figures->first, rate),
        .mean_ns = clamp(figures->mean, figures->min, figures->max) * rate,
        .stddev_ns = sqrt(variance) * rate,
        .threads = (int)figures->threads,
    };
    double *quantile[] = {&out->p50_ns, &out->p90_ns, &out->p99_ns};
    static const double level[] = {0.50, 0.90, 0.99};
    for (int i = 0; i < 3; i++) {
        double ticks = fmp_histogram_quantile(bucket, octaves, level[i]);
        *quantile[i] = clamp(ticks, figures->min, figures->max) * rate;
    }
}

/* Sums a site over all recorders; false when nothing was recorded there. */
static bool gather_site(gathering *g, const fmp_site *site, uint64_t *bucket)
{
    fmp_figures sum = {0};
    uint64_t octaves = 0;
    size_t thread = 0;
    for (const fmp_recorder *r = fmp_the_registry.recorders; r; r = r->next, thread++) {
        const fmp_block *block = fmp_recorder_block(r, site->index);
        fmp_figures figures;
        if (!block || !fmp_block_read(block, g->generation, &figures))
            continue;
        fmp_figures_merge(&sum, &figures);
        octaves |= fmp_block_add_histogram(block, bucket);
        g->threads[thread].busy_ns += to_ns(figures.self, g->ns_per_tick);
        g->threads[thread].scopes += figures.count;
    }
    if (sum.count == 0)
        return false;
    row *out = &g->rows[g->row_count++];
    fill_operation(&out->operation, site, &sum, bucket, octaves, g->ns_per_tick);
    for (unsigned octave = 0; octave < FMP_OCTAVES; octave++)
        if (octaves >> octave & 1)
            memset(&bucket[octave * FMP_SUB_COUNT], 0, FMP_SUB_COUNT * sizeof *bucket);
    return true;
}

/* Under the lock: sites and recorders stand still while this runs, figures do not. */
static bool gather(gathering *g)
{
    const fmp_registry *registry = &fmp_the_registry;
    for (const fmp_recorder *r = registry->recorders; r; r = r->next)
        g->thread_count++;
    g->generation = atomic_load_explicit(&registry->generation, memory_order_relaxed);
    g->rows = calloc(registry->site_count, sizeof *g->rows);
    g->threads = calloc(g->thread_count + 1, sizeof *g->threads);
    uint64_t *bucket = calloc(FMP_BUCKETS, sizeof *bucket);
    bool ok = g->rows && g->threads && bucket;
    if (ok) {
        size_t thread = 0;
        for (const fmp_recorder *r = registry->recorders; r; r = r->next)
            memcpy(g->threads[thread++].name, r->name, FMP_THREAD_NAME_SIZE);
        for (const fmp_site *site = registry->first_site; site; site = site->next)
            if (!site->hidden)
                gather_site(g, site, bucket);
    }
    free(bucket);
    return ok;
}

static int by_category_name(const void *a, const void *b)
{
    const row *x = a, *y = b;
    return strcmp(x->operation.category, y->operation.category);
}

static int falling(uint64_t x, uint64_t y)
{
    return (x < y) - (x > y);
}

static int by_rank(const void *a, const void *b)
{
    const row *x = a, *y = b;
    int order = falling(x->category_self_ns, y->category_self_ns);
    if (order == 0)
        order = strcmp(x->operation.category, y->operation.category);
    if (order == 0)
        order = falling(x->operation.total_ns, y->operation.total_ns);
    if (order == 0)
        order = strcmp(x->operation.operation, y->operation.operation);
    return order;
}

static void sort_rows(row *rows, size_t count)
{
    qsort(rows, count, sizeof *rows, by_category_name);
    for (size_t begin = 0, end; begin < count; begin = end) {
        uint64_t self = 0;
        for (end = begin; end < count && by_category_name(&rows[begin], &rows[end]) == 0; end++)
            self += rows[end].operation.self_ns;
        for (size_t i = begin; i < end; i++)
            rows[i].category_self_ns = self;
    }
    qsort(rows, count, sizeof *rows, by_rank);
}

static int by_busy(const void *a, const void *b)
{
    const fmp_thread *x = a, *y = b;
    int order = falling(x->busy_ns, y->busy_ns);
    return order ? order : strcmp(x->name, y->name);
}

/* Drops the threads that recorded nothing. */
static size_t sort_threads(fmp_thread *threads, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (threads[i].scopes > 0)
            threads[kept++] = threads[i];
    qsort(threads, kept, sizeof *threads, by_busy);
    return kept;
}

fmp_snapshot *fmp_snapshot_take(void)
{
    fmp_registry_init();
    fmp_snapshot *snapshot = calloc(1, sizeof *snapshot);
    gathering g = {.ns_per_tick = fmp_clock_refined_ns_per_tick()};
    pthread_mutex_lock(&fmp_the_registry.mutex);
    bool ok = snapshot && gather(&g);
    pthread_mutex_unlock(&fmp_the_registry.mutex);
    if (ok) {
        snapshot->operations = calloc(g.row_count + 1, sizeof *snapshot->operations);
        ok = snapshot->operations != NULL;
    }
    if (!ok) {
        free(g.rows);
        free(g.threads);
        free(snapshot);
        return NULL;
    }
    sort_rows(g.rows, g.row_count);
    for (size_t i = 0; i < g.row_count; i++) {
        snapshot->operations[i] = g.rows[i].operation;
        snapshot->self_ns += g.rows[i].operation.self_ns;
    }
    snapshot->operation_count = g.row_count;
    snapshot->threads = g.threads;
    snapshot->thread_count = sort_threads(g.threads, g.thread_count);
    snapshot->lost = atomic_load_explicit(&fmp_the_registry.lost, memory_order_relaxed);
    free(g.rows);
    return snapshot;
}

void fmp_snapshot_free(fmp_snapshot **snapshot)
{
    if (!snapshot || !*snapshot)
        return;
    free((*snapshot)->operations);
    free((*snapshot)->threads);
    free(*snapshot);
    *snapshot = NULL;
}
