/*
 * Figures for people: durations and sizes in fitting units, percentages that
 * add up, ratios that never divide by zero, categories out of a snapshot. The
 * decimal point is '.' in every locale.
 *
 * Thread-safety: Safe.
 */
#ifndef FMP_EXPORT_FIGURES_H
#define FMP_EXPORT_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fmprof/export.h"

/* Room for any text below; fmp_fixed of a huge value falls back to an exponent to fit. */
enum { FMP_TIME_TEXT_SIZE = 32 };

/* The value with so many decimals (at most 9); "n/a" when not finite. */
void fmp_fixed(char out[FMP_TIME_TEXT_SIZE], double value, int decimals);

/* 15 digits, for what is derived from other figures; "null" when not finite. */
void fmp_rounded(char out[FMP_TIME_TEXT_SIZE], double value);

/* The shortest of %.15g and %.17g that reads back as the same double; "null" when not finite (as JSON wants it). */
void fmp_exact(char out[FMP_TIME_TEXT_SIZE], double value);

/* "112.345s", "57.8ms", "3.2us", "0.042us"; "n/a" for what is negative or not finite. At most 10 columns. */
void fmp_time_text(char out[FMP_TIME_TEXT_SIZE], double seconds);

/* A change of so many bytes: "0 B", "+512 B", "-1.5 MiB". At most 11 columns. */
void fmp_bytes_text(char out[FMP_TIME_TEXT_SIZE], int64_t bytes);

/* As it is while it fits in `columns` (at least 9), with an exponent ("1.00e+08") beyond. */
void fmp_count_text(char out[FMP_TIME_TEXT_SIZE], uint64_t count, int columns);

/* part / whole; NaN when that has no meaning (whole not above zero, either not finite). */
double fmp_ratio(double part, double whole);

/*
 * Shares in tenths of a percent that add up to exactly 1000 (largest
 * remainder: each is off by less than a tenth), all 0 when the parts are.
 * False when memory is out.
 */
bool fmp_shares(const uint64_t *part, size_t count, int *tenths);

/* Consecutive operations of one category. */
typedef struct fmp_category {
    const char *name;
    const fmp_operation *operations; /* into the snapshot */
    size_t count;
    uint64_t self_ns;
} fmp_category;

/*
 * The categories of a snapshot (may be NULL), in its order: a malloc'ed array
 * for the caller to free. NULL when memory is out, never because there is none.
 */
fmp_category *fmp_categories(const fmp_snapshot *snapshot, size_t *count);

/* Sorts pointers to operations: figures falling, equals and names rising. False when memory is out. */
bool fmp_sort_operations(const fmp_operation **operations, size_t count, fmp_sort by);

#endif
