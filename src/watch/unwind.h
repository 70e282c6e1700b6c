/*
 * From a sample's registers and copy of the stack to the calls that were open.
 *
 * The rules come from libdw (.eh_frame, .debug_frame), and are kept by address
 * in a form that is quick to apply: libdw's own unwinder works them out anew for
 * every frame of every sample. Where an address has no rules, as in assembly, the
 * stack is searched for the return address, and frame pointers are followed;
 * without libdw these are all there is.
 *
 * Nothing is read but the copy: what lies beyond it has changed meanwhile.
 * Thread-safety: one thread at a time.
 */
#ifndef FMP_WATCH_UNWIND_H
#define FMP_WATCH_UNWIND_H

#include "watch/sample_slots.h"
#include "watch/symbols.h"

enum { FMP_UNWIND_MAX = 64 };

typedef struct fmp_unwinder fmp_unwinder;

/* `symbols` outlives it. NULL when memory is out. */
fmp_unwinder *fmp_unwinder_create(fmp_symbols *symbols);
void fmp_unwinder_free(fmp_unwinder **unwinder); /* NULL and *NULL are fine */
/* Sees libraries that came or went since, as fmp_symbols_refresh. */
void fmp_unwinder_refresh(fmp_unwinder *unwinder);

typedef struct fmp_calls {
    uint64_t pc[FMP_UNWIND_MAX]; /* the first exact, all others as where a call returns to */
    size_t count;                /* 1 or more */
    bool cut;                    /* there are more, which the copy or the limit did not show */
    bool outside;                /* so since the copy of the stack was too small */
    bool searched;               /* some were found by looking for return addresses: very likely, not certain */
} fmp_calls;

void fmp_unwind(fmp_unwinder *unwinder, const fmp_sample *sample, fmp_calls *calls);

#endif
