/* What the symboliser and its way of looking up share: symbols.c keeps, symbols_dwarf.c and symbols_linker.c find. */
#ifndef FMP_WATCH_SYMBOLS_INTERNAL_H
#define FMP_WATCH_SYMBOLS_INTERNAL_H

#include "watch/symbols.h"

/* More levels of inlining than this are cut at the outer end, but for the function that is really there. */
enum { FMP_INLINED_MAX = 24 };

typedef struct fmp_symbol_source fmp_symbol_source;

fmp_symbol_source *fmp_symbol_source_create(void); /* NULL when memory is out */
void fmp_symbol_source_free(fmp_symbol_source *source);
/* Sees the modules that are there now, and forgets what was found in those that went; true when any went or came. */
bool fmp_symbol_source_refresh(fmp_symbol_source *source, fmp_symbols *symbols);
void *fmp_symbol_source_dwfl(fmp_symbol_source *source);
const char *fmp_symbol_source_name(void);

/* Texts that live as long as the symboliser, each once. "" when memory is out. */
const char *fmp_symbols_text(fmp_symbols *symbols, const char *text);
/* The same for a name as the linker has it: C++ names in readable form. */
const char *fmp_symbols_name(fmp_symbols *symbols, const char *linker_name);
/* "libx.so+0x1f"; without a module "0x7f12345". */
const char *fmp_symbols_offset(fmp_symbols *symbols, const char *module, uint64_t offset);
/* The last part of a path, kept. */
const char *fmp_symbols_file_name(fmp_symbols *symbols, const char *path);

/* What was found in these addresses is found no more; it stays for whoever was given it. */
void fmp_symbols_forget(fmp_symbols *symbols, uint64_t start, uint64_t end);

/* What the dynamic linker knows of an address. */
void fmp_symbol_by_linker(fmp_symbols *symbols, uint64_t address, fmp_symbol_frame *frame);
/* Where the function around an address begins; 0: not known. */
uint64_t fmp_function_start(uint64_t address);

/* Frames of the instruction at `address`, innermost first: at least one, at most FMP_INLINED_MAX. */
size_t fmp_symbol_source_find(fmp_symbol_source *source, fmp_symbols *symbols, uint64_t address,
                              fmp_symbol_frame frames[FMP_INLINED_MAX]);

#endif
