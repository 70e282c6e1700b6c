/*
 * dl_iterate_phdr for threads that run while the program forks. The C library
 * holds a lock of the dynamic linker's during the walk and does not free it in
 * a forked child, where every later walk (of a watch, of C++ exceptions) would
 * wait for ever. A fork waits until walks by this function are over.
 *
 * Thread-safety: Safe; not for signal handlers. `visit` must not fork.
 */
#ifndef FMP_WATCH_LINKER_WALK_H
#define FMP_WATCH_LINKER_WALK_H

#ifdef __linux__
#include <link.h>
#include <stddef.h>

/* As dl_iterate_phdr. */
int fmp_linker_walk(int (*visit)(struct dl_phdr_info *info, size_t size, void *context), void *context);
#endif

#endif
