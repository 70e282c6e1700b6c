/*
 * NVIDIA's devices, read by a thread of its own: a driver that hangs holds up neither the watch nor the program.
 * Thread-safety: one thread at a time.
 */
#ifndef FMP_WATCH_GPU_NVML_H
#define FMP_WATCH_GPU_NVML_H

#include "watch/facility.h"

typedef struct fmp_gpu_nvml fmp_gpu_nvml;

/* Waits two seconds at most for the driver. Says what runs, or why nothing does, and is NULL then. */
fmp_gpu_nvml *fmp_gpu_nvml_start(const fmp_system_options *options, fmp_tables *tables);
/* Adds the rows and frees it. When a reading hangs, what was read before counts, and memory of some KiB stays taken. */
void fmp_gpu_nvml_stop(fmp_gpu_nvml *gpus, uint64_t units, fmp_tables *tables);

#endif
