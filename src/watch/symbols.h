/*
 * From addresses of the running process to functions, files and lines.
 *
 * With libdw (FMP_HAVE_LIBDW) from symbol tables and DWARF, functions that were
 * inlined there included; debug information is looked for on this machine
 * alone, never over the network. Without it from what the dynamic linker knows
 * (dladdr). C++ names are demangled where the process has libstdc++ or libc++abi.
 *
 * Everything that is handed out stays where it is until fmp_symbols_free, and
 * each address is looked up once. Memory is bounded: from FMP_SYMBOLS_MAX
 * addresses on, new ones are "(not known)".
 *
 * Not for signal handlers, and it allocates: an allocator that is watched must
 * not count what is done in here. Thread-safety: one thread at a time for a symboliser.
 */
#ifndef FMP_WATCH_SYMBOLS_H
#define FMP_WATCH_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FMP_SYMBOLS_MAX = 1 << 16 };

typedef struct fmp_symbols fmp_symbols;

/* NULL when memory is out. */
fmp_symbols *fmp_symbols_create(void);
void fmp_symbols_free(fmp_symbols **symbols); /* NULL and *NULL are fine */

/*
 * Sees libraries that came or went since; true when any did. Cheap when none
 * did. Call it before a batch of look-ups: fmp_symbols_find does not. Addresses in
 * libraries that went are not known any more.
 */
bool fmp_symbols_refresh(fmp_symbols *symbols);

typedef struct fmp_symbol_frame {
    const char *function; /* "decode"; without a name "module+0x1f", outside of any module "0x7f12345"; never NULL */
    const char *module;   /* "libm.so.6", without folders; "" where it is in none */
    const char *file;     /* as the compiler was told; "" when not known */
    unsigned line;        /* from 1; 0 when not known */
    bool inlined;         /* into the next frame */
} fmp_symbol_frame;

typedef struct fmp_symbol {
    const fmp_symbol_frame *frames; /* innermost first: all but the last are inlined */
    size_t count;                   /* 1 or more */
} fmp_symbol;

typedef enum fmp_address_kind {
    FMP_ADDRESS_EXACT = 0, /* of an instruction: where a thread was interrupted */
    FMP_ADDRESS_RETURN     /* where a call returns to: the call before it is looked up */
} fmp_address_kind;

/* Never NULL: where memory is out the frame says that it is not known. */
const fmp_symbol *fmp_symbols_find(fmp_symbols *symbols, uint64_t address, fmp_address_kind kind);

/* "function (file.c:12)", or "function (module)" where the line is not known. Cut to fit; returns `out`. */
char *fmp_symbol_text(char *out, size_t size, const fmp_symbol_frame *frame);

/* What the names come from, for the table of facilities: "libdw 0.188" or "dladdr (built without libdw)". */
const char *fmp_symbols_source(void);

/* libdw's handle (a Dwfl *), for the unwinder; NULL without libdw. It changes with fmp_symbols_refresh alone. */
void *fmp_symbols_dwfl(fmp_symbols *symbols);

#endif
