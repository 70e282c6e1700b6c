/*
 * The cache's folder: which of its entries are the oldest, and how they go.
 * Only names that the cache itself gives are ever removed.
 *
 * Thread-safety: Safe, also between processes.
 */
#ifndef FM_INFERENCE_CACHE_FOLDER_H
#define FM_INFERENCE_CACHE_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

/* Entries are files "<64 hexadecimal digits>.graph" and folders "<provider>-<64 hexadecimal digits>". */
#define FM_CACHE_SUFFIX ".graph"

/*
 * Removes entries, those used longest ago first, until there are at most `entries` with at most `bytes` in total, and
 * what killed runs left under temporary names more than an hour ago. The entry of the name `keep` stays.
 */
void fm_cache_prune(const char *dir, const char *keep, int entries, uint64_t bytes);

/* Counts the entries and adds up their sizes; changes nothing. 0 when there is no such folder. */
int fm_cache_measure(const char *dir, uint64_t *bytes);

/* Marks an entry as used just now. */
void fm_cache_touch(const char *path);

#endif
