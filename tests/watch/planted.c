#include "planted.h"

#include <math.h>

#if defined(__GNUC__) || defined(__clang__)
#define ALWAYS_INLINE inline __attribute__((always_inline))
#else
#define ALWAYS_INLINE inline
#endif

static volatile uint64_t red_sum, green_sum, inlined_sum;
static volatile double mathematics_sum;

const unsigned planted_red_line = __LINE__ + 3;
FMP_NOINLINE void planted_red(uint64_t turns)
{
    for (uint64_t i = 0; i < turns; i++)
        red_sum += i;
}

FMP_NOINLINE void planted_green(uint64_t turns)
{
    for (uint64_t i = 0; i < turns; i++)
        green_sum += i ^ 1;
}

FMP_NOINLINE int planted_recursion(int depth, uint64_t turns)
{
    if (depth == 0) {
        planted_red(turns);
        return 1;
    }
    const int below = planted_recursion(depth - 1, turns);
    red_sum += 1; /* something to do after the call, so that it stays one */
    return below + 1;
}

const unsigned planted_inlined_line = __LINE__ + 3;
static ALWAYS_INLINE void planted_inlined(uint64_t turns)
{
    for (uint64_t i = 0; i < turns; i++)
        inlined_sum += i;
}

FMP_NOINLINE void planted_caller(uint64_t turns)
{
    inlined_sum = 0;
    planted_inlined(turns);
    inlined_sum = 1;
}
const unsigned planted_call_line = __LINE__ - 3;

FMP_NOINLINE void planted_mathematics(uint64_t turns)
{
    double sum = 0;
    for (uint64_t i = 0; i < turns; i++)
        sum += sin((double)i * 0.1);
    mathematics_sum = sum;
}
