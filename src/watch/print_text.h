/*
 * The tables of a system report for people, whatever they hold: figures in fitting units, foreign text made harmless,
 * at most 100 columns. Columns of which nothing is known are left out, and so are rows beyond the first ones.
 *
 * Errors stay in the stream, where the caller looks. Thread-safety: Safe.
 */
#ifndef FMP_WATCH_PRINT_TEXT_H
#define FMP_WATCH_PRINT_TEXT_H

#include "fmprof/system.h"

enum {
    FMP_SYSTEM_COLUMNS = 100,
    FMP_SYSTEM_ROWS = 15,       /* of a table */
    FMP_SYSTEM_STACK_ROWS = 4,  /* of a table whose rows have call stacks under them */
    FMP_SYSTEM_FRAMES = 10      /* of such a stack */
};

/* The section SYSTEM, which goes on below a rule and ends with one. `utf8`: box-drawing rules. */
void fmp_text_system(FILE *out, const fmp_system_report *report, bool utf8);

/* One table: title, head, rows, note. Nothing for a table without rows. */
void fmp_text_system_table(FILE *out, const fmp_table *table, bool utf8);

/* The table "facilities": what ran and how, and how to permit what did not. */
void fmp_text_facilities(FILE *out, const fmp_table *table, bool utf8);

#endif
