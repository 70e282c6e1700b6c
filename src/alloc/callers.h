/* Where the allocating thread came from. */
#ifndef FMP_ALLOC_CALLERS_H
#define FMP_ALLOC_CALLERS_H

#include <stddef.h>
#include <stdint.h>

/*
 * The addresses that the calls on the stack return to, innermost first, from
 * the one that returns to `caller` on, so that the interposer is not among
 * them. `caller` alone when the stack cannot be walked. At most `max`; returns
 * how many. Thread-safety: Safe; no lock is held, memory may be allocated.
 */
size_t fmp_alloc_callers(uintptr_t caller, uintptr_t *out, size_t max);

#endif
