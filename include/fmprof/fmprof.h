/*
 * libfmprof: an always-on profiler for inference and media pipelines.
 *
 *     static void infer(void) {
 *         FMP_SCOPE("MODEL_INFERENCE", "FaceMesh_onnx_cpu");
 *         ...                                   // ends with the block
 *     }
 *
 * A site (category, operation) is registered once; after that a scope is two
 * clock reads and an update of memory of the calling thread: no lock, no
 * allocation, no system call. Nested scopes have total and self time, so that
 * no nanosecond counts twice; recursion counts its outermost call in total.
 * Depends on the C library alone.
 */
#ifndef FMPROF_FMPROF_H
#define FMPROF_FMPROF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fmp_site fmp_site; /* lives as long as the process */

/* Private to the profiler; lives on the caller's stack. */
typedef struct fmp_scope {
    const fmp_site *site; /* NULL: the profiler was off when it began, or it has ended */
    void *block;          /* where its figures go */
    uint64_t start;       /* clock ticks */
    uint64_t child;       /* what the enclosing scope had spent in inner scopes so far, ticks */
} fmp_scope;

/*
 * Registers (or finds) a site. The strings are copied. Slow: call it once and
 * keep the pointer; the macros do. Never NULL: when memory is out a shared
 * "overflow" site is given. Thread-safety: Safe.
 */
const fmp_site *fmp_site_get(const char *category, const char *operation);

/*
 * Begins and ends a scope on the calling thread; strictly nested (a scope that
 * longjmp leaves open makes later calls of its site on that thread look
 * nested). A scope that begins while the profiler is off is not recorded,
 * whenever it ends; one that begins while it is on is recorded, even when it
 * is off by then. Not for signal handlers. Thread-safety: Safe.
 */
void fmp_scope_begin(fmp_scope *scope, const fmp_site *site);
void fmp_scope_end(fmp_scope *scope);

/* Adds a duration measured elsewhere, on this clock (it takes part in no nesting). Thread-safety: Safe. */
void fmp_record(const fmp_site *site, uint64_t nanoseconds);

/* Names the calling thread in reports (copied, cut at 31 bytes). Thread-safety: Safe. */
void fmp_thread_name(const char *name);

/* Switches recording on or off (on at start); cheap. Thread-safety: Safe. */
void fmp_enable(bool on);
bool fmp_enabled(void);

/*
 * Forgets all figures; sites stay. Call it while no scope is open: those that
 * are open count afterwards, whole. A forked child starts as after a reset,
 * the figures so far being its parent's. Thread-safety: Safe.
 */
void fmp_reset(void);

/* Monotonic nanoseconds on the profiler's clock. Thread-safety: Safe. */
uint64_t fmp_now(void);

/* Names the clock in use ("tsc", "clock_gettime"...). */
const char *fmp_clock_name(void);

/* What one empty scope costs, ns, measured at the first call (under a millisecond); 0 when memory is out. */
double fmp_scope_cost_ns(void);

/* --- snapshots ------------------------------------------------------- */

typedef struct fmp_operation {
    const char *category, *operation; /* live as long as the snapshot */
    uint64_t count;    /* every call, recursive ones too */
    uint64_t total_ns; /* of the outermost calls */
    uint64_t self_ns;  /* of every call, without the scopes inside it */
    /* Over the durations of every call, what is inside it included. */
    uint64_t min_ns, max_ns;
    uint64_t first_ns; /* of the call that began first among those of each thread that ended first */
    double mean_ns, stddev_ns; /* stddev: of the population */
    double p50_ns, p90_ns, p99_ns; /* from a log-linear histogram, relative error at most 1 % */
    int threads;                   /* on how many threads it ran */
} fmp_operation;

typedef struct fmp_thread {
    char name[32];
    uint64_t busy_ns; /* self time of all scopes of the thread */
    uint64_t scopes;
} fmp_thread;

typedef struct fmp_snapshot {
    fmp_operation *operations; /* only those with count > 0; sorted by category total, then operation total, both falling */
    size_t operation_count;
    fmp_thread *threads; /* only those with scopes > 0, by busy time, falling; ended ones too */
    size_t thread_count;
    uint64_t self_ns; /* sum over all operations: the total profiled time */
    uint64_t lost;    /* scopes that could not be recorded: memory was out, or ended on another thread */
} fmp_snapshot;

/*
 * Takes a snapshot while others record. NULL when memory is out. Free with
 * fmp_snapshot_free. Each operation is consistent on each thread; two
 * operations may differ by the calls that end meanwhile. Scopes still open are
 * not in it. Thread-safety: Safe.
 */
fmp_snapshot *fmp_snapshot_take(void);
void fmp_snapshot_free(fmp_snapshot **snapshot);

/* --- macros ---------------------------------------------------------- */

#define FMP_CONCAT_(a, b) a##b
#define FMP_CONCAT(a, b) FMP_CONCAT_(a, b)

#if defined(__GNUC__) || defined(__clang__)
#define FMP_HAS_CLEANUP 1
#define FMP_CLEANUP(function) __attribute__((cleanup(function)))

#ifdef FMP_DISABLE
/* Defined before this header is included, it compiles every scope out. */
#define FMP_SCOPE_SITE(site_pointer) ((void)(site_pointer))
#define FMP_SCOPE(category, operation) ((void)(category), (void)(operation))
#else

/* A scope of a site that was registered before. */
#define FMP_SCOPE_SITE(site_pointer)                                                        \
    FMP_CLEANUP(fmp_scope_end) fmp_scope FMP_CONCAT(fmp_scope_, __LINE__);                  \
    fmp_scope_begin(&FMP_CONCAT(fmp_scope_, __LINE__), (site_pointer))

/* A scope of the site (category, operation), both string constants. */
#ifdef __cplusplus
#define FMP_SCOPE(category, operation)                                                      \
    static const fmp_site *const FMP_CONCAT(fmp_site_, __LINE__) =                          \
        fmp_site_get(category, operation);                                                  \
    FMP_SCOPE_SITE(FMP_CONCAT(fmp_site_, __LINE__))
#else
#define FMP_SCOPE(category, operation)                                                      \
    static _Atomic(const fmp_site *) FMP_CONCAT(fmp_site_, __LINE__);                       \
    FMP_SCOPE_SITE(fmp_site_cached(&FMP_CONCAT(fmp_site_, __LINE__), category, operation))
#endif
#endif
#endif

#ifndef __cplusplus
#include <stdatomic.h>
static inline const fmp_site *fmp_site_cached(_Atomic(const fmp_site *) *cache,
                                              const char *category, const char *operation)
{
    const fmp_site *site = atomic_load_explicit(cache, memory_order_acquire);
    if (!site) {
        site = fmp_site_get(category, operation);
        atomic_store_explicit(cache, site, memory_order_release);
    }
    return site;
}
#endif

#ifdef __cplusplus
}
#endif
#endif
