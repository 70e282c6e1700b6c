/*
 * Figures for people: durations in fitting units, percentages that add up,
 * ratios that never divide by zero, categories out of a snapshot.
 *
 * Thread-safety: Safe.
 */
#ifndef FM_REPORT_FIGURES_H
#define FM_REPORT_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fmprof/fmprof.h"

enum { FM_TIME_TEXT_SIZE = 32 };

/* "112.345s", "57.8ms", "3.2us", "0.042us"; "n/a" for what is negative or not finite. */
void fm_time_text(char out[FM_TIME_TEXT_SIZE], double seconds);

/* part / whole; NaN when that has no meaning (whole not above zero, either not finite). */
double fm_ratio(double part, double whole);

/*
 * Shares in tenths of a percent that add up to exactly 1000 (largest
 * remainder: each is off by less than a tenth), all 0 when the parts are.
 * False when memory is out.
 */
bool fm_shares(const uint64_t *part, size_t count, int *tenths);

/* Consecutive operations of one category. */
typedef struct fm_category {
    const char *name;
    const fmp_operation *operations; /* into the snapshot */
    size_t count;
    uint64_t self_ns;
} fm_category;

/*
 * The categories of a snapshot (may be NULL), in its order: a malloc'ed array
 * for the caller to free. NULL when memory is out, never because there is none.
 */
fm_category *fm_categories(const fmp_snapshot *snapshot, size_t *count);

/* Calls of all operations. */
uint64_t fm_scope_count(const fmp_snapshot *snapshot);

#endif
