#include "arena.h"

#include <sys/mman.h>

enum { ALIGNMENT = 64 };

/* NULL when memory is out. */
static void *new_chunk(void)
{
    void *chunk = mmap(NULL, FMP_ARENA_CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                       -1, 0);
    if (chunk == MAP_FAILED)
        return NULL;
#if defined(MADV_NOHUGEPAGE)
    /* One huge page would touch the histograms of a hundred sites at once; a refusal costs memory only. */
    (void)madvise(chunk, FMP_ARENA_CHUNK, MADV_NOHUGEPAGE);
#endif
    return chunk;
}

void *fmp_arena_get(fmp_arena *arena, size_t size)
{
    if (size >= FMP_ARENA_CHUNK - ALIGNMENT)
        return NULL;
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (size > arena->left) {
        unsigned char *chunk = new_chunk();
        if (!chunk)
            return NULL;
        arena->free = chunk;
        arena->left = FMP_ARENA_CHUNK;
    }
    void *memory = arena->free;
    arena->free += size;
    arena->left -= size;
    return memory;
}
