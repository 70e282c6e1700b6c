/*
 * What threads were doing while scopes were open: at each reading the time
 * since the one before goes to the innermost operation of each thread, under
 * what the thread is doing at that moment.
 *
 * Thread-safety: one thread at a time.
 */
#ifndef FMP_WATCH_WAITS_H
#define FMP_WATCH_WAITS_H

#include "watch/threads.h"

typedef struct fmp_waits {
    double (*seconds)[FMP_DOING_COUNT]; /* by number of the operation */
    size_t room;
} fmp_waits; /* all zero: empty */

/* Reads what the threads of threads->current with an open scope are doing, for so many seconds. */
void fmp_waits_read(fmp_waits *waits, const fmp_threads *threads, double seconds);
/* Fills the table "waits". */
void fmp_waits_table(const fmp_waits *waits, fmp_tables *tables);
void fmp_waits_free(fmp_waits *waits);

#endif
