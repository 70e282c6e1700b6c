/*
 * Under what conditions a run's times are measured: what else the machine did,
 * what it would have offered, how the program was built.
 *
 * Thread-safety: Unsafe.
 */
#ifndef FM_PIPELINE_RUN_CONDITIONS_H
#define FM_PIPELINE_RUN_CONDITIONS_H

#include "report/report.h"
#include "system/cpu_times.h"
#include "system/host.h"

typedef struct fm_run_conditions {
    fm_host host;             /* when the frame loop began */
    fm_cpu_times begin;
    char accelerators[256];   /* fm_report_conditions */
    char hardware_encoder[64];
    int64_t peak_rss_bytes;   /* of the process; 0: not known */
    fm_report_conditions out; /* points into this object, which must stay where it is */
} fm_run_conditions;

/* At the beginning of the frame loop. The texts above are the caller's to fill. */
void fm_run_conditions_begin(fm_run_conditions *conditions);
/* At its end: sets the facts. */
void fm_run_conditions_end(fm_run_conditions *conditions);

#endif
