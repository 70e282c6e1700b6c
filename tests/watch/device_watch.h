/* A facility alone, with times that the test gives, and what its report says. */
#ifndef FMP_TEST_DEVICE_WATCH_H
#define FMP_TEST_DEVICE_WATCH_H

#include <math.h>
#include <string.h>

#include "fake_tree.h"
#include "watch/facility.h"

typedef struct device_watch {
    const fmp_facility_calls *calls;
    fmp_system_options options;
    fmp_watch_info info;
    fmp_tables *tables;
    void *state;
} device_watch;

static inline void watch_start(device_watch *watch, const fmp_facility_calls *calls, const fake_tree *tree)
{
    *watch = (device_watch){.calls = calls,
                            .options = {.facilities = FMP_SYSTEM_ALL, .readings_hz = 20},
                            .info = {.root = tree->root, .start_ns = fmp_now()},
                            .tables = fmp_tables_create()};
    watch->state = calls->start(&watch->options, &watch->info, watch->tables);
}

/* A reading so many milliseconds after the start. */
static inline void watch_read(device_watch *watch, unsigned after_ms)
{
    if (watch->state)
        watch->calls->read(watch->state, &watch->info, watch->info.start_ns + after_ms * UINT64_C(1000000));
}

static inline fmp_system_report *watch_stop(device_watch *watch, unsigned after_ms, uint64_t units)
{
    watch->info.end_ns = watch->info.start_ns + after_ms * UINT64_C(1000000);
    watch->info.units = units;
    watch_read(watch, after_ms);
    if (watch->state)
        watch->calls->stop(watch->state, &watch->info, watch->tables);
    return fmp_tables_finish(&watch->tables);
}

/* A number of the row whose first column is `name`; not a number where there is none. */
static inline double told(const fmp_system_report *report, const char *key, const char *name, const char *column)
{
    const fmp_table *table = fmp_system_table(report, key);
    for (size_t row = 0; table && row < table->row_count; row++)
        if (strcmp(fmp_table_text(table, row, 0), name) == 0)
            return fmp_table_number(table, row, fmp_table_column(table, column));
    return (double)NAN;
}

static inline size_t rows(const fmp_system_report *report, const char *key)
{
    const fmp_table *table = fmp_system_table(report, key);
    return table ? table->row_count : 0;
}

/* A column of the facilities' row of that name; "" where there is none. */
static inline const char *said(const fmp_system_report *report, const char *what, const char *column)
{
    const fmp_table *table = fmp_system_table(report, "facilities");
    for (size_t row = 0; table && row < table->row_count; row++)
        if (strcmp(fmp_table_text(table, row, 1), what) == 0)
            return fmp_table_text(table, row, fmp_table_column(table, column));
    return "";
}

#endif
