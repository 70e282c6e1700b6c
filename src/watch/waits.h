/*
 * What threads were doing while scopes were open: each reading sees the
 * innermost operation of each thread, and what the thread is doing at that
 * moment. That stands for half of the time since the reading before, and half
 * of the time to the one after it, so that a late reading counts no more than
 * its share of what came before.
 *
 * Thread-safety: one thread at a time.
 */
#ifndef FMP_WATCH_WAITS_H
#define FMP_WATCH_WAITS_H

#include "watch/threads.h"

typedef struct fmp_wait_seen {
    uint32_t operation;
    fmp_thread_doing doing;
} fmp_wait_seen;

typedef struct fmp_waits {
    double (*seconds)[FMP_DOING_COUNT]; /* by number of the operation */
    size_t room;
    fmp_wait_seen *seen; /* at the last reading */
    size_t seen_count, seen_room;
} fmp_waits; /* all zero: empty */

/* Reads what the threads of threads->current with an open scope are doing, so many seconds after the last reading. */
void fmp_waits_read(fmp_waits *waits, const fmp_threads *threads, double seconds);
/* Fills the table "waits". */
void fmp_waits_table(const fmp_waits *waits, fmp_tables *tables);
void fmp_waits_free(fmp_waits *waits);

#endif
