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
 *
 * This header records and takes snapshots; trace.h records single events,
 * export.h prints. C++ programs include fmprof.hpp.
 */
#ifndef FMPROF_FMPROF_H
#define FMPROF_FMPROF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api.h"

#ifdef __cplusplus
extern "C" {
#endif
FMP_API_BEGIN

/* --- sites ------------------------------------------------------------- */

typedef struct fmp_site fmp_site; /* lives as long as the process */

/* What a site's scopes measure beside time. Each costs far more than the scope itself. */
typedef enum fmp_measure {
    FMP_MEASURE_TIME = 0,
    FMP_MEASURE_CPU = 1,   /* CPU time of the thread (hundreds of ns): total - cpu is waiting */
    FMP_MEASURE_MEMORY = 2 /* change of the resident size and, where the allocator tells, of live bytes (microseconds) */
} fmp_measure;

/*
 * Registers (or finds) a site. The strings are copied. Slow: call it once and
 * keep the pointer; the macros do. Never NULL: when memory is out a shared
 * "overflow" site is given. Thread-safety: Safe.
 */
const fmp_site *fmp_site_get(const char *category, const char *operation);

/* The same, with measures (fmp_measure bits); they are added to those of an existing site. */
const fmp_site *fmp_site_get_measuring(const char *category, const char *operation,
                                       unsigned measures);

/* --- contexts ------------------------------------------------------------ */

/*
 * A context is a prefix of operation names on one thread: with "AU_" in force,
 * a scope of STAR is recorded as AU_STAR, so that one function serves two
 * pipelines and is told apart; what fmp_record and fmp_mark take, too. A scope
 * stays in the context in which it began. Contexts are registered once, as
 * sites are.
 */
typedef struct fmp_context fmp_context;
const fmp_context *fmp_context_get(const char *prefix); /* NULL only when memory is out */
/* Puts a context (NULL: none) in force on the calling thread; returns the one before. Thread-safety: Safe. */
const fmp_context *fmp_context_set(const fmp_context *context);

/* --- scopes ------------------------------------------------------------ */

/* Private to the profiler; lives on the caller's stack. */
typedef struct fmp_scope {
    const fmp_site *site; /* NULL: the profiler was off when it began, or it has ended */
    void *block;          /* where its figures go */
    uint64_t start;       /* clock ticks */
    uint64_t child;       /* what the enclosing scope had spent in inner scopes so far, ticks */
    uint64_t children;    /* how many inner scopes the enclosing one had so far */
    uint64_t inner;       /* the same with those inside them */
    unsigned measures;    /* fmp_measure bits that were begun */
    uint32_t outer;       /* the operation that was open around it */
    uint64_t cpu_start;   /* only with FMP_MEASURE_CPU */
    int64_t rss_start, live_start; /* only with FMP_MEASURE_MEMORY */
} fmp_scope;

/*
 * Begins and ends a scope on the calling thread; strictly nested (a scope that
 * longjmp leaves open makes later calls of its site on that thread look
 * nested). A scope that begins while the profiler is off is not recorded,
 * whenever it ends; one that begins while it is on is recorded, even when it
 * is off by then. Not for signal handlers; one that takes no scope may
 * interrupt a scope anywhere. Thread-safety: Safe.
 */
static inline void fmp_scope_begin(fmp_scope *scope, const fmp_site *site);
static inline void fmp_scope_end(fmp_scope *scope);

/* Adds a duration measured elsewhere, on this clock (it takes part in no nesting and in no trace). Thread-safety: Safe. */
void fmp_record(const fmp_site *site, uint64_t nanoseconds);

/* Counts an instant, as a call without duration; in a trace it is a mark on the thread's line. Thread-safety: Safe. */
void fmp_mark(const fmp_site *site);

/* --- counters and gauges ------------------------------------------------- */

/* A counter adds up (frames, bytes); a gauge has a value at a time (queue depth). */
typedef struct fmp_metric fmp_metric; /* lives as long as the process */
const fmp_metric *fmp_counter_get(const char *category, const char *name, const char *unit);
const fmp_metric *fmp_gauge_get(const char *category, const char *name, const char *unit);
/* Adds to a counter. No shared cache line: each thread has its own sum. Thread-safety: Safe. */
void fmp_counter_add(const fmp_metric *counter, int64_t amount);
/* Sets a gauge. Thread-safety: Safe. */
void fmp_gauge_set(const fmp_metric *gauge, int64_t value);

/* --- flows --------------------------------------------------------------- */

/*
 * A flow ties scopes of several threads together: frame 17 through all stages.
 * Called inside a scope; it shows in traces only and costs nothing without one.
 * The id is the caller's, unique per flow name. Thread-safety: Safe.
 */
typedef enum fmp_flow_step { FMP_FLOW_BEGIN, FMP_FLOW_STEP, FMP_FLOW_END } fmp_flow_step;
void fmp_flow(const fmp_site *flow, uint64_t id, fmp_flow_step step);

/* --- control ------------------------------------------------------------- */

/* Names the calling thread in reports (copied, cut at 31 bytes). Thread-safety: Safe. */
void fmp_thread_name(const char *name);

/*
 * Switches recording on or off; cheap. On at start, unless the environment has
 * FMP_OFF=1. Thread-safety: Safe.
 */
void fmp_enable(bool on);
static inline bool fmp_enabled(void);

/*
 * Forgets all figures; sites stay. Call it while no scope is open: those that
 * are open count afterwards, whole. A forked child starts as after a reset,
 * the figures so far being its parent's. Thread-safety: Safe.
 */
void fmp_reset(void);

/* --- clock and cost -------------------------------------------------------- */

/* Monotonic nanoseconds on the profiler's clock. Thread-safety: Safe. */
uint64_t fmp_now(void);

typedef struct fmp_clock_info {
    const char *name;     /* "tsc", "cntvct", "clock_gettime" */
    const char *reason;   /* why not a better one; "" when it is the best of this machine */
    double resolution_ns; /* of one tick */
    double read_ns;       /* what one reading costs */
} fmp_clock_info;
void fmp_clock_describe(fmp_clock_info *out);

/*
 * What one empty scope costs, measured with nested empty scopes at the first
 * call (a few milliseconds): `inside` falls into the scope's own time,
 * `outside` into that of the scope around it. 0 when memory is out.
 */
typedef struct fmp_cost {
    double inside_ns, outside_ns;
} fmp_cost;
fmp_cost fmp_scope_cost(void);

/* --- snapshots ------------------------------------------------------- */

/*
 * Histogram: each power of two of nanoseconds is cut into 64 equal buckets,
 * values below 64 ns have one each. The representative value of a bucket is
 * within 0.8 % of every duration in it, in whole nanoseconds as all times of a
 * snapshot are; the last bucket takes all from 2^48 ns (78 hours) on. The same
 * layout everywhere, so that histograms of different machines add.
 */
enum { FMP_HISTOGRAM_BUCKETS = 2752 };
typedef struct fmp_bucket {
    uint32_t index;
    uint64_t count;
} fmp_bucket;
unsigned fmp_bucket_of(uint64_t nanoseconds);
double fmp_bucket_value(unsigned index); /* representative, ns */

enum { FMP_LAST = 16 }; /* latest durations that are kept per operation and thread */

typedef struct fmp_operation {
    const char *category, *operation; /* live as long as the snapshot */
    uint64_t count;    /* every call, recursive ones too */
    uint64_t total_ns; /* of the outermost calls */
    uint64_t self_ns;  /* of every call, without the scopes inside it */
    uint64_t children; /* scopes that ran directly inside its calls */
    uint64_t inner;    /* scopes that ran inside its outermost calls, at any depth */
    uint64_t recorded; /* of count: by fmp_record and fmp_mark, which cost nothing inside */
    /* Over the durations of every call, what is inside it included. */
    uint64_t min_ns, max_ns;
    uint64_t first_ns; /* of the call that began first among those of each thread that ended first */
    double mean_ns, stddev_ns; /* stddev: of the population */
    double p50_ns, p90_ns, p99_ns, p999_ns; /* nearest rank, relative error at most 1 % */
    const fmp_bucket *histogram; /* buckets with count > 0, by rising index */
    size_t histogram_count;
    uint64_t last_ns[FMP_LAST]; /* latest durations, newest first, of the thread that ran it last */
    unsigned last_count;
    int threads; /* on how many threads it ran */

    unsigned measures;   /* fmp_measure bits that the figures below are valid for */
    uint64_t cpu_ns;     /* CPU time of the calls */
    int64_t rss_change, rss_peak_change;   /* bytes: sum over calls, largest of one call */
    int64_t live_change, live_peak_change; /* the same of allocated bytes; 0 where the allocator does not tell */
} fmp_operation;

typedef struct fmp_thread {
    char name[32];
    uint64_t busy_ns; /* self time of all scopes of the thread */
    uint64_t cpu_ns;  /* CPU time of the thread since its first scope; 0 where not readable */
    uint64_t scopes;
} fmp_thread;

typedef struct fmp_metric_value {
    const char *category, *name, *unit;
    bool gauge;
    uint64_t count;         /* updates */
    int64_t sum;            /* of a counter */
    int64_t last, min, max; /* of a gauge */
    double mean;            /* of a gauge, over its updates */
} fmp_metric_value;

typedef struct fmp_snapshot {
    fmp_operation *operations; /* only those with count > 0; sorted by category self time, then operation total, both falling */
    size_t operation_count;
    fmp_thread *threads; /* only those with scopes > 0, by busy time, falling; ended ones too */
    size_t thread_count;
    fmp_metric_value *metrics; /* only those with count > 0, in order of registration */
    size_t metric_count;
    uint64_t self_ns; /* sum over all operations: the total profiled time */
    uint64_t lost;    /* scopes that could not be recorded: memory was out, or ended on another thread */
    uint64_t scopes;  /* sum of count over all operations */
    fmp_cost cost;
    char clock[32];
    char clock_reason[96];
    double clock_resolution_ns, clock_read_ns;
    bool cost_subtracted;
    void *memory; /* private: what the pointers above point into */
} fmp_snapshot;

/*
 * Takes a snapshot while others record. NULL when memory is out. Free with
 * fmp_snapshot_free. Each operation is consistent on each thread; two
 * operations may differ by the calls that end meanwhile. Scopes still open are
 * not in it. Thread-safety: Safe.
 */
fmp_snapshot *fmp_snapshot_take(void);
void fmp_snapshot_free(fmp_snapshot **snapshot); /* NULL and *NULL are fine */

/*
 * Adds snapshots of several processes or machines: counts, sums and histograms
 * add exactly, percentiles are taken anew. Threads of one name stay apart.
 * first_ns is that of the first snapshot, last_ns and a gauge's last value those
 * of the last one that has any; measures are those that all have; cost is the
 * mean over all scopes, so subtract it before merging different machines.
 * NULL when memory is out. Thread-safety: Safe.
 */
fmp_snapshot *fmp_snapshot_merge(const fmp_snapshot *const *snapshots, size_t count);

/*
 * Builds a snapshot from operations, threads and metrics that come from
 * elsewhere (a file): everything is copied, percentiles and sums are derived,
 * the order is made. NULL when memory is out.
 */
fmp_snapshot *fmp_snapshot_make(const fmp_operation *operations, size_t operation_count,
                                const fmp_thread *threads, size_t thread_count,
                                const fmp_metric_value *metrics, size_t metric_count);

/*
 * Takes the profiler's own cost out: from an operation's self time
 * cost.inside_ns for each of its scopes and cost.outside_ns for each child,
 * from its total time also both for every scope deeper inside; never below 0.
 * The mean follows; min, max, percentiles and the threads' busy time stay as
 * measured. Does nothing the second time.
 */
void fmp_snapshot_subtract_cost(fmp_snapshot *snapshot);

/* --- the inline part ------------------------------------------------------- */

FMP_API_END
#ifdef __cplusplus
}
#include <atomic>
#define FMP_ATOMIC(type) std::atomic<type>
#define FMP_LOAD_RELAXED(pointer) (pointer)->load(std::memory_order_relaxed)
extern "C" {
#else
#include <stdatomic.h>
#define FMP_ATOMIC(type) _Atomic(type)
#define FMP_LOAD_RELAXED(pointer) atomic_load_explicit(pointer, memory_order_relaxed)
#endif
FMP_API_BEGIN

/* The run-time switch: read by every scope, written by fmp_enable alone. */
extern FMP_ATOMIC(bool) fmp_switched_off;

void fmp_scope_begin_on(fmp_scope *scope, const fmp_site *site);
void fmp_scope_end_on(fmp_scope *scope);

static inline bool fmp_enabled(void)
{
    return !FMP_LOAD_RELAXED(&fmp_switched_off);
}

static inline void fmp_scope_begin(fmp_scope *scope, const fmp_site *site)
{
    if (FMP_LOAD_RELAXED(&fmp_switched_off))
        scope->site = NULL;
    else
        fmp_scope_begin_on(scope, site);
}

static inline void fmp_scope_end(fmp_scope *scope)
{
    if (scope->site)
        fmp_scope_end_on(scope);
}

/* --- macros ---------------------------------------------------------- */

#define FMP_CONCAT_(a, b) a##b
#define FMP_CONCAT(a, b) FMP_CONCAT_(a, b)

#ifdef __cplusplus
/* fmprof.hpp has the scopes of C++. */
#elif defined(FMP_DISABLE)
/* Defined before this header is included, it compiles every scope out. */
#define FMP_SCOPE_SITE(site_pointer) ((void)(site_pointer))
#define FMP_SCOPE(category, operation) ((void)(category), (void)(operation))
#define FMP_SCOPE_MEASURING(category, operation, measures) ((void)(category), (void)(operation))
#define FMP_CONTEXT(prefix) ((void)(prefix))
#else

static inline const fmp_site *fmp_site_cached(_Atomic(const fmp_site *) *cache,
                                              const char *category, const char *operation,
                                              unsigned measures)
{
    const fmp_site *site = atomic_load_explicit(cache, memory_order_acquire);
    if (!site) {
        site = fmp_site_get_measuring(category, operation, measures);
        atomic_store_explicit(cache, site, memory_order_release);
    }
    return site;
}

/* Begins a scope of a site that is registered at the first call while recording is on. */
static inline void fmp_scope_begin_cached(fmp_scope *scope, _Atomic(const fmp_site *) *cache,
                                          const char *category, const char *operation,
                                          unsigned measures)
{
    if (FMP_LOAD_RELAXED(&fmp_switched_off))
        scope->site = NULL;
    else /* asks again: the first registration of all heeds the environment's FMP_OFF */
        fmp_scope_begin(scope, fmp_site_cached(cache, category, operation, measures));
}

static inline const fmp_context *fmp_context_cached(_Atomic(const fmp_context *) *cache,
                                                    const char *prefix)
{
    const fmp_context *context = atomic_load_explicit(cache, memory_order_acquire);
    if (!context) {
        context = fmp_context_get(prefix);
        atomic_store_explicit(cache, context, memory_order_release);
    }
    return context;
}

static inline void fmp_context_restore(const fmp_context *const *before)
{
    (void)fmp_context_set(*before);
}

#if defined(__GNUC__) || defined(__clang__)
/* Names the extension that ends a scope with its block. Other compilers call fmp_scope_begin and fmp_scope_end. */
#define FMP_HAS_CLEANUP 1
#define FMP_CLEANUP(function) __attribute__((cleanup(function), unused))

/* A scope of a site that was registered before. */
#define FMP_SCOPE_SITE(site_pointer)                                                        \
    FMP_CLEANUP(fmp_scope_end) fmp_scope FMP_CONCAT(fmp_scope_, __LINE__);                  \
    fmp_scope_begin(&FMP_CONCAT(fmp_scope_, __LINE__), (site_pointer))

/* A scope of the site (category, operation), both string constants. */
#define FMP_SCOPE(category, operation)                                                      \
    FMP_SCOPE_MEASURING(category, operation, FMP_MEASURE_TIME)

/* The same with fmp_measure bits. */
#define FMP_SCOPE_MEASURING(category, operation, measures)                                  \
    static _Atomic(const fmp_site *) FMP_CONCAT(fmp_site_, __LINE__);                       \
    FMP_CLEANUP(fmp_scope_end) fmp_scope FMP_CONCAT(fmp_scope_, __LINE__);                  \
    fmp_scope_begin_cached(&FMP_CONCAT(fmp_scope_, __LINE__),                               \
                           &FMP_CONCAT(fmp_site_, __LINE__), category, operation, measures)

/* Puts the context of a prefix, a string constant, in force until the end of the block. */
#define FMP_CONTEXT(prefix)                                                                 \
    static _Atomic(const fmp_context *) FMP_CONCAT(fmp_context_, __LINE__);                 \
    FMP_CLEANUP(fmp_context_restore) const fmp_context *const FMP_CONCAT(fmp_before_, __LINE__) = \
        fmp_context_set(fmp_context_cached(&FMP_CONCAT(fmp_context_, __LINE__), prefix))
#endif
#endif

FMP_API_END
#ifdef __cplusplus
}
#endif
#endif
