/*
 * In which order a bench runs its configurations, and when they are warm.
 *
 * Thread-safety: Safe.
 */
#ifndef FM_ADVICE_BENCH_PLAN_H
#define FM_ADVICE_BENCH_PLAN_H

#include <stdbool.h>
#include <stddef.h>

enum {
    FM_BENCH_WARM_UP_MIN = 2, /* runs of a configuration before it can count as warm */
    FM_BENCH_WARM_UP_MAX = 6  /* after which it is measured, warm or not */
};
#define FM_BENCH_STILL_FALLING 0.02

/*
 * The order of a round (from 0): every other one runs backwards (A B C, C B A), so that in two rounds each
 * configuration has the same mean place, and a drift of the machine favours none. Fills out[0] ... out[count - 1].
 */
void fm_bench_order(size_t round, size_t count, size_t *out);

/*
 * Whether a configuration whose runs took these times, in order, has warmed up: when the last one is no more than
 * FM_BENCH_STILL_FALLING below the fastest before it, times have stopped to fall. `asked`: so many runs and no
 * question; negative: until steady. *steady: whether it ended so, or by FM_BENCH_WARM_UP_MAX.
 */
bool fm_bench_warm(const double *seconds, size_t count, int asked, bool *steady);

#endif
