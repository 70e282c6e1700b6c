/* The tables and stacks of a report that samples become. */
#ifndef FMP_WATCH_SAMPLE_TABLES_H
#define FMP_WATCH_SAMPLE_TABLES_H

#include "watch/facility.h"
#include "watch/sample_stacks.h"
#include "watch/symbols.h"

enum {
    FMP_FUNCTION_ROWS = 40,        /* of functions over all operations, by their own time */
    FMP_FUNCTION_ROWS_EACH = 3,    /* at least so many of an operation with a share of FMP_OPERATION_SHARE */
    FMP_STACKS_MAX = 20000         /* stacks of a report; the rest of an operation is one "(others)" */
};

/* Adds "samples", "functions" and the stacks, whose counts are periods of CPU time. False: memory is out. */
bool fmp_sample_tables(fmp_tables *tables, fmp_symbols *symbols, const fmp_seen_stacks *stacks, uint64_t period_ns);

#endif
