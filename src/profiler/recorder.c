#include "recorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"
#include "registry.h"
#include "thread_clock.h"
#include "trace_record.h"

_Thread_local fmp_recorder *fmp_this_recorder FMP_TLS_INITIAL_EXEC;

static pthread_key_t end_key;
static bool end_key_made;

/* Is the caller the thread that runs main()? */
static bool is_main_thread(void)
{
#if defined(__linux__)
    return getpid() == gettid();
#elif defined(__APPLE__)
    return pthread_main_np() != 0;
#else
    return false;
#endif
}

/* What is done with every slot of a recorder: a block or a cell. */
typedef struct visitor {
    void (*block)(fmp_block *block, uint32_t index, void *context);
    void (*cell)(fmp_metric_cell *cell, uint32_t index, void *context);
} visitor;

/* Registry locked: the list of sites says what a slot holds. */
static void each_slot(fmp_recorder *recorder, visitor visit, void *context)
{
    const struct fmp_site *site = fmp_the_registry.first_site;
    while (site) {
        uint32_t page = site->index >> FMP_PAGE_BITS;
        bool has_page = atomic_load_explicit(&recorder->page[page], memory_order_relaxed) != NULL;
        for (; site && site->index >> FMP_PAGE_BITS == page; site = site->next) {
            void *slot = has_page ? fmp_recorder_slot(recorder, site->index) : NULL;
            if (slot && site->kind == FMP_SITE_SCOPES)
                visit.block(slot, site->index, context);
            else if (slot)
                visit.cell(slot, site->index, context);
        }
    }
}

/* An owner may have vanished in a fork inside an update. */
static void even_sequence(_Atomic(uint64_t) *sequence)
{
    uint64_t value = atomic_load_explicit(sequence, memory_order_relaxed);
    atomic_store_explicit(sequence, value + (value & 1), memory_order_release);
}

/* A void generation makes the next owner clear the slot at its first use. */
static void void_block(fmp_block *block, uint32_t index, void *context)
{
    (void)index;
    (void)context;
    block->depth = 0;
    block->threads = 1;
    block->last_kept = 0;
    atomic_store_explicit(&block->generation, 0, memory_order_relaxed);
    even_sequence(&block->sequence);
}

static void void_cell(fmp_metric_cell *cell, uint32_t index, void *context)
{
    (void)index;
    (void)context;
    atomic_store_explicit(&cell->generation, 0, memory_order_relaxed);
    even_sequence(&cell->sequence);
}

static void make_free(fmp_recorder *recorder)
{
    each_slot(recorder, (visitor){void_block, void_cell}, NULL);
    recorder->child = 0;
    recorder->children = 0;
    recorder->inner = 0;
    recorder->context = NULL;
    atomic_store_explicit(&recorder->operation, 0, memory_order_relaxed);
    recorder->ring = NULL;
    recorder->trace_generation = 0;
    recorder->cpu_ns = 0;
    recorder->state = FMP_RECORDER_FREE;
    recorder->name[0] = '\0';
}

static void note_block(fmp_block *block, uint32_t index, void *context)
{
    (void)index;
    fmp_figures figures;
    if (fmp_block_read(block, fmp_generation_now(), &figures))
        *(bool *)context = true;
}

static void note_cell(fmp_metric_cell *cell, uint32_t index, void *context)
{
    (void)index;
    fmp_metric_figures figures;
    if (fmp_metric_read(cell, fmp_generation_now(), &figures))
        *(bool *)context = true;
}

static void merge_block(fmp_block *block, uint32_t index, void *context)
{
    bool *whole = context;
    fmp_figures figures;
    if (!fmp_block_read(block, fmp_generation_now(), &figures))
        return;
    fmp_recorder *merged = fmp_the_registry.merged;
    fmp_block *into = fmp_recorder_slot(merged, index);
    if (!into)
        into = fmp_recorder_make_block(merged, index);
    if (!into) {
        *whole = false;
        return;
    }
    fmp_block_merge(into, block, fmp_generation_now());
    void_block(block, index, NULL); /* counts once even when the recorder has to stay */
}

static void merge_cell(fmp_metric_cell *cell, uint32_t index, void *context)
{
    bool *whole = context;
    fmp_metric_figures figures;
    if (!fmp_metric_read(cell, fmp_generation_now(), &figures))
        return;
    fmp_recorder *merged = fmp_the_registry.merged;
    fmp_metric_cell *into = fmp_recorder_slot(merged, index);
    if (!into)
        into = fmp_recorder_make_cell(merged, index);
    if (!into) {
        *whole = false;
        return;
    }
    fmp_metric_merge(into, cell, fmp_generation_now());
    void_cell(cell, index, NULL);
}

static fmp_recorder *new_recorder(void)
{
    fmp_recorder *recorder = fmp_own_memory(sizeof *recorder);
    if (recorder) {
        recorder->next = fmp_the_registry.recorders;
        fmp_the_registry.recorders = recorder;
    }
    return recorder;
}

/* Adds the figures to the shared recorder; false when memory is out and some are left. */
static bool merge_into_shared(fmp_recorder *recorder)
{
    fmp_registry *registry = &fmp_the_registry;
    if (!registry->merged) {
        registry->merged = new_recorder();
        if (!registry->merged)
            return false;
        registry->merged->state = FMP_RECORDER_ENDED;
        snprintf(registry->merged->name, FMP_THREAD_NAME_SIZE, "(ended threads)");
    }
    bool whole = true;
    each_slot(recorder, (visitor){merge_block, merge_cell}, &whole);
    if (whole)
        registry->merged->cpu_ns += recorder->cpu_ns;
    return whole;
}

static void on_thread_end(void *opaque)
{
    fmp_recorder *recorder = opaque;
    fmp_registry *registry = &fmp_the_registry;
    fmp_this_recorder = NULL;
    fmp_trace_detach();
    fmp_thread_clock_end();
    pthread_mutex_lock(&registry->mutex);
    bool has_figures = false;
    each_slot(recorder, (visitor){note_block, note_cell}, &has_figures);
    uint64_t cpu_ns = fmp_thread_cpu_ns();
    recorder->cpu_ns = cpu_ns > recorder->cpu_begin_ns ? cpu_ns - recorder->cpu_begin_ns : 0;
    recorder->ring = NULL;
    recorder->trace_generation = 0;
    atomic_store_explicit(&recorder->operation, 0, memory_order_relaxed);
    if (registry->thread_hook)
        registry->thread_hook(recorder->id, NULL);
    if (!has_figures) {
        make_free(recorder);
    } else if (registry->ended_count < FMP_ENDED_MAX || !merge_into_shared(recorder)) {
        recorder->state = FMP_RECORDER_ENDED;
        registry->ended_count++;
    } else {
        make_free(recorder);
    }
    pthread_mutex_unlock(&registry->mutex);
}

void fmp_recorder_init(void)
{
    end_key_made = pthread_key_create(&end_key, on_thread_end) == 0;
}

static fmp_recorder *take_free(void)
{
    fmp_recorder *recorder = fmp_the_registry.recorders;
    while (recorder && recorder->state != FMP_RECORDER_FREE)
        recorder = recorder->next;
    return recorder;
}

fmp_recorder *fmp_recorder_get(void)
{
    if (fmp_this_recorder)
        return fmp_this_recorder;
    fmp_registry_init();
    fmp_registry *registry = &fmp_the_registry;
    pthread_mutex_lock(&registry->mutex);
    fmp_recorder *recorder = take_free();
    if (!recorder)
        recorder = new_recorder();
    if (recorder) {
        recorder->state = FMP_RECORDER_LIVE;
        recorder->id = fmp_thread_id();
        recorder->clock = fmp_thread_clock_of_caller();
        recorder->cpu_begin_ns = fmp_thread_cpu_ns();
        registry->thread_count++;
        if (is_main_thread())
            snprintf(recorder->name, FMP_THREAD_NAME_SIZE, "main");
        else
            snprintf(recorder->name, FMP_THREAD_NAME_SIZE, "thread %u", registry->thread_count);
        if (registry->thread_hook)
            registry->thread_hook(recorder->id, (const volatile uint32_t *)&recorder->operation);
    }
    pthread_mutex_unlock(&registry->mutex);
    if (recorder && end_key_made)
        pthread_setspecific(end_key, recorder); /* without it the recorder merely is not reused */
    fmp_this_recorder = recorder;
    return recorder;
}

/* Zeroed memory of the recorder that a slot will hold; NULL when memory is out. */
static void *make_slot(fmp_recorder *recorder, uint32_t site_index, size_t size)
{
    _Atomic(fmp_slot_page *) *slot = &recorder->page[site_index >> FMP_PAGE_BITS];
    if (!atomic_load_explicit(slot, memory_order_relaxed)) {
        fmp_slot_page *page = fmp_arena_get(&recorder->arena, sizeof *page);
        if (!page)
            return NULL;
        atomic_store_explicit(slot, page, memory_order_release);
    }
    return fmp_arena_get(&recorder->arena, size);
}

static void publish(fmp_recorder *recorder, uint32_t site_index, void *made)
{
    fmp_slot_page *page = atomic_load_explicit(&recorder->page[site_index >> FMP_PAGE_BITS],
                                               memory_order_relaxed);
    atomic_store_explicit(&page->slot[site_index & (FMP_PAGE_SIZE - 1)], made,
                          memory_order_release);
}

fmp_block *fmp_recorder_make_block(fmp_recorder *recorder, uint32_t site_index)
{
    fmp_block *block = make_slot(recorder, site_index, sizeof *block);
    if (block) {
        block->owner = recorder;
        block->threads = 1;
        publish(recorder, site_index, block);
    }
    return block;
}

fmp_metric_cell *fmp_recorder_make_cell(fmp_recorder *recorder, uint32_t site_index)
{
    fmp_metric_cell *cell = make_slot(recorder, site_index, sizeof *cell);
    if (cell)
        publish(recorder, site_index, cell);
    return cell;
}

uint64_t fmp_recorder_cpu_ns(const fmp_recorder *recorder)
{
    if (recorder->state != FMP_RECORDER_LIVE)
        return recorder->cpu_ns;
    uint64_t now = fmp_thread_clock_ns(recorder->clock);
    return now > recorder->cpu_begin_ns ? now - recorder->cpu_begin_ns : 0;
}

void fmp_recorder_restart_cpu(void)
{
    for (fmp_recorder *r = fmp_the_registry.recorders; r; r = r->next)
        if (r->state == FMP_RECORDER_LIVE)
            r->cpu_begin_ns = fmp_thread_clock_ns(r->clock);
}

void fmp_recorder_forget_others(void)
{
    for (fmp_recorder *r = fmp_the_registry.recorders; r; r = r->next)
        if (r != fmp_this_recorder)
            make_free(r);
    fmp_the_registry.merged = NULL;
    fmp_the_registry.ended_count = 0;
    fmp_the_registry.thread_hook = NULL;
    fmp_recorder *own = fmp_this_recorder;
    if (own) {
        own->ring = NULL;
        own->trace_generation = 0;
        own->id = fmp_thread_id();
        own->clock = fmp_thread_clock_of_caller();
        own->cpu_begin_ns = 0; /* the child's clock starts anew */
        snprintf(own->name, FMP_THREAD_NAME_SIZE, "main");
    }
}

void fmp_recorder_free_ended(void)
{
    for (fmp_recorder *r = fmp_the_registry.recorders; r; r = r->next)
        if (r->state == FMP_RECORDER_ENDED)
            make_free(r);
    fmp_the_registry.merged = NULL;
    fmp_the_registry.ended_count = 0;
}

void fmp_thread_name(const char *name)
{
    fmp_recorder *recorder = fmp_recorder_get();
    if (!recorder)
        return;
    pthread_mutex_lock(&fmp_the_registry.mutex);
    snprintf(recorder->name, FMP_THREAD_NAME_SIZE, "%s", name ? name : "");
    pthread_mutex_unlock(&fmp_the_registry.mutex);
    fmp_trace_thread_named(recorder->name);
}
