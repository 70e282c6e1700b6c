#include "advice/shift_series.h"

#include <math.h>
#include <stdlib.h>

fm_status fm_series_add(fm_series *s, int64_t frame, double value, fm_error *err)
{
    if (s->count == s->room) {
        const size_t room = s->room ? 2 * s->room : 1024;
        float *values = realloc(s->values, room * sizeof *values);
        if (!values)
            return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the frames of a table");
        s->values = values;
        s->room = room;
    }
    if (s->count == 0 || value > s->max) {
        s->max = value;
        s->worst = frame;
    }
    s->values[s->count++] = (float)value;
    return FM_OK;
}

static int by_value(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Nearest rank. */
static double at_share(const fm_series *s, double share)
{
    const double rank = ceil(share * (double)s->count);
    return (double)s->values[rank > 1 ? (size_t)rank - 1 : 0];
}

fm_shift_figures fm_series_figures(fm_series *s)
{
    if (s->count == 0)
        return (fm_shift_figures){(double)NAN, (double)NAN, (double)NAN, -1};
    qsort(s->values, s->count, sizeof *s->values, by_value);
    return (fm_shift_figures){at_share(s, 0.5), at_share(s, 0.95), s->max, s->worst};
}

void fm_series_free(fm_series *s)
{
    free(s->values);
    *s = (fm_series){0};
}
