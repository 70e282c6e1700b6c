/* The interposer libfmprof-alloc.so, when it is in the process. */
#ifndef FMP_WATCH_ALLOC_CLIENT_H
#define FMP_WATCH_ALLOC_CLIENT_H

#include <stdbool.h>

#include "alloc/alloc_api.h"

/* NULL: not preloaded, or of another version. Thread-safety: Safe. */
const fmp_alloc_calls *fmp_alloc_find(void);

/*
 * A memory checker or sanitizer that has the program's allocator ("valgrind",
 * "AddressSanitizer", ...); NULL: none. Thread-safety: Safe.
 */
const char *fmp_alloc_checker(void);

/*
 * True when the program's allocations reach the interposer: false where the program, or another preloaded library,
 * brings an allocator that comes before it. Thread-safety: Safe.
 */
bool fmp_alloc_reached(void);

/* Why fmp_alloc_preload did not get the library in; "": it was not called, or did. Thread-safety: Not safe. */
const char *fmp_alloc_preload_failure(void);

/*
 * What the calling thread takes until the call with false is the watch's own
 * and not the program's. Nests; nothing happens without the interposer. Thread-safety: Safe.
 */
void fmp_alloc_set_aside(bool aside);

#endif
