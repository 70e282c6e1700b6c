/*
 * The profiler registry: the one process-wide object. It holds the sites,
 * metrics, contexts and the recorders (one a thread), and hands recorders on
 * when threads end.
 *
 * Locking: the mutex guards the lists, names and states; a recorder's blocks
 * are written by its thread alone, without the mutex (block.h). The trace's
 * own mutex may be taken under it, never the other way round.
 *
 * A thread's recorder is made at its first scope. When the thread ends its
 * figures stay: up to FMP_ENDED_MAX ended threads keep a recorder (and a row
 * in the thread table) of their own, later ones are added to one shared
 * recorder and theirs is handed to the next thread, so that memory is bounded
 * however many threads come and go.
 *
 * Signals: a handler that interrupts a scope anywhere and takes none itself
 * does no harm. One that takes a scope may find a block half updated.
 */
#ifndef FMP_REGISTRY_H
#define FMP_REGISTRY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "block.h"
#include "fmprof/current.h"
#include "fmprof/fmprof.h"
#include "measure.h"
#include "metric.h"

enum {
    FMP_PAGE_BITS = 9,
    FMP_PAGE_SIZE = 1 << FMP_PAGE_BITS, /* slots a page */
    FMP_PAGES = 512,
    FMP_SITES_MAX = FMP_PAGE_SIZE * FMP_PAGES, /* sites and metrics; later ones share an overflow site */
    FMP_SITE_HASH_SIZE = 16384,
    FMP_ENDED_MAX = 64,
    FMP_THREAD_NAME_SIZE = 32,
    FMP_DERIVED_PAGE_SIZE = 16
};

/* How struct fmp_site keeps measures, and the one that fmp_bridge_set adds. */
enum { FMP_MEASURE_BRIDGE = 1 << 8, FMP_MEASURES_SHIFT = 16, FMP_MEASURES_OWN = (1 << FMP_MEASURES_SHIFT) - 1 };

typedef enum fmp_site_kind { FMP_SITE_SCOPES = 0, FMP_SITE_COUNTER, FMP_SITE_GAUGE } fmp_site_kind;

/* The sites that a site stands for in contexts of index 0..15, then of 16..31, and so on. */
typedef struct fmp_derived_page {
    _Atomic(struct fmp_site *) site[FMP_DERIVED_PAGE_SIZE];
    _Atomic(struct fmp_derived_page *) next;
} fmp_derived_page;

struct fmp_site {
    uint32_t index;             /* which slot of a recorder; the name's number in traces */
    _Atomic(uint32_t) measures; /* below FMP_MEASURES_SHIFT its own, from there on those of all sites */
    fmp_site_kind kind;
    bool hidden; /* the profiler's own: never in a snapshot */
    const char *category, *operation, *unit;
    _Atomic(fmp_derived_page *) derived;
    struct fmp_site *next_in_hash;
    struct fmp_site *next; /* in order of registration */
};

struct fmp_metric {
    struct fmp_site site;
};

struct fmp_context {
    uint32_t index;
    const char *prefix;
    struct fmp_context *next;
};

/* An fmp_block for a site of scopes, an fmp_metric_cell for a metric. */
typedef struct fmp_slot_page {
    _Atomic(void *) slot[FMP_PAGE_SIZE];
} fmp_slot_page;

typedef enum fmp_recorder_state {
    FMP_RECORDER_LIVE = 0, /* a running thread writes it */
    FMP_RECORDER_ENDED,    /* its thread has ended, its figures count */
    FMP_RECORDER_FREE      /* holds nothing, waits for a thread */
} fmp_recorder_state;

struct fmp_trace_ring;

typedef struct fmp_recorder {
    /*
     * The counts are apart on purpose: side by side compilers copy both with one
     * wide load, which waits until two narrow stores before it have left the
     * processor's store buffer (5 ns a scope on Zen).
     */
    uint64_t child; /* ticks of the scopes that ended inside the innermost open one */
    const fmp_context *context;
    uint64_t children; /* how many those are */
    struct fmp_trace_ring *ring; /* in the trace of trace_generation; NULL: none */
    uint64_t inner;              /* those children, and the scopes inside them */
    uint32_t trace_generation;
    _Atomic(uint32_t) operation; /* the innermost open scope's (current.h) */
    fmp_recorder_state state;
    struct fmp_recorder *next; /* all recorders */
    fmp_arena arena;           /* of the pages, blocks and cells */
    fmp_thread_clock clock;    /* CPU time of the thread while LIVE */
    uint64_t cpu_begin_ns, cpu_ns; /* CPU time when its figures began; of them, once ENDED */
    uint64_t id; /* the operating system's number of the thread */
    char name[FMP_THREAD_NAME_SIZE];
    _Atomic(fmp_slot_page *) page[FMP_PAGES];
} fmp_recorder;

typedef struct fmp_registry {
    /* Read by every scope, hardly ever written: apart from the mutex. */
    _Atomic(uint32_t) generation; /* counts resets */

    _Alignas(64) pthread_mutex_t mutex;
    struct fmp_site *hash[FMP_SITE_HASH_SIZE];
    struct fmp_site *first_site, *last_site;
    uint32_t site_count;
    struct fmp_context *contexts;
    uint32_t context_count;
    fmp_recorder *recorders;
    fmp_recorder *merged; /* of ended threads beyond FMP_ENDED_MAX; NULL until needed */
    uint32_t ended_count;
    uint32_t thread_count; /* threads that ever recorded, for names */
    _Atomic(uint64_t) lost;
    uint32_t measures_everywhere; /* fmp_measure bits and FMP_MEASURE_BRIDGE */
    fmp_thread_hook thread_hook;
} fmp_registry;

extern FMP_HIDDEN fmp_registry fmp_the_registry;
/* The calling thread's recorder, NULL before its first scope and after its end. */
extern FMP_HIDDEN _Thread_local fmp_recorder *fmp_this_recorder FMP_TLS_INITIAL_EXEC;

/*
 * Memory of the profiler's own, zeroed, which free gives back; NULL: memory is out. Whoever watches the allocator
 * sees FMP_OPERATION_OWN, on threads without a recorder too. Thread-safety: Safe.
 */
void *fmp_own_memory(size_t size);

/* Starts the clock and the registry; cheap when that is done. Thread-safety: Safe. */
void fmp_registry_init(void);

static inline uint32_t fmp_generation_now(void)
{
    return atomic_load_explicit(&fmp_the_registry.generation, memory_order_relaxed);
}

/* The site of the empty scopes that measure the profiler itself. */
const fmp_site *fmp_registry_cost_site(void);

/* Tells the bridge of a scope whose measures have FMP_MEASURE_BRIDGE. */
void fmp_bridge_begin(const struct fmp_site *site);
void fmp_bridge_end(void);

/* Makes (or takes over) the calling thread's recorder. NULL when memory is out. */
fmp_recorder *fmp_recorder_get(void);

/* Makes the recorder's block or cell for a site. NULL when memory is out. Owner only. */
fmp_block *fmp_recorder_make_block(fmp_recorder *recorder, uint32_t site_index);
fmp_metric_cell *fmp_recorder_make_cell(fmp_recorder *recorder, uint32_t site_index);

/* The slot of a site; NULL when the recorder never used it. Any thread. */
static inline void *fmp_recorder_slot(const fmp_recorder *recorder, uint32_t site_index)
{
    const fmp_slot_page *page = atomic_load_explicit(
        &recorder->page[site_index >> FMP_PAGE_BITS], memory_order_acquire);
    if (FMP_UNLIKELY(!page))
        return NULL;
    return atomic_load_explicit(&page->slot[site_index & (FMP_PAGE_SIZE - 1)],
                                memory_order_acquire);
}

#endif
