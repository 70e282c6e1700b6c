#include "face/action_units.h"

#include <math.h>
#include <stdlib.h>

enum { CAPACITY = 4096 };

struct fm_au_neutral {
    size_t count;    /* kept frames */
    uint64_t stride; /* every stride-th frame is kept */
    uint64_t seen;
    float value[FM_AU_FEATURES][CAPACITY];
};

fm_status fm_au_neutral_create(fm_au_neutral **out, fm_error *err)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return fm_fail(err, FM_E_NO_MEMORY,
                       "No memory for the neutral-face statistics (%zu bytes); close other programs.",
                       sizeof **out);
    (*out)->stride = 1;
    return FM_OK;
}

void fm_au_neutral_destroy(fm_au_neutral **neutral)
{
    if (!neutral)
        return;
    free(*neutral);
    *neutral = NULL;
}

/* Keeps every second frame: what is left is as if the doubled stride had been used from the start. */
static void thin_out(fm_au_neutral *n)
{
    for (int f = 0; f < FM_AU_FEATURES; f++)
        for (size_t i = 0; i < CAPACITY / 2; i++)
            n->value[f][i] = n->value[f][2 * i];
    n->count = CAPACITY / 2;
    n->stride *= 2;
}

void fm_au_neutral_add(fm_au_neutral *neutral, const fm_au_features *features)
{
    fm_au_neutral *n = neutral;
    for (int f = 0; f < FM_AU_FEATURES; f++)
        if (!isfinite(features->value[f]))
            return;
    const uint64_t index = n->seen++;
    if (index % n->stride != 0)
        return;
    if (n->count == CAPACITY) {
        thin_out(n);
        if (index % n->stride != 0)
            return;
    }
    for (int f = 0; f < FM_AU_FEATURES; f++)
        n->value[f][n->count] = features->value[f];
    n->count++;
}

static int compare_floats(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Quantile q of sorted values, between neighbours linearly. */
static float quantile(const float *sorted, size_t count, double q)
{
    const double at = q * (double)(count - 1);
    const size_t i = (size_t)at;
    const size_t next = i + 1 < count ? i + 1 : i;
    return (float)(sorted[i] + (at - (double)i) * (sorted[next] - sorted[i]));
}

bool fm_au_neutral_estimate(const fm_au_neutral *neutral, fm_au_features *out)
{
    const size_t count = neutral->count;
    if (count == 0)
        return false;
    for (int f = 0; f < FM_AU_FEATURES; f++) {
        float sorted[CAPACITY];
        for (size_t i = 0; i < count; i++)
            sorted[i] = neutral->value[f][i];
        qsort(sorted, count, sizeof sorted[0], compare_floats);
        const bool lid = f == FM_AU_EYE_OPENING || f == FM_AU_UPPER_LID_HEIGHT;
        out->value[f] = quantile(sorted, count, lid ? 0.8 : 0.5);
    }
    return true;
}
