/* The end of every printer. Thread-safety: Safe on distinct streams. */
#ifndef FMP_EXPORT_STREAM_H
#define FMP_EXPORT_STREAM_H

#include <stdio.h>

/* Flushes; 0, or -1 with errno set (EIO when the stream failed before and the cause is gone). */
int fmp_stream_finish(FILE *out);

#endif
