/* Snapshots from parts: fmp_snapshot_make, fmp_snapshot_subtract_cost, fmp_snapshot_free. */
#include <stdlib.h>
#include <string.h>

#include "histogram.h"
#include "snapshot.h"

/* --- histograms ------------------------------------------------------------ */

static int by_index(const void *a, const void *b)
{
    const fmp_bucket *x = a, *y = b;
    return (x->index > y->index) - (x->index < y->index);
}

size_t fmp_buckets_tidy(fmp_bucket *buckets, size_t count)
{
    bool rising = true;
    for (size_t i = 1; i < count && rising; i++)
        rising = buckets[i - 1].index < buckets[i].index;
    if (!rising)
        qsort(buckets, count, sizeof *buckets, by_index);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        fmp_bucket bucket = buckets[i];
        if (bucket.count == 0 || bucket.index >= FMP_HISTOGRAM_BUCKETS)
            continue;
        if (kept > 0 && buckets[kept - 1].index == bucket.index)
            buckets[kept - 1].count = fmp_add_saturating(buckets[kept - 1].count, bucket.count);
        else
            buckets[kept++] = bucket;
    }
    return kept;
}

static double clamp(double value, uint64_t low, uint64_t high)
{
    return value < (double)low ? (double)low : value > (double)high ? (double)high : value;
}

/* Those of an operation without a histogram stay as they are. */
static void derive_percentiles(fmp_operation *op)
{
    if (op->histogram_count == 0)
        return;
    double *percentile[] = {&op->p50_ns, &op->p90_ns, &op->p99_ns, &op->p999_ns};
    static const unsigned per_mille[] = {500, 900, 990, 999};
    for (int i = 0; i < 4; i++)
        *percentile[i] =
            clamp(fmp_histogram_quantile(op->histogram, op->histogram_count, per_mille[i]),
                  op->min_ns, op->max_ns);
}

/* --- the order --------------------------------------------------------------- */

/* An operation while the snapshot is being sorted. */
typedef struct row {
    fmp_operation operation;
    uint64_t category_self_ns;
} row;

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
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
            self = fmp_add_saturating(self, rows[end].operation.self_ns);
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

/* --- one block of memory for everything -------------------------------------- */

/* First counts the bytes that are needed, then hands them out. */
typedef struct store {
    unsigned char *memory; /* NULL while counting */
    size_t used;
    bool too_much;
} store;

static void *take(store *s, size_t count, size_t size)
{
    enum { ALIGNMENT = 16 };
    if (size > 0 && count > (SIZE_MAX - ALIGNMENT) / size) {
        s->too_much = true;
        return NULL;
    }
    size_t bytes = (count * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (bytes > SIZE_MAX - s->used) {
        s->too_much = true;
        return NULL;
    }
    void *memory = s->memory ? s->memory + s->used : NULL;
    s->used += bytes;
    return memory;
}

static const char *take_text(store *s, const char *text)
{
    text = text_or_empty(text);
    size_t size = strlen(text) + 1;
    char *copy = take(s, size, 1);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

/* What fmp_snapshot_make was given. */
typedef struct parts {
    const fmp_operation *operations;
    size_t operation_count;
    const fmp_thread *threads;
    size_t thread_count;
    const fmp_metric_value *metrics;
    size_t metric_count;
} parts;

static void take_operations(store *s, const parts *in, fmp_snapshot *out)
{
    size_t count = 0;
    for (size_t i = 0; i < in->operation_count; i++)
        count += in->operations[i].count > 0;
    /* The rows live behind the operations while these are sorted. */
    fmp_operation *operations = take(s, count, sizeof *operations);
    row *rows = take(s, count, sizeof *rows);
    size_t kept = 0;
    for (size_t i = 0; i < in->operation_count; i++) {
        const fmp_operation *from = &in->operations[i];
        if (from->count == 0)
            continue;
        const char *category = take_text(s, from->category);
        const char *operation = take_text(s, from->operation);
        fmp_bucket *buckets = take(s, from->histogram_count, sizeof *buckets);
        if (!rows || !buckets)
            continue;
        fmp_operation op = *from;
        op.category = category;
        op.operation = operation;
        if (op.histogram_count > 0)
            memcpy(buckets, from->histogram, op.histogram_count * sizeof *buckets);
        op.histogram_count = fmp_buckets_tidy(buckets, op.histogram_count);
        op.histogram = buckets;
        op.last_count = op.last_count > FMP_LAST ? FMP_LAST : op.last_count;
        derive_percentiles(&op);
        rows[kept++] = (row){.operation = op};
    }
    if (!rows)
        return;
    sort_rows(rows, kept);
    for (size_t i = 0; i < kept; i++) {
        operations[i] = rows[i].operation;
        out->self_ns = fmp_add_saturating(out->self_ns, operations[i].self_ns);
        out->scopes = fmp_add_saturating(out->scopes, operations[i].count);
    }
    out->operations = operations;
    out->operation_count = kept;
}

static void take_threads(store *s, const parts *in, fmp_snapshot *out)
{
    fmp_thread *threads = take(s, in->thread_count, sizeof *threads);
    if (!threads)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < in->thread_count; i++) {
        if (in->threads[i].scopes == 0)
            continue;
        threads[kept] = in->threads[i];
        threads[kept].name[sizeof threads[kept].name - 1] = '\0';
        kept++;
    }
    qsort(threads, kept, sizeof *threads, by_busy);
    out->threads = threads;
    out->thread_count = kept;
}

static void take_metrics(store *s, const parts *in, fmp_snapshot *out)
{
    fmp_metric_value *metrics = take(s, in->metric_count, sizeof *metrics);
    size_t kept = 0;
    for (size_t i = 0; i < in->metric_count; i++) {
        const fmp_metric_value *from = &in->metrics[i];
        const char *category = take_text(s, from->category);
        const char *name = take_text(s, from->name);
        const char *unit = take_text(s, from->unit);
        if (!metrics || from->count == 0)
            continue;
        metrics[kept] = *from;
        metrics[kept].category = category;
        metrics[kept].name = name;
        metrics[kept].unit = unit;
        kept++;
    }
    if (metrics) {
        out->metrics = metrics;
        out->metric_count = kept;
    }
}

static void take_all(store *s, const parts *in, fmp_snapshot *out)
{
    take_operations(s, in, out);
    take_threads(s, in, out);
    take_metrics(s, in, out);
}

fmp_snapshot *fmp_snapshot_make(const fmp_operation *operations, size_t operation_count,
                                const fmp_thread *threads, size_t thread_count,
                                const fmp_metric_value *metrics, size_t metric_count)
{
    const parts in = {operations, operation_count, threads, thread_count, metrics, metric_count};
    fmp_snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (!snapshot)
        return NULL;
    store counting = {NULL, 0, false};
    take_all(&counting, &in, snapshot);
    /* Never of size 0: NULL has to mean that memory is out. */
    store real = {counting.too_much ? NULL : malloc(counting.used + 1), 0, false};
    if (!real.memory) {
        free(snapshot);
        return NULL;
    }
    take_all(&real, &in, snapshot);
    snapshot->memory = real.memory;
    return snapshot;
}

void fmp_snapshot_free(fmp_snapshot **snapshot)
{
    if (!snapshot || !*snapshot)
        return;
    free((*snapshot)->memory);
    free(*snapshot);
    *snapshot = NULL;
}

/* --- the profiler's own cost --------------------------------------------------- */

static uint64_t less(uint64_t value, double amount)
{
    double left = (double)value - amount;
    return left <= 0 ? 0 : amount < 0.5 ? value : (uint64_t)(left + 0.5);
}

void fmp_snapshot_subtract_cost(fmp_snapshot *snapshot)
{
    if (!snapshot || snapshot->cost_subtracted)
        return;
    snapshot->cost_subtracted = true;
    snapshot->self_ns = 0;
    for (size_t i = 0; i < snapshot->operation_count; i++) {
        fmp_operation *op = &snapshot->operations[i];
        uint64_t scopes = op->count > op->recorded ? op->count - op->recorded : 0;
        double own = (double)scopes * snapshot->cost.inside_ns;
        double self_cost = own + (double)op->children * snapshot->cost.outside_ns;
        /* Figures from elsewhere may know the children alone. */
        double total_cost =
            op->inner < op->children
                ? self_cost
                : own + (double)op->inner * (snapshot->cost.inside_ns + snapshot->cost.outside_ns);
        op->self_ns = less(op->self_ns, self_cost);
        op->total_ns = less(op->total_ns, total_cost);
        /* A recursive call's own cost is in its outermost one as one of the inner scopes, too. */
        op->total_ns = op->total_ns < op->self_ns ? op->self_ns : op->total_ns;
        double mean = op->count > 0 ? op->mean_ns - total_cost / (double)op->count : 0;
        op->mean_ns = mean > 0 ? mean : 0;
        snapshot->self_ns = fmp_add_saturating(snapshot->self_ns, op->self_ns);
    }
}
