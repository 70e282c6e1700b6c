/*
 * The profiler registry: the one process-wide object. It holds the sites and
 * the recorders (one a thread) and hands recorders on when threads end.
 *
 * Locking: the mutex guards the lists, names and states; a recorder's blocks
 * are written by its thread alone, without the mutex (block.h).
 *
 * A thread's recorder is made at its first scope. When the thread ends its
 * figures stay: up to FMP_ENDED_MAX ended threads keep a recorder (and a row
 * in the thread table) of their own, later ones are added to one shared
 * recorder and theirs is handed to the next thread, so that memory is bounded
 * however many threads come and go.
 */
#ifndef FMP_REGISTRY_H
#define FMP_REGISTRY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "block.h"
#include "fmprof/fmprof.h"

enum {
    FMP_PAGE_BITS = 8,
    FMP_PAGE_SIZE = 1 << FMP_PAGE_BITS, /* blocks a page */
    FMP_PAGES = 256,
    FMP_SITES_MAX = FMP_PAGE_SIZE * FMP_PAGES, /* later sites share the overflow site */
    FMP_SITE_HASH_SIZE = 4096,
    FMP_ENDED_MAX = 64,
    FMP_THREAD_NAME_SIZE = 32
};

struct fmp_site {
    struct fmp_site *next_in_hash;
    struct fmp_site *next; /* in order of registration */
    const char *category, *operation;
    uint32_t index;
    bool hidden; /* the profiler's own: never in a snapshot */
};

typedef struct fmp_block_page {
    _Atomic(fmp_block *) block[FMP_PAGE_SIZE];
} fmp_block_page;

typedef enum fmp_recorder_state {
    FMP_RECORDER_LIVE = 0, /* a running thread writes it */
    FMP_RECORDER_ENDED,    /* its thread has ended, its figures count */
    FMP_RECORDER_FREE      /* holds nothing, waits for a thread */
} fmp_recorder_state;

typedef struct fmp_recorder {
    uint64_t child; /* ticks of the scopes that ended inside the innermost open one */
    _Atomic(fmp_block_page *) page[FMP_PAGES];
    fmp_arena arena;           /* of the pages and blocks */
    struct fmp_recorder *next; /* all recorders */
    fmp_recorder_state state;
    char name[FMP_THREAD_NAME_SIZE];
} fmp_recorder;

typedef struct fmp_registry {
    /* Read by every scope, hardly ever written: apart from the mutex. */
    _Atomic(bool) disabled;
    _Atomic(uint32_t) generation; /* counts resets */

    _Alignas(64) pthread_mutex_t mutex;
    struct fmp_site *hash[FMP_SITE_HASH_SIZE];
    struct fmp_site *first_site, *last_site;
    uint32_t site_count;
    fmp_recorder *recorders;
    fmp_recorder *merged; /* of ended threads beyond FMP_ENDED_MAX; NULL until needed */
    uint32_t ended_count;
    uint32_t thread_count; /* threads that ever recorded, for names */
    _Atomic(uint64_t) lost;
    _Atomic(double) scope_cost_ns; /* 0: not measured yet */
} fmp_registry;

extern fmp_registry fmp_the_registry;
/* The calling thread's recorder, NULL before its first scope and after its end. */
extern _Thread_local fmp_recorder *fmp_this_recorder FMP_TLS_INITIAL_EXEC;

/* Starts the clock and the registry; cheap when that is done. Thread-safety: Safe. */
void fmp_registry_init(void);

/* The site of the empty scopes that measure the profiler itself. */
const fmp_site *fmp_registry_cost_site(void);

/* Makes (or takes over) the calling thread's recorder. NULL when memory is out. */
fmp_recorder *fmp_recorder_get(void);

/* Makes the recorder's block for a site. NULL when memory is out. Owner only. */
fmp_block *fmp_recorder_make_block(fmp_recorder *recorder, uint32_t site_index);

/* NULL when the recorder never ran that site. Any thread. */
static inline fmp_block *fmp_recorder_block(const fmp_recorder *recorder, uint32_t site_index)
{
    const fmp_block_page *page = atomic_load_explicit(
        &recorder->page[site_index >> FMP_PAGE_BITS], memory_order_acquire);
    if (FMP_UNLIKELY(!page))
        return NULL;
    return atomic_load_explicit(&page->block[site_index & (FMP_PAGE_SIZE - 1)],
                                memory_order_acquire);
}

#endif
