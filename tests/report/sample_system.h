/* A system report with every table, made of known figures: rows in falling order, unknown figures, foreign text. */
#ifndef SAMPLE_SYSTEM_H
#define SAMPLE_SYSTEM_H

#include <math.h>
#include <string.h>

#include "watch/columns.h"
#include "watch/table.h"

enum { SAMPLE_SYSTEM_ROWS = 3 };

/* What a cell of a number holds: falling from row to row, with a fraction where the kind has one. */
static inline double sample_system_number(const fmp_column *column, size_t row, size_t index)
{
    const double whole = (double)(1000 * (SAMPLE_SYSTEM_ROWS - row) + 7 * index);
    if (column->kind == FMP_COLUMN_COUNT || column->kind == FMP_COLUMN_BYTES)
        return whole;
    return whole / 3000;
}

static inline void sample_system_table(fmp_tables *tables, const fmp_table *known)
{
    fmp_table_begin(tables, known->key);
    for (size_t row = 0; row < SAMPLE_SYSTEM_ROWS; row++) {
        fmp_cell cells[32];
        size_t count = 0;
        for (size_t i = 0; i < known->column_count; i++) {
            const fmp_column *column = &known->columns[i];
            if (column->merge == FMP_MERGE_RATIO)
                continue;
            if (strcmp(column->key, "stack") == 0)
                cells[count++] = FMP_TEXT(fmp_tables_text(tables, "inner %zu\nouter (main.c:%zu)", row, row + 1));
            else if (column->kind == FMP_COLUMN_TEXT)
                cells[count++] = FMP_TEXT(fmp_tables_text(tables, "%s %zu", column->key, row));
            else
                cells[count++] = FMP_NUMBER(sample_system_number(column, row, i));
        }
        fmp_table_row(tables, cells);
    }
}

static inline void sample_facilities(fmp_tables *tables)
{
    static const char *const rows[][5] = {
        {"cpu", "CPU time of threads", "on", "/proc/self/task, 20 readings a second", ""},
        {"cpu", "migrations", "not permitted", "perf_event_open: perf_event_paranoid is 3",
         "sudo sysctl kernel.perf_event_paranoid=1"},
        {"sample", "stacks by perf_event", "not permitted", "perf_event_open: perf_event_paranoid is 3",
         "sudo sysctl kernel.perf_event_paranoid=1"},
        {"syscalls", "", "off", "", ""},
        {"gpu", "NVIDIA", "not here", "libnvidia-ml.so.1 is not installed \x1b[31m\xff", ""},
    };
    fmp_table_begin(tables, "facilities");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        fmp_table_row(tables, (fmp_cell[]){FMP_TEXT(rows[i][0]), FMP_TEXT(rows[i][1]), FMP_TEXT(rows[i][2]),
                                           FMP_TEXT(rows[i][3]), FMP_TEXT(rows[i][4])});
}

/* Free it; NULL when memory is out. */
static inline fmp_system_report *sample_system(void)
{
    fmp_tables *tables = fmp_tables_create();
    if (!tables)
        return NULL;
    sample_facilities(tables);
    for (size_t i = 1; i < fmp_known_table_count; i++)
        sample_system_table(tables, &fmp_known_tables[i]);
    /* Of this thread little is known, and its name is no text. */
    fmp_table_begin(tables, "threads");
    fmp_table_row(tables, (fmp_cell[]){FMP_TEXT("odd \x1b[2J\xff\xe2\x82"), FMP_NUMBER(0.125), FMP_NUMBER(NAN),
                                       FMP_NUMBER(NAN), FMP_NUMBER(0), FMP_NUMBER(NAN), FMP_NUMBER(NAN),
                                       FMP_NUMBER(0)});
    return fmp_tables_finish(&tables);
}

#endif
