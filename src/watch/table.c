#include "watch/table.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "watch/columns.h"

/* Texts are cut out of chunks, which stay where they are until the report is freed. */
typedef struct chunk {
    struct chunk *next;
    size_t used, size;
    char text[];
} chunk;
enum { CHUNK_SIZE = 16 * 1024 };

typedef struct rows {
    const fmp_table *known;
    fmp_cell *cells;
    size_t count, capacity; /* rows */
} rows;

struct fmp_tables {
    fmp_system_report report; /* what it becomes; its memory is this struct */
    chunk *chunks;
    rows *tables; /* as many as are known, in their order */
    rows *now;
    fmp_table *finished;
    fmp_stack *stacks;
    size_t stack_count, stack_capacity;
    bool failed;
};

fmp_tables *fmp_tables_create(void)
{
    fmp_tables *tables = calloc(1, sizeof *tables);
    if (!tables)
        return NULL;
    tables->tables = calloc(fmp_known_table_count, sizeof *tables->tables);
    if (!tables->tables) {
        free(tables);
        return NULL;
    }
    for (size_t i = 0; i < fmp_known_table_count; i++)
        tables->tables[i].known = &fmp_known_tables[i];
    return tables;
}

void fmp_tables_free(fmp_tables **tables)
{
    if (!tables || !*tables)
        return;
    fmp_tables *t = *tables;
    for (size_t i = 0; i < fmp_known_table_count; i++)
        free(t->tables[i].cells);
    for (chunk *c = t->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    for (size_t i = 0; i < t->stack_count; i++)
        free((void *)t->stacks[i].frames);
    free(t->stacks);
    free(t->tables);
    free(t->finished);
    free(t);
    *tables = NULL;
}

/* Room for so many bytes; NULL when memory is out. */
static char *text_room(fmp_tables *tables, size_t size)
{
    chunk *c = tables->chunks;
    if (!c || c->size - c->used < size) {
        const size_t whole = size > CHUNK_SIZE ? size : CHUNK_SIZE;
        c = malloc(sizeof *c + whole);
        if (!c) {
            tables->failed = true;
            return NULL;
        }
        *c = (chunk){.next = tables->chunks, .size = whole};
        tables->chunks = c;
    }
    char *room = c->text + c->used;
    c->used += size;
    return room;
}

static const char *copy_text(fmp_tables *tables, const char *text)
{
    if (!text || !text[0])
        return "";
    const size_t size = strlen(text) + 1;
    char *room = text_room(tables, size);
    return room ? memcpy(room, text, size) : "";
}

const char *fmp_tables_text(fmp_tables *tables, const char *format, ...)
{
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    const int length = vsnprintf(NULL, 0, format, list);
    char *room = length > 0 ? text_room(tables, (size_t)length + 1) : NULL;
    if (room)
        vsnprintf(room, (size_t)length + 1, format, again);
    va_end(again);
    va_end(list);
    return room ? room : "";
}

void fmp_table_begin(fmp_tables *tables, const char *key)
{
    tables->now = NULL;
    for (size_t i = 0; i < fmp_known_table_count && !tables->now; i++)
        if (strcmp(tables->tables[i].known->key, key) == 0)
            tables->now = &tables->tables[i];
}

/* `array` with room for one more of `size` bytes; NULL (`array` stays) when memory is out. */
static void *grown(fmp_tables *tables, void *array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    const size_t more = *capacity ? *capacity * 2 : 16;
    void *bigger = realloc(array, more * size);
    if (bigger)
        *capacity = more;
    else
        tables->failed = true;
    return bigger;
}

void fmp_table_row(fmp_tables *tables, const fmp_cell *cells)
{
    rows *r = tables->now;
    if (!r)
        return;
    const size_t columns = r->known->column_count;
    fmp_cell *all = grown(tables, r->cells, r->count, &r->capacity, columns * sizeof *all);
    if (!all)
        return;
    r->cells = all;
    fmp_cell *row = all + r->count++ * columns;
    for (size_t i = 0; i < columns; i++) {
        const fmp_column *column = &r->known->columns[i];
        if (column->merge == FMP_MERGE_RATIO)
            row[i] = FMP_NUMBER(NAN);
        else if (column->kind == FMP_COLUMN_TEXT)
            row[i] = FMP_TEXT(copy_text(tables, (cells++)->text));
        else
            row[i] = FMP_NUMBER(fmp_column_value(column, (cells++)->number));
    }
}

void fmp_table_add(fmp_tables *tables, const char *key, const fmp_cell *cells)
{
    rows *before = tables->now;
    fmp_table_begin(tables, key);
    fmp_table_row(tables, cells);
    tables->now = before;
}

void fmp_stack_add(fmp_tables *tables, const fmp_stack *stack)
{
    fmp_stack *all = grown(tables, tables->stacks, tables->stack_count, &tables->stack_capacity, sizeof *all);
    if (!all)
        return;
    tables->stacks = all;
    const char **frames = calloc(stack->frame_count + 1, sizeof *frames);
    if (!frames) {
        tables->failed = true;
        return;
    }
    for (size_t i = 0; i < stack->frame_count; i++)
        frames[i] = copy_text(tables, stack->frames[i]);
    all[tables->stack_count++] = (fmp_stack){.operation = copy_text(tables, stack->operation),
                                             .frames = frames,
                                             .frame_count = stack->frame_count,
                                             .count = stack->count};
}

fmp_system_report *fmp_tables_finish(fmp_tables **tables)
{
    fmp_tables *t = *tables;
    t->finished = calloc(fmp_known_table_count, sizeof *t->finished);
    if (t->failed || !t->finished) {
        fmp_tables_free(tables);
        return NULL;
    }
    size_t count = 0;
    for (size_t i = 0; i < fmp_known_table_count; i++) {
        const rows *r = &t->tables[i];
        if (r->count == 0)
            continue;
        t->finished[count] = *r->known;
        t->finished[count].cells = r->cells;
        t->finished[count++].row_count = r->count;
    }
    t->report = (fmp_system_report){.tables = t->finished,
                                    .table_count = count,
                                    .stacks = t->stacks,
                                    .stack_count = t->stack_count,
                                    .memory = t};
    *tables = NULL;
    return &t->report;
}

void fmp_system_report_free(fmp_system_report **report)
{
    if (!report || !*report)
        return;
    fmp_tables *tables = (*report)->memory;
    fmp_tables_free(&tables);
    *report = NULL;
}

/* --- reading a report ---------------------------------------------------------- */

const fmp_table *fmp_system_table(const fmp_system_report *report, const char *key)
{
    for (size_t i = 0; i < report->table_count; i++)
        if (strcmp(report->tables[i].key, key) == 0)
            return &report->tables[i];
    return NULL;
}

int fmp_table_column(const fmp_table *table, const char *key)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i].key, key) == 0)
            return (int)i;
    return -1;
}

static const fmp_cell *cell_at(const fmp_table *table, size_t row, int column)
{
    const bool there = row < table->row_count && column >= 0 && (size_t)column < table->column_count;
    return there ? &table->cells[row * table->column_count + (size_t)column] : NULL;
}

double fmp_table_number(const fmp_table *table, size_t row, int column)
{
    const fmp_cell *cell = cell_at(table, row, column);
    if (!cell || table->columns[column].kind == FMP_COLUMN_TEXT)
        return (double)NAN;
    const fmp_column *c = &table->columns[column];
    if (c->merge != FMP_MERGE_RATIO)
        return cell->number;
    const double of = fmp_table_number(table, row, c->of), per = fmp_table_number(table, row, c->per);
    return per != 0 ? of / per : (double)NAN;
}

const char *fmp_table_text(const fmp_table *table, size_t row, int column)
{
    const fmp_cell *cell = cell_at(table, row, column);
    return cell && table->columns[column].kind == FMP_COLUMN_TEXT ? cell->text : "";
}
