/* Functions with known names and places, for tests of symbols and samples. */
#ifndef TEST_WATCH_PLANTED_H
#define TEST_WATCH_PLANTED_H

#include <stdint.h>

#include "profiler/compiler.h"

/* Busy for so many turns. What they do differs, so that a compiler does not make one of them. */
FMP_NOINLINE void planted_red(uint64_t turns);
FMP_NOINLINE void planted_green(uint64_t turns);
/* Calls itself `depth` times, then is busy in planted_red. */
FMP_NOINLINE int planted_recursion(int depth, uint64_t turns);
/* Has planted_inlined inlined, which is busy. */
FMP_NOINLINE void planted_caller(uint64_t turns);
FMP_NOINLINE void planted_mathematics(uint64_t turns);

/* Where they are written. */
extern const unsigned planted_red_line, planted_inlined_line, planted_call_line;

/* Of a library without frame pointers: planted_library_work is busy through planted_library_inner. */
void planted_library_work(uint64_t turns);

#endif
