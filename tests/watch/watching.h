/* What tests of the system's side share: cells by name, sums, and work of known kind. */
#ifndef TESTS_WATCHING_H
#define TESTS_WATCHING_H

#include <math.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "fmprof/system.h"

/* The row whose first text column is `name`; -1: none. */
static inline long row_of(const fmp_table *table, const char *name)
{
    for (size_t i = 0; table && i < table->row_count; i++)
        if (strcmp(fmp_table_text(table, i, 0), name) == 0)
            return (long)i;
    return -1;
}

/* A number by names of row and column; not a number when either is missing. */
static inline double cell(const fmp_system_report *report, const char *table, const char *row, const char *column)
{
    const fmp_table *t = fmp_system_table(report, table);
    const long at = row_of(t, row);
    return at < 0 ? (double)NAN : fmp_table_number(t, (size_t)at, fmp_table_column(t, column));
}

/* The sum of a column over all rows but `without` (NULL: all); what is not known counts as 0. */
static inline double column_sum(const fmp_table *table, const char *column, const char *without)
{
    double sum = 0;
    for (size_t i = 0; table && i < table->row_count; i++) {
        const double value = fmp_table_number(table, i, fmp_table_column(table, column));
        if (!isnan(value) && !(without && strcmp(fmp_table_text(table, i, 0), without) == 0))
            sum += value;
    }
    return sum;
}

static inline double clock_seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* User and kernel time of the process. */
static inline double process_cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* Takes so much CPU time of the calling thread, however busy the machine is. */
static inline void burn(double seconds)
{
    const double end = clock_seconds(CLOCK_THREAD_CPUTIME_ID) + seconds;
    volatile unsigned value = 1;
    while (clock_seconds(CLOCK_THREAD_CPUTIME_ID) < end)
        for (int i = 0; i < 1000; i++)
            value = value * 1664525u + 1013904223u;
}

static inline void nap(double seconds)
{
    const struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&t, NULL);
}

#endif
