/*
 * Scopes as user-level statically defined probes: perf, bpftrace, SystemTap and gdb find them in the program
 * (provider "fmprof") and patch them in while they watch. Unwatched each is one nop.
 */
#ifndef FMP_USDT_H
#define FMP_USDT_H

#ifdef FMP_HAVE_USDT
#include <sys/sdt.h>
#define FMP_PROBE(name, site) DTRACE_PROBE2(fmprof, name, (site)->category, (site)->operation)
#else
#define FMP_PROBE(name, site) ((void)(site))
#endif

#endif
