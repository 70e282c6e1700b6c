/*
 * What the dynamic linker knows: names of functions that libraries export, and
 * from the table for unwinding that libraries carry (.eh_frame_hdr) where a
 * function begins that has no name, so that it is one function and not an
 * address for each of its instructions.
 */
#include <dlfcn.h>
#include <string.h>

#include "watch/linker_walk.h"
#include "watch/symbols_internal.h"

#ifdef __linux__
#include <link.h>

/* What an address belongs to. */
typedef struct wanted {
    uint64_t address;
    uint64_t start; /* of its function; 0: not known */
} wanted;

static int32_t read_i32(const unsigned char *at)
{
    int32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

/*
 * Linux Standard Base, "Exception Frames", .eh_frame_hdr: the one encoding that
 * linkers write is read, offsets of 4 bytes from the table, sorted by address.
 */
static uint64_t start_in_table(const unsigned char *table, size_t size, uint64_t address)
{
    enum { HEAD = 12, ENTRY = 8 };
    static const unsigned char usual[] = {1, 0x1b, 0x03, 0x3b};
    if (size < HEAD || memcmp(table, usual, sizeof usual) != 0)
        return 0;
    const uint64_t base = (uint64_t)(uintptr_t)table;
    size_t low = 0, high = (uint32_t)read_i32(table + 8);
    if (high > (size - HEAD) / ENTRY)
        return 0;
    while (low < high) { /* the first that begins behind the address */
        const size_t middle = low + (high - low) / 2;
        if (base + (uint64_t)(int64_t)read_i32(table + HEAD + middle * ENTRY) <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? base + (uint64_t)(int64_t)read_i32(table + HEAD + (low - 1) * ENTRY) : 0;
}

static int look_in(struct dl_phdr_info *info, size_t info_size, void *opaque)
{
    (void)info_size;
    wanted *w = opaque;
    bool inside = false;
    const unsigned char *table = NULL;
    size_t size = 0;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        const uint64_t begin = (uint64_t)info->dlpi_addr + part->p_vaddr;
        inside = inside || (part->p_type == PT_LOAD && w->address >= begin && w->address - begin < part->p_memsz);
        if (part->p_type == PT_GNU_EH_FRAME) {
            table = (const unsigned char *)(uintptr_t)begin;
            size = (size_t)part->p_memsz;
        }
    }
    if (inside && table)
        w->start = start_in_table(table, size, w->address);
    return inside;
}

uint64_t fmp_function_start(uint64_t address)
{
    wanted w = {.address = address};
    fmp_linker_walk(look_in, &w);
    return w.start;
}
#else
uint64_t fmp_function_start(uint64_t address)
{
    (void)address;
    return 0;
}
#endif

void fmp_symbol_by_linker(fmp_symbols *symbols, uint64_t address, fmp_symbol_frame *frame)
{
    Dl_info info = {0};
    const bool known = dladdr((const void *)(uintptr_t)address, &info) != 0;
    *frame = (fmp_symbol_frame){.module = known ? fmp_symbols_file_name(symbols, info.dli_fname) : "", .file = ""};
    const uint64_t start = known ? fmp_function_start(address) : 0;
    /* The name before it is another function's where that one ends before this one begins. */
    if (known && info.dli_sname && (uint64_t)(uintptr_t)info.dli_saddr >= start)
        frame->function = fmp_symbols_name(symbols, info.dli_sname);
    else
        frame->function = fmp_symbols_offset(
            symbols, frame->module, (start ? start : address) - (known ? (uint64_t)(uintptr_t)info.dli_fbase : 0));
}

#ifndef FMP_HAVE_LIBDW
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
    return "dladdr: those of exported functions alone, since this was built without libdw";
}

size_t fmp_symbol_source_find(fmp_symbol_source *source, fmp_symbols *symbols, uint64_t address,
                              fmp_symbol_frame frames[FMP_INLINED_MAX])
{
    (void)source;
    fmp_symbol_by_linker(symbols, address, &frames[0]);
    return 1;
}
#endif
