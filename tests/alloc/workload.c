/*
 * Takes and gives back in ways of which every one is counted: on four threads,
 * of many sizes, grown, aligned, from deep stacks, some kept. With the
 * interposer it prints what that saw; else it is for another tool to watch.
 * Without memalign and pvalloc, which heaptrack does not see.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/alloc_api.h"

enum { THREADS = 4, ROUNDS = 30000, KEPT = 512, LARGE = 4000000 };

static pthread_barrier_t all_here;

static void *deep(unsigned depth, size_t size)
{
    void *volatile block = depth ? deep(depth - 1, size) : malloc(size);
    return block;
}

static void *work(void *opaque)
{
    uint32_t random = (uint32_t)(uintptr_t)opaque;
    void *kept[KEPT] = {NULL};
    for (unsigned i = 0; i < ROUNDS; i++) {
        random = random * 1664525 + 1013904223;
        void **slot = &kept[random >> 23];
        const size_t size = (random >> 8) % 3000 + (i % 1000 == 0 ? 500000 : 1);
        switch (i % 5) {
        case 0:
            *slot = realloc(*slot, size);
            break;
        case 1:
            free(*slot);
            *slot = calloc(3, size);
            break;
        case 2:
            free(*slot);
            *slot = deep(i % 20, size);
            break;
        case 3:
            free(*slot);
            if (posix_memalign(slot, 64, size) != 0)
                *slot = NULL;
            break;
        default:
            free(*slot);
            *slot = strdup("some text that is copied");
        }
    }
    /* The peak, at a moment that is the same however the threads run. */
    pthread_barrier_wait(&all_here);
    void *volatile large = malloc(LARGE);
    pthread_barrier_wait(&all_here);
    free(large);
    for (unsigned i = 0; i < KEPT; i += 2)
        free(kept[i]); /* the rest leaks */
    return NULL;
}

int main(void)
{
    const fmp_alloc_calls *api = dlsym(RTLD_DEFAULT, FMP_ALLOC_SYMBOL);
    if (api && api->start(&(fmp_alloc_options){.interval = 1}) != 0)
        return 1;
    pthread_t threads[THREADS];
    if (pthread_barrier_init(&all_here, NULL, THREADS) != 0)
        return 1;
    for (uintptr_t i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, (void *)(i + 1)) != 0)
            return 1;
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    if (api) {
        fmp_alloc_totals t;
        api->stop();
        api->totals(&t);
        printf("%llu %llu %llu %llu\n", (unsigned long long)t.count, (unsigned long long)t.bytes,
               (unsigned long long)t.peak_bytes, (unsigned long long)t.live_bytes);
    }
    return 0;
}
