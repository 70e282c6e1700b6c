/*
 * Tables of numbers with a head, from anywhere: CSV without quotes, read row by
 * row. Blanks around cells are passed over (OpenFace writes them), an empty cell
 * or "nan" is NAN. Limits: FM_CSV_LINE_MAX bytes a line, FM_CSV_COLUMNS_MAX
 * columns, FM_CSV_ROWS_MAX rows.
 *
 * Thread-safety: Unsafe.
 */
#ifndef FM_ADVICE_CSV_TABLE_H
#define FM_ADVICE_CSV_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "facemirror/error.h"

enum { FM_CSV_LINE_MAX = 1 << 18, FM_CSV_COLUMNS_MAX = 4096, FM_CSV_ROWS_MAX = 1 << 20 };

typedef struct fm_csv_table fm_csv_table;

/* Opens a regular file and reads its head. FM_E_NOT_FOUND, FM_E_BAD_INPUT, FM_E_NO_MEMORY. */
fm_status fm_csv_open(fm_csv_table **out, const char *path, fm_error *err);
void fm_csv_close(fm_csv_table **table); /* NULL and *NULL are fine */

/* The column of that name, -1: there is none. */
int fm_csv_column(const fm_csv_table *table, const char *name);
int fm_csv_columns(const fm_csv_table *table);
const char *fm_csv_column_name(const fm_csv_table *table, int column);

/* Reads the next row; *end when there is none. FM_E_BAD_INPUT: cells are missing or too many. */
fm_status fm_csv_next(fm_csv_table *table, bool *end, fm_error *err);
/* A number of the row that was read; FM_E_BAD_INPUT: it is none. */
fm_status fm_csv_number(const fm_csv_table *table, int column, double *out, fm_error *err);
/* The same for what must be there: a whole number, 0 or more. */
fm_status fm_csv_integer(const fm_csv_table *table, int column, int64_t *out, fm_error *err);

#endif
