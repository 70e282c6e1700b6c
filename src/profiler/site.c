#include "site.h"

#include <stdlib.h>
#include <string.h>

#include "trace_record.h"

/* Take the sites that memory or the table has no room for. */
static struct fmp_site overflow_site = {
    .category = "(overflow)", .operation = "(sites without memory)", .unit = ""};
static struct fmp_site cost_site = {
    .category = "(profiler)", .operation = "(empty scope)", .unit = "", .hidden = true};
static struct fmp_metric overflow_counter = {{.category = "(overflow)",
                                              .operation = "(counters without memory)",
                                              .unit = "",
                                              .kind = FMP_SITE_COUNTER}};
static struct fmp_metric overflow_gauge = {{.category = "(overflow)",
                                            .operation = "(gauges without memory)",
                                            .unit = "",
                                            .kind = FMP_SITE_GAUGE}};

static void append(struct fmp_site *site)
{
    fmp_registry *registry = &fmp_the_registry;
    site->index = registry->site_count++;
    if (registry->last_site)
        registry->last_site->next = site;
    else
        registry->first_site = site;
    registry->last_site = site;
    if (site->kind == FMP_SITE_SCOPES && !site->hidden)
        atomic_fetch_or_explicit(&site->measures, registry->measures_everywhere << FMP_MEASURES_SHIFT,
                                 memory_order_relaxed);
    fmp_trace_define_name(site->index, site->category, site->operation, site->unit);
}

void fmp_site_init(void)
{
    append(&overflow_site);
    append(&cost_site);
    append(&overflow_counter.site);
    append(&overflow_gauge.site);
}

const fmp_site *fmp_registry_cost_site(void)
{
    return &cost_site;
}

/* FNV-1a, 32 bits (Fowler, Noll, Vo), over the string and its end. */
static uint32_t hash_string(uint32_t hash, const char *text)
{
    do {
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    } while (*text++);
    return hash;
}

static struct fmp_site *make_site(fmp_site_kind kind, const char *category, const char *operation,
                                  const char *unit)
{
    size_t category_size = strlen(category) + 1, operation_size = strlen(operation) + 1;
    size_t unit_size = strlen(unit) + 1;
    if (category_size > SIZE_MAX / 8 || operation_size > SIZE_MAX / 8 || unit_size > SIZE_MAX / 8)
        return NULL;
    /* A metric is a site and nothing else, so one size serves both. */
    struct fmp_metric *metric =
        fmp_own_memory(sizeof *metric + category_size + operation_size + unit_size);
    if (!metric)
        return NULL;
    char *text = (char *)(metric + 1);
    memcpy(text, category, category_size);
    memcpy(text + category_size, operation, operation_size);
    memcpy(text + category_size + operation_size, unit, unit_size);
    *metric = (struct fmp_metric){{.kind = kind,
                                   .category = text,
                                   .operation = text + category_size,
                                   .unit = text + category_size + operation_size}};
    return &metric->site;
}

/* Registry locked. NULL when memory or the table is out. */
static struct fmp_site *find_or_make(fmp_site_kind kind, const char *category,
                                     const char *operation, const char *unit)
{
    fmp_registry *registry = &fmp_the_registry;
    uint32_t hash = hash_string(hash_string(2166136261u + (uint32_t)kind, category), operation);
    struct fmp_site **head = &registry->hash[hash % FMP_SITE_HASH_SIZE];
    struct fmp_site *site = *head;
    while (site && (site->kind != kind || strcmp(site->category, category) != 0 ||
                    strcmp(site->operation, operation) != 0))
        site = site->next_in_hash;
    if (!site && registry->site_count < FMP_SITES_MAX) {
        site = make_site(kind, category, operation, unit);
        if (site) {
            site->next_in_hash = *head;
            *head = site;
            append(site);
        }
    }
    return site;
}

static struct fmp_site *get(fmp_site_kind kind, const char *category, const char *operation,
                            const char *unit)
{
    fmp_registry_init();
    pthread_mutex_lock(&fmp_the_registry.mutex);
    struct fmp_site *site = find_or_make(kind, category ? category : "", operation ? operation : "",
                                         unit ? unit : "");
    pthread_mutex_unlock(&fmp_the_registry.mutex);
    return site;
}

const fmp_site *fmp_site_get_measuring(const char *category, const char *operation,
                                       unsigned measures)
{
    struct fmp_site *site = get(FMP_SITE_SCOPES, category, operation, NULL);
    if (!site)
        return &overflow_site;
    uint32_t known = measures & (FMP_MEASURE_CPU | FMP_MEASURE_MEMORY);
    atomic_fetch_or_explicit(&site->measures, known, memory_order_relaxed);
    return site;
}

const fmp_site *fmp_site_get(const char *category, const char *operation)
{
    return fmp_site_get_measuring(category, operation, FMP_MEASURE_TIME);
}

const fmp_metric *fmp_counter_get(const char *category, const char *name, const char *unit)
{
    struct fmp_site *site = get(FMP_SITE_COUNTER, category, name, unit);
    return site ? (const fmp_metric *)site : &overflow_counter;
}

const fmp_metric *fmp_gauge_get(const char *category, const char *name, const char *unit)
{
    struct fmp_site *site = get(FMP_SITE_GAUGE, category, name, unit);
    return site ? (const fmp_metric *)site : &overflow_gauge;
}

/* --- contexts ------------------------------------------------------------ */

const fmp_context *fmp_context_get(const char *prefix)
{
    fmp_registry_init();
    prefix = prefix ? prefix : "";
    fmp_registry *registry = &fmp_the_registry;
    pthread_mutex_lock(&registry->mutex);
    struct fmp_context *context = registry->contexts;
    while (context && strcmp(context->prefix, prefix) != 0)
        context = context->next;
    size_t size = strlen(prefix) + 1;
    if (!context && size < SIZE_MAX / 2) {
        context = fmp_own_memory(sizeof *context + size);
        if (context) {
            memcpy(context + 1, prefix, size);
            *context = (struct fmp_context){.index = registry->context_count++,
                                            .prefix = (const char *)(context + 1),
                                            .next = registry->contexts};
            registry->contexts = context;
        }
    }
    pthread_mutex_unlock(&registry->mutex);
    return context;
}

const fmp_context *fmp_context_set(const fmp_context *context)
{
    fmp_recorder *recorder = fmp_recorder_get();
    if (!recorder)
        return NULL;
    const fmp_context *before = recorder->context;
    recorder->context = context;
    return before;
}

/* The page for a context's index, made when `make`; NULL when it is not there. */
static fmp_derived_page *derived_page(struct fmp_site *site, uint32_t index, bool make)
{
    _Atomic(fmp_derived_page *) *slot = &site->derived;
    fmp_derived_page *page = atomic_load_explicit(slot, memory_order_acquire);
    for (uint32_t rest = index / FMP_DERIVED_PAGE_SIZE;; rest--) {
        if (!page && make) {
            page = fmp_own_memory(sizeof *page);
            atomic_store_explicit(slot, page, memory_order_release);
        }
        if (!page || rest == 0)
            return page;
        slot = &page->next;
        page = atomic_load_explicit(slot, memory_order_acquire);
    }
}

static struct fmp_site *make_derived(struct fmp_site *site, const fmp_context *context)
{
    size_t prefix = strlen(context->prefix), name = strlen(site->operation) + 1;
    char *operation = fmp_own_memory(prefix + name);
    struct fmp_site *derived = NULL;
    pthread_mutex_lock(&fmp_the_registry.mutex);
    fmp_derived_page *page = derived_page(site, context->index, true);
    if (page && operation) {
        memcpy(operation, context->prefix, prefix);
        memcpy(operation + prefix, site->operation, name);
        derived = find_or_make(FMP_SITE_SCOPES, site->category, operation, "");
        atomic_store_explicit(&page->site[context->index % FMP_DERIVED_PAGE_SIZE], derived,
                              memory_order_release);
    }
    pthread_mutex_unlock(&fmp_the_registry.mutex);
    free(operation);
    return derived;
}

const fmp_site *fmp_site_in_context(const fmp_site *site, const fmp_context *context)
{
    /* Sites are made by this file, as variables: the public type is const for its users only. */
    struct fmp_site *base = (struct fmp_site *)(uintptr_t)site;
    const fmp_derived_page *page = derived_page(base, context->index, false);
    struct fmp_site *derived =
        page ? atomic_load_explicit(&page->site[context->index % FMP_DERIVED_PAGE_SIZE],
                                    memory_order_acquire)
             : NULL;
    if (FMP_UNLIKELY(!derived))
        derived = make_derived(base, context);
    if (FMP_UNLIKELY(!derived))
        return &overflow_site;
    uint32_t measures = atomic_load_explicit(&base->measures, memory_order_relaxed) & FMP_MEASURES_OWN;
    if (FMP_UNLIKELY(measures & ~atomic_load_explicit(&derived->measures, memory_order_relaxed)))
        atomic_fetch_or_explicit(&derived->measures, measures, memory_order_relaxed);
    return derived;
}
