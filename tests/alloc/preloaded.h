/* For programs that run with the interposer preloaded; without it they say so and are skipped. */
#ifndef FMP_TEST_PRELOADED_H
#define FMP_TEST_PRELOADED_H

#include <dlfcn.h>
#include <stdio.h>

#include "alloc/alloc_api.h"

#if defined(__GNUC__) || defined(__clang__)
#define APART __attribute__((noinline)) /* a function that has a frame of its own */
#else
#define APART
#endif

enum { SKIPPED = 77 };

static inline const fmp_alloc_calls *preloaded_api(void)
{
    const fmp_alloc_calls *api = dlsym(RTLD_DEFAULT, FMP_ALLOC_SYMBOL);
    if (!api)
        printf("skipped: libfmprof-alloc.so is not preloaded (sanitizers have an allocator of their own)\n");
    return api && api->version == FMP_ALLOC_VERSION ? api : NULL;
}

#endif
