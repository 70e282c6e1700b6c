/*
 * Tables while they are made, and the report that they become.
 *
 * Memory that is out is remembered: rows go nowhere from then on, and
 * fmp_tables_finish gives NULL. Thread-safety: one thread at a time.
 */
#ifndef FMP_WATCH_TABLE_H
#define FMP_WATCH_TABLE_H

#include "fmprof/system.h"

typedef struct fmp_tables fmp_tables;

fmp_tables *fmp_tables_create(void); /* NULL when memory is out */
void fmp_tables_free(fmp_tables **tables);

/* Begins a known table (columns.h), to which the next rows belong; goes on with one that was begun before. */
void fmp_table_begin(fmp_tables *tables, const char *key);
/*
 * Adds a row: a cell for each column that is not a ratio, in their order. Texts are copied; NULL is "". Numbers become
 * what their column can hold (fmp_column_value): what is impossible, such as negative seconds, is not known.
 */
void fmp_table_row(fmp_tables *tables, const fmp_cell *cells);
/* Adds a row to a known table that need not be the one that was begun, which stays so. */
void fmp_table_add(fmp_tables *tables, const char *key, const fmp_cell *cells);
#define FMP_TEXT(value) ((fmp_cell){.text = (value)})
#define FMP_NUMBER(value) ((fmp_cell){.number = (double)(value)})

/* Adds a stack; everything is copied. */
void fmp_stack_add(fmp_tables *tables, const fmp_stack *stack);

/* A text that lives as long as the report, made as printf does; "" when memory is out. */
const char *fmp_tables_text(fmp_tables *tables, const char *format, ...)
#if defined(__GNUC__) || defined(__clang__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

/* The report of all tables that have rows, in the order of columns.h. Frees `tables`. NULL when memory was out. */
fmp_system_report *fmp_tables_finish(fmp_tables **tables);

#endif
