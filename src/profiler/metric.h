/*
 * A cell: the figures of one counter or gauge on one thread, guarded as a
 * block is (block.h). Only the owning thread writes it, so that no counter
 * costs a shared cache line.
 */
#ifndef FMP_METRIC_H
#define FMP_METRIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct fmp_metric_cell {
    _Atomic(uint32_t) generation;
    _Atomic(uint64_t) sequence, count;
    _Atomic(int64_t) sum;            /* of a counter; wraps around */
    _Atomic(int64_t) last, min, max; /* of a gauge */
    _Atomic(double) values;          /* sum of a gauge's values */
    _Atomic(uint64_t) last_at;       /* ticks */
} fmp_metric_cell;

typedef struct fmp_metric_figures {
    uint64_t count;
    int64_t sum, last, min, max;
    double values;
    uint64_t last_at;
} fmp_metric_figures;

/* Any thread: false when the cell holds nothing of this generation. */
bool fmp_metric_read(const fmp_metric_cell *cell, uint32_t generation, fmp_metric_figures *out);

/* Adds `from` to `into` (all zero at first). */
void fmp_metric_figures_merge(fmp_metric_figures *into, const fmp_metric_figures *from);

/* Adds `from` to the cell `into`; the caller owns both. */
void fmp_metric_merge(fmp_metric_cell *into, const fmp_metric_cell *from, uint32_t generation);

#endif
