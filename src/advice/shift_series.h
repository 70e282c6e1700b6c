/* Figures of many frames, one by one. Internal to the module. Thread-safety: Unsafe. */
#ifndef FM_ADVICE_SHIFT_SERIES_H
#define FM_ADVICE_SHIFT_SERIES_H

#include "advice/shift.h"

typedef struct fm_series {
    float *values;
    size_t count, room;
    double max;
    int64_t worst; /* its frame */
} fm_series;

/* Zeros are an empty series. `value` is finite and 0 or more. FM_E_NO_MEMORY. */
fm_status fm_series_add(fm_series *series, int64_t frame, double value, fm_error *err);
/* Sorts the values. */
fm_shift_figures fm_series_figures(fm_series *series);
void fm_series_free(fm_series *series);

#endif
