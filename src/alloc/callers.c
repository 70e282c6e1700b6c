/*
 * By libunwind, which keeps what it learned of an address in a cache of the
 * thread: many times as fast as the compiler's unwinder (bench/README.md). It
 * is loaded for ourselves alone, and only when a recording starts: linked, its
 * functions that have the names of the compiler's would become the unwinder of
 * the program's C++ exceptions. The compiler's does it where libunwind
 * - is not there, or was not there when this was built;
 * - is the program's own too, whose signal handlers may use the same cache;
 * - may know what is no longer true: the cache cannot be emptied, so it is not
 *   used once a library was unloaded, in whose place another may be loaded;
 * - may be locked by a thread that is not there: in a forked process.
 */
#include "alloc/callers.h"

#include <unwind.h>

#ifdef FMP_HAVE_LIBUNWIND
#define UNW_LOCAL_ONLY
#include <dlfcn.h>
#include <libunwind.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>
#endif

enum { OWN_MAX = 8 }; /* frames of this library, up to where the program called */

#ifdef FMP_HAVE_LIBUNWIND

#define LIBRARY "libunwind.so.8"
/* Functions are macros, which have the machine in their names. */
#define NAME(function) NAME_OF(function)
#define NAME_OF(function) #function

static int (*_Atomic fast)(void **out, int max); /* NULL: it is not to be used */
static _Atomic(unsigned) closing;                /* how many threads may be unloading a library */

static bool find(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);
    memcpy(function, &found, sizeof found);
    return found != NULL;
}

void fmp_alloc_callers_set_up(void)
{
    static bool tried;
    if (tried)
        return;
    tried = true;
    if (dlopen(LIBRARY, RTLD_LAZY | RTLD_NOLOAD))
        return;
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return;
    int (*backtrace)(void **, int);
    int (*set_caching)(unw_addr_space_t, unw_caching_policy_t);
    const unw_addr_space_t *space = dlsym(library, NAME(unw_local_addr_space));
    if (!space || !find(library, NAME(unw_backtrace), &backtrace) ||
        !find(library, NAME(unw_set_caching_policy), &set_caching))
        return;
    /*
     * Off is a second cache, which threads share: its lock is held while the
     * loader is asked for libraries, so that a thread that allocates in a
     * callback of dl_iterate_phdr would wait for it for ever.
     */
    void *here[OWN_MAX];
    if (set_caching(*space, UNW_CACHE_NONE) == 0 && backtrace(here, OWN_MAX) > 0)
        atomic_store(&fast, backtrace);
}

void fmp_alloc_callers_forked(void)
{
    atomic_store(&fast, NULL);
}

bool fmp_alloc_callers_fast(void)
{
    return atomic_load(&fast) != NULL;
}

/* How many libraries were unloaded until now. */
static int read_unloads(struct dl_phdr_info *info, size_t size, void *unloads)
{
    (void)size;
    *(unsigned long long *)unloads = info->dlpi_subs;
    return 1;
}

int fmp_alloc_callers_close(int (*close)(void *), void *library)
{
    if (!atomic_load(&fast))
        return close(library);
    unsigned long long before = 0, after = 0;
    atomic_fetch_add(&closing, 1);
    dl_iterate_phdr(read_unloads, &before);
    const int error = close(library);
    dl_iterate_phdr(read_unloads, &after);
    if (after != before)
        atomic_store(&fast, NULL);
    atomic_fetch_sub(&closing, 1);
    return error;
}

/* 0: it is not to be used, or does not come by the caller. */
static size_t walk_fast(uintptr_t caller, uintptr_t *out, size_t max)
{
    int (*backtrace)(void **, int) = atomic_load_explicit(&fast, memory_order_acquire);
    if (!backtrace || atomic_load_explicit(&closing, memory_order_relaxed) != 0)
        return 0;
    void *frames[OWN_MAX + FMP_ALLOC_DEPTH];
    const int found = backtrace(frames, (int)(OWN_MAX + max));
    const size_t count = found > 0 ? (size_t)found : 0;
    size_t own = 0, used = 0;
    while (own < count && own < OWN_MAX && (uintptr_t)frames[own] != caller)
        own++;
    for (size_t i = own; own < OWN_MAX && i < count && used < max && frames[i]; i++)
        out[used++] = (uintptr_t)frames[i];
    return used;
}

#else

void fmp_alloc_callers_set_up(void)
{
}

void fmp_alloc_callers_forked(void)
{
}

bool fmp_alloc_callers_fast(void)
{
    return false;
}

int fmp_alloc_callers_close(int (*close)(void *), void *library)
{
    return close(library);
}

static size_t walk_fast(uintptr_t caller, uintptr_t *out, size_t max)
{
    (void)caller, (void)out, (void)max;
    return 0;
}

#endif

typedef struct walk {
    uintptr_t caller;
    uintptr_t *out;
    size_t count, max;
    size_t own; /* frames before the caller */
} walk;

static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *opaque)
{
    walk *w = opaque;
    const uintptr_t address = (uintptr_t)_Unwind_GetIP(context);
    if (w->count == 0 && address != w->caller)
        return ++w->own < OWN_MAX ? _URC_NO_REASON : _URC_NORMAL_STOP;
    if (address == 0)
        return _URC_NORMAL_STOP;
    w->out[w->count++] = address;
    return w->count < w->max ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

size_t fmp_alloc_callers(uintptr_t caller, uintptr_t *out, size_t max)
{
    walk w = {.caller = caller, .out = out, .count = walk_fast(caller, out, max), .max = max};
    if (w.count == 0)
        _Unwind_Backtrace(step, &w);
    if (w.count == 0)
        out[w.count++] = caller;
    return w.count;
}
