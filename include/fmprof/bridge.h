/*
 * Scopes as annotations of other profilers that watch the program: ranges of
 * NVIDIA's Nsight Systems (NVTX), tasks of Intel's VTune (ITT), intervals of
 * Apple's Instruments (os_signpost). Part of libfmprof-system.
 *
 *     char message[256];
 *     fmp_annotate(0, message, sizeof message);   // what the environment's FMP_BRIDGE names
 *
 * Off unless asked for, and then scopes cost what they cost without it. perf,
 * bpftrace and gdb need nothing of this: scopes are USDT probes.
 */
#ifndef FMPROF_BRIDGE_H
#define FMPROF_BRIDGE_H

#include <stddef.h>

#include "api.h"

#ifdef __cplusplus
extern "C" {
#endif
FMP_API_BEGIN

typedef enum fmp_annotation {
    FMP_ANNOTATE_NVTX = 1 << 0,    /* "nvtx": libnvToolsExt.so.1 or libnvtx3interop.so.1, loaded at run time */
    FMP_ANNOTATE_ITT = 1 << 1,     /* "itt": where the library was built with Intel's ittnotify */
    FMP_ANNOTATE_SIGNPOST = 1 << 2 /* "signpost": macOS */
} fmp_annotation;

/*
 * Tells the profilers in `which` (fmp_annotation bits; 0: those that the
 * environment's FMP_BRIDGE names, by commas) of every scope that begins from
 * now on: its operation as the name, nested as the scopes are on their thread,
 * threads by the names that fmp_thread_name gave before their first scope.
 *
 * Returns the bits that are on. `message` (of `size` bytes; NULL when `size` is
 * 0) says for each that was asked for by what it is on or why it is not, ""
 * when none was. What the first call switched on is what the process has for
 * its life: a later call can end a pause (fmp_annotate_pause), not add to it.
 * Scopes go nowhere, at the price of a call, while no profiler watches.
 * Thread-safety: Safe; call it early, it may load a library.
 */
unsigned fmp_annotate(unsigned which, char *message, size_t size);

/* Scopes that begin from now on are not told until fmp_annotate is called again. Thread-safety: Safe. */
void fmp_annotate_pause(void);

FMP_API_END
#ifdef __cplusplus
}
#endif
#endif
