/*
 * All tables of a system report, in their order: keys, titles, columns. What they mean is in docs/system-profiling.md.
 *
 * A text of a column "stack" is a call stack, innermost frame first, a frame a line: "malloc\nload_model (model.c:12)".
 */
#ifndef FMP_WATCH_COLUMNS_H
#define FMP_WATCH_COLUMNS_H

#include "fmprof/system.h"

/* Tables without rows, for whoever makes, stores or reads one. */
extern const fmp_table fmp_known_tables[];
extern const size_t fmp_known_table_count;

/* NULL: not known. */
const fmp_table *fmp_known_table(const char *key);

/*
 * What a column can hold of a number: whole where its kind is, and not a number for what is out of its range. Ranges
 * are those in which sums, texts and JSON stay exact enough: 0 to 9e18 for counts, -9e18 to 9e18 for bytes, 0 to 9.2e9
 * for seconds (292 years), 0 to 1e15 for others.
 */
double fmp_column_value(const fmp_column *column, double value);

#endif
