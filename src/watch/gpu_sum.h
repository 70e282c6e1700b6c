/* What readings of one accelerator add up to. Thread-safety: one thread at a time. */
#ifndef FMP_WATCH_GPU_SUM_H
#define FMP_WATCH_GPU_SUM_H

#include "watch/energy_domain.h"
#include "watch/facility.h"
#include "watch/nvml.h"

typedef struct fmp_gpu_sum {
    char name[96]; /* in the tables: "GPU 0 NVIDIA H100" */
    uint64_t begun_ns, before_ns; /* first and last reading; 0: none yet */
    double known_seconds, busy_seconds; /* known: of which use was told */
    double busy_peak, memory_peak, memory_total, celsius_peak; /* not a number until told */
    bool by_counter; /* energy is counted by the device, as its first reading showed; else power is summed up */
    fmp_energy_sum energy;
    const fmp_metric *busy_gauge, *memory_gauge; /* in traces; NULL until one runs */
} fmp_gpu_sum;

void fmp_gpu_sum_begin(fmp_gpu_sum *sum, const char *name);
void fmp_gpu_sum_add(fmp_gpu_sum *sum, uint64_t now_ns, const fmp_gpu_reading *reading);
/* Adds its row to the table "accelerators", and one to "energy" where it told energy or power. */
void fmp_gpu_sum_tell(const fmp_gpu_sum *sum, uint64_t units, fmp_tables *tables);

#endif
