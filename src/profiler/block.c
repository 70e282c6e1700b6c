#include "block.h"

#include <sched.h>

/* A reader that never meets a quiet moment takes what it has: every field is right, if not of one instant. */
enum { READ_TRIES = 4096, TRIES_BEFORE_YIELD = 64 };

void fmp_block_clear(fmp_block *block, uint32_t generation)
{
    FMP_SET(count, 0);
    FMP_SET(total, 0);
    FMP_SET(self, 0);
    FMP_SET(min, 0);
    FMP_SET(max, 0);
    FMP_SET(first, 0);
    FMP_SET(first_at, 0);
    FMP_SET(shifted_sum, 0.0);
    FMP_SET(shifted_squares, 0.0);
    uint64_t octaves = FMP_OWN(octaves);
    for (unsigned octave = 0; octave < FMP_OCTAVES; octave++) {
        if (!(octaves >> octave & 1))
            continue;
        for (unsigned i = 0; i < FMP_SUB_COUNT; i++)
            FMP_SET(bucket[octave * FMP_SUB_COUNT + i], 0);
    }
    FMP_SET(octaves, 0);
    FMP_SET(generation, generation);
}

#define FMP_GET(field) atomic_load_explicit(&block->field, memory_order_acquire)

static void read_fields(const fmp_block *block, fmp_figures *out, uint32_t *generation)
{
    *generation = FMP_GET(generation);
    out->count = FMP_GET(count);
    out->total = FMP_GET(total);
    out->self = FMP_GET(self);
    out->min = FMP_GET(min);
    out->max = FMP_GET(max);
    out->first = FMP_GET(first);
    out->first_at = FMP_GET(first_at);
    out->mean = FMP_GET(shifted_sum);
    out->m2 = FMP_GET(shifted_squares);
}

bool fmp_block_read(const fmp_block *block, uint32_t generation, fmp_figures *out)
{
    uint32_t own_generation = 0;
    for (int attempt = 1; attempt <= READ_TRIES; attempt++) {
        uint64_t before = FMP_GET(sequence);
        read_fields(block, out, &own_generation);
        uint64_t after = atomic_load_explicit(&block->sequence, memory_order_relaxed);
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
    return true;
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
    into->min = from->min < into->min ? from->min : into->min;
    into->max = from->max > into->max ? from->max : into->max;
    if (from->first_at < into->first_at) {
        into->first_at = from->first_at;
        into->first = from->first;
    }
    into->threads += from->threads;
}

uint64_t fmp_block_add_histogram(const fmp_block *block, uint64_t bucket[FMP_BUCKETS])
{
    uint64_t octaves = FMP_GET(octaves);
    for (unsigned octave = 0; octave < FMP_OCTAVES; octave++) {
        if (!(octaves >> octave & 1))
            continue;
        for (unsigned i = octave * FMP_SUB_COUNT; i < (octave + 1) * FMP_SUB_COUNT; i++)
            bucket[i] += atomic_load_explicit(&block->bucket[i], memory_order_relaxed);
    }
    return octaves;
}

static void store_figures(fmp_block *block, const fmp_figures *figures)
{
    double count = (double)figures->count;
    double offset = figures->mean - (double)figures->first;
    FMP_SET(count, figures->count);
    FMP_SET(total, figures->total);
    FMP_SET(self, figures->self);
    FMP_SET(min, figures->min);
    FMP_SET(max, figures->max);
    FMP_SET(first, figures->first);
    FMP_SET(first_at, figures->first_at);
    FMP_SET(shifted_sum, count * offset);
    FMP_SET(shifted_squares, figures->m2 + count * offset * offset);
    block->threads = (uint32_t)figures->threads;
}

void fmp_block_merge(fmp_block *into, const fmp_block *from, uint32_t generation)
{
    fmp_figures added = {0}, sum = {0};
    if (!fmp_block_read(from, generation, &added))
        return;
    if (atomic_load_explicit(&into->generation, memory_order_relaxed) != generation)
        fmp_block_clear(into, generation);
    if (!fmp_block_read(into, generation, &sum))
        sum = (fmp_figures){0};
    fmp_figures_merge(&sum, &added);
    store_figures(into, &sum);

    uint64_t octaves = atomic_load_explicit(&from->octaves, memory_order_relaxed);
    for (unsigned i = 0; i < FMP_BUCKETS; i++) {
        if (!(octaves >> (i >> FMP_SUB_BITS) & 1))
            continue;
        uint64_t count = atomic_load_explicit(&from->bucket[i], memory_order_relaxed);
        atomic_fetch_add_explicit(&into->bucket[i], count, memory_order_relaxed);
    }
    atomic_fetch_or_explicit(&into->octaves, octaves, memory_order_release);
}
