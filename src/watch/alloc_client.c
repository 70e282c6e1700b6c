#include "watch/alloc_client.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#ifdef __linux__
#include <link.h>

#include "watch/linker_walk.h"
#endif

/* The library is there from the program's start or never: looked for once. */
const fmp_alloc_calls *fmp_alloc_find(void)
{
    static _Atomic(bool) looked;
    static _Atomic(const fmp_alloc_calls *) found;
    if (!atomic_load_explicit(&looked, memory_order_acquire)) {
        const fmp_alloc_calls *api = dlsym(RTLD_DEFAULT, FMP_ALLOC_SYMBOL);
        if (api && api->version != FMP_ALLOC_VERSION)
            api = NULL;
        atomic_store_explicit(&found, api, memory_order_relaxed);
        atomic_store_explicit(&looked, true, memory_order_release);
    }
    return atomic_load_explicit(&found, memory_order_relaxed);
}

void fmp_alloc_set_aside(bool aside)
{
    const fmp_alloc_calls *api = fmp_alloc_find();
    if (api)
        api->set_aside(aside);
}

bool fmp_alloc_reached(void)
{
    const void *api = fmp_alloc_find(), *first = dlsym(RTLD_DEFAULT, "malloc");
    Dl_info ours, theirs;
    return api && first && dladdr(api, &ours) && dladdr(first, &theirs) && ours.dli_fbase == theirs.dli_fbase;
}

#ifdef __linux__
/* Valgrind preloads this into whatever it runs, whichever tool. */
static int is_valgrind(struct dl_phdr_info *info, size_t size, void *found)
{
    (void)size;
    if (!info->dlpi_name || !strstr(info->dlpi_name, "/vgpreload_"))
        return 0;
    *(bool *)found = true;
    return 1;
}
#endif

const char *fmp_alloc_checker(void)
{
    static const struct {
        const char *symbol, *name;
    } sanitizers[] = {{"__asan_init", "AddressSanitizer"},
                      {"__tsan_init", "ThreadSanitizer"},
                      {"__msan_init", "MemorySanitizer"},
                      {"__lsan_init", "LeakSanitizer"},
                      {"__hwasan_init", "HWAddressSanitizer"}};
    for (size_t i = 0; i < sizeof sanitizers / sizeof sanitizers[0]; i++)
        if (dlsym(RTLD_DEFAULT, sanitizers[i].symbol))
            return sanitizers[i].name;
#ifdef __linux__
    bool valgrind = false;
    fmp_linker_walk(is_valgrind, &valgrind);
    if (valgrind)
        return "valgrind";
#endif
    return NULL;
}
