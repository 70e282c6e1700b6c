#include "advice/csv_table.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "facemirror/path.h"

struct fm_csv_table {
    char path[FM_PATH_MAX];
    FILE *file;
    int64_t line;            /* that was read last, from 1 */
    int columns;
    char *head;              /* the first line, cut into names */
    char *row;               /* the current line, cut into cells */
    const char **names, **cells; /* FM_CSV_COLUMNS_MAX each */
};

static fm_status bad(const fm_csv_table *t, fm_error *err, const char *what)
{
    return fm_fail(err, FM_E_BAD_INPUT, "'%s', line %lld: %s", t->path, (long long)t->line, what);
}

/* Reads a line without its end; false at the end of the file. */
static fm_status read_line(fm_csv_table *t, char *out, bool *end, fm_error *err)
{
    *end = false;
    t->line++;
    if (!fgets(out, FM_CSV_LINE_MAX, t->file)) {
        *end = true;
        return ferror(t->file) ? fm_fail(err, FM_E_NOT_FOUND, "cannot read '%s': %s", t->path, strerror(errno)) : FM_OK;
    }
    size_t length = strlen(out);
    if (length == 0) /* begins with a NUL */
        return bad(t, err, "it is no text");
    if (out[length - 1] != '\n' && !feof(t->file))
        return bad(t, err, "it is longer than a table's, or no text");
    while (length > 0 && (out[length - 1] == '\n' || out[length - 1] == '\r'))
        length--;
    out[length] = '\0';
    return FM_OK;
}

/* Cuts a line at its commas and takes blanks away; the number of cells, -1: too many. */
static int cut(char *line, const char **cells)
{
    int count = 0;
    for (char *at = line; at;) {
        if (count == FM_CSV_COLUMNS_MAX)
            return -1;
        char *comma = strchr(at, ',');
        char *end = comma ? comma : at + strlen(at);
        at += strspn(at, " \t");
        while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
            end--;
        *end = '\0';
        cells[count++] = at;
        at = comma ? comma + 1 : NULL;
    }
    return count;
}

static fm_status open_file(fm_csv_table *t, const char *path, fm_error *err)
{
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* opening a FIFO must not hang */
    if (fd < 0)
        return fm_fail(err, FM_E_NOT_FOUND, "cannot open '%s': %s", path, strerror(errno));
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        t->file = fdopen(fd, "r");
    if (t->file)
        return FM_OK;
    close(fd);
    return fm_fail(err, FM_E_NOT_FOUND, "'%s' is not a regular file", path);
}

fm_status fm_csv_open(fm_csv_table **out, const char *path, fm_error *err)
{
    *out = NULL;
    fm_csv_table *t = calloc(1, sizeof *t);
    if (t) {
        t->head = malloc(FM_CSV_LINE_MAX);
        t->row = malloc(FM_CSV_LINE_MAX);
        t->names = calloc(FM_CSV_COLUMNS_MAX, sizeof *t->names);
        t->cells = calloc(FM_CSV_COLUMNS_MAX, sizeof *t->cells);
    }
    fm_status status = t && t->head && t->row && t->names && t->cells
                           ? FM_OK
                           : fm_fail(err, FM_E_NO_MEMORY, "out of memory for the table '%s'", path);
    bool end = false;
    if (status == FM_OK) {
        snprintf(t->path, sizeof t->path, "%s", path);
        status = open_file(t, path, err);
    }
    if (status == FM_OK)
        status = read_line(t, t->head, &end, err);
    if (status == FM_OK && end)
        status = bad(t, err, "the table is empty");
    if (status == FM_OK && (t->columns = cut(t->head, t->names)) < 0)
        status = bad(t, err, "it has too many columns");
    if (status != FM_OK) {
        fm_csv_close(&t);
        return status;
    }
    *out = t;
    return FM_OK;
}

void fm_csv_close(fm_csv_table **table)
{
    fm_csv_table *t = table ? *table : NULL;
    if (!t)
        return;
    if (t->file)
        fclose(t->file);
    free(t->head);
    free(t->row);
    free(t->names);
    free(t->cells);
    free(t);
    *table = NULL;
}

int fm_csv_column(const fm_csv_table *t, const char *name)
{
    for (int i = 0; i < t->columns; i++)
        if (strcmp(t->names[i], name) == 0)
            return i;
    return -1;
}

int fm_csv_columns(const fm_csv_table *t)
{
    return t->columns;
}

const char *fm_csv_column_name(const fm_csv_table *t, int column)
{
    return t->names[column];
}

fm_status fm_csv_next(fm_csv_table *t, bool *end, fm_error *err)
{
    fm_status status = read_line(t, t->row, end, err);
    if (status != FM_OK || *end)
        return status;
    if (t->line > FM_CSV_ROWS_MAX)
        return bad(t, err, "the table has too many rows");
    const int count = cut(t->row, t->cells);
    return count == t->columns ? FM_OK : bad(t, err, "it has not as many cells as the head has names");
}

/* A cell or name for an error: whatever stands in the file, on one line. */
static const char *readable(char out[41], const char *text)
{
    size_t i = 0;
    for (; i < 40 && text[i]; i++)
        out[i] = text[i] >= 0x20 && text[i] < 0x7F ? text[i] : '?';
    out[i] = '\0';
    return out;
}

static fm_status bad_cell(const fm_csv_table *t, int column, const char *kind, fm_error *err)
{
    char cell[41], name[41];
    return fm_fail(err, FM_E_BAD_INPUT, "'%s', line %lld: '%s' is no %s for %s", t->path, (long long)t->line,
                   readable(cell, t->cells[column]), kind, readable(name, t->names[column]));
}

fm_status fm_csv_number(const fm_csv_table *t, int column, double *out, fm_error *err)
{
    const char *text = t->cells[column];
    char *end;
    *out = (double)NAN;
    if (!*text)
        return FM_OK;
    const double value = strtod(text, &end);
    if (end == text || *end || isinf(value))
        return bad_cell(t, column, "number", err);
    *out = value;
    return FM_OK;
}

fm_status fm_csv_integer(const fm_csv_table *t, int column, int64_t *out, fm_error *err)
{
    double value;
    *out = 0;
    const fm_status status = fm_csv_number(t, column, &value, err);
    if (status != FM_OK)
        return status;
    if (!(value >= 0 && value < 9e15) || value > floor(value))
        return bad_cell(t, column, "whole number", err);
    *out = (int64_t)value;
    return FM_OK;
}
