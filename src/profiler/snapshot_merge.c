/* fmp_snapshot_merge: the figures of several processes or machines as one. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "histogram.h"
#include "snapshot.h"

/* An operation or a metric of one of the snapshots; `order` keeps the order of the arguments. */
typedef struct source {
    const void *item;
    size_t order;
} source;

typedef struct merger {
    fmp_operation *operations;
    fmp_metric_value *metrics;
    fmp_thread *threads;
    source *sources;
    fmp_bucket *buckets;
    size_t operation_count, metric_count, thread_count, bucket_count;
} merger;

static int64_t add_saturating_signed(int64_t a, int64_t b)
{
    if (b > 0 && a > INT64_MAX - b)
        return INT64_MAX;
    if (b < 0 && a < INT64_MIN - b)
        return INT64_MIN;
    return a + b;
}

static int compare_order(const source *x, const source *y)
{
    return (x->order > y->order) - (x->order < y->order);
}

static int compare_operations(const void *a, const void *b)
{
    const source *x = a, *y = b;
    const fmp_operation *p = x->item, *q = y->item;
    int order = strcmp(p->category, q->category);
    if (order == 0)
        order = strcmp(p->operation, q->operation);
    return order ? order : compare_order(x, y);
}

static bool same_metric(const fmp_metric_value *p, const fmp_metric_value *q)
{
    return p->gauge == q->gauge && strcmp(p->category, q->category) == 0 &&
           strcmp(p->name, q->name) == 0 && strcmp(p->unit, q->unit) == 0;
}

static void merge_measures(fmp_operation *into, const fmp_operation *from)
{
    into->measures &= from->measures; /* a sum that lacks some calls is no figure of all of them */
    into->cpu_ns = fmp_add_saturating(into->cpu_ns, from->cpu_ns);
    into->rss_change = add_saturating_signed(into->rss_change, from->rss_change);
    into->live_change = add_saturating_signed(into->live_change, from->live_change);
    if (from->rss_peak_change > into->rss_peak_change)
        into->rss_peak_change = from->rss_peak_change;
    if (from->live_peak_change > into->live_peak_change)
        into->live_peak_change = from->live_peak_change;
}

/* Everything but the histogram and the percentiles. */
static void merge_operation(fmp_operation *into, const fmp_operation *from)
{
    /* Chan, Golub, LeVeque 1979, as in block.c. */
    double n1 = (double)into->count, n2 = (double)from->count;
    double delta = from->mean_ns - into->mean_ns;
    double m2 = into->stddev_ns * into->stddev_ns * n1 + from->stddev_ns * from->stddev_ns * n2 +
                delta * delta * n1 * n2 / (n1 + n2);
    into->mean_ns += delta * n2 / (n1 + n2);
    into->stddev_ns = sqrt(m2 / (n1 + n2));
    into->count = fmp_add_saturating(into->count, from->count);
    into->total_ns = fmp_add_saturating(into->total_ns, from->total_ns);
    into->self_ns = fmp_add_saturating(into->self_ns, from->self_ns);
    into->children = fmp_add_saturating(into->children, from->children);
    into->inner = fmp_add_saturating(into->inner, from->inner);
    into->recorded = fmp_add_saturating(into->recorded, from->recorded);
    into->min_ns = from->min_ns < into->min_ns ? from->min_ns : into->min_ns;
    into->max_ns = from->max_ns > into->max_ns ? from->max_ns : into->max_ns;
    int64_t threads = (int64_t)into->threads + from->threads;
    into->threads = threads > INT_MAX ? INT_MAX : (int)threads;
    if (from->last_count > 0) { /* clocks of different machines do not compare: the last one counts */
        into->last_count = from->last_count;
        memcpy(into->last_ns, from->last_ns, sizeof into->last_ns);
    }
    merge_measures(into, from);
}

static void merge_metric(fmp_metric_value *into, const fmp_metric_value *from)
{
    double n1 = (double)into->count, n2 = (double)from->count;
    into->mean += (from->mean - into->mean) * n2 / (n1 + n2);
    into->count = fmp_add_saturating(into->count, from->count);
    into->sum = add_saturating_signed(into->sum, from->sum);
    into->min = from->min < into->min ? from->min : into->min;
    into->max = from->max > into->max ? from->max : into->max;
    into->last = from->last;
}

static void merge_operations(merger *m, const fmp_snapshot *const *snapshots, size_t count)
{
    size_t sources = 0;
    for (size_t s = 0; s < count; s++)
        for (size_t i = 0; i < snapshots[s]->operation_count; i++)
            if (snapshots[s]->operations[i].count > 0) {
                m->sources[sources] = (source){&snapshots[s]->operations[i], sources};
                sources++;
            }
    qsort(m->sources, sources, sizeof *m->sources, compare_operations);
    for (size_t i = 0; i < sources; i++) {
        const fmp_operation *from = m->sources[i].item;
        fmp_operation *into = m->operation_count ? &m->operations[m->operation_count - 1] : NULL;
        if (!into || strcmp(into->category, from->category) != 0 ||
            strcmp(into->operation, from->operation) != 0) {
            into = &m->operations[m->operation_count++];
            *into = *from;
            into->histogram = &m->buckets[m->bucket_count];
            into->histogram_count = 0;
        } else {
            merge_operation(into, from);
        }
        /* One after the other; fmp_snapshot_make adds those of one bucket. */
        if (from->histogram_count > 0)
            memcpy(&m->buckets[m->bucket_count], from->histogram,
                   from->histogram_count * sizeof *m->buckets);
        m->bucket_count += from->histogram_count;
        into->histogram_count += from->histogram_count;
    }
}

/* In order of appearance; there are few of them. */
static void merge_metrics(merger *m, const fmp_snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->metric_count; i++) {
        const fmp_metric_value *from = &snapshot->metrics[i];
        size_t k = 0;
        while (k < m->metric_count && !same_metric(&m->metrics[k], from))
            k++;
        if (from->count > 0 && k < m->metric_count)
            merge_metric(&m->metrics[k], from);
        else if (from->count > 0)
            m->metrics[m->metric_count++] = *from;
    }
}

static void merge_rest(fmp_snapshot *into, const fmp_snapshot *const *snapshots, size_t count)
{
    double scopes = 0, inside = 0, outside = 0;
    for (size_t s = 0; s < count; s++) {
        const fmp_snapshot *from = snapshots[s];
        double weight = (double)from->scopes;
        scopes += weight;
        inside += weight * from->cost.inside_ns;
        outside += weight * from->cost.outside_ns;
        into->lost = fmp_add_saturating(into->lost, from->lost);
        into->cost_subtracted = into->cost_subtracted || from->cost_subtracted;
        if (s == 0) {
            memcpy(into->clock, from->clock, sizeof into->clock);
            memcpy(into->clock_reason, from->clock_reason, sizeof into->clock_reason);
        } else if (strcmp(into->clock, from->clock) != 0) {
            snprintf(into->clock, sizeof into->clock, "several");
            into->clock_reason[0] = '\0';
        }
        into->clock_resolution_ns = fmax(into->clock_resolution_ns, from->clock_resolution_ns);
        into->clock_read_ns = fmax(into->clock_read_ns, from->clock_read_ns);
    }
    if (scopes > 0)
        into->cost = (fmp_cost){inside / scopes, outside / scopes};
}

/* Room for everything that can come; false when memory is out. */
static bool allocate(merger *m, const fmp_snapshot *const *snapshots, size_t count)
{
    size_t operations = 1, metrics = 1, threads = 1, buckets = 1;
    for (size_t s = 0; s < count; s++) { /* all of this is in memory, so the sums fit */
        operations += snapshots[s]->operation_count;
        metrics += snapshots[s]->metric_count;
        threads += snapshots[s]->thread_count;
        for (size_t i = 0; i < snapshots[s]->operation_count; i++)
            buckets += snapshots[s]->operations[i].histogram_count;
    }
    m->operations = calloc(operations, sizeof *m->operations);
    m->sources = calloc(operations, sizeof *m->sources);
    m->metrics = calloc(metrics, sizeof *m->metrics);
    m->threads = calloc(threads, sizeof *m->threads);
    m->buckets = calloc(buckets, sizeof *m->buckets);
    return m->operations && m->sources && m->metrics && m->threads && m->buckets;
}

fmp_snapshot *fmp_snapshot_merge(const fmp_snapshot *const *snapshots, size_t count)
{
    merger m = {0};
    fmp_snapshot *merged = NULL;
    if (allocate(&m, snapshots, count)) {
        merge_operations(&m, snapshots, count);
        for (size_t s = 0; s < count; s++) {
            merge_metrics(&m, snapshots[s]);
            if (snapshots[s]->thread_count > 0)
                memcpy(&m.threads[m.thread_count], snapshots[s]->threads,
                       snapshots[s]->thread_count * sizeof *m.threads);
            m.thread_count += snapshots[s]->thread_count;
        }
        merged = fmp_snapshot_make(m.operations, m.operation_count, m.threads, m.thread_count,
                                   m.metrics, m.metric_count);
    }
    free(m.operations);
    free(m.sources);
    free(m.metrics);
    free(m.threads);
    free(m.buckets);
    if (merged)
        merge_rest(merged, snapshots, count);
    return merged;
}
