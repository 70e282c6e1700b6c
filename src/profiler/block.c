#include "block.h"

#include <sched.h>
#include <string.h>

#include "registry.h"

/* A reader that never meets a quiet moment takes what it has: every field is right, if not of one instant. */
enum { READ_TRIES = 4096, TRIES_BEFORE_YIELD = 64, HISTOGRAM_TRIES = 32 };

static void clear_measured(fmp_measured *m)
{
    if (!m)
        return;
    atomic_store_explicit(&m->which, 0, memory_order_release);
    atomic_store_explicit(&m->cpu_ns, 0, memory_order_release);
    atomic_store_explicit(&m->rss, 0, memory_order_release);
    atomic_store_explicit(&m->rss_peak, 0, memory_order_release);
    atomic_store_explicit(&m->live, 0, memory_order_release);
    atomic_store_explicit(&m->live_peak, 0, memory_order_release);
}

static void clear(fmp_block *block, uint32_t generation)
{
    FMP_SET(count, 0);
    FMP_SET(total, 0);
    FMP_SET(self, 0);
    FMP_SET(children, 0);
    FMP_SET(inner, 0);
    FMP_SET(recorded, 0);
    FMP_SET(min, 0);
    FMP_SET(max, 0);
    FMP_SET(first, 0);
    FMP_SET(first_at, 0);
    FMP_SET(last_at, 0);
    FMP_SET(shifted_sum, 0.0);
    FMP_SET(shifted_squares, 0.0);
    clear_measured(FMP_OWN(measured));
    for (unsigned i = 0; i < FMP_OCTAVES; i++) {
        fmp_octave *octave = FMP_OWN(octave[i]);
        for (unsigned k = 0; octave && k < FMP_SUB_COUNT; k++)
            atomic_store_explicit(&octave->bucket[k], 0, memory_order_relaxed);
    }
    FMP_SET(generation, generation);
}

/* NULL when memory is out. */
static fmp_octave *make_octave(fmp_block *block, unsigned octave)
{
    fmp_octave *made = fmp_arena_get(&block->owner->arena, sizeof *made);
    if (made)
        FMP_SET(octave[octave], made);
    return made;
}

FMP_NOINLINE void fmp_block_count_slow(fmp_block *block, unsigned index)
{
    fmp_octave *octave = FMP_OWN(octave[index >> FMP_SUB_BITS]);
    if (!octave)
        octave = make_octave(block, index >> FMP_SUB_BITS);
    if (octave)
        fmp_bucket_increment(octave, index);
}

void fmp_block_add(fmp_block *block, uint32_t generation, const fmp_call *call)
{
    if (FMP_OWN(generation) == generation) {
        fmp_block_add_next(block, *call);
        return;
    }
    uint64_t sequence = FMP_OWN(sequence);
    atomic_store_explicit(&block->sequence, sequence + 1, memory_order_relaxed);
    clear(block, generation);
    FMP_SET(first, call->duration);
    FMP_SET(first_at, call->start);
    FMP_SET(min, call->duration);
    FMP_SET(max, call->duration);
    FMP_SET(count, 1);
    FMP_SET(total, call->total);
    FMP_SET(self, call->self);
    FMP_SET(children, call->children);
    FMP_SET(inner, call->inner);
    FMP_SET(recorded, call->recorded ? 1 : 0);
    FMP_SET(last_at, call->start);
    FMP_SET(last[0], call->duration);
    atomic_store_explicit(&block->sequence, sequence + 2, memory_order_release);
}

static fmp_measured *measured_of(fmp_block *block)
{
    fmp_measured *measured = FMP_OWN(measured);
    if (!measured) {
        measured = fmp_arena_get(&block->owner->arena, sizeof *measured);
        if (measured)
            FMP_SET(measured, measured);
    }
    return measured;
}

static void add_change(_Atomic(int64_t) *sum, _Atomic(int64_t) *peak, int64_t change, bool first)
{
    int64_t before = atomic_load_explicit(sum, memory_order_relaxed);
    atomic_store_explicit(sum, (int64_t)((uint64_t)before + (uint64_t)change), memory_order_release);
    if (first || change > atomic_load_explicit(peak, memory_order_relaxed))
        atomic_store_explicit(peak, change, memory_order_release);
}

void fmp_block_add_measurement(fmp_block *block, const fmp_measurement *measurement)
{
    fmp_measured *m = measured_of(block);
    if (!m)
        return;
    uint64_t sequence = FMP_OWN(sequence);
    atomic_store_explicit(&block->sequence, sequence + 1, memory_order_relaxed);
    uint32_t which = atomic_load_explicit(&m->which, memory_order_relaxed);
    if (measurement->which & FMP_MEASURE_CPU)
        atomic_store_explicit(&m->cpu_ns,
                              atomic_load_explicit(&m->cpu_ns, memory_order_relaxed) +
                                  measurement->cpu_ns,
                              memory_order_release);
    if (measurement->which & FMP_MEASURE_MEMORY) {
        bool first = !(which & FMP_MEASURE_MEMORY);
        add_change(&m->rss, &m->rss_peak, measurement->rss, first);
        add_change(&m->live, &m->live_peak, measurement->live, first);
    }
    atomic_store_explicit(&m->which, which | measurement->which, memory_order_release);
    atomic_store_explicit(&block->sequence, sequence + 2, memory_order_release);
}

#define FMP_GET(field) atomic_load_explicit(&block->field, memory_order_acquire)

static void read_measured(const fmp_measured *m, fmp_figures *out)
{
    out->measures = atomic_load_explicit(&m->which, memory_order_acquire);
    out->cpu_ns = atomic_load_explicit(&m->cpu_ns, memory_order_acquire);
    out->rss = atomic_load_explicit(&m->rss, memory_order_acquire);
    out->rss_peak = atomic_load_explicit(&m->rss_peak, memory_order_acquire);
    out->live = atomic_load_explicit(&m->live, memory_order_acquire);
    out->live_peak = atomic_load_explicit(&m->live_peak, memory_order_acquire);
}

static void read_fields(const fmp_block *block, fmp_figures *out, uint32_t *generation)
{
    *generation = FMP_GET(generation);
    out->count = FMP_GET(count);
    out->total = FMP_GET(total);
    out->self = FMP_GET(self);
    out->children = FMP_GET(children);
    out->inner = FMP_GET(inner);
    out->recorded = FMP_GET(recorded);
    out->min = FMP_GET(min);
    out->max = FMP_GET(max);
    out->first = FMP_GET(first);
    out->first_at = FMP_GET(first_at);
    out->last_at = FMP_GET(last_at);
    out->mean = FMP_GET(shifted_sum);
    out->m2 = FMP_GET(shifted_squares);
    for (unsigned i = 0; i < FMP_LAST; i++) /* the newest is that of call count - 1 */
        out->last[i] = FMP_GET(last[(out->count - 1 - i) % FMP_LAST]);
    const fmp_measured *measured = FMP_GET(measured);
    if (measured)
        read_measured(measured, out);
}

bool fmp_block_read(const fmp_block *block, uint32_t generation, fmp_figures *out)
{
    uint32_t own_generation = 0;
    *out = (fmp_figures){0};
    for (int attempt = 1; attempt <= READ_TRIES; attempt++) {
        uint64_t before = FMP_GET(sequence);
        read_fields(block, out, &own_generation);
        uint64_t after = atomic_load_explicit(&block->sequence, memory_order_relaxed);
        out->sequence = before;
        if (before == after && !(before & 1))
            break;
        if (attempt % TRIES_BEFORE_YIELD == 0)
            sched_yield(); /* the owner may have been preempted inside an update */
    }
    if (own_generation != generation || out->count == 0)
        return false;
    double count = (double)out->count, sum = out->mean, squares = out->m2;
    double m2 = squares - sum * sum / count;
    out->mean = (double)out->first + sum / count;
    out->m2 = m2 > 0 ? m2 : 0;
    out->threads = block->threads;
    out->last_count = block->last_kept        ? block->last_kept
                      : out->count < FMP_LAST ? (unsigned)out->count
                                              : FMP_LAST;
    return true;
}

static void merge_measures(fmp_figures *into, const fmp_figures *from)
{
    if (from->measures & FMP_MEASURE_MEMORY) {
        bool first = !(into->measures & FMP_MEASURE_MEMORY);
        into->rss_peak = first || from->rss_peak > into->rss_peak ? from->rss_peak : into->rss_peak;
        into->live_peak =
            first || from->live_peak > into->live_peak ? from->live_peak : into->live_peak;
    }
    into->measures |= from->measures;
    into->cpu_ns += from->cpu_ns;
    into->rss += from->rss;
    into->live += from->live;
}

/* Mean and m2 of a union: Chan, Golub, LeVeque, "Updating formulae ... for sample variances", 1979. */
void fmp_figures_merge(fmp_figures *into, const fmp_figures *from)
{
    if (from->count == 0)
        return;
    if (into->count == 0) {
        *into = *from;
        return;
    }
    double n1 = (double)into->count, n2 = (double)from->count;
    double delta = from->mean - into->mean;
    into->mean += delta * n2 / (n1 + n2);
    into->m2 += from->m2 + delta * delta * n1 * n2 / (n1 + n2);
    into->count += from->count;
    into->total += from->total;
    into->self += from->self;
    into->children += from->children;
    into->inner += from->inner;
    into->recorded += from->recorded;
    into->min = from->min < into->min ? from->min : into->min;
    into->max = from->max > into->max ? from->max : into->max;
    if (from->first_at < into->first_at) {
        into->first_at = from->first_at;
        into->first = from->first;
    }
    if (from->last_at >= into->last_at) {
        into->last_at = from->last_at;
        into->last_count = from->last_count;
        for (unsigned i = 0; i < FMP_LAST; i++)
            into->last[i] = from->last[i];
    }
    into->threads += from->threads;
    merge_measures(into, from);
}

/* The bucket of the newest call, which is not in the histogram yet; false in a block of merged ones. */
static bool newest_bucket(const fmp_block *block, const fmp_figures *figures, unsigned *index)
{
    *index = fmp_histogram_index(fmp_clock_quick_ns(figures->last[0]));
    return block->last_kept == 0;
}

static uint64_t read_histogram(const fmp_block *block, const fmp_figures *figures,
                               uint64_t bucket[FMP_BUCKETS])
{
    uint64_t touched = 0;
    for (unsigned i = 0; i < FMP_OCTAVES; i++) {
        const fmp_octave *octave = FMP_GET(octave[i]);
        if (!octave)
            continue;
        touched |= (uint64_t)1 << i;
        for (unsigned k = 0; k < FMP_SUB_COUNT; k++)
            bucket[i * FMP_SUB_COUNT + k] =
                atomic_load_explicit(&octave->bucket[k], memory_order_acquire);
    }
    unsigned newest;
    if (newest_bucket(block, figures, &newest)) {
        bucket[newest]++;
        touched |= (uint64_t)1 << (newest >> FMP_SUB_BITS);
    }
    return touched;
}

uint64_t fmp_block_read_all(const fmp_block *block, uint32_t generation, fmp_figures *out,
                            uint64_t bucket[FMP_BUCKETS])
{
    for (int attempt = 1;; attempt++) {
        if (!fmp_block_read(block, generation, out))
            return 0;
        uint64_t touched = read_histogram(block, out, bucket);
        if (FMP_GET(sequence) == out->sequence || attempt == HISTOGRAM_TRIES)
            return touched;
        for (unsigned i = 0; i < FMP_OCTAVES; i++)
            if (touched >> i & 1)
                memset(&bucket[i * FMP_SUB_COUNT], 0, FMP_SUB_COUNT * sizeof *bucket);
    }
}

static void store_figures(fmp_block *block, const fmp_figures *figures)
{
    double count = (double)figures->count;
    double offset = figures->mean - (double)figures->first;
    FMP_SET(count, figures->count);
    FMP_SET(total, figures->total);
    FMP_SET(self, figures->self);
    FMP_SET(children, figures->children);
    FMP_SET(inner, figures->inner);
    FMP_SET(recorded, figures->recorded);
    FMP_SET(min, figures->min);
    FMP_SET(max, figures->max);
    FMP_SET(first, figures->first);
    FMP_SET(first_at, figures->first_at);
    FMP_SET(last_at, figures->last_at);
    FMP_SET(shifted_sum, count * offset);
    FMP_SET(shifted_squares, figures->m2 + count * offset * offset);
    for (unsigned i = 0; i < FMP_LAST; i++)
        FMP_SET(last[(figures->count - 1 - i) % FMP_LAST], figures->last[i]);
    block->threads = (uint32_t)figures->threads;
    block->last_kept = figures->last_count;
    fmp_measured *m = figures->measures ? measured_of(block) : NULL;
    if (!m)
        return;
    atomic_store_explicit(&m->which, figures->measures, memory_order_release);
    atomic_store_explicit(&m->cpu_ns, figures->cpu_ns, memory_order_release);
    atomic_store_explicit(&m->rss, figures->rss, memory_order_release);
    atomic_store_explicit(&m->rss_peak, figures->rss_peak, memory_order_release);
    atomic_store_explicit(&m->live, figures->live, memory_order_release);
    atomic_store_explicit(&m->live_peak, figures->live_peak, memory_order_release);
}

void fmp_block_merge(fmp_block *into, const fmp_block *from, uint32_t generation)
{
    fmp_figures added, sum;
    if (!fmp_block_read(from, generation, &added))
        return;
    if (atomic_load_explicit(&into->generation, memory_order_relaxed) != generation)
        clear(into, generation);
    if (!fmp_block_read(into, generation, &sum))
        sum = (fmp_figures){0};
    fmp_figures_merge(&sum, &added);
    store_figures(into, &sum);

    unsigned newest;
    if (newest_bucket(from, &added, &newest))
        fmp_block_count_slow(into, newest);
    for (unsigned i = 0; i < FMP_OCTAVES; i++) {
        const fmp_octave *octave = atomic_load_explicit(&from->octave[i], memory_order_relaxed);
        if (!octave)
            continue;
        fmp_octave *sums = atomic_load_explicit(&into->octave[i], memory_order_relaxed);
        if (!sums)
            sums = make_octave(into, i);
        for (unsigned k = 0; sums && k < FMP_SUB_COUNT; k++)
            atomic_fetch_add_explicit(
                &sums->bucket[k], atomic_load_explicit(&octave->bucket[k], memory_order_relaxed),
                memory_order_relaxed);
    }
}
