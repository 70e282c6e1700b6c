/*
 * Zeroed memory that is never given back, in which a large object costs only
 * the pages that are written: straight from the kernel, since malloc clears
 * (and so touches) what it reuses. A histogram spans 22 KiB, but the calls of
 * a site usually fall into one or two pages of it.
 *
 * Thread-safety: Unsafe; each recorder has an arena of its own.
 */
#ifndef FMP_ARENA_H
#define FMP_ARENA_H

#include <stddef.h>

typedef struct fmp_arena {
    unsigned char *free; /* what is left of the newest chunk */
    size_t left;
} fmp_arena; /* all zero at first */

/* Aligned to 64 bytes. NULL when memory is out or size is not below FMP_ARENA_CHUNK. */
void *fmp_arena_get(fmp_arena *arena, size_t size);

enum { FMP_ARENA_CHUNK = 512 * 1024 };

#endif
