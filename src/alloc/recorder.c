#include "alloc/recorder.h"

#include <errno.h>
#include <math.h>
#include <sys/mman.h>
#include <time.h>

#include "alloc/callers.h"
#include "alloc/recording.h"

#define INTERVAL_USUAL (512u * 1024)
#define INTERVAL_MAX (UINT64_C(1) << 32) /* so that sums of weights stay far from their end */
#define MEMORY_USUAL (UINT64_C(256) << 20)
#define MEMORY_LEAST (UINT64_C(4) << 20)

enum { FILTER = 1 << 16 };

/* What every call looks at. It is set before `number`, with which threads notice that it is another. */
static struct {
    _Atomic(fmp_alloc_recording *) now; /* NULL: none */
    _Atomic(bool) exact;
    _Atomic(uint32_t) number;
    _Atomic(uint64_t) interval, seed, threads; /* threads: how many have begun to sample */
    uint32_t (*_Atomic operation)(void);
} current;
static fmp_alloc_recording *stopped;
static uint32_t last_number; /* of all recordings, so that counters of one are none of another */

/*
 * How many sampled blocks have an address of that hash: 0 tells nearly all
 * blocks that are given back apart from those few, without a lock.
 */
static _Atomic(uint16_t) filter[FILTER];

static _Atomic(uint16_t) *filter_of(uintptr_t pointer)
{
    return &filter[fmp_live_hash(pointer) >> 48];
}

fmp_alloc_recording *fmp_alloc_stopped(void)
{
    return stopped;
}

void fmp_alloc_set_up(void)
{
    fmp_alloc_threads_set_up();
}

/* --- samples ------------------------------------------------------------------------ */

/* xorshift64*: enough for distances. */
static uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1du;
}

/* splitmix64: neighbours become numbers that have nothing to do with each other. */
static uint64_t scattered(uint64_t value)
{
    value += 0x9e3779b97f4a7c15u;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

/* Bytes to the next sample: exponential, so that where the last one was does not matter. */
static int64_t distance(uint64_t *state, uint64_t interval)
{
    const double uniform = ((double)(random_next(state) >> 11) + 0.5) * 0x1p-53;
    return (int64_t)(-log(uniform) * (double)interval);
}

/* What a sample of that size stands for; the same at its begin and its end. */
typedef struct weight {
    uint64_t count, bytes; /* count in 1 / FMP_LIVE_ONE */
} weight;

static weight weight_of(const fmp_alloc_recording *r, uint64_t size)
{
    if (r->exact)
        return (weight){FMP_LIVE_ONE, size};
    const double probability = -expm1(-((double)size + 1) / (double)r->interval);
    return (weight){(uint64_t)(FMP_LIVE_ONE / probability + 0.5), (uint64_t)((double)size / probability + 0.5)};
}

/* --- sums -------------------------------------------------------------------------------- */

static void add(fmp_live_sum *sum, weight w)
{
    atomic_fetch_add_explicit(&sum->count, w.count, memory_order_relaxed);
    const uint64_t now = atomic_fetch_add_explicit(&sum->bytes, w.bytes, memory_order_relaxed) + w.bytes;
    uint64_t peak = atomic_load_explicit(&sum->peak, memory_order_relaxed);
    while (peak < now && !atomic_compare_exchange_weak_explicit(&sum->peak, &peak, now, memory_order_relaxed,
                                                                memory_order_relaxed)) {
    }
}

static void subtract(fmp_live_sum *sum, weight w)
{
    atomic_fetch_sub_explicit(&sum->count, w.count, memory_order_relaxed);
    atomic_fetch_sub_explicit(&sum->bytes, w.bytes, memory_order_relaxed);
}

static fmp_live_sum *sum_of(fmp_alloc_recording *r, uint32_t operation)
{
    return &r->operations[operation < FMP_ALLOC_OPERATIONS ? operation : FMP_ALLOC_OPERATIONS - 1];
}

static void count_gone(fmp_alloc_recording *r, const fmp_live_entry *entry)
{
    const weight w = weight_of(r, entry->size);
    subtract(&r->all, w);
    subtract(sum_of(r, entry->stack->operation), w);
    subtract(&entry->stack->live, w);
}

/* --- one block ------------------------------------------------------------------------------ */

/* The recording, which stays until it is let go; NULL: none. */
static fmp_alloc_recording *hold(const fmp_alloc_thread *self)
{
    atomic_fetch_add(&self->counters->busy, 1);
    fmp_alloc_recording *r = atomic_load(&current.now);
    if (!r)
        atomic_fetch_sub_explicit(&self->counters->busy, 1, memory_order_release);
    return r;
}

static void let_go(const fmp_alloc_thread *self)
{
    atomic_fetch_sub_explicit(&self->counters->busy, 1, memory_order_release);
}

static bool put(fmp_alloc_recording *r, const fmp_live_entry *entry)
{
    fmp_live_entry replaced;
    if (!r->exact) /* before it can be given back */
        atomic_fetch_add_explicit(filter_of(entry->pointer), 1, memory_order_relaxed);
    const bool added = fmp_live_add(&r->live, entry, &replaced);
    if (!r->exact && (!added || replaced.pointer))
        atomic_fetch_sub_explicit(filter_of(entry->pointer), 1, memory_order_relaxed);
    if (added && replaced.pointer)
        count_gone(r, &replaced);
    return added;
}

static bool take_out(fmp_alloc_recording *r, uintptr_t pointer, fmp_live_entry *entry)
{
    if (!fmp_live_remove(&r->live, pointer, entry))
        return false;
    if (!r->exact)
        atomic_fetch_sub_explicit(filter_of(pointer), 1, memory_order_relaxed);
    return true;
}

/* Where reading the clock is cheap it is some milliseconds late, which is near enough. */
static uint64_t now_ms(void)
{
#ifdef CLOCK_MONOTONIC_COARSE
    const clockid_t clock = CLOCK_MONOTONIC_COARSE;
#else
    const clockid_t clock = CLOCK_MONOTONIC;
#endif
    struct timespec t = {0};
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* In 32 bits there is room for 49 days. */
static uint32_t since_begin(const fmp_alloc_recording *r)
{
    const uint64_t ms = now_ms() - r->began_ms;
    return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

static void sample(fmp_alloc_recording *r, uintptr_t pointer, size_t size, uint32_t operation, uintptr_t caller)
{
    uintptr_t frames[FMP_ALLOC_DEPTH];
    const size_t depth = fmp_alloc_callers(caller, frames, FMP_ALLOC_DEPTH);
    fmp_stack_node *stack = fmp_stacks_intern(&r->stacks, operation, frames, depth);
    atomic_fetch_add_explicit(&r->samples, 1, memory_order_relaxed);
    if (!stack) {
        atomic_fetch_add_explicit(&r->dropped_stacks, 1, memory_order_relaxed);
        return;
    }
    const weight w = weight_of(r, size);
    atomic_fetch_add_explicit(&stack->samples, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&stack->count, w.count, memory_order_relaxed);
    atomic_fetch_add_explicit(&stack->bytes, w.bytes, memory_order_relaxed);
    const fmp_live_entry entry = {.pointer = pointer, .size = size, .stack = stack, .taken = since_begin(r)};
    if (!put(r, &entry)) {
        atomic_fetch_add_explicit(&r->dropped_live, 1, memory_order_relaxed);
        return;
    }
    add(&r->all, w);
    add(sum_of(r, operation), w);
    add(&stack->live, w);
}

/* --- what the interposer tells ---------------------------------------------------------------- */

static FMP_NOINLINE void begin(fmp_alloc_thread *self, uint32_t number)
{
    const int error = errno;
    fmp_alloc_thread_begin(self, number);
    /* Another for each thread; the same again for a seed and threads that begin in the same order. */
    const uint64_t nth = atomic_fetch_add_explicit(&current.threads, 1, memory_order_relaxed);
    self->random = scattered(atomic_load_explicit(&current.seed, memory_order_relaxed) + nth) | 1;
    self->countdown = distance(&self->random, atomic_load_explicit(&current.interval, memory_order_relaxed));
    errno = error;
}

static FMP_NOINLINE void record(fmp_alloc_thread *self, const void *pointer, size_t size, uint32_t operation,
                                uintptr_t caller)
{
    const int error = errno;
    fmp_alloc_recording *r = hold(self);
    if (r) {
        if (!r->exact)
            self->countdown = distance(&self->random, r->interval);
        if (r->number == self->recording)
            sample(r, (uintptr_t)pointer, size, operation, caller);
        let_go(self);
    }
    errno = error;
}

void fmp_alloc_took(const void *pointer, size_t size, uintptr_t caller)
{
    fmp_alloc_thread *self = &fmp_alloc_self;
    if (!pointer || self->aside)
        return;
    const uint32_t number = atomic_load_explicit(&current.number, memory_order_acquire);
    if (FMP_UNLIKELY(self->recording != number))
        begin(self, number);
    uint32_t (*ask)(void) = atomic_load_explicit(&current.operation, memory_order_relaxed);
    const uint32_t operation = ask ? ask() : 0;
    if (FMP_UNLIKELY(operation == FMP_ALLOC_ASIDE))
        return;
    fmp_alloc_count(self, operation, size);
    if (!atomic_load_explicit(&current.exact, memory_order_relaxed)) {
        self->countdown -= (int64_t)size + 1; /* no object is larger than half of the addresses */
        if (self->countdown >= 0)
            return;
    }
    record(self, pointer, size, operation, caller);
}

static bool may_be_known(const void *pointer)
{
    return pointer && (atomic_load_explicit(&current.exact, memory_order_relaxed) ||
                       atomic_load_explicit(filter_of((uintptr_t)pointer), memory_order_relaxed) != 0);
}

void fmp_alloc_lift(fmp_alloc_lifted *lifted, const void *pointer)
{
    lifted->recording = NULL;
    if (!may_be_known(pointer))
        return;
    const int error = errno;
    fmp_alloc_thread *self = &fmp_alloc_self;
    if (!self->counters)
        begin(self, atomic_load_explicit(&current.number, memory_order_acquire));
    fmp_alloc_recording *r = hold(self);
    if (r && take_out(r, (uintptr_t)pointer, &lifted->entry))
        lifted->recording = r;
    else if (r)
        let_go(self);
    errno = error;
}

void fmp_alloc_settle(fmp_alloc_lifted *lifted, bool gone)
{
    fmp_alloc_recording *r = lifted->recording;
    if (!r)
        return;
    const int error = errno;
    if (gone || !put(r, &lifted->entry))
        count_gone(r, &lifted->entry);
    let_go(&fmp_alloc_self);
    errno = error;
}

void fmp_alloc_gives(const void *pointer)
{
    fmp_alloc_lifted lifted;
    fmp_alloc_lift(&lifted, pointer);
    fmp_alloc_settle(&lifted, true);
}

void fmp_alloc_aside(bool aside)
{
    fmp_alloc_thread *self = &fmp_alloc_self;
    if (aside)
        self->aside++;
    else if (self->aside)
        self->aside--;
}

/* --- start and stop ------------------------------------------------------------------------------ */

static void destroy(fmp_alloc_recording *r)
{
    fmp_live_end(&r->live);
    fmp_stacks_end(&r->stacks);
    fmp_pages_end(&r->pages);
    munmap(r, sizeof *r);
}

static fmp_alloc_recording *create(const fmp_alloc_options *options)
{
    fmp_alloc_recording *r = mmap(NULL, sizeof *r, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (r == MAP_FAILED)
        return NULL;
    uint64_t max = options->memory_max ? options->memory_max : MEMORY_USUAL;
    if (max < MEMORY_LEAST)
        max = MEMORY_LEAST;
    fmp_pages_begin(&r->pages, max - sizeof *r);
    r->interval = options->interval ? options->interval : INTERVAL_USUAL;
    if (r->interval > INTERVAL_MAX)
        r->interval = INTERVAL_MAX;
    r->exact = r->interval == 1;
    r->began_ms = now_ms();
    r->number = ++last_number;
    fmp_live_begin(&r->live, &r->pages);
    if (!fmp_stacks_begin(&r->stacks, &r->pages)) {
        destroy(r);
        return NULL;
    }
    return r;
}

static uint64_t any_seed(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return ((uint64_t)t.tv_sec << 30) ^ (uint64_t)t.tv_nsec;
}

int fmp_alloc_start(const fmp_alloc_options *options)
{
    if (atomic_load(&current.now))
        return EBUSY;
    const fmp_alloc_options usual = {0};
    if (!options)
        options = &usual;
    fmp_alloc_clear();
    fmp_alloc_recording *r = create(options);
    if (!r)
        return ENOMEM;
    fmp_alloc_callers_set_up();
    for (size_t i = 0; i < FILTER; i++)
        if (atomic_load_explicit(&filter[i], memory_order_relaxed))
            atomic_store_explicit(&filter[i], 0, memory_order_relaxed);
    fmp_alloc_threads_clear_shared(r->number);
    atomic_store(&current.exact, r->exact);
    atomic_store(&current.interval, r->interval);
    atomic_store(&current.seed, options->seed ? options->seed : any_seed());
    atomic_store(&current.threads, 0);
    atomic_store(&current.operation, options->operation);
    atomic_store(&current.number, r->number);
    atomic_store(&current.now, r);
    return 0;
}

typedef struct late {
    const fmp_alloc_recording *recording;
    uint32_t half; /* of its time */
} late;

static void add_late(const fmp_live_entry *entry, void *opaque)
{
    const late *l = opaque;
    if (entry->taken <= l->half)
        return;
    const weight w = weight_of(l->recording, entry->size);
    entry->stack->late_count += w.count;
    entry->stack->late_bytes += w.bytes;
}

void fmp_alloc_stop(void)
{
    fmp_alloc_recording *r = atomic_exchange(&current.now, NULL);
    if (!r)
        return;
    stopped = r;
    if (!fmp_alloc_threads_settle())
        stopped = NULL; /* a thread that was halted in the midst of it still uses it */
    else
        fmp_live_each(&r->live, add_late, &(late){r, since_begin(r) / 2});
}

void fmp_alloc_clear(void)
{
    if (stopped)
        destroy(stopped);
    stopped = NULL;
}

/* What the others were at when the process was copied is of no use: nothing of it is touched again. */
void fmp_alloc_forked(void)
{
    atomic_store(&current.now, NULL);
    stopped = NULL;
    fmp_alloc_threads_forked();
    fmp_alloc_callers_forked();
}
