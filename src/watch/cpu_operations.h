/*
 * CPU time of operations against their wall time, between two moments.
 * Thread-safety: one thread at a time.
 */
#ifndef FMP_WATCH_CPU_OPERATIONS_H
#define FMP_WATCH_CPU_OPERATIONS_H

#include "fmprof/fmprof.h"
#include "watch/table.h"

/* Fills the table "operations" with what `after` has more than `before`; either may be NULL. */
void fmp_cpu_operations_table(const fmp_snapshot *before, const fmp_snapshot *after, fmp_tables *tables);

#endif
