/* Tables: made, read, and left alone when they are not known. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "watch/columns.h"
#include "watch/table.h"

static void a_row_is_read_back(void **state)
{
    (void)state;
    fmp_tables *tables = fmp_tables_create();
    char name[] = "reader";
    fmp_table_begin(tables, "process");
    fmp_table_row(tables, (fmp_cell[]){FMP_TEXT(name), FMP_NUMBER(4), FMP_NUMBER(3), FMP_NUMBER(2), FMP_NUMBER(1),
                                       FMP_NUMBER(10), FMP_NUMBER(NAN)});
    name[0] = 'X'; /* texts are copied */
    fmp_system_report *report = fmp_tables_finish(&tables);
    assert_null(tables);
    assert_int_equal(report->table_count, 1);
    const fmp_table *table = fmp_system_table(report, "process");
    assert_string_equal(fmp_table_text(table, 0, 0), "reader");
    assert_true(fmp_table_number(table, 0, fmp_table_column(table, "utilisation")) == 0.75);
    assert_true(fmp_table_number(table, 0, fmp_table_column(table, "user_seconds")) == 2);
    assert_true(isnan(fmp_table_number(table, 0, fmp_table_column(table, "involuntary_switches"))));
    assert_true(isnan(fmp_table_number(table, 0, -1)) && isnan(fmp_table_number(table, 1, 1)));
    assert_string_equal(fmp_table_text(table, 0, 1), "");
    assert_null(fmp_system_table(report, "threads"));
    fmp_system_report_free(&report);
    fmp_system_report_free(&report);
}

static void impossible_numbers_are_not_known(void **state)
{
    (void)state;
    fmp_tables *tables = fmp_tables_create();
    fmp_table_begin(tables, "threads");
    fmp_table_row(tables, (fmp_cell[]){FMP_TEXT("t"), FMP_NUMBER(-1e-9), FMP_NUMBER(INFINITY), FMP_NUMBER(1e10),
                                       FMP_NUMBER(12.6), FMP_NUMBER(-1), FMP_NUMBER(1e19), FMP_NUMBER(-0.0)});
    fmp_table_add(tables, "leaks", (fmp_cell[]){FMP_TEXT("op"), FMP_NUMBER(1), FMP_NUMBER(0), FMP_NUMBER(-4096.4),
                                                FMP_TEXT("a\nb")});
    fmp_system_report *report = fmp_tables_finish(&tables);
    const fmp_table *threads = fmp_system_table(report, "threads"), *leaks = fmp_system_table(report, "leaks");
    static const char *const unknown[] = {"wall_seconds", "cpu_seconds", "utilisation", "ready_seconds",
                                          "involuntary_switches", "migrations"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        assert_true(isnan(fmp_table_number(threads, 0, fmp_table_column(threads, unknown[i]))));
    assert_true(fmp_table_number(threads, 0, fmp_table_column(threads, "voluntary_switches")) == 13);
    assert_false(signbit(fmp_table_number(threads, 0, fmp_table_column(threads, "major_faults"))));
    assert_true(fmp_table_number(leaks, 0, fmp_table_column(leaks, "bytes")) == -4096);
    fmp_system_report_free(&report);
}

static void tables_keep_their_order(void **state)
{
    (void)state;
    fmp_tables *tables = fmp_tables_create();
    fmp_table_begin(tables, "samples");
    for (int i = 0; i < 1000; i++)
        fmp_table_row(tables, (fmp_cell[]){FMP_TEXT(fmp_tables_text(tables, "op %d", i)), FMP_NUMBER(i), FMP_NUMBER(i)});
    fmp_table_add(tables, "facilities",
                  (fmp_cell[]){FMP_TEXT("cpu"), FMP_TEXT(NULL), FMP_TEXT("on"), FMP_TEXT(""), FMP_TEXT("")});
    fmp_table_row(tables, (fmp_cell[]){FMP_TEXT("last"), FMP_NUMBER(1), FMP_NUMBER(1)});
    fmp_table_begin(tables, "nothing of that name");
    fmp_table_row(tables, NULL);
    fmp_system_report *report = fmp_tables_finish(&tables);
    assert_int_equal(report->table_count, 2);
    assert_string_equal(report->tables[0].key, "facilities");
    assert_string_equal(report->tables[1].key, "samples");
    assert_int_equal(report->tables[1].row_count, 1001);
    assert_string_equal(fmp_table_text(&report->tables[1], 999, 0), "op 999");
    assert_string_equal(fmp_table_text(&report->tables[1], 1000, 0), "last");
    fmp_system_report_free(&report);
}

static void stacks_are_copied(void **state)
{
    (void)state;
    fmp_tables *tables = fmp_tables_create();
    for (int i = 0; i < 100; i++) {
        const char *frames[] = {"inner", fmp_tables_text(tables, "outer %d", i)};
        fmp_stack_add(tables, &(fmp_stack){.operation = "op", .frames = frames, .frame_count = 2, .count = 7});
    }
    fmp_system_report *report = fmp_tables_finish(&tables);
    assert_int_equal(report->stack_count, 100);
    assert_string_equal(report->stacks[99].frames[1], "outer 99");
    assert_int_equal(report->stacks[99].count, 7);
    fmp_system_report_free(&report);
}

/* Ratios point at numbers before them, keys are text: what readers of any table rely on. */
static void known_tables_are_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < fmp_known_table_count; i++) {
        const fmp_table *table = &fmp_known_tables[i];
        assert_ptr_equal(fmp_known_table(table->key), table);
        for (size_t c = 0; c < table->column_count; c++) {
            const fmp_column *column = &table->columns[c];
            const bool text = column->merge == FMP_MERGE_KEY || column->merge == FMP_MERGE_FACT;
            assert_true(text == (column->kind == FMP_COLUMN_TEXT));
            assert_int_equal(fmp_table_column(table, column->key), (int)c);
            if (column->merge == FMP_MERGE_RATIO) {
                assert_true(column->of < (int)c && column->per < (int)c);
                assert_int_not_equal(table->columns[column->of].kind, FMP_COLUMN_TEXT);
                assert_int_not_equal(table->columns[column->per].kind, FMP_COLUMN_TEXT);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_read_back),
        cmocka_unit_test(impossible_numbers_are_not_known),
        cmocka_unit_test(tables_keep_their_order),
        cmocka_unit_test(stacks_are_copied),
        cmocka_unit_test(known_tables_are_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
