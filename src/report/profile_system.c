#include "report/profile_system.h"

#include <math.h>

#include "watch/columns.h"
#include "watch/table.h"

/* --- writing ------------------------------------------------------------------ */

static void write_cell(fm_json *json, const fmp_table *table, size_t row, size_t index)
{
    const fmp_column *column = &table->columns[index];
    if (column->kind == FMP_COLUMN_TEXT)
        fm_json_text(json, column->key, fmp_table_text(table, row, (int)index));
    else if (column->merge == FMP_MERGE_RATIO)
        fm_json_real(json, column->key, fmp_table_number(table, row, (int)index));
    else
        fm_json_fact(json, column->key, fmp_table_number(table, row, (int)index));
}

void fm_system_write(fm_json *json, const fmp_system_report *report)
{
    if (!report) {
        fm_json_null(json, "system");
        return;
    }
    fm_json_open(json, "system", '{');
    for (size_t i = 0; i < report->table_count; i++) {
        const fmp_table *table = &report->tables[i];
        fm_json_open(json, table->key, '[');
        for (size_t row = 0; row < table->row_count; row++) {
            fm_json_open(json, NULL, '{');
            for (size_t column = 0; column < table->column_count; column++)
                write_cell(json, table, row, column);
            fm_json_close(json, '}');
        }
        fm_json_close(json, ']');
    }
    fm_json_close(json, '}');
}

/* --- reading ------------------------------------------------------------------ */

/* null: not known. */
static double read_number(fm_profile_reader *l, const json_t *row, const fmp_column *column)
{
    const json_t *value = fm_read_member(l, row, column->key);
    if (!value || json_is_null(value))
        return (double)NAN;
    const double number = json_number_value(value);
    if (json_is_number(value) && fmp_column_value(column, number) == number)
        return number;
    if (column->kind == FMP_COLUMN_COUNT)
        fm_read_bad(l, column->key, "must be a whole number from 0 to 9e18, or null");
    else if (column->kind == FMP_COLUMN_BYTES)
        fm_read_bad(l, column->key, "must be a whole number from -9e18 to 9e18, or null");
    else if (column->kind == FMP_COLUMN_SECONDS)
        fm_read_bad(l, column->key, "must be a number from 0 to 9.2e9, or null");
    else
        fm_read_bad(l, column->key, "must be a number from 0 to 1e15, or null");
    return (double)NAN;
}

static const char *read_text(fm_profile_reader *l, const json_t *row, const fmp_column *column)
{
    const json_t *value = fm_read_member(l, row, column->key);
    if (value && !json_is_string(value))
        fm_read_bad(l, column->key, "must be text");
    return json_string_value(value);
}

static void read_row(fm_profile_reader *l, const json_t *row, const fmp_table *known, fmp_tables *tables)
{
    enum { COLUMNS_MAX = 32 }; /* tests see to it that no table has more */
    fmp_cell cells[COLUMNS_MAX] = {{0}};
    size_t count = 0;
    for (size_t i = 0; i < known->column_count && l->status == FM_OK && count < COLUMNS_MAX; i++) {
        const fmp_column *column = &known->columns[i];
        if (column->kind == FMP_COLUMN_TEXT)
            cells[count++] = FMP_TEXT(read_text(l, row, column));
        else if (column->merge != FMP_MERGE_RATIO) /* ratios follow */
            cells[count++] = FMP_NUMBER(read_number(l, row, column));
    }
    if (l->status == FM_OK)
        fmp_table_row(tables, cells);
}

static void read_table(fm_profile_reader *l, const json_t *system, const fmp_table *known, fmp_tables *tables)
{
    const json_t *array = fm_read_array(l, system, known->key, false);
    const size_t before = fm_read_enter(l, known->key);
    fmp_table_begin(tables, known->key);
    for (size_t i = 0; i < json_array_size(array) && l->status == FM_OK; i++) {
        const size_t element = fm_read_enter_element(l, i);
        read_row(l, json_array_get(array, i), known, tables);
        fm_read_leave(l, element);
    }
    fm_read_leave(l, before);
}

void fm_system_read(fm_profile_reader *l, const json_t *root)
{
    const json_t *value = l->status == FM_OK ? json_object_get(root, "system") : NULL;
    if (!value || json_is_null(value))
        return;
    const json_t *system = fm_read_object(l, root, "system");
    fmp_tables *tables = fmp_tables_create();
    if (!tables)
        fm_read_no_memory(l);
    const size_t before = fm_read_enter(l, "system");
    for (size_t i = 0; i < fmp_known_table_count && l->status == FM_OK; i++)
        if (json_object_get(system, fmp_known_tables[i].key))
            read_table(l, system, &fmp_known_tables[i], tables);
    fm_read_leave(l, before);
    if (l->status != FM_OK) {
        fmp_tables_free(&tables);
        return;
    }
    l->profile->system = fmp_tables_finish(&tables);
    l->profile->run.system = l->profile->system;
    if (!l->profile->system)
        fm_read_no_memory(l);
}
