#include "alloc/pages.h"

#include <sys/mman.h>

typedef struct fmp_pages_chunk {
    struct fmp_pages_chunk *next;
    uint64_t size;
} fmp_pages_chunk;

enum { CHUNK = 256 * 1024, ALIGNMENT = 16 };

void fmp_pages_begin(fmp_pages *pages, uint64_t max)
{
    *pages = (fmp_pages){.max = max};
    pthread_mutex_init(&pages->lock, NULL);
}

void *fmp_pages_map(fmp_pages *pages, size_t size)
{
    const uint64_t before = atomic_fetch_add_explicit(&pages->used, size, memory_order_relaxed);
    void *memory = MAP_FAILED;
    if (before <= pages->max && size <= pages->max - before)
        memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED)
        return memory;
    atomic_fetch_sub_explicit(&pages->used, size, memory_order_relaxed);
    return NULL;
}

void fmp_pages_unmap(fmp_pages *pages, void *memory, size_t size)
{
    if (!memory)
        return;
    munmap(memory, size);
    atomic_fetch_sub_explicit(&pages->used, size, memory_order_relaxed);
}

void *fmp_pages_take(fmp_pages *pages, size_t size)
{
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (size > CHUNK / 4)
        return NULL;
    void *room = NULL;
    pthread_mutex_lock(&pages->lock);
    if (size > pages->left) {
        fmp_pages_chunk *chunk = fmp_pages_map(pages, CHUNK);
        if (chunk) {
            *chunk = (fmp_pages_chunk){.next = pages->chunks, .size = CHUNK};
            pages->chunks = chunk;
            pages->at = (char *)(chunk + 1);
            pages->left = CHUNK - sizeof *chunk;
        }
    }
    if (size <= pages->left) {
        room = pages->at;
        pages->at += size;
        pages->left -= size;
    }
    pthread_mutex_unlock(&pages->lock);
    return room;
}

void fmp_pages_end(fmp_pages *pages)
{
    for (fmp_pages_chunk *chunk = pages->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        fmp_pages_unmap(pages, chunk, (size_t)chunk->size);
    }
    pages->chunks = NULL;
    pages->left = 0;
    pthread_mutex_destroy(&pages->lock);
}
