/* Tables of several runs become one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/profile_system.h"
#include "watch/columns.h"
#include "watch/table.h"

/* The rows of one table, of all profiles. Texts are the profiles'. */
typedef struct rows {
    const fmp_table *known;
    fmp_cell *cells;
    size_t count;
    size_t *slots; /* row + 1, by the hash of its keys; 0: free */
    size_t mask;   /* slots - 1; their number is a power of two */
} rows;

/* The table of a profile; NULL: it has none. */
static const fmp_table *table_of(const fm_profile *profile, const char *key)
{
    return profile->run.system ? fmp_system_table(profile->run.system, key) : NULL;
}

static bool rows_create(rows *r, const fmp_table *known, size_t room)
{
    size_t slots = 16;
    while (slots < 2 * room)
        slots *= 2;
    *r = (rows){.known = known, .mask = slots - 1};
    r->cells = calloc(room * known->column_count + 1, sizeof *r->cells);
    r->slots = calloc(slots, sizeof *r->slots);
    return r->cells && r->slots;
}

static void rows_free(rows *r)
{
    free(r->cells);
    free(r->slots);
}

/* FNV-1a over the key texts with their ends. */
static size_t hash_of(const fmp_table *known, const fmp_cell *row)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < known->column_count; i++) {
        if (known->columns[i].merge != FMP_MERGE_KEY)
            continue;
        const char *c = row[i].text;
        do
            hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
        while (*c++);
    }
    return (size_t)(hash ^ hash >> 32);
}

static bool same_keys(const fmp_table *known, const fmp_cell *a, const fmp_cell *b)
{
    for (size_t i = 0; i < known->column_count; i++)
        if (known->columns[i].merge == FMP_MERGE_KEY && strcmp(a[i].text, b[i].text) != 0)
            return false;
    return true;
}

static void merge_cell(const fmp_column *column, fmp_cell *to, const fmp_cell *from)
{
    switch (column->merge) {
    case FMP_MERGE_FACT:
        if (strcmp(to->text, from->text) != 0)
            to->text = "";
        break;
    case FMP_MERGE_SUM:
        to->number += from->number; /* not a number when one is none */
        break;
    case FMP_MERGE_MAX:
        to->number = isnan(to->number) || from->number <= to->number ? to->number : from->number;
        break;
    case FMP_MERGE_KEY:
    case FMP_MERGE_RATIO:
        break;
    }
}

static void rows_add(rows *r, const fmp_cell *row)
{
    const size_t columns = r->known->column_count;
    size_t at = hash_of(r->known, row) & r->mask;
    while (r->slots[at] && !same_keys(r->known, &r->cells[(r->slots[at] - 1) * columns], row))
        at = (at + 1) & r->mask;
    if (!r->slots[at]) {
        memcpy(&r->cells[r->count * columns], row, columns * sizeof *row);
        r->slots[at] = ++r->count;
        return;
    }
    fmp_cell *to = &r->cells[(r->slots[at] - 1) * columns];
    for (size_t i = 0; i < columns; i++)
        merge_cell(&r->known->columns[i], &to[i], &row[i]);
}

static bool falls(const fmp_table *table, size_t column)
{
    for (size_t row = 1; row < table->row_count; row++)
        if (!(table->cells[row * table->column_count + column].number <=
              table->cells[(row - 1) * table->column_count + column].number))
            return false;
    return true;
}

/* The first number by which the rows of every profile fall; the number of columns: none. */
static size_t falling_column(const fm_profile *const *profiles, size_t count, const fmp_table *known)
{
    for (size_t column = 0; column < known->column_count; column++) {
        bool all = known->columns[column].kind != FMP_COLUMN_TEXT && known->columns[column].merge != FMP_MERGE_RATIO;
        for (size_t i = 0; i < count && all; i++) {
            const fmp_table *table = table_of(profiles[i], known->key);
            all = !table || falls(table, column);
        }
        if (all)
            return column;
    }
    return known->column_count;
}

typedef struct place {
    double figure;
    size_t row;
} place;

static int by_figure(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->figure != y->figure)
        return x->figure < y->figure ? 1 : -1;
    return (x->row > y->row) - (x->row < y->row);
}

static void emit_row(const rows *r, size_t row, fmp_tables *tables)
{
    enum { COLUMNS_MAX = 32 }; /* as of profile_system.c */
    fmp_cell cells[COLUMNS_MAX] = {{0}};
    size_t count = 0;
    for (size_t i = 0; i < r->known->column_count && count < COLUMNS_MAX; i++)
        if (r->known->columns[i].merge != FMP_MERGE_RATIO)
            cells[count++] = r->cells[row * r->known->column_count + i];
    fmp_table_row(tables, cells);
}

/* In falling order where there is one, and no more than a loader takes. */
static bool emit(const rows *r, size_t falling, fmp_tables *tables)
{
    place *order = calloc(r->count + 1, sizeof *order);
    if (!order)
        return false;
    const size_t columns = r->known->column_count;
    for (size_t i = 0; i < r->count; i++) {
        const double figure = falling < columns ? r->cells[i * columns + falling].number : 0;
        order[i] = (place){isnan(figure) ? -(double)INFINITY : figure, i};
    }
    qsort(order, r->count, sizeof *order, by_figure);
    fmp_table_begin(tables, r->known->key);
    for (size_t i = 0; i < r->count && i < FM_READ_ITEMS_MAX; i++)
        emit_row(r, order[i].row, tables);
    free(order);
    return true;
}

static bool merge_table(const fm_profile *const *profiles, size_t count, const fmp_table *known, fmp_tables *tables)
{
    rows r;
    size_t room = 0;
    for (size_t i = 0; i < count; i++) {
        const fmp_table *table = table_of(profiles[i], known->key);
        room += table ? table->row_count : 0;
    }
    bool ready = rows_create(&r, known, room);
    for (size_t i = 0; i < count && ready; i++) {
        const fmp_table *table = table_of(profiles[i], known->key);
        for (size_t row = 0; table && row < table->row_count; row++)
            rows_add(&r, &table->cells[row * table->column_count]);
    }
    ready = ready && emit(&r, falling_column(profiles, count, known), tables);
    rows_free(&r);
    return ready;
}

bool fm_system_merge(fm_profile *out, const fm_profile *const *profiles, size_t count)
{
    bool some = false;
    for (size_t i = 0; i < count; i++)
        some = some || profiles[i]->run.system;
    if (!some)
        return true;
    fmp_tables *tables = fmp_tables_create();
    bool ready = tables != NULL;
    for (size_t i = 0; i < fmp_known_table_count && ready; i++)
        ready = merge_table(profiles, count, &fmp_known_tables[i], tables);
    if (!ready) {
        fmp_tables_free(&tables);
        return false;
    }
    out->system = fmp_tables_finish(&tables);
    out->run.system = out->system;
    return out->system != NULL;
}
