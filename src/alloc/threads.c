#include "alloc/threads.h"

#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

/* More threads than that at the same time share counters. */
enum { COUNTERS_MAX = 1024 };

_Thread_local fmp_alloc_thread fmp_alloc_self;

static fmp_alloc_counters shared;
static _Atomic(fmp_alloc_counters *) all = &shared;
static _Atomic(uint32_t) how_many;
static pthread_key_t at_end;
static bool has_key;

/* What is allocated after this, by other destructors, is counted by the shared ones. */
static void thread_ends(void *counters)
{
    fmp_alloc_thread *self = &fmp_alloc_self;
    self->ending = true;
    self->counters = &shared;
    atomic_store_explicit(&((fmp_alloc_counters *)counters)->owned, false, memory_order_release);
}

void fmp_alloc_threads_set_up(void)
{
    if (!has_key)
        has_key = pthread_key_create(&at_end, thread_ends) == 0;
}

static fmp_alloc_counters *take_free(void)
{
    for (fmp_alloc_counters *c = atomic_load_explicit(&all, memory_order_acquire); c; c = c->next) {
        bool owned = false;
        if (c != &shared && atomic_compare_exchange_strong(&c->owned, &owned, true))
            return c;
    }
    return NULL;
}

static fmp_alloc_counters *make(void)
{
    if (atomic_fetch_add_explicit(&how_many, 1, memory_order_relaxed) >= COUNTERS_MAX) {
        atomic_fetch_sub_explicit(&how_many, 1, memory_order_relaxed);
        return NULL;
    }
    fmp_alloc_counters *c = mmap(NULL, sizeof *c, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (c == MAP_FAILED)
        return NULL;
    atomic_store_explicit(&c->owned, true, memory_order_relaxed);
    c->next = atomic_load_explicit(&all, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&all, &c->next, c, memory_order_release, memory_order_relaxed)) {
    }
    return c;
}

/* Without a destructor they would stay with a thread that is gone. */
static fmp_alloc_counters *own_counters(const fmp_alloc_thread *self)
{
    if (self->ending || !has_key)
        return &shared;
    fmp_alloc_counters *c = take_free();
    if (!c)
        c = make();
    if (c && pthread_setspecific(at_end, c) == 0)
        return c;
    if (c)
        atomic_store_explicit(&c->owned, false, memory_order_release);
    return &shared;
}

static void zero(fmp_alloc_counters *c, uint32_t recording)
{
    const uint32_t used = atomic_load_explicit(&c->used, memory_order_relaxed);
    for (uint32_t i = 0; i < used; i++) {
        atomic_store_explicit(&c->of[i].count, 0, memory_order_relaxed);
        atomic_store_explicit(&c->of[i].bytes, 0, memory_order_relaxed);
    }
    atomic_store_explicit(&c->used, 0, memory_order_relaxed);
    atomic_store_explicit(&c->recording, recording, memory_order_release);
}

void fmp_alloc_threads_clear_shared(uint32_t recording)
{
    zero(&shared, recording);
}

void fmp_alloc_thread_begin(fmp_alloc_thread *self, uint32_t recording)
{
    if (!self->counters || self->counters == &shared)
        self->counters = own_counters(self);
    if (self->counters != &shared &&
        atomic_load_explicit(&self->counters->recording, memory_order_relaxed) != recording)
        zero(self->counters, recording);
    self->recording = recording;
}

static void note_used(fmp_alloc_counters *c, uint32_t used)
{
    uint32_t before = atomic_load_explicit(&c->used, memory_order_relaxed);
    while (before < used && !atomic_compare_exchange_weak_explicit(&c->used, &before, used, memory_order_relaxed,
                                                                    memory_order_relaxed)) {
    }
}

void fmp_alloc_count(fmp_alloc_thread *self, uint32_t operation, uint64_t bytes)
{
    fmp_alloc_counters *c = self->counters;
    if (operation >= FMP_ALLOC_OPERATIONS)
        operation = FMP_ALLOC_OPERATIONS - 1;
    fmp_alloc_counter *one = &c->of[operation];
    if (FMP_UNLIKELY(operation >= atomic_load_explicit(&c->used, memory_order_relaxed)))
        note_used(c, operation + 1);
    if (FMP_UNLIKELY(c == &shared)) {
        atomic_fetch_add_explicit(&one->count, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&one->bytes, bytes, memory_order_relaxed);
        return;
    }
    atomic_store_explicit(&one->count, atomic_load_explicit(&one->count, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    atomic_store_explicit(&one->bytes, atomic_load_explicit(&one->bytes, memory_order_relaxed) + bytes,
                          memory_order_relaxed);
}

static bool counts_for(const fmp_alloc_counters *c, uint32_t recording)
{
    return atomic_load_explicit(&c->recording, memory_order_acquire) == recording;
}

void fmp_alloc_threads_sum(uint32_t recording, uint32_t operation, uint64_t *count, uint64_t *bytes)
{
    *count = *bytes = 0;
    for (fmp_alloc_counters *c = atomic_load_explicit(&all, memory_order_acquire); c; c = c->next) {
        if (!counts_for(c, recording))
            continue;
        *count += atomic_load_explicit(&c->of[operation].count, memory_order_relaxed);
        *bytes += atomic_load_explicit(&c->of[operation].bytes, memory_order_relaxed);
    }
}

uint32_t fmp_alloc_threads_used(uint32_t recording)
{
    uint32_t most = 0;
    for (fmp_alloc_counters *c = atomic_load_explicit(&all, memory_order_acquire); c; c = c->next) {
        const uint32_t used = atomic_load_explicit(&c->used, memory_order_relaxed);
        if (counts_for(c, recording) && used > most)
            most = used;
    }
    return most;
}

bool fmp_alloc_threads_settle(void)
{
    const struct timespec moment = {.tv_nsec = 100000};
    int patience = 20000;
    for (fmp_alloc_counters *c = atomic_load_explicit(&all, memory_order_acquire); c; c = c->next)
        while (atomic_load(&c->busy) != 0) {
            if (--patience == 0)
                return false;
            nanosleep(&moment, NULL);
        }
    return true;
}

void fmp_alloc_threads_forked(void)
{
    for (fmp_alloc_counters *c = atomic_load_explicit(&all, memory_order_acquire); c; c = c->next) {
        atomic_store(&c->busy, 0);
        if (c != fmp_alloc_self.counters)
            atomic_store(&c->owned, false);
    }
}

uint64_t fmp_alloc_threads_memory(void)
{
    return atomic_load_explicit(&how_many, memory_order_relaxed) * (uint64_t)sizeof(fmp_alloc_counters);
}
