/* What findings make of the system's side: waits, page faults, blocks that are kept, hot functions, chatty calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "advice_sample.h"
#include "watch/table.h"

/* A row of a table, in the profile of a run of 1000 frames and 100 s; what was found in it before is gone. */
static fmp_system_report *report;

static void watched(sample *s, const char *table, const fmp_cell *cells)
{
    fmp_system_report_free(&report);
    fmp_tables *tables = fmp_tables_create();
    fmp_table_add(tables, table, cells);
    report = fmp_tables_finish(&tables);
    assert_non_null(report);
    s->profile->run.system = report;
    s->profile->run.frames = 1000;
    s->profile->run.wall_seconds = 100;
}

static void start(sample *s)
{
    load_staged(s);
    const size_t before = advise(s)->count;
    assert_true(before > 0);
}

static void finish(sample *s)
{
    s->profile->run.system = NULL;
    fmp_system_report_free(&report);
    end(s);
}

#define ROW(...) ((fmp_cell[]){__VA_ARGS__})
#define T FMP_TEXT
#define N FMP_NUMBER

static void test_waits(void **state)
{
    (void)state;
    sample s;
    start(&s);
    watched(&s, "waits", ROW(T("AU_MTL"), N(60), N(10), N(21), N(5.5), N(10.5), N(0), N(NAN)));
    const fm_report_findings *f = advise(&s);
    assert_string_equal(finding(f, "lock-wait")->subject, "AU_MTL");
    assert_near(finding(f, "lock-wait")->gain_most, 0.21);
    assert_non_null(strstr(finding(f, "lock-wait")->evidence, "21.00 s of the 60.00 s"));
    assert_int_equal(count_of(f, "sleep-wait"), 1);
    assert_int_equal(count_of(f, "io-wait"), 1);
    watched(&s, "waits", ROW(T("AU_MTL"), N(60), N(50), N(19), N(4.9), N(9.9), N(0), N(0)));
    f = advise(&s);
    assert_int_equal(count_of(f, "lock-wait") + count_of(f, "sleep-wait") + count_of(f, "io-wait"), 0);
    finish(&s);
}

static void test_run_queue(void **state)
{
    (void)state;
    sample s;
    start(&s);
    watched(&s, "threads", ROW(T("reader"), N(100), N(50), N(11), N(5), N(5), N(NAN), N(0)));
    assert_string_equal(finding(advise(&s), "run-queue")->subject, "reader");
    watched(&s, "threads", ROW(T("reader"), N(100), N(50), N(9), N(5), N(5), N(NAN), N(0)));
    assert_int_equal(count_of(advise(&s), "run-queue"), 0);
    watched(&s, "threads", ROW(T("reader"), N(100), N(NAN), N(NAN), N(5), N(5), N(NAN), N(0)));
    assert_int_equal(count_of(advise(&s), "run-queue"), 0);
    finish(&s);
}

static void test_kept_blocks(void **state)
{
    (void)state;
    sample s;
    start(&s);
    watched(&s, "leaks", ROW(T("mirror"), N(2000), N(451), N(64000), T("plant (plant.c:12)\nmain (plant.c:40)")));
    const fm_report_finding *one = finding(advise(&s), "kept-blocks");
    assert_non_null(strstr(one->title, "2.0 blocks a frame"));
    assert_non_null(strstr(one->evidence, "by plant (plant.c:12) < main (plant.c:40)."));
    assert_non_null(strstr(one->evidence, "2000 blocks, 62.5 KiB in all, 451 of them in the second half"));
    watched(&s, "leaks", ROW(T("(no scope)"), N(1000), N(500), N(1e9), T("on a thread without scopes")));
    assert_int_equal(count_of(advise(&s), "kept-blocks"), 1);
    watched(&s, "leaks", ROW(T("mirror"), N(1e6), N(450), N(1e9), T("a cache")));
    assert_int_equal(count_of(advise(&s), "kept-blocks"), 0);
    watched(&s, "leaks", ROW(T("mirror"), N(1e6), N(NAN), N(1e9), T("not known")));
    assert_int_equal(count_of(advise(&s), "kept-blocks"), 0);
    finish(&s);
}

static void test_rates(void **state)
{
    (void)state;
    sample s;
    start(&s);
    watched(&s, "allocations", ROW(T("decode"), N(1000001), N(1e9), N(0), N(0), N(0)));
    assert_string_equal(finding(advise(&s), "allocation-rate")->subject, "decode");
    watched(&s, "allocations", ROW(T("decode"), N(1000000), N(1e9), N(0), N(0), N(0)));
    assert_int_equal(count_of(advise(&s), "allocation-rate"), 0);
    watched(&s, "syscalls", ROW(T("decode"), T("read"), N(100001), N(0), N(1), N(0.1), N(5)));
    assert_non_null(strstr(finding(advise(&s), "syscall-rate")->title, "decode calls read 100 times a frame"));
    watched(&s, "memory", ROW(T("process"), N(1), N(2), N(3), N(1e6), N(101)));
    assert_int_equal(count_of(advise(&s), "major-faults"), 1);
    watched(&s, "memory", ROW(T("process"), N(1), N(2), N(3), N(1e6), N(100)));
    assert_int_equal(count_of(advise(&s), "major-faults"), 0);
    finish(&s);
}

static void test_hot_function(void **state)
{
    (void)state;
    sample s;
    start(&s);
    fmp_tables *tables = fmp_tables_create();
    fmp_table_add(tables, "samples", ROW(T("decode"), N(1000), N(10)));
    fmp_table_add(tables, "functions", ROW(T("decode"), N(160), N(1.6), N(4), T("idct"), T("libavcodec.so.59")));
    fmp_table_add(tables, "functions", ROW(T("decode"), N(190), N(1.9), N(4), T("idct"), T("another.so.1")));
    fmp_table_add(tables, "functions", ROW(T("encode"), N(50), N(0.5), N(1), T("idct"), T("libavcodec.so.59")));
    fmp_table_add(tables, "functions", ROW(T("decode"), N(190), N(1.9), N(9), T("loop"), T("libavcodec.so.59")));
    report = fmp_tables_finish(&tables);
    s.profile->run.system = report;
    const fm_report_findings *f = advise(&s);
    assert_int_equal(count_of(f, "hot-function"), 1);
    assert_string_equal(finding(f, "hot-function")->title, "idct takes 21 % of the CPU time");
    assert_non_null(strstr(finding(f, "hot-function")->evidence, "in decode and 1 more; it is in libavcodec"));
    finish(&s);
}

static void test_tracing_is_said(void **state)
{
    (void)state;
    sample s;
    start(&s);
    watched(&s, "facilities", ROW(T("syscalls"), T("system calls"), T("on"), T("ptrace"), T("")));
    assert_true(caveat(advise(&s), "System calls were traced"));
    watched(&s, "facilities", ROW(T("syscalls"), T("system calls"), T("not permitted"), T("ptrace"), T("")));
    assert_false(caveat(advise(&s), "System calls were traced"));
    finish(&s);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    sample_profiles = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits),     cmocka_unit_test(test_run_queue),    cmocka_unit_test(test_kept_blocks),
        cmocka_unit_test(test_rates),     cmocka_unit_test(test_hot_function), cmocka_unit_test(test_tracing_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
