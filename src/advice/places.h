/*
 * On which stage an operation runs. The profile has operations over all threads; what a stage does is fixed, so a
 * table of names tells (src/pipeline names the stages in stages.c, the operations where they happen).
 *
 * Thread-safety: Safe.
 */
#ifndef FM_ADVICE_PLACES_H
#define FM_ADVICE_PLACES_H

#include <stdbool.h>

#include "report/report.h"

/*
 * The share of the operation's time on the stage, 0 to 1: that of two lanes which do the same is a half. All are 0 for
 * what runs before or after the stages.
 */
double fm_place_share(const fm_report_pipeline *pipeline, size_t stage, const char *operation);

#endif
