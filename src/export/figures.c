#include "figures.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* printf follows the locale; a number's text keeps nothing but its digits, signs, exponent and one '.'. */
static void fix_point(char *text)
{
    char *to = text;
    bool point = false;
    for (const char *from = text; *from; from++) {
        if (strchr("0123456789+-e", *from)) {
            *to++ = *from;
        } else if (!point) { /* decimal points of more than one byte exist */
            *to++ = '.';
            point = true;
        }
    }
    *to = '\0';
}

void fmp_fixed(char out[FMP_TIME_TEXT_SIZE], double value, int decimals)
{
    if (!isfinite(value)) {
        snprintf(out, FMP_TIME_TEXT_SIZE, "n/a");
        return;
    }
    snprintf(out, FMP_TIME_TEXT_SIZE, fabs(value) < 1e18 ? "%.*f" : "%.*e", decimals, value);
    fix_point(out);
}

void fmp_rounded(char out[FMP_TIME_TEXT_SIZE], double value)
{
    if (!isfinite(value)) {
        snprintf(out, FMP_TIME_TEXT_SIZE, "null");
        return;
    }
    snprintf(out, FMP_TIME_TEXT_SIZE, "%.15g", value);
    fix_point(out);
}

void fmp_exact(char out[FMP_TIME_TEXT_SIZE], double value)
{
    fmp_rounded(out, value);
    char text[FMP_TIME_TEXT_SIZE];
    snprintf(text, sizeof text, "%.15g", value);
    if (!isfinite(value) || strtod(text, NULL) == value) /* in the locale that wrote it */
        return;
    snprintf(out, FMP_TIME_TEXT_SIZE, "%.17g", value);
    fix_point(out);
}

/* A number with a unit right behind it; the widest has 10 columns. */
static void with_unit(char out[FMP_TIME_TEXT_SIZE], double value, int decimals, const char *unit)
{
    fmp_fixed(out, value, decimals);
    size_t length = strlen(out);
    snprintf(out + length, FMP_TIME_TEXT_SIZE - length, "%s", unit);
}

static void scientific(char out[FMP_TIME_TEXT_SIZE], double value, const char *unit)
{
    snprintf(out, FMP_TIME_TEXT_SIZE, "%.2e", value);
    fix_point(out);
    size_t length = strlen(out);
    snprintf(out + length, FMP_TIME_TEXT_SIZE - length, "%s", unit);
}

/* Each unit ends where rounding to its decimals would show 1000. */
void fmp_time_text(char out[FMP_TIME_TEXT_SIZE], double seconds)
{
    if (!isfinite(seconds) || seconds < 0)
        snprintf(out, FMP_TIME_TEXT_SIZE, "n/a");
    else if (seconds == 0)
        snprintf(out, FMP_TIME_TEXT_SIZE, "0us");
    else if (seconds < 0.9995e-6)
        with_unit(out, seconds * 1e6, 3, "us");
    else if (seconds < 999.95e-6)
        with_unit(out, seconds * 1e6, 1, "us");
    else if (seconds < 999.95e-3)
        with_unit(out, seconds * 1e3, 1, "ms");
    else if (seconds < 99999.9995)
        with_unit(out, seconds, 3, "s");
    else if (seconds < 1e9)
        with_unit(out, seconds, 0, "s");
    else
        scientific(out, seconds, "s");
}

void fmp_bytes_text(char out[FMP_TIME_TEXT_SIZE], int64_t bytes)
{
    static const char *const units[] = {" KiB", " MiB", " GiB", " TiB", " PiB", " EiB"};
    if (bytes > -1024 && bytes < 1024) {
        snprintf(out, FMP_TIME_TEXT_SIZE, bytes ? "%+d B" : "%d B", (int)bytes);
        return;
    }
    double value = fabs((double)bytes) / 1024;
    size_t unit = 0;
    for (; value >= 1023.95 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        value /= 1024;
    snprintf(out, FMP_TIME_TEXT_SIZE, "%+.1f", bytes < 0 ? -value : value);
    fix_point(out);
    strcat(out, units[unit]);
}

void fmp_count_text(char out[FMP_TIME_TEXT_SIZE], uint64_t count, int columns)
{
    int length = snprintf(out, FMP_TIME_TEXT_SIZE, "%" PRIu64, count);
    if (length > columns)
        scientific(out, (double)count, "");
}

double fmp_ratio(double part, double whole)
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

bool fmp_shares(const uint64_t *part, size_t count, int *tenths)
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

fmp_category *fmp_categories(const fmp_snapshot *snapshot, size_t *count)
{
    size_t operations = snapshot ? snapshot->operation_count : 0;
    *count = 0;
    fmp_category *categories = calloc(operations + 1, sizeof *categories);
    if (!categories)
        return NULL;
    for (size_t i = 0; i < operations; i++) {
        const fmp_operation *op = &snapshot->operations[i];
        if (*count == 0 || strcmp(categories[*count - 1].name, op->category) != 0)
            categories[(*count)++] = (fmp_category){.name = op->category, .operations = op};
        categories[*count - 1].count++;
        categories[*count - 1].self_ns += op->self_ns;
    }
    return categories;
}

static double figure_of(const fmp_operation *op, fmp_sort by)
{
    switch (by) {
    case FMP_SORT_SELF: return (double)op->self_ns;
    case FMP_SORT_COUNT: return (double)op->count;
    case FMP_SORT_MEAN: return op->mean_ns;
    case FMP_SORT_MAX: return (double)op->max_ns;
    case FMP_SORT_P99: return op->p99_ns;
    case FMP_SORT_NAME: return 0;
    case FMP_SORT_TOTAL: break;
    }
    return (double)op->total_ns;
}

typedef struct sort_key {
    double figure;
    const fmp_operation *op;
} sort_key;

static int by_figure(const void *a, const void *b)
{
    const sort_key *x = a, *y = b;
    if (x->figure != y->figure)
        return x->figure < y->figure ? 1 : -1;
    return strcmp(x->op->operation, y->op->operation);
}

bool fmp_sort_operations(const fmp_operation **operations, size_t count, fmp_sort by)
{
    sort_key *keys = calloc(count + 1, sizeof *keys);
    if (!keys)
        return false;
    for (size_t i = 0; i < count; i++)
        keys[i] = (sort_key){figure_of(operations[i], by), operations[i]};
    qsort(keys, count, sizeof *keys, by_figure);
    for (size_t i = 0; i < count; i++)
        operations[i] = keys[i].op;
    free(keys);
    return true;
}
