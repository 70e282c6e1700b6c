/* System calls by operation: planted calls are found in the right place, whatever else the program does meanwhile. */
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <linux/futex.h>

#include <cmocka.h>

#include "syscalls_support.h"
#include "watch/syscall_names.h"

enum { LIMIT_S = 60, WRITES = 1000, OPENS = 500, SLEEP_MS = 30 };

static int planted_loops(void)
{
    fmp_system *system = start_watch();
    CHECK(system);
    const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    char bytes[64] = {0};
    {
        FMP_SCOPE("T", "writes");
        for (int i = 0; i < WRITES; i++)
            CHECK(write(null, bytes, (size_t)(i % 64)) == i % 64);
    }
    {
        FMP_SCOPE("T", "opens");
        for (int i = 0; i < OPENS; i++)
            CHECK(syscall(SYS_openat, AT_FDCWD, "/there/is/no/such/file", O_RDONLY) == -1);
    }
    {
        FMP_SCOPE("T", "sleep");
        syscall(SYS_nanosleep, &(struct timespec){.tv_nsec = SLEEP_MS * 1000000L}, NULL);
    }
    {
        FMP_SCOPE("T", "lock");
        uint32_t word = 0;
        syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &(struct timespec){.tv_nsec = SLEEP_MS * 1000000L}, NULL, 0);
    }
    close(null);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    CHECK(report);
    if (!watched(report)) {
        fprintf(stderr, "%s; %s\n", facility_text(report, 0, "how"), facility_text(report, 0, "remedy"));
        return NOT_PERMITTED;
    }
    double written = 0;
    for (int i = 0; i < WRITES; i++)
        written += i % 64;
    CHECK(counted(report, "writes", "write", WRITES, 0));
    CHECK((long)figure(report, "writes", "write", "bytes") == (long)written);
    CHECK(counted(report, "opens", "openat", OPENS, OPENS));
    CHECK(isnan(figure(report, "opens", "openat", "bytes")));
    CHECK(counted(report, "sleep", "nanosleep", 1, 0));
    CHECK(counted(report, "lock", "futex", 1, 1));
    /* Nothing of a scope is told of another, and what is outside of all stands apart. */
    CHECK(counted(report, NULL, "write", WRITES, 0));
    CHECK(counted(report, "(no scope)", "close", 1, 0));
    CHECK(counted(report, NULL, "getppid", 0, 0)); /* what the start measures is not the program's */
    static const char *const slow[][2] = {{"sleep", "nanosleep"}, {"lock", "futex"}};
    for (int i = 0; i < 2; i++) {
        const double seconds = figure(report, slow[i][0], slow[i][1], "seconds");
        CHECK(seconds > SLEEP_MS * 0.9e-3 && seconds < 30);
        CHECK(fabs(figure(report, slow[i][0], slow[i][1], "max_seconds") - seconds) < 1e-9);
    }
    CHECK(figure(report, "opens", "openat", "seconds") >= 0);
    fmp_system_report_free(&report);
    return 0;
}

static void planted_calls_are_in_their_operation(void **state)
{
    (void)state;
    const int status = in_child(planted_loops, LIMIT_S);
    SKIP_UNLESS_PERMITTED(status);
    assert_int_equal(status, 0);
}

/* --- threads ------------------------------------------------------------------------ */

enum { THREADS = 12, CALLS = 40 };

static void *call_in_scope(void *opaque)
{
    const fmp_site *site = opaque;
    FMP_SCOPE_SITE(site);
    for (int i = 0; i < CALLS; i++)
        syscall(SYS_getpgid, 0);
    return NULL;
}

static int hold[2]; /* a pipe that threads wait at */

static void *wait_then_call(void *opaque)
{
    char byte;
    if (read(hold[0], &byte, 1) != 1)
        return opaque; /* seen by whoever joins */
    return call_in_scope(opaque) ? opaque : NULL;
}

/* Threads that were there before, waiting in a call, and threads that come; several operations at once. */
static int threads(void)
{
    static const char *const names[] = {"red", "green", "blue"};
    pthread_t early[THREADS], late[THREADS];
    CHECK(pipe(hold) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&early[i], NULL, wait_then_call, (void *)(uintptr_t)fmp_site_get("T", names[i % 3])) == 0);
    fmp_system *system = start_watch();
    CHECK(system);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&late[i], NULL, call_in_scope, (void *)(uintptr_t)fmp_site_get("T", names[i % 3])) == 0);
    CHECK(write(hold[1], "123456789012", THREADS) == THREADS);
    void *failed;
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_join(early[i], &failed) == 0 && !failed);
        CHECK(pthread_join(late[i], NULL) == 0);
    }
    fmp_system_report *report = fmp_system_stop(&system, 0);
    if (!watched(report))
        return NOT_PERMITTED;
    for (int i = 0; i < 3; i++)
        CHECK(counted(report, names[i], "getpgid", 2 * CALLS * THREADS / 3, 0));
    CHECK(counted(report, NULL, "getpgid", 2 * CALLS * THREADS, 0));
    CHECK((long)figure(report, "(no scope)", "read", "bytes") >= THREADS);
    fmp_system_report_free(&report);
    return 0;
}

static void threads_of_before_and_after_count(void **state)
{
    (void)state;
    const int status = in_child(threads, LIMIT_S);
    SKIP_UNLESS_PERMITTED(status);
    assert_int_equal(status, 0);
}

static void *stay(void *opaque)
{
    FMP_SCOPE("T", "stays");
    char byte;
    return read(hold[0], &byte, 1) == 1 ? NULL : opaque;
}

/* A call that has not returned when the watch ends counts with its time until then, and is not disturbed. */
static int unfinished(void)
{
    pthread_t thread;
    CHECK(pipe(hold) == 0);
    fmp_system *system = start_watch();
    CHECK(system);
    CHECK(pthread_create(&thread, NULL, stay, hold) == 0);
    sleep_ms(60);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    void *failed;
    CHECK(write(hold[1], "1", 1) == 1);
    CHECK(pthread_join(thread, &failed) == 0 && !failed);
    if (!watched(report))
        return NOT_PERMITTED;
    if (figure(report, NULL, "read", "count") < 1) {
        fprintf(stderr, "the thread did not get so far in time: nothing to see\n");
        return NOT_PERMITTED;
    }
    CHECK(counted(report, "stays", "read", 1, 0));
    CHECK(figure(report, "stays", "read", "seconds") < 30);
    CHECK(strcmp(facility_text(report, 1, "what"), "unfinished calls") == 0);
    fmp_system_report_free(&report);
    return 0;
}

static void a_call_that_stays_counts_until_the_end(void **state)
{
    (void)state;
    const int status = in_child(unfinished, LIMIT_S);
    SKIP_UNLESS_PERMITTED(status);
    assert_int_equal(status, 0);
}

/* --- signals -------------------------------------------------------------------------- */

static volatile sig_atomic_t alarms, children;

static void on_alarm(int signal)
{
    (void)signal;
    alarms = alarms + 1;
}

static void on_child(int signal)
{
    (void)signal;
    children = children + 1;
}

static int signals(void)
{
    struct sigaction action = {.sa_handler = on_alarm}; /* without SA_RESTART */
    sigaction(SIGALRM, &action, NULL);
    action.sa_handler = on_child;
    sigaction(SIGCHLD, &action, NULL);
    fmp_system *system = start_watch();
    CHECK(system);
    int interrupted;
    {
        FMP_SCOPE("T", "interrupted");
        alarm(1);
        interrupted = pause();
    }
    CHECK(interrupted == -1 && errno == EINTR && alarms == 1);
    {
        FMP_SCOPE("T", "own");
        for (int i = 0; i < 200; i++)
            raise(SIGALRM);
    }
    CHECK(alarms == 201);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    CHECK(children == 0); /* nothing is heard of the tracing process */
    if (!watched(report))
        return NOT_PERMITTED;
#ifdef SYS_pause
    CHECK(counted(report, "interrupted", "pause", 1, 1));
#endif
    CHECK((long)figure(report, "own", "rt_sigreturn", "count") == 200);
    fmp_system_report_free(&report);
    return 0;
}

static void signals_arrive_unchanged(void **state)
{
    (void)state;
    const int status = in_child(signals, LIMIT_S);
    SKIP_UNLESS_PERMITTED(status);
    assert_int_equal(status, 0);
}

/* --- children -------------------------------------------------------------------------- */

/* The program's children are not traced, and it sees its own alone, all of them. */
static int own_children(void)
{
    fmp_system *system = start_watch();
    CHECK(system);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    FMP_SCOPE("T", "children");
    const pid_t forked = fork();
    if (forked == 0) {
        for (int i = 0; i < 500; i++)
            syscall(SYS_getpgid, 0);
        execl("/bin/sh", "sh", "-c", "exit 3", (char *)NULL);
        _exit(9);
    }
    int status = 0, seen = 0;
    pid_t ended;
    while ((ended = waitpid(-1, &status, 0)) > 0) {
        CHECK(ended == forked && WIFEXITED(status) && WEXITSTATUS(status) == 3);
        seen++;
    }
    CHECK(seen == 1 && errno == ECHILD);
    CHECK(system != NULL && fmp_system_start(NULL) == NULL && errno == EBUSY);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    CHECK(waitpid(-1, NULL, __WALL) == -1 && errno == ECHILD); /* nothing is left of the tracing process */
    if (!watched(report))
        return NOT_PERMITTED;
    CHECK(counted(report, NULL, "getpgid", 0, 0));
    CHECK(counted(report, NULL, "execve", 0, 0));
    CHECK(counted(report, "children", "wait4", 2, 1));
    fmp_system_report_free(&report);
    return 0;
}

static void children_are_left_alone(void **state)
{
    (void)state;
    const int status = in_child(own_children, LIMIT_S);
    SKIP_UNLESS_PERMITTED(status);
    assert_int_equal(status, 0);
}

/* --- names and many rows ------------------------------------------------------------------ */

static void names_are_those_of_this_machine(void **state)
{
    (void)state;
    assert_string_equal(fmp_syscall_name(SYS_read), "read");
    assert_string_equal(fmp_syscall_name(SYS_futex), "futex");
    assert_string_equal(fmp_syscall_name(SYS_exit_group), "exit_group");
    assert_null(fmp_syscall_name(100000));
    assert_null(fmp_syscall_name(UINT32_MAX));
    assert_true(fmp_syscall_gives_bytes("pwrite64"));
    assert_false(fmp_syscall_gives_bytes("mmap"));
    assert_false(fmp_syscall_gives_bytes(NULL));
}

enum { MANY = 260, TOO_MANY = 4000 };

/* More kinds than rows: the slowest are shown, the rest is summed, and nothing is lost before the table is full. */
static int many_kinds(void)
{
    fmp_system *system = start_watch();
    CHECK(system);
    for (int i = 0; i < MANY; i++) {
        char name[32];
        snprintf(name, sizeof name, "kind %d", i);
        FMP_SCOPE_SITE(fmp_site_get("T", name));
        syscall(SYS_getpgid, 0);
    }
    fmp_system_report *report = fmp_system_stop(&system, 0);
    if (!watched(report))
        return NOT_PERMITTED;
    const fmp_table *table = fmp_system_table(report, "syscalls");
    CHECK(table && table->row_count == 201);
    CHECK(strcmp(fmp_table_text(table, 200, 0), "(others)") == 0);
    const int seconds = fmp_table_column(table, "seconds"), count = fmp_table_column(table, "count");
    double calls = 0;
    for (size_t row = 0; row < 200; row++) {
        CHECK(row == 0 || fmp_table_number(table, row - 1, seconds) >= fmp_table_number(table, row, seconds));
        if (strcmp(fmp_table_text(table, row, 1), "getpgid") == 0)
            calls += fmp_table_number(table, row, count);
    }
    CHECK(calls + fmp_table_number(table, 200, count) >= MANY);
    fmp_system_report_free(&report);
    return 0;
}

static void many_kinds_become_others(void **state)
{
    (void)state;
    const int status = in_child(many_kinds, LIMIT_S);
    SKIP_UNLESS_PERMITTED(status);
    assert_int_equal(status, 0);
}

static int too_many_kinds(void)
{
    fmp_system *system = start_watch();
    CHECK(system);
    for (int i = 0; i < TOO_MANY; i++) {
        char name[32];
        snprintf(name, sizeof name, "kind %d", i);
        FMP_SCOPE_SITE(fmp_site_get("T", name));
        syscall(SYS_getpgid, 0);
    }
    fmp_system_report *report = fmp_system_stop(&system, 0);
    if (!watched(report))
        return NOT_PERMITTED;
    CHECK(strcmp(facility_text(report, 1, "what"), "kinds of calls") == 0);
    CHECK(atoi(facility_text(report, 1, "how")) > 0);
    fmp_system_report_free(&report);
    return 0;
}

static void a_full_table_says_so(void **state)
{
    (void)state;
    const int status = in_child(too_many_kinds, LIMIT_S);
    SKIP_UNLESS_PERMITTED(status);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planted_calls_are_in_their_operation),
        cmocka_unit_test(threads_of_before_and_after_count),
        cmocka_unit_test(a_call_that_stays_counts_until_the_end),
        cmocka_unit_test(signals_arrive_unchanged),
        cmocka_unit_test(children_are_left_alone),
        cmocka_unit_test(names_are_those_of_this_machine),
        cmocka_unit_test(many_kinds_become_others),
        cmocka_unit_test(a_full_table_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
