/* Reading a trace file that lies in memory; for tests and fuzzing. */
#ifndef FMP_TRACE_READ_H
#define FMP_TRACE_READ_H

#include <stddef.h>

#include "fmprof/trace.h"

/* As fmp_trace_read. The bytes are needed during the call only. Thread-safety: Safe. */
fmp_trace *fmp_trace_read_memory(const void *bytes, size_t size, char *message,
                                 size_t message_size);

#endif
