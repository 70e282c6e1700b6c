/*
 * Energy of one domain, summed up from readings of a counter or of power.
 *
 * A reading that is missing, or that cannot be true, ends what was being
 * measured; the next one begins anew, and the time between counts in neither
 * seconds nor joules, so that mean power stays right.
 * Thread-safety: one thread at a time.
 */
#ifndef FMP_WATCH_ENERGY_DOMAIN_H
#define FMP_WATCH_ENERGY_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "fmprof/fmprof.h"

/* More than a machine draws: what is beyond is a counter that was set back, not a wrap. */
#define FMP_ENERGY_WATTS_MAX 100e3

typedef struct fmp_energy_sum {
    double seconds, joules; /* seconds: of which joules are known */
    bool begun;             /* there is a reading before */
    uint64_t before_ns;
    double before;          /* joules, or watts */
    const fmp_metric *gauge; /* mW in traces; NULL until one runs */
    uint64_t shown_ns;       /* when it was set last, and `joules` then */
    double shown_joules;
} fmp_energy_sum;

/* The counter stands at `joules` and starts again from 0 after `range` joules (0: it never does). */
void fmp_energy_counter(fmp_energy_sum *sum, uint64_t now_ns, double joules, double range);
/* Power is `watts` now: taken as a straight line from the reading before. */
void fmp_energy_power(fmp_energy_sum *sum, uint64_t now_ns, double watts);
/* No reading. */
void fmp_energy_lost(fmp_energy_sum *sum);

/* Shows mean power since the last call as the gauge "power NAME" while a trace runs; at most 50 times a second. */
void fmp_energy_show(fmp_energy_sum *sum, uint64_t now_ns, const char *name);

#endif
