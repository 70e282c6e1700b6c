/* Recorders over their life: made, named, ended, merged, reused (registry.h). */
#ifndef FMP_RECORDER_H
#define FMP_RECORDER_H

/* Called once, by the registry. */
void fmp_recorder_init(void);

/* In a forked child, registry locked: every recorder but the caller's becomes free. */
void fmp_recorder_forget_others(void);

/* After a reset, registry locked: recorders of ended threads become free. */
void fmp_recorder_free_ended(void);

#endif
