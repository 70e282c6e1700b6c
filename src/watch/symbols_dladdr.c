/* Names without libdw: what the dynamic linker knows, which is functions that libraries export. */
#ifndef FMP_HAVE_LIBDW
#include <dlfcn.h>
#include <string.h>

#include "watch/symbols_internal.h"

struct fmp_symbol_source {
    char nothing; /* the dynamic linker keeps it all */
};

fmp_symbol_source *fmp_symbol_source_create(void)
{
    static fmp_symbol_source the_source;
    return &the_source;
}

void fmp_symbol_source_free(fmp_symbol_source *source)
{
    (void)source;
}

/* Libraries that came are known without being told; that some went is not told. */
bool fmp_symbol_source_refresh(fmp_symbol_source *source, fmp_symbols *symbols)
{
    (void)source;
    (void)symbols;
    return false;
}

void *fmp_symbol_source_dwfl(fmp_symbol_source *source)
{
    (void)source;
    return NULL;
}

const char *fmp_symbol_source_name(void)
{
    return "dladdr: names of exported functions alone, since this was built without libdw";
}

size_t fmp_symbol_source_find(fmp_symbol_source *source, fmp_symbols *symbols, uint64_t address,
                              fmp_symbol_frame frames[FMP_INLINED_MAX])
{
    (void)source;
    Dl_info info = {0};
    const bool known = dladdr((const void *)(uintptr_t)address, &info) != 0; /* NOLINT: an address that is only looked up */
    frames[0] = (fmp_symbol_frame){.module = known ? fmp_symbols_file_name(symbols, info.dli_fname) : "", .file = ""};
    if (known && info.dli_sname)
        frames[0].function = fmp_symbols_name(symbols, info.dli_sname);
    else
        frames[0].function = fmp_symbols_offset(symbols, frames[0].module,
                                                known ? address - (uint64_t)(uintptr_t)info.dli_fbase : address);
    return 1;
}
#else
typedef int fmp_not_without_libdw; /* a file may not be empty */
#endif
