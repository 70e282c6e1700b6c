/* Recorders over their life: made, named, ended, merged, reused (registry.h). */
#ifndef FMP_RECORDER_H
#define FMP_RECORDER_H

#include <stdint.h>

struct fmp_recorder;

/* Called once, by the registry. */
void fmp_recorder_init(void);

/* In a forked child, registry locked: every recorder but the caller's becomes free. */
void fmp_recorder_forget_others(void);

/* CPU time of its thread since its figures began; 0 where not readable. Registry locked. */
uint64_t fmp_recorder_cpu_ns(const struct fmp_recorder *recorder);

/* After a reset, registry locked: the CPU time of running threads counts from now on. */
void fmp_recorder_restart_cpu(void);

/* After a reset, registry locked: recorders of ended threads become free. */
void fmp_recorder_free_ended(void);

#endif
