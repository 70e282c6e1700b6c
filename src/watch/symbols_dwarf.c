/* Names by elfutils' libdw: symbol tables, DWARF, functions that were inlined. */
#ifdef FMP_HAVE_LIBDW
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <elfutils/version.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "watch/linker_walk.h"
#include "watch/symbols_internal.h"

struct fmp_symbol_source {
    Dwfl *dwfl;
    unsigned long long came, went; /* libraries, as the dynamic linker counts them */
};

/* --- modules -------------------------------------------------------------------- */

/* libdw would ask servers for debug information where the user set some up: not in the middle of a run. */
static int find_debuginfo(Dwfl_Module *module, void **user, const char *name, Dwarf_Addr base, const char *file,
                          const char *link, GElf_Word crc, char **found)
{
    const char *servers = getenv("DEBUGINFOD_URLS");
    if (servers && servers[0])
        return dwfl_build_id_find_debuginfo(module, user, name, base, file, link, crc, found);
    return dwfl_standard_find_debuginfo(module, user, name, base, file, link, crc, found);
}

static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_linux_proc_find_elf, .find_debuginfo = find_debuginfo};

static int note_changes(struct dl_phdr_info *info, size_t size, void *opaque)
{
    fmp_symbol_source *source = opaque;
    if (size >= offsetof(struct dl_phdr_info, dlpi_subs) + sizeof info->dlpi_subs) {
        source->came = info->dlpi_adds;
        source->went = info->dlpi_subs;
    }
    return 1; /* each entry says the same */
}

/* Called for a module that went: something else may come to its addresses. */
static int forget(Dwfl_Module *module, void *user, const char *name, Dwarf_Addr start, void *symbols)
{
    (void)user;
    (void)name;
    Dwarf_Addr end = start;
    dwfl_module_info(module, NULL, NULL, &end, NULL, NULL, NULL, NULL);
    if (symbols)
        fmp_symbols_forget(symbols, start, end);
    return DWARF_CB_OK;
}

/* A loaded library by the file it came from; false: its name is none. */
static bool file_of(const struct dl_phdr_info *info, char path[PATH_MAX])
{
    const bool program = !info->dlpi_name || !info->dlpi_name[0];
    if (!program && info->dlpi_name[0] != '/')
        return realpath(info->dlpi_name, path) != NULL && strchr(info->dlpi_name, '/');
    if (!program)
        return (size_t)snprintf(path, PATH_MAX, "%s", info->dlpi_name) < PATH_MAX;
    const ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = '\0';
    return length > 0;
}

static int report_module(struct dl_phdr_info *info, size_t size, void *opaque)
{
    (void)size;
    const Dwarf_Addr page = (Dwarf_Addr)sysconf(_SC_PAGESIZE);
    char path[PATH_MAX];
    Dwarf_Addr begin = (Dwarf_Addr)-1, end = 0;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        const Dwarf_Addr at = info->dlpi_addr + part->p_vaddr;
        if (part->p_type != PT_LOAD)
            continue;
        begin = at < begin ? at & ~(page - 1) : begin;
        end = at + part->p_memsz > end ? (at + part->p_memsz + page - 1) & ~(page - 1) : end;
    }
    if (begin == getauxval(AT_SYSINFO_EHDR)) /* libdw reads it from memory if it has this name */
        snprintf(path, sizeof path, "[vdso: %d]", (int)getpid());
    else if (!file_of(info, path))
        return 0;
    if (begin < end)
        dwfl_report_module(opaque, path, begin, end);
    return 0;
}

/*
 * By what the dynamic linker loaded. By the list of mappings, as libdw has it, a
 * library's begin is wrong where libdw itself has the file mapped right before it.
 */
static void report_modules(fmp_symbol_source *source, fmp_symbols *symbols)
{
    dwfl_report_begin(source->dwfl);
    fmp_linker_walk(report_module, source->dwfl);
    dwfl_report_end(source->dwfl, forget, symbols);
}

fmp_symbol_source *fmp_symbol_source_create(void)
{
    fmp_symbol_source *source = calloc(1, sizeof *source);
    if (!source)
        return NULL;
    source->dwfl = dwfl_begin(&callbacks);
    if (!source->dwfl) {
        free(source);
        return NULL;
    }
    fmp_linker_walk(note_changes, source);
    report_modules(source, NULL);
    return source;
}

void fmp_symbol_source_free(fmp_symbol_source *source)
{
    dwfl_end(source->dwfl);
    free(source);
}

bool fmp_symbol_source_refresh(fmp_symbol_source *source, fmp_symbols *symbols)
{
    const fmp_symbol_source before = *source;
    fmp_linker_walk(note_changes, source);
    if (source->came == before.came && source->went == before.went)
        return false;
    report_modules(source, symbols);
    return true;
}

void *fmp_symbol_source_dwfl(fmp_symbol_source *source)
{
    return source->dwfl;
}

const char *fmp_symbol_source_name(void)
{
#define TEXT_OF(value) #value
#define VALUE_OF(value) TEXT_OF(value)
    return "libdw 0." VALUE_OF(_ELFUTILS_VERSION);
}

/* --- functions ---------------------------------------------------------------------- */

/*
 * The compilation unit of an address. The table of addresses that libdw goes
 * by is not written by every compiler (clang leaves it out): then each unit is asked.
 */
static Dwarf_Die *unit_of(Dwfl_Module *module, Dwarf_Addr address, Dwarf_Addr *bias)
{
    Dwarf_Die *unit = dwfl_module_addrdie(module, address, bias);
    if (unit)
        return unit;
    while ((unit = dwfl_module_nextcu(module, unit, bias)) != NULL)
        if (dwarf_haspc(unit, address - *bias) == 1)
            return unit;
    return NULL;
}

static const char *name_of(fmp_symbols *symbols, Dwarf_Die *die)
{
    Dwarf_Attribute attribute;
    Dwarf_Attribute *linkage = dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute);
    if (!linkage)
        linkage = dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute);
    const char *name = linkage ? dwarf_formstring(linkage) : NULL;
    return fmp_symbols_name(symbols, name ? name : dwarf_diename(die));
}

/* Where an inlined function was called from, into the frame that it was inlined into. */
static void set_call_place(fmp_symbols *symbols, Dwarf_Die *unit, Dwarf_Die *inlined, fmp_symbol_frame *caller)
{
    Dwarf_Attribute attribute;
    Dwarf_Word line = 0, file = 0;
    Dwarf_Files *files;
    size_t count;
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &line) == 0)
        caller->line = (unsigned)line;
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &file) == 0 &&
        dwarf_getsrcfiles(unit, &files, &count) == 0 && file < count)
        caller->file = fmp_symbols_text(symbols, dwarf_filesrc(files, (size_t)file, NULL, NULL));
}

/* The function around an address and what was inlined there, innermost first; 0: DWARF does not say. */
static size_t functions_of(fmp_symbols *symbols, Dwarf_Die *unit, Dwarf_Addr address,
                           fmp_symbol_frame frames[FMP_INLINED_MAX])
{
    Dwarf_Die *around = NULL, *chain = NULL;
    /* The scopes around the innermost one are those of where it was written; its own parents are where it is. */
    const int scopes = dwarf_getscopes(unit, address, &around);
    const int parents = scopes > 0 ? dwarf_getscopes_die(&around[0], &chain) : 0;
    size_t count = 0;
    bool whole = false;
    for (int i = 0; i < parents && !whole; i++) {
        const int tag = dwarf_tag(&chain[i]);
        whole = tag == DW_TAG_subprogram;
        if (!whole && tag != DW_TAG_inlined_subroutine)
            continue;
        fmp_symbol_frame *frame = &frames[count < FMP_INLINED_MAX ? count : FMP_INLINED_MAX - 1];
        if (count >= FMP_INLINED_MAX)
            *frame = (fmp_symbol_frame){.file = ""}; /* the real function stays, whatever is cut */
        frame->function = name_of(symbols, &chain[i]);
        frame->inlined = !whole;
        count = count < FMP_INLINED_MAX ? count + 1 : FMP_INLINED_MAX;
        if (!whole && count < FMP_INLINED_MAX)
            set_call_place(symbols, unit, &chain[i], &frames[count]);
    }
    free(chain);
    free(around);
    return whole ? count : 0;
}

/* Of a function without DWARF: the name of the symbol table, or where it begins. */
static const char *symbol_name(fmp_symbols *symbols, Dwfl_Module *module, const char *module_name, Dwarf_Addr start,
                               uint64_t address)
{
    GElf_Off offset;
    GElf_Sym symbol;
    const char *name = dwfl_module_addrinfo(module, address, &offset, &symbol, NULL, NULL, NULL);
    const uint64_t function = fmp_function_start(address);
    /* A symbol without a size seems to reach as far as the next one: not beyond where another function begins. */
    if (name && name[0] && address - offset >= function)
        return fmp_symbols_name(symbols, name);
    return fmp_symbols_offset(symbols, module_name, (function >= start ? function : address) - start);
}

/* By the unit: a search by address alone goes by the table that not every compiler writes. */
static void set_line(fmp_symbols *symbols, Dwarf_Die *unit, Dwarf_Addr address, fmp_symbol_frame *frame)
{
    int line = 0;
    Dwarf_Line *at = dwarf_getsrc_die(unit, address);
    const char *file = at ? dwarf_linesrc(at, NULL, NULL) : NULL;
    if (!file || dwarf_lineno(at, &line) != 0)
        return;
    frame->file = fmp_symbols_text(symbols, file);
    frame->line = line > 0 ? (unsigned)line : 0;
}

size_t fmp_symbol_source_find(fmp_symbol_source *source, fmp_symbols *symbols, uint64_t address,
                              fmp_symbol_frame frames[FMP_INLINED_MAX])
{
    Dwfl_Module *module = dwfl_addrmodule(source->dwfl, address);
    Dwarf_Addr start = 0;
    const char *file = NULL;
    if (!module) {
        fmp_symbol_by_linker(symbols, address, &frames[0]);
        return 1;
    }
    const char *path = dwfl_module_info(module, NULL, &start, NULL, NULL, NULL, &file, NULL);
    const char *name = fmp_symbols_file_name(symbols, file ? file : path);
    if (strncmp(name, "[vdso", 5) == 0)
        name = "[vdso]"; /* libdw adds the process, which differs from run to run */
    for (size_t i = 0; i < FMP_INLINED_MAX; i++)
        frames[i] = (fmp_symbol_frame){.module = name, .file = ""};
    Dwarf_Addr bias = 0;
    Dwarf_Die *unit = unit_of(module, address, &bias);
    size_t count = unit ? functions_of(symbols, unit, address - bias, frames) : 0;
    if (count == 0) { /* what was begun is of no use */
        frames[0] = (fmp_symbol_frame){.module = name, .file = "", .function = ""};
        count = 1;
    }
    for (size_t i = 0; i < count; i++) {
        frames[i].module = name;
        if (frames[i].function[0])
            continue;
        const bool outermost = i + 1 == count;
        frames[i].function = outermost ? symbol_name(symbols, module, name, start, address) : "(inlined)";
    }
    if (unit)
        set_line(symbols, unit, address - bias, &frames[0]);
    return count;
}
#else
typedef int fmp_not_with_libdw; /* a file may not be empty */
#endif
