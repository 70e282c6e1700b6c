/*
 * Wall time in which at least one stage was at work: the part of a run that
 * the profiler's scopes explain. Stages enter when they take up a frame and
 * leave when they are done with it; waiting on queues is outside.
 *
 * Thread-safety: Safe after init.
 */
#ifndef FM_PIPELINE_COVERAGE_H
#define FM_PIPELINE_COVERAGE_H

#include <pthread.h>
#include <stdint.h>

typedef struct fm_coverage {
    pthread_mutex_t lock;
    int inside;         /* stages at work now */
    uint64_t since_ns;  /* when the first of them entered */
    uint64_t total_ns;
} fm_coverage;

void fm_coverage_init(fm_coverage *coverage);
void fm_coverage_destroy(fm_coverage *coverage);
void fm_coverage_enter(fm_coverage *coverage);
void fm_coverage_leave(fm_coverage *coverage);

#endif
