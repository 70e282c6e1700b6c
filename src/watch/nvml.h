/*
 * NVIDIA's management library (NVML), loaded at run time: it comes with the driver. Any call into it may take
 * milliseconds, and does not return while the driver hangs.
 * Thread-safety: one thread at a time.
 */
#ifndef FMP_WATCH_NVML_H
#define FMP_WATCH_NVML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FMP_NVML_MESSAGE_SIZE = 256, FMP_NVML_DEVICES_MAX = 64 };

typedef struct fmp_nvml fmp_nvml;

/* What a device says at one time; not a number where it does not. */
typedef struct fmp_gpu_reading {
    double busy;                        /* share of the driver's last sample period (1/6 s to 1 s), 0 to 1 */
    double memory_used, memory_total;   /* bytes */
    double watts;
    double joules;                      /* since the driver was loaded */
    double celsius;
} fmp_gpu_reading;

/*
 * Loads the library of that name and finds its functions; does not call it.
 * NULL with errno: ENOENT when it is not there, ENOSYS when it lacks a function that nothing can go without, ENOMEM.
 */
fmp_nvml *fmp_nvml_load(const char *library);
/* Starts it; false with a message that says what failed, and errno: EACCES when another user may, else ENODEV. */
bool fmp_nvml_start(fmp_nvml *nvml, char message[FMP_NVML_MESSAGE_SIZE]);
/* What to do about the failure; "": nothing is known. */
const char *fmp_nvml_remedy(const fmp_nvml *nvml);
/* How many devices there are, at most FMP_NVML_DEVICES_MAX. */
unsigned fmp_nvml_count(const fmp_nvml *nvml);
/* "NVIDIA H100", at most size - 1 bytes; "" when it does not say. */
void fmp_nvml_name(const fmp_nvml *nvml, unsigned device, char *out, size_t size);
void fmp_nvml_read(const fmp_nvml *nvml, unsigned device, fmp_gpu_reading *out);
/* Ends it. The library stays loaded: its own threads may still run in it. NULL and *NULL are fine. */
void fmp_nvml_free(fmp_nvml **nvml);

#endif
