#include "watch/energy_domain.h"

#include <math.h>
#include <stdio.h>

#include "fmprof/trace.h"

static void add(fmp_energy_sum *sum, double seconds, double joules)
{
    if (!(seconds > 0) || !(joules >= 0) || joules / seconds > FMP_ENERGY_WATTS_MAX)
        return;
    sum->seconds += seconds;
    sum->joules += joules;
}

static double seconds_since(const fmp_energy_sum *sum, uint64_t now_ns)
{
    return now_ns > sum->before_ns ? (double)(now_ns - sum->before_ns) * 1e-9 : 0;
}

static void keep(fmp_energy_sum *sum, uint64_t now_ns, double value)
{
    sum->begun = true;
    sum->before_ns = now_ns;
    sum->before = value;
}

void fmp_energy_lost(fmp_energy_sum *sum)
{
    sum->begun = false;
}

/* Between readings a counter wraps once at most: the smallest range of RAPL is 65 kJ, many seconds at any power. */
void fmp_energy_counter(fmp_energy_sum *sum, uint64_t now_ns, double joules, double range)
{
    if (!isfinite(joules) || joules < 0) {
        fmp_energy_lost(sum);
        return;
    }
    if (sum->begun) {
        double used = joules - sum->before;
        if (used < 0 && range >= sum->before)
            used += range;
        add(sum, seconds_since(sum, now_ns), used);
    }
    keep(sum, now_ns, joules);
}

void fmp_energy_power(fmp_energy_sum *sum, uint64_t now_ns, double watts)
{
    if (!isfinite(watts) || watts < 0) {
        fmp_energy_lost(sum);
        return;
    }
    if (sum->begun) {
        const double seconds = seconds_since(sum, now_ns);
        add(sum, seconds, (sum->before + watts) / 2 * seconds);
    }
    keep(sum, now_ns, watts);
}

void fmp_energy_show(fmp_energy_sum *sum, uint64_t now_ns, const char *name)
{
    const uint64_t since = sum->shown_ns ? now_ns - sum->shown_ns : 0;
    if (!fmp_trace_running() || (sum->shown_ns && since < 20000000))
        return;
    if (!sum->gauge) {
        char text[160];
        snprintf(text, sizeof text, "power %s", name);
        sum->gauge = fmp_gauge_get("SYSTEM", text, "mW");
    }
    if (since > 0)
        fmp_gauge_set(sum->gauge, llround((sum->joules - sum->shown_joules) / ((double)since * 1e-9) * 1e3));
    sum->shown_ns = now_ns;
    sum->shown_joules = sum->joules;
}
