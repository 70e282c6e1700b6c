/* Trees of /proc that no kernel would make: figures are right or not known, and nothing breaks. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "watch/memory_process.h"
#include "watch/proc_text.h"
#include "watch/threads.h"
#include "watch/waits.h"
#include "watch/waits_class.h"
#include "watching.h"
#ifdef __linux__
#include <sys/syscall.h>
#endif

/* --- a tree --------------------------------------------------------------------- */

typedef struct tree {
    char root[64];
} tree;

static void make_tree(tree *t)
{
    snprintf(t->root, sizeof t->root, "/tmp/fmprof-proc-XXXXXX");
    assert_non_null(mkdtemp(t->root));
}

static void folder(const tree *t, const char *path)
{
    char full[256];
    snprintf(full, sizeof full, "%s%s", t->root, path);
    for (char *p = full + strlen(t->root) + 1; *p; p++)
        if (*p == '/') {
            *p = '\0';
            mkdir(full, 0755);
            *p = '/';
        }
    mkdir(full, 0755);
}

static void put(const tree *t, const char *path, const char *text)
{
    char full[256];
    snprintf(full, sizeof full, "%s%s", t->root, path);
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void put_all(const tree *t, int id, const char *stat, const char *schedstat, const char *sched)
{
    char path[128];
    snprintf(path, sizeof path, "/proc/self/task/%d", id);
    folder(t, path);
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", id);
    put(t, path, stat);
    snprintf(path, sizeof path, "/proc/self/task/%d/schedstat", id);
    put(t, path, schedstat);
    snprintf(path, sizeof path, "/proc/self/task/%d/sched", id);
    put(t, path, sched);
}

static void remove_tree(const tree *t)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", t->root);
    assert_int_equal(system(command), 0);
}

/* --- what is right ----------------------------------------------------------------- */

static const char sched_a[] = "name (7, #threads: 1)\n---\nse.nr_migrations   :   3\nnr_voluntary_switches : 10\n"
                              "nr_involuntary_switches  : 4\n";
static const char sched_b[] = "name (7, #threads: 1)\n---\nse.nr_migrations   :   5\nnr_voluntary_switches : 16\n"
                              "nr_involuntary_switches  : 5\n";

static fmp_system_report *table_of(const fmp_threads *threads, double process_cpu_ns)
{
    fmp_tables *tables = fmp_tables_create();
    fmp_threads_table(threads, &(fmp_thread_figures){.cpu_ns = process_cpu_ns, .ready_ns = NAN}, tables);
    fmp_system_report *report = fmp_tables_finish(&tables);
    assert_non_null(report);
    return report;
}

static void figures_count_from_the_start(void **state)
{
    (void)state;
    tree t;
    make_tree(&t);
    put_all(&t, 7, "7 (a) b (c) S 1 1 1 0 -1 0 9 0 2 0 50 60 0", "1000000000 200000000 5\n", sched_a);
    put_all(&t, 8, "8 (gone) S 1 1 1 0 -1 0 9 0 2 0 50 60 0", "500000000 0 5\n", sched_a);
    folder(&t, "/proc/self/task/not-a-thread");
    fmp_threads threads;
    assert_true(fmp_threads_create(&threads, t.root));
    fmp_threads_begin(&threads, 1000000000);
    fmp_threads_settle(&threads, true);
    assert_int_equal(threads.living_count, 2);
    put_all(&t, 7, "7 (a) b (c) S 1 1 1 0 -1 0 9 0 3 0 50 60 0", "3500000000 300000000 9\n", sched_b);
    put_all(&t, 8, "8 (gone) S 1 1 1 0 -1 0 9 0 2 0 50 60 0", "750000000 0 5\n", sched_a);
    put_all(&t, 9, "9 (new) R 1 1 1 0 -1 0 9 0 1 0 50 60 0", "125000000 0 5\n", sched_a);
    fmp_threads_read(&threads, 2000000000, 0, false);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s/proc/self/task/8/schedstat", t.root);
    assert_int_equal(system(command), 0);
    fmp_threads_read(&threads, 3000000000, 9, true);
    fmp_system_report *report = table_of(&threads, 4e9);
    assert_true(cell(report, "threads", "a) b (c", "cpu_seconds") == 2.5);
    assert_true(fabs(cell(report, "threads", "a) b (c", "ready_seconds") - 0.1) < 1e-9);
    assert_true(cell(report, "threads", "a) b (c", "voluntary_switches") == 6);
    assert_true(cell(report, "threads", "a) b (c", "involuntary_switches") == 1);
    assert_true(cell(report, "threads", "a) b (c", "migrations") == 2);
    assert_true(cell(report, "threads", "a) b (c", "major_faults") == 1);
    assert_true(cell(report, "threads", "a) b (c", "wall_seconds") == 2);
    assert_true(cell(report, "threads", "gone", "cpu_seconds") == 0.25);
    assert_true(cell(report, "threads", "(profiler's watch)", "cpu_seconds") == 0.125);
    assert_true(fabs(cell(report, "threads", "(ended between readings)", "cpu_seconds") - 1.125) < 1e-9);
    fmp_system_report_free(&report);
    fmp_threads_free(&threads);
    remove_tree(&t);
}

/* A number that falls is another thread's: both count. */
static void an_id_may_be_given_again(void **state)
{
    (void)state;
    tree t;
    make_tree(&t);
    put_all(&t, 7, "7 (one) S 1 1 1 0 -1 0 9 0 2 0 5 6 0", "1000000000 0 5\n", sched_a);
    fmp_threads threads;
    assert_true(fmp_threads_create(&threads, t.root));
    fmp_threads_begin(&threads, 1000000000);
    put_all(&t, 7, "7 (one) S 1 1 1 0 -1 0 9 0 2 0 5 6 0", "3000000000 0 5\n", sched_a);
    fmp_threads_read(&threads, 2000000000, 0, true);
    put_all(&t, 7, "7 (two) S 1 1 1 0 -1 0 9 0 2 0 5 6 0", "500000000 0 5\n", sched_a);
    fmp_threads_read(&threads, 3000000000, 0, true);
    fmp_system_report *report = table_of(&threads, 2.5e9);
    assert_true(cell(report, "threads", "one", "cpu_seconds") == 2);
    assert_true(cell(report, "threads", "two", "cpu_seconds") == 0.5);
    assert_int_equal(row_of(fmp_system_table(report, "threads"), "(ended between readings)"), -1);
    fmp_system_report_free(&report);
    fmp_threads_free(&threads);
    remove_tree(&t);
}

/* More threads than rows: the rest is one row, and the sum stays. */
static void rows_are_bounded(void **state)
{
    (void)state;
    enum { THREADS = 450 };
    tree t;
    make_tree(&t);
    folder(&t, "/proc/self/task");
    fmp_threads threads;
    assert_true(fmp_threads_create(&threads, t.root));
    fmp_threads_begin(&threads, 1);
    fmp_threads_free(&threads);
    put_all(&t, 1, "1 (first) S 1 1 1 0 -1 0 9 0 2 0 5 6 0", "0 0 0\n", sched_a);
    assert_true(fmp_threads_create(&threads, t.root));
    fmp_threads_begin(&threads, 1);
    for (int id = 2; id <= THREADS; id += 3) { /* at most three live at once */
        char command[160];
        for (int i = 0; i < 3; i++)
            put_all(&t, 2 + i, "2 (many) S 1 1 1 0 -1 0 9 0 2 0 5 6 0", i == 0 ? "3000000 0 5\n" : "1000000 0 5\n",
                    sched_a);
        fmp_threads_read(&threads, (uint64_t)id * 1000, 0, false);
        for (int i = 0; i < 3; i++) {
            snprintf(command, sizeof command, "%s/proc/self/task/%d/schedstat", t.root, 2 + i);
            unlink(command);
        }
        fmp_threads_read(&threads, (uint64_t)id * 1000 + 500, 0, false);
    }
    assert_true(threads.ended_count <= 256);
    fmp_system_report *report = table_of(&threads, 150 * 5e6);
    const fmp_table *table = fmp_system_table(report, "threads");
    assert_int_equal(table->row_count, 65);
    assert_true(row_of(table, "(others)") == 64);
    assert_true(fabs(column_sum(table, "cpu_seconds", NULL) - 150 * 5e-3) < 1e-9);
    fmp_system_report_free(&report);
    fmp_threads_free(&threads);
    remove_tree(&t);
}

/* --- what is wrong -------------------------------------------------------------------- */

static char many_digits[5000], many_lines[20000];

static const char *const garbage[] = {
    "", "\n", " ", "x", "-1", "-5 -6 -7\n", "1", "18446744073709551615 18446744073709551616 1",
    "99999999999999999999999999999999999999 1 1", "7 (", "7 (unfinished", "7 )", "7 ()", "7 () ", ")(", "7 (a) R",
    "7 (a) R 1 2 3", "7 (a) D -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1", "nan inf nan", "1e400 2 3", "1.5 2.5 3.5",
    "se.nr_migrations", "se.nr_migrations :", "se.nr_migrations : -4\nnr_voluntary_switches : x\n",
    "nr_voluntary_switches:99999999999999999999999999\nvoluntary_ctxt_switches:\t", "running", "running\n", "runni",
    "-1 0x0 0x0", "99999999999 0x1", "\xff\xfe\xfd (\xff\xff) \xff", "VmHWM:\t-5 kB\nVmRSS:", "VmHWM:", "VmHWM: 5",
    many_digits, many_lines};
enum { GARBAGE = sizeof garbage / sizeof garbage[0] };

static void put_garbage(const tree *t, int id, const char *stat, const char *schedstat, const char *rest)
{
    static const char *const files[] = {"status", "sched", "syscall", "wchan"};
    char path[128];
    put_all(t, id, stat, schedstat, rest);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "/proc/self/task/%d/%s", id, files[i]);
        put(t, path, rest);
    }
}

static void check_known(double value)
{
    assert_true(isnan(value) || (value >= 0 && isfinite(value)));
}

static void check_sound(const fmp_threads *threads, double process_cpu_ns)
{
    fmp_system_report *report = table_of(threads, process_cpu_ns);
    const fmp_table *table = fmp_system_table(report, "threads");
    for (size_t r = 0; table && r < table->row_count; r++)
        for (int c = 1; c < (int)table->column_count; c++)
            if (c != fmp_table_column(table, "utilisation"))
                check_known(fmp_table_number(table, r, c));
    fmp_system_report_free(&report);
}

static void garbage_is_not_known_or_a_number(void **state)
{
    (void)state;
    memset(many_digits, '7', sizeof many_digits - 1);
    memset(many_lines, '\n', sizeof many_lines - 1);
    tree t;
    make_tree(&t);
    for (int i = 0; i < GARBAGE; i++) {
        const char *g = garbage[i], *next = garbage[(i * 7 + 3) % GARBAGE];
        put_garbage(&t, 7, g, g, g);
        put_garbage(&t, 8, "8 (fine) S 1 1 1 0 -1 0 9 0 2 0 50 60 0", "5 5 5", next);
        put(&t, "/proc/self/statm", g);
        put(&t, "/proc/self/status", g);
        fmp_threads threads;
        fmp_process_memory memory;
        fmp_tables *tables = fmp_tables_create();
        assert_true(fmp_threads_create(&threads, t.root));
        fmp_thread_source_says(threads.source, tables, 20);
        fmp_process_memory_begin(&memory, t.root);
        fmp_threads_begin(&threads, 1000);
        fmp_threads_settle(&threads, true);
        put_garbage(&t, 7, next, next, next);
        for (int reading = 0; reading < 4; reading++) {
            fmp_thread_files files = FMP_NO_THREAD_FILES;
            assert_true(fmp_thread_source_doing(threads.source, 7, &files) <= FMP_DOING_UNKNOWN);
            fmp_thread_source_close(threads.source, &files);
            fmp_threads_read(&threads, 2000 + (uint64_t)reading, 7, reading == 3);
            fmp_process_memory_read(&memory);
        }
        check_sound(&threads, 1e9);
        check_sound(&threads, NAN);
        fmp_process_memory_end(&memory, &(fmp_watch_info){.root = t.root}, tables);
        fmp_threads_free(&threads);
        fmp_system_report *report = fmp_tables_finish(&tables);
        for (int c = 1; c < 4; c++)
            check_known(fmp_table_number(fmp_system_table(report, "memory"), 0, c));
        fmp_system_report_free(&report);
    }
    remove_tree(&t);
}

/* Folders and pipes where files should be, and no folder at all: nothing waits, and the report says so. */
static void other_things_than_files_are_left_alone(void **state)
{
    (void)state;
    tree t;
    char path[128];
    make_tree(&t);
    for (int trees = 0; trees < 2; trees++) {
        fmp_threads threads;
        fmp_tables *tables = fmp_tables_create();
        assert_true(fmp_threads_create(&threads, t.root));
        fmp_thread_source_says(threads.source, tables, 20);
        fmp_threads_begin(&threads, 1000);
        fmp_threads_read(&threads, 2000, 0, true);
        check_sound(&threads, 1e9);
        fmp_threads_free(&threads);
        fmp_system_report *report = fmp_tables_finish(&tables);
        const fmp_table *said = fmp_system_table(report, "facilities");
        assert_true(said->row_count >= 5);
        for (size_t i = 0; i < said->row_count; i++)
            assert_string_equal(fmp_table_text(said, i, fmp_table_column(said, "state")), "not here");
        fmp_system_report_free(&report);
        folder(&t, "/proc/self/task/7/stat");
        folder(&t, "/proc/self/task/7/sched");
        snprintf(path, sizeof path, "%s/proc/self/task/7/schedstat", t.root);
        assert_int_equal(mkfifo(path, 0600) == 0 || trees == 1, true);
    }
    remove_tree(&t);
}

static void numbers_are_read_where_they_are(void **state)
{
    (void)state;
    const char *at = "  12 x 7.25";
    assert_true(fmp_proc_number(&at) == 12);
    assert_true(isnan(fmp_proc_number(&at)));
    at = fmp_proc_skip(at, 1);
    assert_true(fmp_proc_number(&at) == 7.25 && *at == '\0');
    assert_true(isnan(fmp_proc_number(&at)));
    assert_true(fmp_proc_field("ab: 1\na : 2\n", "a") == 2);
    assert_true(isnan(fmp_proc_field("ab: 1\n", "a")) && isnan(fmp_proc_field("", "a")));
    assert_true(*fmp_proc_skip("a b", 9) == '\0');
    assert_true(isnan(fmp_growth(NAN, 1)) && isnan(fmp_growth(1, NAN)));
    assert_true(fmp_growth(3, 1) == 0 && fmp_growth(1, 3) == 2);
}

#ifdef __linux__
static fmp_thread_doing call(long number)
{
    char text[64];
    snprintf(text, sizeof text, "%ld 0x1 0x2", number);
    return fmp_doing_of_syscall(text);
}
#endif

static void waits_are_told_apart(void **state)
{
    (void)state;
#ifdef __linux__
    assert_int_equal(call(SYS_futex), FMP_DOING_LOCK);
    assert_int_equal(call(SYS_clock_nanosleep), FMP_DOING_SLEEP);
    assert_int_equal(call(SYS_read), FMP_DOING_IO);
    assert_int_equal(call(SYS_fsync), FMP_DOING_IO);
    assert_int_equal(call(SYS_ppoll), FMP_DOING_POLL);
    assert_int_equal(call(SYS_epoll_pwait), FMP_DOING_POLL);
    assert_int_equal(call(SYS_getpid), FMP_DOING_UNKNOWN);
#endif
    assert_int_equal(fmp_doing_of_syscall("running\n"), FMP_DOING_RUNNING);
    assert_int_equal(fmp_doing_of_syscall("-1 0x7 0x8"), FMP_DOING_UNKNOWN);
    assert_int_equal(fmp_doing_of_state('R', "anything"), FMP_DOING_RUNNING);
    assert_int_equal(fmp_doing_of_state('S', "futex_wait_queue"), FMP_DOING_LOCK);
    assert_int_equal(fmp_doing_of_state('S', "hrtimer_nanosleep"), FMP_DOING_SLEEP);
    assert_int_equal(fmp_doing_of_state('S', "anon_pipe_read"), FMP_DOING_IO);
    assert_int_equal(fmp_doing_of_state('S', "do_sys_poll"), FMP_DOING_POLL);
    assert_int_equal(fmp_doing_of_state('D', ""), FMP_DOING_IO);
    assert_int_equal(fmp_doing_of_state('S', "0"), FMP_DOING_OTHER);
}

/* The process's resident size, as a tree and as this machine tells it. */
static void memory_of_the_process_is_read(void **state)
{
    (void)state;
    tree t;
    make_tree(&t);
    folder(&t, "/proc/self");
    const double page = (double)sysconf(_SC_PAGESIZE);
    put(&t, "/proc/self/statm", "900 100 5 1 0 2 0\n");
    put(&t, "/proc/self/status", "VmPeak: 1 kB\nVmHWM:\t  40960 kB\n");
    fmp_process_memory memory;
    fmp_process_memory_begin(&memory, t.root);
    put(&t, "/proc/self/statm", "900 300 5 1 0 2 0\n");
    fmp_process_memory_read(&memory);
    put(&t, "/proc/self/statm", "900 200 5 1 0 2 0\n");
    fmp_tables *tables = fmp_tables_create();
    fmp_process_memory_end(&memory, &(fmp_watch_info){.root = t.root}, tables);
    fmp_system_report *report = fmp_tables_finish(&tables);
    const fmp_table *table = fmp_system_table(report, "memory");
    assert_true(fmp_table_number(table, 0, 1) == 100 * page);
    assert_true(fmp_table_number(table, 0, 2) == 200 * page);
    assert_true(fmp_table_number(table, 0, 3) == 300 * page); /* the kernel's mark is older than the watch */
    fmp_system_report_free(&report);
    remove_tree(&t);
    enum { SIZE = 64 << 20 };
    fmp_process_memory_begin(&memory, "");
    char *block = malloc(SIZE);
    assert_non_null(block);
    memset(block, 1, SIZE);
    fmp_process_memory_read(&memory);
    assert_int_equal(block[SIZE / 2], 1);
    free(block);
    tables = fmp_tables_create();
    fmp_process_memory_end(&memory, &(fmp_watch_info){.root = ""}, tables);
    report = fmp_tables_finish(&tables);
    table = fmp_system_table(report, "memory");
    assert_true(fmp_table_number(table, 0, 3) - fmp_table_number(table, 0, 1) > 0.9 * SIZE);
    assert_true(fmp_table_number(table, 0, 4) > 0);
    fmp_system_report_free(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_count_from_the_start),
        cmocka_unit_test(an_id_may_be_given_again),
        cmocka_unit_test(rows_are_bounded),
        cmocka_unit_test(garbage_is_not_known_or_a_number),
        cmocka_unit_test(other_things_than_files_are_left_alone),
        cmocka_unit_test(numbers_are_read_where_they_are),
        cmocka_unit_test(waits_are_told_apart),
        cmocka_unit_test(memory_of_the_process_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
