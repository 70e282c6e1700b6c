#include "advice/bench_plan.h"

#include <math.h>

void fm_bench_order(size_t round, size_t count, size_t *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = round % 2 == 0 ? i : count - 1 - i;
}

bool fm_bench_warm(const double *seconds, size_t count, int asked, bool *steady)
{
    *steady = true;
    if (asked >= 0)
        return count >= (size_t)asked;
    if (count < FM_BENCH_WARM_UP_MIN)
        return false;
    double fastest = seconds[0];
    for (size_t i = 1; i + 1 < count; i++)
        fastest = fmin(fastest, seconds[i]);
    *steady = seconds[count - 1] >= fastest * (1 - FM_BENCH_STILL_FALLING);
    return *steady || count >= FM_BENCH_WARM_UP_MAX;
}
