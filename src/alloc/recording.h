/* One recording, from start to clear: what recorder.c fills and results.c reads. */
#ifndef FMP_ALLOC_RECORDING_H
#define FMP_ALLOC_RECORDING_H

#include "alloc/recorder.h"

typedef struct fmp_alloc_recording {
    fmp_pages pages;
    uint32_t number; /* from 1 */
    uint64_t interval;
    bool exact;
    uint64_t began_ms;
    fmp_stacks stacks;
    fmp_live live;
    fmp_live_sum all;
    fmp_live_sum operations[FMP_ALLOC_OPERATIONS];
    _Atomic(uint64_t) samples, dropped_stacks, dropped_live;
} fmp_alloc_recording;

/* The one that was stopped last and not cleared; NULL: none. */
fmp_alloc_recording *fmp_alloc_stopped(void);

#endif
