#include "figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each unit ends where rounding to its decimals would show 1000. */
void fm_time_text(char out[FM_TIME_TEXT_SIZE], double seconds)
{
    if (!isfinite(seconds) || seconds < 0)
        snprintf(out, FM_TIME_TEXT_SIZE, "n/a");
    else if (seconds == 0)
        snprintf(out, FM_TIME_TEXT_SIZE, "0us");
    else if (seconds < 0.9995e-6)
        snprintf(out, FM_TIME_TEXT_SIZE, "%.3fus", seconds * 1e6);
    else if (seconds < 999.95e-6)
        snprintf(out, FM_TIME_TEXT_SIZE, "%.1fus", seconds * 1e6);
    else if (seconds < 999.95e-3)
        snprintf(out, FM_TIME_TEXT_SIZE, "%.1fms", seconds * 1e3);
    else if (seconds < 99999.9995)
        snprintf(out, FM_TIME_TEXT_SIZE, "%.3fs", seconds);
    else if (seconds < 1e9)
        snprintf(out, FM_TIME_TEXT_SIZE, "%.0fs", seconds);
    else
        snprintf(out, FM_TIME_TEXT_SIZE, "%.2es", seconds);
}

double fm_ratio(double part, double whole)
{
    if (!isfinite(part) || !isfinite(whole) || whole <= 0)
        return (double)NAN;
    return part / whole;
}

typedef struct remainder_of {
    double remainder;
    size_t index;
} remainder_of;

static int by_remainder(const void *a, const void *b)
{
    const remainder_of *x = a, *y = b;
    if (x->remainder != y->remainder)
        return x->remainder < y->remainder ? 1 : -1;
    return (x->index > y->index) - (x->index < y->index);
}

bool fm_shares(const uint64_t *part, size_t count, int *tenths)
{
    double whole = 0;
    for (size_t i = 0; i < count; i++)
        whole += (double)part[i];
    memset(tenths, 0, count * sizeof *tenths);
    if (whole <= 0)
        return true;
    remainder_of *rest = calloc(count, sizeof *rest);
    if (!rest)
        return false;
    int given = 0;
    for (size_t i = 0; i < count; i++) {
        double exact = (double)part[i] / whole * 1000;
        tenths[i] = (int)floor(exact);
        rest[i] = (remainder_of){exact - floor(exact), i};
        given += tenths[i];
    }
    qsort(rest, count, sizeof *rest, by_remainder);
    for (size_t i = 0; given < 1000 && i < count; i++, given++)
        tenths[rest[i].index]++;
    free(rest);
    return true;
}

fm_category *fm_categories(const fmp_snapshot *snapshot, size_t *count)
{
    size_t operations = snapshot ? snapshot->operation_count : 0;
    *count = 0;
    fm_category *categories = calloc(operations + 1, sizeof *categories);
    if (!categories)
        return NULL;
    for (size_t i = 0; i < operations; i++) {
        const fmp_operation *op = &snapshot->operations[i];
        if (*count == 0 || strcmp(categories[*count - 1].name, op->category) != 0)
            categories[(*count)++] = (fm_category){.name = op->category, .operations = op};
        categories[*count - 1].count++;
        categories[*count - 1].self_ns += op->self_ns;
    }
    return categories;
}

uint64_t fm_scope_count(const fmp_snapshot *snapshot)
{
    uint64_t scopes = 0;
    for (size_t i = 0; snapshot && i < snapshot->operation_count; i++)
        scopes += snapshot->operations[i].count;
    return scopes;
}
