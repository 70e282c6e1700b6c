/* What the interposer counted, as tables: "heap", "allocations", "allocation_stacks", "leaks". */
#ifndef FMP_WATCH_ALLOC_TABLES_H
#define FMP_WATCH_ALLOC_TABLES_H

#include "alloc/alloc_api.h"
#include "watch/table.h"

/* After api->stop, before api->clear. False: no memory for the stacks, whose tables are then left out. */
bool fmp_alloc_tables(const fmp_alloc_calls *api, fmp_tables *tables);

#endif
