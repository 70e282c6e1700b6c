#include "recorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "registry.h"

_Thread_local fmp_recorder *fmp_this_recorder FMP_TLS_INITIAL_EXEC;

static pthread_key_t end_key;
static bool end_key_made;

static uint32_t generation_now(void)
{
    return atomic_load_explicit(&fmp_the_registry.generation, memory_order_relaxed);
}

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

/* Calls visit(block, site_index, context) for every block of a recorder. */
static void each_block(fmp_recorder *recorder,
                       void (*visit)(fmp_block *block, uint32_t index, void *context),
                       void *context)
{
    for (uint32_t p = 0; p < FMP_PAGES; p++) {
        fmp_block_page *page = atomic_load_explicit(&recorder->page[p], memory_order_relaxed);
        if (!page)
            continue;
        for (uint32_t i = 0; i < FMP_PAGE_SIZE; i++) {
            fmp_block *block = atomic_load_explicit(&page->block[i], memory_order_relaxed);
            if (block)
                visit(block, p * FMP_PAGE_SIZE + i, context);
        }
    }
}

/* A void generation makes the next owner clear the block at its first use. */
static void void_block(fmp_block *block, uint32_t index, void *context)
{
    (void)index;
    (void)context;
    block->depth = 0;
    block->threads = 1;
    atomic_store_explicit(&block->generation, 0, memory_order_relaxed);
    /* Its thread may have vanished in a fork inside an update. */
    uint64_t sequence = atomic_load_explicit(&block->sequence, memory_order_relaxed);
    atomic_store_explicit(&block->sequence, sequence + (sequence & 1), memory_order_release);
}

static void make_free(fmp_recorder *recorder)
{
    each_block(recorder, void_block, NULL);
    recorder->child = 0;
    recorder->state = FMP_RECORDER_FREE;
    recorder->name[0] = '\0';
}

static void note_figures(fmp_block *block, uint32_t index, void *context)
{
    (void)index;
    fmp_figures figures;
    if (fmp_block_read(block, generation_now(), &figures))
        *(bool *)context = true;
}

static void merge_block(fmp_block *block, uint32_t index, void *context)
{
    bool *whole = context;
    fmp_figures figures;
    if (!fmp_block_read(block, generation_now(), &figures))
        return;
    fmp_recorder *merged = fmp_the_registry.merged;
    fmp_block *into = fmp_recorder_block(merged, index);
    if (!into)
        into = fmp_recorder_make_block(merged, index);
    if (!into) {
        *whole = false;
        return;
    }
    fmp_block_merge(into, block, generation_now());
    void_block(block, index, NULL); /* counts once even when the recorder has to stay */
}

static fmp_recorder *new_recorder(void)
{
    fmp_recorder *recorder = calloc(1, sizeof *recorder);
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
    each_block(recorder, merge_block, &whole);
    return whole;
}

static void on_thread_end(void *opaque)
{
    fmp_recorder *recorder = opaque;
    fmp_registry *registry = &fmp_the_registry;
    fmp_this_recorder = NULL;
    pthread_mutex_lock(&registry->mutex);
    bool has_figures = false;
    each_block(recorder, note_figures, &has_figures);
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
        registry->thread_count++;
        if (is_main_thread())
            snprintf(recorder->name, FMP_THREAD_NAME_SIZE, "main");
        else
            snprintf(recorder->name, FMP_THREAD_NAME_SIZE, "thread %u", registry->thread_count);
    }
    pthread_mutex_unlock(&registry->mutex);
    if (recorder && end_key_made)
        pthread_setspecific(end_key, recorder); /* without it the recorder merely is not reused */
    fmp_this_recorder = recorder;
    return recorder;
}

fmp_block *fmp_recorder_make_block(fmp_recorder *recorder, uint32_t site_index)
{
    _Atomic(fmp_block_page *) *slot = &recorder->page[site_index >> FMP_PAGE_BITS];
    fmp_block_page *page = atomic_load_explicit(slot, memory_order_relaxed);
    if (!page) {
        page = fmp_arena_get(&recorder->arena, sizeof *page);
        if (!page)
            return NULL;
        atomic_store_explicit(slot, page, memory_order_release);
    }
    fmp_block *block = fmp_arena_get(&recorder->arena, sizeof *block);
    if (!block)
        return NULL;
    block->owner = recorder;
    block->threads = 1;
    atomic_store_explicit(&page->block[site_index & (FMP_PAGE_SIZE - 1)], block,
                          memory_order_release);
    return block;
}

void fmp_recorder_forget_others(void)
{
    for (fmp_recorder *r = fmp_the_registry.recorders; r; r = r->next)
        if (r != fmp_this_recorder)
            make_free(r);
    fmp_the_registry.merged = NULL;
    fmp_the_registry.ended_count = 0;
    if (fmp_this_recorder)
        snprintf(fmp_this_recorder->name, FMP_THREAD_NAME_SIZE, "main");
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
}
