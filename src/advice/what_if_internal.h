/* What the printing of predictions asks beside what_if.h. Internal to the advice module. */
#ifndef FM_ADVICE_WHAT_IF_INTERNAL_H
#define FM_ADVICE_WHAT_IF_INTERNAL_H

#include "advice/calibrate.h"
#include "advice/what_if.h"

const fm_calibration *fm_what_if_calibration(const fm_what_if *what_if);

#endif
