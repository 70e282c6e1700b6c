/*
 * Makes the n-th allocation that our own code asks for fail: the test is
 * linked so that malloc, calloc, realloc, aligned_alloc, strdup and what
 * FFmpeg hands out (frames, their buffers, packets) come here first. The
 * libraries' own allocations are not touched.
 *
 * Thread-safety: Safe.
 */
#ifndef TESTS_FAILING_CALLS_H
#define TESTS_FAILING_CALLS_H

#include <stdbool.h>

/* Counts from 1 again and lets the n-th call fail; 0: none. */
void fail_call(long n);
/* Calls since then. */
long calls_made(void);
/* Those of them that ask for memory for certain: not references to frames and copies of their properties. */
long allocations_made(void);

#endif
