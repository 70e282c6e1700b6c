#include "watch/print_text.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "export/figures.h"
#include "export/text.h"
#include "export/utf8.h"

/* --- figures -------------------------------------------------------------------- */

/* "12.3 J", "4.5 mJ", "1.2 kW". */
static void amount_text(char out[FMP_TIME_TEXT_SIZE], double value, const char *unit)
{
    static const struct {
        double from, scale;
        const char *prefix;
    } steps[] = {{1e3, 1e-3, "k"}, {1, 1, ""}, {1e-3, 1e3, "m"}, {0, 1e6, "u"}};
    char number[FMP_TIME_TEXT_SIZE];
    size_t i = 0;
    while (value < steps[i].from)
        i++;
    if (value == 0)
        i = 1;
    fmp_fixed(number, value * steps[i].scale, 1);
    snprintf(out, FMP_TIME_TEXT_SIZE, "%.20s %s%s", number, steps[i].prefix, unit);
}

/* A column's number; "-" where it is not known. */
static void number_text(char out[FMP_TIME_TEXT_SIZE], const fmp_column *column, double value)
{
    enum { COUNT_COLUMNS = 10 };
    if (!isfinite(value)) {
        snprintf(out, FMP_TIME_TEXT_SIZE, "-");
        return;
    }
    switch (column->kind) {
    case FMP_COLUMN_COUNT:
        fmp_count_text(out, (uint64_t)value, COUNT_COLUMNS);
        break;
    case FMP_COLUMN_BYTES:
        fmp_bytes_text(out, (int64_t)value);
        if (out[0] == '+') /* most are sizes, not changes */
            memmove(out, out + 1, strlen(out));
        break;
    case FMP_COLUMN_SECONDS:
        fmp_time_text(out, value);
        break;
    case FMP_COLUMN_JOULES:
        amount_text(out, value, "J");
        break;
    case FMP_COLUMN_WATTS:
        amount_text(out, value, "W");
        break;
    case FMP_COLUMN_SHARE:
        fmp_fixed(out, value * 100, 1);
        strcat(out, "%");
        break;
    case FMP_COLUMN_TEXT:
        out[0] = '\0';
        break;
    }
}

/* --- a table ---------------------------------------------------------------------- */

/* How a table is laid out. */
typedef struct layout {
    int shown[FMP_SYSTEM_COLUMNS]; /* indices of columns, in order */
    int width[FMP_SYSTEM_COLUMNS]; /* of each of these */
    int count;
    int stack;   /* the column whose texts stand below their rows; -1: none */
    size_t rows; /* that are printed */
} layout;

static bool is_text(const fmp_column *column)
{
    return column->kind == FMP_COLUMN_TEXT;
}

static bool is_known(const fmp_table *table, size_t row, int column)
{
    if (is_text(&table->columns[column]))
        return fmp_table_text(table, row, column)[0] != '\0';
    return isfinite(fmp_table_number(table, row, column));
}

static bool column_is_known(const fmp_table *table, int column)
{
    for (size_t row = 0; row < table->row_count; row++)
        if (is_known(table, row, column))
            return true;
    return false;
}

static int cell_width(const fmp_table *table, size_t row, int column)
{
    char text[FMP_TIME_TEXT_SIZE];
    size_t width;
    if (is_text(&table->columns[column])) {
        width = fmp_utf8_width(fmp_table_text(table, row, column));
    } else {
        number_text(text, &table->columns[column], fmp_table_number(table, row, column));
        width = strlen(text);
    }
    return width < FMP_SYSTEM_COLUMNS ? (int)width : FMP_SYSTEM_COLUMNS;
}

static int column_width(const fmp_table *table, size_t rows, int column)
{
    int most = (int)strlen(table->columns[column].title);
    for (size_t row = 0; row < rows; row++) {
        const int width = cell_width(table, row, column);
        most = width > most ? width : most;
    }
    return most;
}

/* Takes from the widest text until the whole fits; numbers stay whole. */
static void narrow(const fmp_table *table, layout *l)
{
    enum { TEXT_LEAST = 12 };
    int all = l->count - 1;
    for (int i = 0; i < l->count; i++)
        all += l->width[i];
    while (all > FMP_SYSTEM_COLUMNS) {
        int widest = -1;
        for (int i = 0; i < l->count; i++)
            if (is_text(&table->columns[l->shown[i]]) && l->width[i] > TEXT_LEAST &&
                (widest < 0 || l->width[i] > l->width[widest]))
                widest = i;
        if (widest < 0)
            return;
        l->width[widest]--;
        all--;
    }
}

static layout lay_out(const fmp_table *table)
{
    layout l = {.stack = fmp_table_column(table, "stack")};
    const size_t most = l.stack < 0 ? FMP_SYSTEM_ROWS : FMP_SYSTEM_STACK_ROWS;
    l.rows = table->row_count < most ? table->row_count : most;
    for (int i = 0; i < (int)table->column_count && l.count < FMP_SYSTEM_COLUMNS; i++) {
        if (i == l.stack || !column_is_known(table, i))
            continue;
        l.shown[l.count] = i;
        l.width[l.count++] = column_width(table, l.rows, i);
    }
    narrow(table, &l);
    return l;
}

/* Text within so many columns; filled up to them where more follows on the line. */
static void print_text(FILE *out, const char *text, int columns, bool more)
{
    text = *text ? text : "-";
    if (more || fmp_utf8_width(text) > (size_t)columns) {
        if (columns >= 8) {
            fmp_utf8_print_fitted(out, text, columns);
        } else { /* all texts of the column fit, else it were wider */
            fmp_utf8_print(out, text);
            fprintf(out, "%*s", columns - (int)fmp_utf8_width(text), "");
        }
    } else {
        fmp_utf8_print(out, text);
    }
}

static void head(FILE *out, const fmp_table *table, const layout *l, bool utf8)
{
    for (int i = 0; i < l->count; i++) {
        const fmp_column *column = &table->columns[l->shown[i]];
        fputs(i > 0 ? " " : "", out);
        if (is_text(column))
            print_text(out, column->title, l->width[i], i + 1 < l->count);
        else
            fprintf(out, "%*s", l->width[i], column->title);
    }
    fputc('\n', out);
    for (int i = 0; i < l->count; i++) {
        fputs(i > 0 ? " " : "", out);
        fmp_text_dashes(out, l->width[i], utf8);
    }
    fputc('\n', out);
}

/* The length of the module's name in a frame without a function, "libx264.so.164+0x21d00"; 0: it has one. */
static size_t nameless(const char *frame, size_t length)
{
    size_t digits = 0;
    while (digits < length && strchr("0123456789abcdef", frame[length - 1 - digits]))
        digits++;
    const bool offset = digits > 0 && length > digits + 3 && memcmp(frame + length - digits - 3, "+0x", 3) == 0;
    return offset ? length - digits - 3 : 0;
}

static size_t frame_length(const char *stack)
{
    return strcspn(stack, "\n");
}

static const char *after_frame(const char *stack)
{
    stack += frame_length(stack);
    return stack + (*stack == '\n');
}

/* How many frames from here on are of one module and have no function: a library without symbols. */
static int nameless_run(const char *stack)
{
    const size_t module = nameless(stack, frame_length(stack));
    int run = 0;
    for (const char *at = stack; module > 0 && *at; at = after_frame(at), run++)
        if (nameless(at, frame_length(at)) != module || memcmp(at, stack, module) != 0)
            break;
    return run;
}

/* A frame a line, cut in its middle where it is too long; what has no names, in one line. */
static void print_stack(FILE *out, const char *stack)
{
    enum { INDENT = 4, FRAME_BYTES = 2048 };
    char frame[FRAME_BYTES];
    int lines = 0, more = 0;
    while (*stack) {
        const int run = nameless_run(stack);
        const size_t length = run > 1 ? nameless(stack, frame_length(stack)) : frame_length(stack);
        if (length > 0 && ++lines > FMP_SYSTEM_FRAMES) {
            more += run > 1 ? run : 1;
        } else if (length > 0) {
            fprintf(out, "%*s", INDENT, "");
            const int shown = (int)(length < FRAME_BYTES / 2 ? length : FRAME_BYTES / 2);
            if (run > 1)
                snprintf(frame, sizeof frame, "%.*s (%d calls without names)", shown, stack, run);
            else
                snprintf(frame, sizeof frame, "%.*s", shown, stack);
            print_text(out, frame, FMP_SYSTEM_COLUMNS - INDENT, false);
            fputc('\n', out);
        }
        for (int i = 0; i < (run > 1 ? run : 1); i++)
            stack = after_frame(stack);
    }
    if (more > 0)
        fprintf(out, "%*s... %d more\n", INDENT, "", more);
}

static void print_row(FILE *out, const fmp_table *table, size_t row, const layout *l)
{
    char text[FMP_TIME_TEXT_SIZE];
    for (int i = 0; i < l->count; i++) {
        const int column = l->shown[i];
        fputs(i > 0 ? " " : "", out);
        if (is_text(&table->columns[column])) {
            print_text(out, fmp_table_text(table, row, column), l->width[i], i + 1 < l->count);
        } else {
            number_text(text, &table->columns[column], fmp_table_number(table, row, column));
            fprintf(out, "%*s", l->width[i], text);
        }
    }
    fputc('\n', out);
    if (l->stack >= 0)
        print_stack(out, fmp_table_text(table, row, l->stack));
}

void fmp_text_system_table(FILE *out, const fmp_table *table, bool utf8)
{
    if (table->row_count == 0)
        return;
    const layout l = lay_out(table);
    fprintf(out, "%s\n", table->title);
    head(out, table, &l, utf8);
    for (size_t row = 0; row < l.rows; row++)
        print_row(out, table, row, &l);
    if (table->row_count > l.rows)
        fprintf(out, "... %zu more %s: the JSON has all\n", table->row_count - l.rows,
                table->row_count - l.rows == 1 ? "row" : "rows");
    if (table->note[0])
        fmp_text_wrapped(out, table->note, 0, FMP_SYSTEM_COLUMNS);
}

/* --- all of them --------------------------------------------------------------------- */

void fmp_text_system(FILE *out, const fmp_system_report *report, bool utf8)
{
    fputs("SYSTEM\n", out);
    fmp_text_rule(out, true, utf8);
    for (size_t i = 0; i < report->table_count; i++) {
        const fmp_table *table = &report->tables[i];
        fputs(i > 0 ? "\n" : "", out);
        if (strcmp(table->key, "facilities") == 0)
            fmp_text_facilities(out, table, utf8);
        else
            fmp_text_system_table(out, table, utf8);
    }
    fmp_text_rule(out, true, utf8);
}

int fmp_print_system_text(FILE *out, const fmp_system_report *report)
{
    errno = 0;
    fmp_text_rule(out, true, false);
    fmp_text_system(out, report, false);
    return fflush(out) == 0 && !ferror(out) ? 0 : -1;
}
