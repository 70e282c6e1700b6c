#include "planted.h"

void planted_library_work(uint64_t turns);

static volatile uint64_t sum;

static FMP_NOINLINE void planted_library_inner(uint64_t turns)
{
    for (uint64_t i = 0; i < turns; i++)
        sum += i ^ 3;
}

void planted_library_work(uint64_t turns)
{
    planted_library_inner(turns);
    sum += 1; /* something to do after the call, so that it stays one */
}
