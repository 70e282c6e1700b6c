/*
 * The interposer's own memory: from the system alone, since the allocator is
 * what it watches, and at most so many bytes.
 */
#ifndef FMP_ALLOC_PAGES_H
#define FMP_ALLOC_PAGES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fmp_pages {
    uint64_t max;
    _Atomic(uint64_t) used; /* bytes that are mapped */
    pthread_mutex_t lock;   /* guards the rest */
    struct fmp_pages_chunk *chunks;
    char *at; /* free room of the newest chunk */
    size_t left;
} fmp_pages;

void fmp_pages_begin(fmp_pages *pages, uint64_t max);
/* Gives back what fmp_pages_take took. */
void fmp_pages_end(fmp_pages *pages);

/* Zeroed, for any type; lives until the end. NULL: the limit is reached. Thread-safety: Safe. */
void *fmp_pages_take(fmp_pages *pages, size_t size);

/* Zeroed pages, to be given back one day with the same size. NULL: the limit is reached. Thread-safety: Safe. */
void *fmp_pages_map(fmp_pages *pages, size_t size);
void fmp_pages_unmap(fmp_pages *pages, void *memory, size_t size); /* NULL is fine */

#endif
