/* All tables of a system report, in their order: keys, titles, columns. What they mean is in docs/system-profiling.md. */
#ifndef FMP_WATCH_COLUMNS_H
#define FMP_WATCH_COLUMNS_H

#include "fmprof/system.h"

/* Tables without rows, for whoever makes, stores or reads one. */
extern const fmp_table fmp_known_tables[];
extern const size_t fmp_known_table_count;

/* NULL: not known. */
const fmp_table *fmp_known_table(const char *key);

#endif
