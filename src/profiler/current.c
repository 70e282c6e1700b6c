/* fmprof/current.h: what is open at this moment. */
#include "fmprof/current.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "registry.h"

/* FMP_OPERATION_OWN while the thread takes memory for the profiler. */
static _Thread_local volatile uint32_t taking FMP_TLS_INITIAL_EXEC;

uint32_t fmp_current_operation(void)
{
    const fmp_recorder *recorder = fmp_this_recorder;
    return (recorder ? atomic_load_explicit(&recorder->operation, memory_order_relaxed) : 0) | taking;
}

void *fmp_own_memory(size_t size)
{
    taking = FMP_OPERATION_OWN; /* volatile: compilers think that no allocator looks at it */
    void *memory = calloc(1, size);
    taking = 0;
    return memory;
}

uint32_t fmp_own_begin(void)
{
    fmp_recorder *recorder = fmp_this_recorder;
    const uint32_t before = fmp_current_operation();
    if (recorder)
        atomic_store_explicit(&recorder->operation, before | FMP_OPERATION_OWN, memory_order_relaxed);
    return before;
}

void fmp_own_end(uint32_t before)
{
    fmp_recorder *recorder = fmp_this_recorder;
    if (recorder)
        atomic_store_explicit(&recorder->operation, before, memory_order_relaxed);
}

bool fmp_operation_name(uint32_t number, const char **category, const char **operation)
{
    fmp_registry_init();
    pthread_mutex_lock(&fmp_the_registry.mutex);
    const struct fmp_site *site = number ? fmp_the_registry.first_site : NULL;
    while (site && site->index + 1 != number)
        site = site->next;
    pthread_mutex_unlock(&fmp_the_registry.mutex);
    if (!site || site->kind != FMP_SITE_SCOPES)
        return false;
    *category = site->category;
    *operation = site->operation;
    return true;
}

bool fmp_operation_shares_name(const char *category, const char *operation)
{
    fmp_registry_init();
    pthread_mutex_lock(&fmp_the_registry.mutex);
    const struct fmp_site *site = fmp_the_registry.first_site;
    while (site && (site->kind != FMP_SITE_SCOPES || site->hidden || strcmp(site->operation, operation) != 0 ||
                    strcmp(site->category, category) == 0))
        site = site->next;
    pthread_mutex_unlock(&fmp_the_registry.mutex);
    return site != NULL;
}

size_t fmp_threads_current(fmp_thread_current *out, size_t max)
{
    size_t count = 0;
    pthread_mutex_lock(&fmp_the_registry.mutex);
    for (const fmp_recorder *r = fmp_the_registry.recorders; r; r = r->next) {
        if (r->state != FMP_RECORDER_LIVE)
            continue;
        if (count < max) {
            out[count] = (fmp_thread_current){
                .id = r->id,
                .operation = atomic_load_explicit(&r->operation, memory_order_relaxed) & ~FMP_OPERATION_OWN};
            snprintf(out[count].name, sizeof out[count].name, "%s", r->name);
        }
        count++;
    }
    pthread_mutex_unlock(&fmp_the_registry.mutex);
    return count;
}

void fmp_thread_hook_set(fmp_thread_hook hook)
{
    fmp_registry_init();
    pthread_mutex_lock(&fmp_the_registry.mutex);
    fmp_the_registry.thread_hook = hook;
    for (fmp_recorder *r = fmp_the_registry.recorders; hook && r; r = r->next)
        if (r->state == FMP_RECORDER_LIVE)
            hook(r->id, (const volatile uint32_t *)&r->operation);
    pthread_mutex_unlock(&fmp_the_registry.mutex);
}

/* Every site carries the measures of all in its upper half, so that a scope has one word to look at. */
static void set_everywhere(uint32_t clear, uint32_t set)
{
    fmp_registry_init();
    fmp_registry *registry = &fmp_the_registry;
    pthread_mutex_lock(&registry->mutex);
    const uint32_t all = (registry->measures_everywhere & ~clear) | set;
    registry->measures_everywhere = all;
    for (struct fmp_site *site = registry->first_site; site; site = site->next) {
        if (site->kind != FMP_SITE_SCOPES || site->hidden)
            continue;
        atomic_fetch_and_explicit(&site->measures, FMP_MEASURES_OWN, memory_order_relaxed);
        atomic_fetch_or_explicit(&site->measures, all << FMP_MEASURES_SHIFT, memory_order_relaxed);
    }
    pthread_mutex_unlock(&registry->mutex);
}

void fmp_measure_everywhere(unsigned measures)
{
    const uint32_t known = FMP_MEASURE_CPU | FMP_MEASURE_MEMORY;
    set_everywhere(known, measures & known);
}

/* --- another profiler -------------------------------------------------------------- */

static _Atomic(const fmp_bridge *) the_bridge; /* stays when it is taken away: open scopes still end there */

bool fmp_bridge_set(const fmp_bridge *bridge)
{
    const fmp_bridge *before = NULL;
    if (bridge && !atomic_compare_exchange_strong(&the_bridge, &before, bridge) && before != bridge)
        return false;
    set_everywhere(FMP_MEASURE_BRIDGE, bridge ? FMP_MEASURE_BRIDGE : 0);
    return true;
}

void fmp_bridge_begin(const struct fmp_site *site)
{
    atomic_load_explicit(&the_bridge, memory_order_acquire)->begin(site->category, site->operation);
}

void fmp_bridge_end(void)
{
    atomic_load_explicit(&the_bridge, memory_order_acquire)->end();
}
