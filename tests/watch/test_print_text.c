/* Tables for people: figures in their units, foreign text made harmless, nothing wider than a terminal. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "export/utf8.h"
#include "watch/print_text.h"
#include "watch/table.h"

#define T(value) FMP_TEXT(value)
#define N(value) FMP_NUMBER(value)

/* What the report prints, malloc'ed; every line of it is checked. */
static char *printed(fmp_tables *tables)
{
    fmp_system_report *report = fmp_tables_finish(&tables);
    assert_non_null(report);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(fmp_print_system_text(out, report), 0);
    fclose(out);
    fmp_system_report_free(&report);
    char line[1024];
    for (const char *at = text, *end; *at; at = end + 1) {
        end = strchr(at, '\n');
        assert_non_null(end);
        assert_true(end - at < (long)sizeof line);
        memcpy(line, at, (size_t)(end - at));
        line[end - at] = '\0';
        if (fmp_utf8_width(line) > FMP_SYSTEM_COLUMNS || (end > at && end[-1] == ' '))
            fail_msg("too wide, or blanks at its end: '%s'", line);
        for (const char *c = line; *c;)
            assert_true(fmp_utf8_next(&c) >= 0x20);
    }
    return text;
}

static void has(const char *text, const char *part)
{
    assert_non_null(text);
    if (text && !strstr(text, part)) /* gcc's sanitizers do not know that the line above does not return */
        fail_msg("no '%s' in\n%s", part, text);
}

static void figures_have_their_units(void **state)
{
    (void)state;
    fmp_tables *tables = fmp_tables_create();
    fmp_table_begin(tables, "energy");
    fmp_table_row(tables, (fmp_cell[]){T("package"), N(2), N(25), N(1000)});
    fmp_table_row(tables, (fmp_cell[]){T("rack"), N(2), N(4400), N(0)});
    fmp_table_row(tables, (fmp_cell[]){T("idle"), N(2), N(0), N(NAN)});
    fmp_table_row(tables, (fmp_cell[]){T("spark"), N(1), N(0.000125), N(1)});
    fmp_table_begin(tables, "accelerators");
    fmp_table_row(tables, (fmp_cell[]){T("card"), N(4), N(3), N(1), N(3u << 29),
                                       N(NAN), N(71)});
    fmp_table_begin(tables, "leaks");
    fmp_table_row(tables, (fmp_cell[]){T("op"), N(3), N(2), N(-2048), T("a")});
    char *text = printed(tables);
    has(text, "package  2.000s   25.0 J     12.5 W   1000  25.0 mJ\n");
    has(text, "rack     2.000s   4.4 kJ     2.2 kW      0        -\n");
    has(text, "idle     2.000s    0.0 J      0.0 W      -        -\n");
    has(text, "spark    1.000s 125.0 uJ   125.0 uW      1 125.0 uJ\n");
    /* Memory, of which nothing is known, is left out. */
    has(text, "card    4.000s 3.000s 75.0%   100.0%     1.5 GiB     71\n");
    has(text, "op             3          2 -2.0 KiB\n    a\n");
    free(text);
}

/* A library without symbols says nothing by each of its frames. */
static void frames_without_names_are_one_line(void **state)
{
    (void)state;
    fmp_tables *tables = fmp_tables_create();
    fmp_table_begin(tables, "leaks");
    fmp_table_row(tables, (fmp_cell[]){FMP_TEXT("op"), FMP_NUMBER(1), FMP_NUMBER(0), FMP_NUMBER(64),
                                       FMP_TEXT("malloc (libc.so.6)\nlib.so.1+0x1f\nlib.so.1+0xfe61c0\nlib.so.1+0x2\n"
                                                "lib.so.2+0x3\nmain (a.c:3)\n+0x12\na+0x\n0x55aa")});
    char *text = printed(tables);
    has(text, "\n    malloc (libc.so.6)\n    lib.so.1 (3 calls without names)\n    lib.so.2+0x3\n    main (a.c:3)\n"
              "    +0x12\n    a+0x\n    0x55aa\n");
    free(text);
}

static void foreign_text_is_harmless(void **state)
{
    (void)state;
    fmp_tables *tables = fmp_tables_create();
    fmp_table_begin(tables, "samples");
    fmp_table_row(tables, (fmp_cell[]){T("\x1b[31m\r\xff\xe2\x80\xae" "a\xef\xbf\xbd\tb\n"), N(1), N(1)});
    fmp_table_row(tables, (fmp_cell[]){T("\xe6\x97\xa5\xe6\x9c\xac"), N(1), N(1)});
    fmp_table_add(tables, "facilities", (fmp_cell[]){T("\x1b"), T("\x9b"), T("\a"), T("\b\xff"),
                                                     T("\x7f")});
    char *text = printed(tables);
    has(text, "?[31m???a??b?");
    has(text, "\xe6\x97\xa5\xe6\x9c\xac                  1"); /* two columns each */
    free(text);
}

static void long_texts_fit(void **state)
{
    (void)state;
    char name[3000], stack[20000] = "";
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (int i = 0; i < 20; i++)
        sprintf(stack + strlen(stack), "frame%d %.200s\n", i, name);
    fmp_tables *tables = fmp_tables_create();
    fmp_table_begin(tables, "functions");
    fmp_table_row(tables, (fmp_cell[]){T(name), N(1), N(1), N(1), T(name), T(name)});
    fmp_table_begin(tables, "leaks");
    fmp_table_row(tables, (fmp_cell[]){T(name), N(1), N(1), N(1), T(stack)});
    fmp_table_row(tables, (fmp_cell[]){T("op"), N(1), N(1), N(1), T(name)});
    fmp_table_row(tables, (fmp_cell[]){T("op"), N(1), N(1), N(1), T("")});
    fmp_table_add(tables, "facilities", (fmp_cell[]){T(name), T(name), T(name), T(name), T("fix")});
    char *text = printed(tables);
    has(text, "    frame9 nnn");
    has(text, "    ... 10 more\n");
    assert_null(strstr(text, "frame10"));
    free(text);
}

static void rows_are_bounded(void **state)
{
    (void)state;
    fmp_tables *tables = fmp_tables_create();
    fmp_table_begin(tables, "samples");
    for (int i = 0; i < FMP_SYSTEM_ROWS + 12; i++)
        fmp_table_row(tables, (fmp_cell[]){T(fmp_tables_text(tables, "row%d.", i)), N(1), N(1)});
    fmp_table_begin(tables, "leaks");
    for (int i = 0; i < FMP_SYSTEM_STACK_ROWS + 1; i++)
        fmp_table_row(tables, (fmp_cell[]){T(fmp_tables_text(tables, "leak%d.", i)), N(1), N(1), N(1),
                                           T("f")});
    char *text = printed(tables);
    has(text, "row14.");
    assert_null(strstr(text, "row15."));
    has(text, "... 12 more rows: the JSON has all\n");
    has(text, "leak3.");
    assert_null(strstr(text, "leak4."));
    has(text, "... 1 more row: the JSON has all\n");
    free(text);
}

static void facilities_come_with_their_remedies(void **state)
{
    (void)state;
    fmp_tables *tables = fmp_tables_create();
    static const char *const rows[][5] = {
        {"cpu", "CPU time", "on", "clocks of threads", ""},
        {"cpu", "migrations", "not permitted", "perf_event_paranoid is 3", "lower it"},
        {"sample", "stacks", "not permitted", "perf_event_paranoid is 3", "lower it"},
        {"syscalls", "", "off", "", ""},
        {"gpu", "NVIDIA", "", "", "install it"},
        {"cpu", "late", "on", "12 rows", ""},
    };
    fmp_table_begin(tables, "facilities");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        fmp_table_row(tables, (fmp_cell[]){T(rows[i][0]), T(rows[i][1]), T(rows[i][2]),
                                           T(rows[i][3]), T(rows[i][4])});
    for (int i = 0; i < 12; i++)
        fmp_table_row(tables, (fmp_cell[]){T("sample"), T(fmp_tables_text(tables, "thing %d", i)),
                                           T("not permitted"), T("no"), T("ask")});
    char *text = printed(tables);
    has(text, "  thing 0, thing 1, thing 2, thing 3, thing 4, thing 5, thing 6, thing 7, thing 8, thing 9,\n"
              "  thing 10, thing 11:\n    ask\n");
    has(text, "SYSTEM\n");
    has(text, "cpu      CPU time   on            clocks of threads\n"
              "         migrations not permitted perf_event_paranoid is 3\n"
              "         late       on            12 rows\n"
              "sample   stacks     not permitted perf_event_paranoid is 3\n"
              "         thing 0    not permitted no\n");
    has(text, "         thing 11   not permitted no\n"
              "syscalls            off           not asked for\n"
              "gpu      NVIDIA     differs       -\n"
              "\nTo permit:\n"
              "  migrations, stacks:\n    lower it\n"
              "  NVIDIA:\n    install it\n");
    free(text);
}

static void a_full_disk_is_an_error(void **state)
{
    (void)state;
    FILE *full = fopen("/dev/full", "w");
    if (!full)
        skip();
    fmp_tables *tables = fmp_tables_create();
    fmp_table_add(tables, "samples", (fmp_cell[]){T("op"), N(1), N(1)});
    fmp_system_report *report = fmp_tables_finish(&tables);
    assert_int_equal(fmp_print_system_text(full, report), -1);
    fclose(full);
    fmp_system_report_free(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_have_their_units),
        cmocka_unit_test(frames_without_names_are_one_line),
        cmocka_unit_test(foreign_text_is_harmless),
        cmocka_unit_test(long_texts_fit),
        cmocka_unit_test(rows_are_bounded),
        cmocka_unit_test(facilities_come_with_their_remedies),
        cmocka_unit_test(a_full_disk_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
