#include "watch/gpu_sum.h"

#include <math.h>
#include <stdio.h>

#include "fmprof/trace.h"

void fmp_gpu_sum_begin(fmp_gpu_sum *sum, const char *name)
{
    const double unknown = (double)NAN;
    *sum = (fmp_gpu_sum){
        .busy_peak = unknown, .memory_peak = unknown, .memory_total = unknown, .celsius_peak = unknown};
    snprintf(sum->name, sizeof sum->name, "%s", name);
}

/* The larger of two, of which either may not be known. */
static double larger(double a, double b)
{
    return isnan(a) || b > a ? b : a;
}

static const fmp_metric *gauge(const char *what, const char *name, const char *unit)
{
    char text[160];
    snprintf(text, sizeof text, "%s %s", what, name);
    return fmp_gauge_get("SYSTEM", text, unit);
}

static void show(fmp_gpu_sum *sum, uint64_t now_ns, const fmp_gpu_reading *reading)
{
    if (!fmp_trace_running())
        return;
    if (!sum->busy_gauge) {
        sum->busy_gauge = gauge("use", sum->name, "%");
        sum->memory_gauge = gauge("memory", sum->name, "bytes");
    }
    if (isfinite(reading->busy))
        fmp_gauge_set(sum->busy_gauge, llround(reading->busy * 100));
    if (reading->memory_used < 0x1p62)
        fmp_gauge_set(sum->memory_gauge, llround(reading->memory_used));
    if (sum->energy.begun)
        fmp_energy_show(&sum->energy, now_ns, sum->name);
}

/* The driver's use is of the time before the reading, so it is taken for the time since the last one. */
void fmp_gpu_sum_add(fmp_gpu_sum *sum, uint64_t now_ns, const fmp_gpu_reading *reading)
{
    if (sum->before_ns && now_ns > sum->before_ns && isfinite(reading->busy)) {
        const double seconds = (double)(now_ns - sum->before_ns) * 1e-9;
        sum->known_seconds += seconds;
        sum->busy_seconds += seconds * reading->busy;
    }
    if (!sum->begun_ns) {
        sum->begun_ns = now_ns;
        sum->by_counter = isfinite(reading->joules);
    }
    sum->before_ns = now_ns;
    sum->busy_peak = larger(sum->busy_peak, reading->busy);
    sum->memory_peak = larger(sum->memory_peak, reading->memory_used);
    sum->memory_total = larger(sum->memory_total, reading->memory_total);
    sum->celsius_peak = larger(sum->celsius_peak, reading->celsius);
    if (sum->by_counter)
        fmp_energy_counter(&sum->energy, now_ns, reading->joules, 0);
    else
        fmp_energy_power(&sum->energy, now_ns, reading->watts);
    show(sum, now_ns, reading);
}

void fmp_gpu_sum_tell(const fmp_gpu_sum *sum, uint64_t units, fmp_tables *tables)
{
    const double all = (double)(sum->before_ns - sum->begun_ns) * 1e-9, unknown = (double)NAN;
    const bool told = sum->known_seconds > 0;
    fmp_table_add(tables, "accelerators",
                  (fmp_cell[]){FMP_TEXT(sum->name), FMP_NUMBER(told ? sum->known_seconds : all),
                               FMP_NUMBER(told ? sum->busy_seconds : unknown), FMP_NUMBER(sum->busy_peak),
                               FMP_NUMBER(sum->memory_peak), FMP_NUMBER(sum->memory_total),
                               FMP_NUMBER(sum->celsius_peak)});
    if (sum->energy.seconds > 0)
        fmp_table_add(tables, "energy",
                      (fmp_cell[]){FMP_TEXT(sum->name), FMP_NUMBER(sum->energy.seconds),
                                   FMP_NUMBER(sum->energy.joules), FMP_NUMBER(units)});
}
