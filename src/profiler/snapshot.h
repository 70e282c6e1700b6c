/* What the makers of snapshots share. */
#ifndef FMP_SNAPSHOT_H
#define FMP_SNAPSHOT_H

#include <stddef.h>

#include "fmprof/fmprof.h"

/*
 * Turns histogram entries in any order into those of a snapshot, in place:
 * repeated ones add, those of no bucket are dropped. Returns how many are left.
 */
size_t fmp_buckets_tidy(fmp_bucket *buckets, size_t count);

#endif
