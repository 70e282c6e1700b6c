/* The table "facilities" in the text report. Its columns are those of columns.c, in their order. */
#include <string.h>

#include "export/text.h"
#include "export/utf8.h"
#include "watch/print_text.h"

enum { FACILITY, WHAT, STATE, HOW, REMEDY };
enum { FACILITY_COLUMNS = 8, STATE_COLUMNS = 13, WHAT_MOST = 34, WHAT_LEAST = 8, REMEDY_INDENT = 2, NAME_MOST = 60 };

/* What the row is about; a facility that is off has no more than its name. */
static const char *name_of(const fmp_table *table, size_t row)
{
    const char *what = fmp_table_text(table, row, WHAT);
    return *what ? what : fmp_table_text(table, row, FACILITY);
}

static int what_columns(const fmp_table *table)
{
    size_t most = WHAT_LEAST;
    for (size_t row = 0; row < table->row_count; row++) {
        const size_t width = fmp_utf8_width(fmp_table_text(table, row, WHAT));
        most = width > most ? width : most;
    }
    return most < WHAT_MOST ? (int)most : WHAT_MOST;
}

static const char *how_of(const fmp_table *table, size_t row)
{
    const char *how = fmp_table_text(table, row, HOW);
    if (*how)
        return how;
    return strcmp(fmp_table_text(table, row, STATE), "off") == 0 ? "not asked for" : "-";
}

/* Has a row before this one the same text? */
static bool told_before(const fmp_table *table, size_t row, int column)
{
    for (size_t i = 0; i < row; i++)
        if (strcmp(fmp_table_text(table, i, column), fmp_table_text(table, row, column)) == 0)
            return true;
    return false;
}

static void print_row(FILE *out, const fmp_table *table, size_t row, const char *facility, int what, int how)
{
    const char *state = fmp_table_text(table, row, STATE);
    fmp_utf8_print_fitted(out, facility, FACILITY_COLUMNS);
    fputc(' ', out);
    fmp_utf8_print_fitted(out, fmp_table_text(table, row, WHAT), what);
    fputc(' ', out);
    fmp_utf8_print_fitted(out, *state ? state : "differs", STATE_COLUMNS); /* as of merged runs */
    fputc(' ', out);
    fmp_text_wrapped(out, how_of(table, row), how, FMP_SYSTEM_COLUMNS);
}

/* All rows of the facility whose first one this is: what is known at the end alone stands behind the rest. */
static void print_facility(FILE *out, const fmp_table *table, size_t first, int what, int how)
{
    const char *facility = fmp_table_text(table, first, FACILITY);
    print_row(out, table, first, facility, what, how);
    for (size_t row = first + 1; row < table->row_count; row++)
        if (strcmp(fmp_table_text(table, row, FACILITY), facility) == 0)
            print_row(out, table, row, "", what, how);
}

static void print_rows(FILE *out, const fmp_table *table, bool utf8)
{
    const int what = what_columns(table), how = FACILITY_COLUMNS + 1 + what + 1 + STATE_COLUMNS + 1;
    fprintf(out, "%-*s %-*s %-*s %s\n", FACILITY_COLUMNS, "", what, "What", STATE_COLUMNS, "State", "How, or why not");
    const int widths[] = {FACILITY_COLUMNS, what, STATE_COLUMNS, FMP_SYSTEM_COLUMNS - how};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        fputs(i > 0 ? " " : "", out);
        fmp_text_dashes(out, widths[i], utf8);
    }
    fputc('\n', out);
    for (size_t row = 0; row < table->row_count; row++)
        if (!told_before(table, row, FACILITY))
            print_facility(out, table, row, what, how);
}

/* A name, on a new line where this one has no room for it and a comma; returns the column behind it. */
static int print_name(FILE *out, const char *name, int column)
{
    const size_t width = fmp_utf8_width(name);
    const int shown = width < NAME_MOST ? (int)width : NAME_MOST;
    if (column > REMEDY_INDENT && column + shown + 2 > FMP_SYSTEM_COLUMNS) {
        fprintf(out, "\n%*s", REMEDY_INDENT, "");
        column = REMEDY_INDENT;
    } else if (column > REMEDY_INDENT) {
        fputc(' ', out);
        column++;
    }
    if (width > NAME_MOST)
        fmp_utf8_print_fitted(out, name, NAME_MOST);
    else
        fmp_utf8_print(out, name);
    return column + shown;
}

/* What stays out for one reason is told together. */
static void print_remedies(FILE *out, const fmp_table *table)
{
    bool any = false;
    for (size_t row = 0; row < table->row_count; row++) {
        const char *remedy = fmp_table_text(table, row, REMEDY);
        if (!*remedy || told_before(table, row, REMEDY))
            continue;
        fprintf(out, "%s%*s", any ? "" : "\nTo permit:\n", REMEDY_INDENT, "");
        any = true;
        int column = print_name(out, name_of(table, row), REMEDY_INDENT);
        for (size_t i = row + 1; i < table->row_count; i++)
            if (strcmp(fmp_table_text(table, i, REMEDY), remedy) == 0) {
                fputc(',', out);
                column = print_name(out, name_of(table, i), column + 1);
            }
        fprintf(out, ":\n%*s", 2 * REMEDY_INDENT, "");
        fmp_text_wrapped(out, remedy, 2 * REMEDY_INDENT, FMP_SYSTEM_COLUMNS);
    }
}

void fmp_text_facilities(FILE *out, const fmp_table *table, bool utf8)
{
    print_rows(out, table, utf8);
    print_remedies(out, table);
}
