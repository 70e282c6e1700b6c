/* Where the allocating thread came from. */
#ifndef FMP_ALLOC_CALLERS_H
#define FMP_ALLOC_CALLERS_H

#include "alloc/alloc_api.h"

/*
 * Loads libunwind where it can be had; else walks are slow. The first call
 * matters; never while a recording runs. Thread-safety: Not safe.
 */
void fmp_alloc_callers_set_up(void);
/* In a forked process. */
void fmp_alloc_callers_forked(void);
/* Whether walks are by libunwind. Thread-safety: Safe. */
bool fmp_alloc_callers_fast(void);

/*
 * The addresses that the calls on the stack return to, innermost first, from
 * the one that returns to `caller` on, so that the interposer is not among
 * them. `caller` alone when the stack cannot be walked. At most `max`, which
 * is FMP_ALLOC_DEPTH or less; returns how many. No lock is held that others
 * hold while they allocate; memory may be allocated. Thread-safety: Safe.
 */
size_t fmp_alloc_callers(uintptr_t caller, uintptr_t *out, size_t max);

/*
 * dlclose by `close`, the real one, with what walks of stacks must know of it;
 * returns what that does. Thread-safety: Safe.
 */
int fmp_alloc_callers_close(int (*close)(void *), void *library);

#endif
