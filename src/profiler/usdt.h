/*
 * Scopes as user-level statically defined probes: perf, bpftrace, SystemTap and gdb find them in the program
 * (provider "fmprof") and patch them in while they watch. Unwatched each is one nop.
 */
#ifndef FMP_USDT_H
#define FMP_USDT_H

#ifdef FMP_HAVE_USDT
#include <sys/sdt.h>
#define FMP_PROBE_OF(name, site) DTRACE_PROBE2(fmprof, name, (site)->category, (site)->operation)
#ifdef __clang__
/* That header's macros leave variable arguments empty, which clang calls an extension of GNU. */
#define FMP_PROBE(name, site)                                                                      \
    _Pragma("clang diagnostic push")                                                               \
    _Pragma("clang diagnostic ignored \"-Wgnu-zero-variadic-macro-arguments\"")                    \
    FMP_PROBE_OF(name, site) _Pragma("clang diagnostic pop")
#else
#define FMP_PROBE(name, site) FMP_PROBE_OF(name, site)
#endif
#else
#define FMP_PROBE(name, site) ((void)(site))
#endif

#endif
