/* A watch from its start to its end: one at a time, again and again, in forks, with any facilities. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "watching.h"

static const fmp_system_options cpu_alone = {.facilities = FMP_SYSTEM_CPU, .readings_hz = 100};

static size_t open_files(void)
{
    DIR *folder = opendir("/proc/self/fd");
    size_t count = 0;
    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count;
}

/* The states that the table "facilities" gives of a facility, side by side: "on, not here, ". */
static void states_of(const fmp_system_report *report, const char *facility, char *out, size_t size)
{
    const fmp_table *t = fmp_system_table(report, "facilities");
    out[0] = '\0';
    for (size_t i = 0; i < t->row_count; i++)
        if (strcmp(fmp_table_text(t, i, 0), facility) == 0)
            snprintf(out + strlen(out), size - strlen(out), "%s, ",
                     fmp_table_text(t, i, fmp_table_column(t, "state")));
}

static void facilities_have_names(void **state)
{
    (void)state;
    unsigned all = 0;
    for (unsigned bit = 1; bit <= FMP_SYSTEM_ALL; bit <<= 1) {
        assert_non_null(fmp_facility_name(bit));
        all |= bit;
    }
    assert_int_equal(all, FMP_SYSTEM_ALL);
    assert_string_equal(fmp_facility_name(FMP_SYSTEM_SYSCALLS), "syscalls");
    assert_null(fmp_facility_name(0));
    assert_null(fmp_facility_name(FMP_SYSTEM_CPU | FMP_SYSTEM_MEMORY));
    assert_null(fmp_facility_name(FMP_SYSTEM_ALL + 1));
}

static void one_at_a_time(void **state)
{
    (void)state;
    fmp_system *first = fmp_system_start(&cpu_alone);
    assert_non_null(first);
    errno = 0;
    assert_null(fmp_system_start(&cpu_alone));
    assert_int_equal(errno, EBUSY);
    fmp_system_report *report = fmp_system_stop(&first, 0);
    assert_null(first);
    assert_non_null(report);
    fmp_system_report_free(&report);
    assert_null(report);
    assert_null(fmp_system_stop(&first, 0));
    assert_null(fmp_system_stop(NULL, 0));
}

static void what_was_not_asked_for_is_off(void **state)
{
    (void)state;
    char states[256];
    fmp_system *system = fmp_system_start(&cpu_alone);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    assert_string_equal(report->tables[0].key, "facilities");
    for (unsigned bit = 1; bit <= FMP_SYSTEM_ALL; bit <<= 1) {
        states_of(report, fmp_facility_name(bit), states, sizeof states);
        if (bit == FMP_SYSTEM_CPU)
            assert_non_null(strstr(states, "on, "));
        else
            assert_string_equal(states, "off, ");
    }
    assert_null(fmp_system_table(report, "memory"));
    fmp_system_report_free(&report);
}

static void again_and_again(void **state)
{
    (void)state;
    fmp_system *system = fmp_system_start(&cpu_alone);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    fmp_system_report_free(&report);
    const size_t before = open_files();
    for (int i = 0; i < 10; i++) {
        system = fmp_system_start(&cpu_alone);
        assert_non_null(system);
        burn(0.002);
        report = fmp_system_stop(&system, 0);
        assert_non_null(report);
        const double cpu = column_sum(fmp_system_table(report, "threads"), "cpu_seconds", NULL);
        assert_true(cpu > 0.0019 && cpu < 0.1);
        fmp_system_report_free(&report);
    }
    assert_int_equal(open_files(), before);
}

/* Whatever this machine permits: each facility starts, is read often, and stops. */
static void the_usual_facilities_run_together(void **state)
{
    (void)state;
    char states[1024];
    for (int round = 0; round < 2; round++) {
        fmp_system *system = fmp_system_start(&(fmp_system_options){.readings_hz = 5000, .samples_hz = 1000000});
        assert_non_null(system);
        {
            FMP_SCOPE("WATCHED", "work");
            burn(0.05);
        }
        fmp_system_report *report = fmp_system_stop(&system, 100);
        assert_non_null(report);
        for (unsigned bit = 1; bit <= FMP_SYSTEM_ALL; bit <<= 1) {
            states_of(report, fmp_facility_name(bit), states, sizeof states);
            assert_true(states[0] != '\0');
            assert_true((strcmp(states, "off, ") == 0) == !(bit & FMP_SYSTEM_USUAL));
        }
        fmp_system_report_free(&report);
    }
}

/* --- forks ------------------------------------------------------------------------ */

/* In the child: the parent's watch cannot be stopped, one of its own can run. Returns the exit status. */
static int in_child(fmp_system *parents)
{
    fmp_system *copy = parents;
    if (fmp_system_stop(&copy, 0) != NULL || errno != ECHILD || copy)
        return 1;
    fmp_system *own = fmp_system_start(&cpu_alone);
    if (!own)
        return 2;
    burn(0.02);
    fmp_system_report *report = fmp_system_stop(&own, 0);
    if (!report)
        return 3;
    const double cpu = cell(report, "threads", "main", "cpu_seconds");
    fmp_system_report_free(&report);
    return cpu > 0.015 && cpu < 0.2 ? 0 : 4;
}

static void a_forked_child_has_no_watch(void **state)
{
    (void)state;
    fmp_system *system = fmp_system_start(&cpu_alone);
    {
        FMP_SCOPE("WATCHED", "before the fork"); /* names the thread "main" */
    }
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(in_child(system));
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    burn(0.02);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    assert_non_null(report);
    assert_true(cell(report, "threads", "main", "cpu_seconds") > 0.015);
    fmp_system_report_free(&report);
}

/* --- many threads ------------------------------------------------------------------- */

static void *a_little(void *opaque)
{
    FMP_SCOPE("WATCHED", "a little");
    burn(0.0005);
    (void)opaque;
    return NULL;
}

static void two_hundred_threads_come_and_go(void **state)
{
    (void)state;
    enum { THREADS = 200 };
    const size_t before = open_files();
    fmp_system *system = fmp_system_start(&(fmp_system_options){.facilities = FMP_SYSTEM_CPU, .readings_hz = 1000});
    for (int wave = 0; wave < 2; wave++) {
        pthread_t thread[THREADS];
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&thread[i], NULL, a_little, NULL), 0);
        for (int i = 0; i < THREADS; i++)
            pthread_join(thread[i], NULL);
    }
    fmp_system_report *report = fmp_system_stop(&system, 0);
    assert_non_null(report);
    assert_true(fmp_system_table(report, "threads")->row_count <= 66);
    assert_true(cell(report, "operations", "a little", "calls") == 2 * THREADS);
    const double cpu = cell(report, "operations", "a little", "cpu_seconds");
    assert_true(cpu > 2 * THREADS * 0.0004 && cpu < 2 * THREADS * 0.002);
    fmp_system_report_free(&report);
    assert_int_equal(open_files(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facilities_have_names),
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(what_was_not_asked_for_is_off),
        cmocka_unit_test(again_and_again),
        cmocka_unit_test(the_usual_facilities_run_together),
        cmocka_unit_test(a_forked_child_has_no_watch),
        cmocka_unit_test(two_hundred_threads_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
