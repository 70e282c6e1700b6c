/* System calls where it is not easy: tracing refused, killed, stopped, stormed; the program must not notice. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "syscalls_support.h"
#include "watch/tracer.h"

enum { LIMIT_S = 60 };

static int call_many(int count)
{
    FMP_SCOPE("T", "many");
    for (int i = 0; i < count; i++)
        syscall(SYS_getpgid, 0);
    return 0;
}

static void run_it(int (*work)(void))
{
    const int status = in_child(work, LIMIT_S);
    SKIP_UNLESS_PERMITTED(status);
    assert_int_equal(status, 0);
}

/* --- refused --------------------------------------------------------------------------- */

static int refuse_by_filter(uint32_t action)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ptrace, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int is_refused(const char *state)
{
    fmp_system *system = start_watch();
    CHECK(system);
    call_many(100);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    CHECK(report);
    CHECK(strcmp(facility_text(report, 0, "state"), state) == 0);
    CHECK(strlen(facility_text(report, 0, "how")) > 10);
    CHECK(!fmp_system_table(report, "syscalls"));
    fmp_system_report_free(&report);
    CHECK(waitpid(-1, NULL, __WALL) == -1 && errno == ECHILD);
    return 0;
}

static int filtered(void)
{
    if (!refuse_by_filter(SECCOMP_RET_ERRNO | EPERM))
        return NOT_PERMITTED;
    return is_refused("not permitted");
}

static int filtered_by_death(void)
{
    if (!refuse_by_filter(SECCOMP_RET_KILL))
        return NOT_PERMITTED;
    return is_refused("not permitted");
}

static int filtered_as_unknown(void)
{
    if (!refuse_by_filter(SECCOMP_RET_ERRNO | ENOSYS))
        return NOT_PERMITTED;
    return is_refused("not here");
}

static void a_filter_that_refuses_is_told(void **state)
{
    (void)state;
    run_it(filtered);
    run_it(filtered_by_death);
    run_it(filtered_as_unknown);
}

static int as_ordinary_user(bool guarded)
{
    if (geteuid() != 0) {
        fprintf(stderr, "only root can become somebody else\n");
        return NOT_PERMITTED;
    }
    CHECK(setgid(65534) == 0 && setuid(65534) == 0);
    prctl(PR_SET_DUMPABLE, guarded ? 0 : 1);
    if (guarded)
        return is_refused("not permitted");
    fmp_system *system = start_watch();
    CHECK(system);
    call_many(100);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    if (!watched(report))
        return NOT_PERMITTED;
    CHECK(counted(report, "many", "getpgid", 100, 0));
    fmp_system_report_free(&report);
    return 0;
}

static int ordinary(void)
{
    return as_ordinary_user(false);
}

static int guarded(void)
{
    return as_ordinary_user(true);
}

static void an_ordinary_user_may(void **state)
{
    (void)state;
    run_it(ordinary);
    run_it(guarded);
}

static void reasons_are_told(void **state)
{
    (void)state;
    char root[] = "/tmp/test_syscalls.XXXXXX", path[200];
    assert_non_null(mkdtemp(root));
    static const char *const folders[] = {"", "/proc", "/proc/self", "/proc/sys", "/proc/sys/kernel",
                                          "/proc/sys/kernel/yama"};
    for (size_t i = 1; i < sizeof folders / sizeof folders[0]; i++) {
        snprintf(path, sizeof path, "%s%s", root, folders[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    static const struct {
        const char *scope, *status, *word;
    } cases[] = {
        {"1\n", "TracerPid:\t0\n", "ptrace is not permitted here"},
        {"2\n", "TracerPid:\t0\n", "ptrace_scope 2"},
        {"3\n", "TracerPid:\t0\n", "ptrace_scope 3"},
        {"2\n", "Name:\tx\nTracerPid:\t77\n", "process 77 traces this one"},
        {"99999999999999999999999\n", "TracerPid:\t-5\n", "ptrace is not permitted here"},
        {"\n", "TracerPid:\tzzz\n", "ptrace is not permitted here"},
        {"", "", "ptrace is not permitted here"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const texts[] = {cases[i].scope, cases[i].status};
        static const char *const files[] = {"/proc/sys/kernel/yama/ptrace_scope", "/proc/self/status"};
        for (int f = 0; f < 2; f++) {
            snprintf(path, sizeof path, "%s%s", root, files[f]);
            FILE *file = fopen(path, "w");
            assert_non_null(file);
            fputs(texts[f], file);
            fclose(file);
        }
        fmp_tracer_refusal refusal;
        fmp_tracer_explain(root, EPERM, &refusal);
        if (!strstr(refusal.how, cases[i].word))
            fail_msg("case %zu: %s", i, refusal.how);
    }
    fmp_tracer_refusal refusal;
    fmp_tracer_explain("/there/is/no/such/root", ENFILE, &refusal);
    assert_true(strstr(refusal.how, strerror(ENFILE)) && !refusal.permission);
    snprintf(path, sizeof path, "%s/proc/sys/kernel/yama/ptrace_scope", root);
    unlink(path);
    snprintf(path, sizeof path, "%s/proc/self/status", root);
    unlink(path);
    for (size_t i = sizeof folders / sizeof folders[0]; i-- > 0;) {
        snprintf(path, sizeof path, "%s%s", root, folders[i]);
        rmdir(path);
    }
}

static int print_state(void)
{
    fmp_system *system = start_watch();
    call_many(10);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    printf("%s: %s\n", facility_text(report, 0, "state"), facility_text(report, 0, "how"));
    fmp_system_report_free(&report);
    return 0;
}

/* What the program says under another tool; "" where that cannot run it (old valgrinds, new compilers). */
static void state_under(const char *tool, char *said, size_t size)
{
    char self[4096], command[5000];
    said[0] = '\0';
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0)
        return;
    self[length] = '\0';
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* the leak checker cannot trace what is traced */
    snprintf(command, sizeof command, "%s '%s' --idle >/dev/null 2>&1", tool, self);
    if (system(command) != 0) /* NOLINT */
        return;
    snprintf(command, sizeof command, "exec %s '%s' --state", tool, self);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    if (!fgets(said, (int)size, output))
        said[0] = '\0';
    assert_int_equal(pclose(output), 0);
}

static void other_tracers_are_named(void **state)
{
    (void)state;
    char said[300];
    state_under("strace -f -o /dev/null", said, sizeof said);
    if (!said[0]) {
        print_message("no strace that may trace: skipped\n");
        skip();
    }
    assert_non_null(strstr(said, "not permitted: process "));
}

static void valgrind_is_refused(void **state)
{
    (void)state;
    char said[300];
    state_under("valgrind -q --error-exitcode=9", said, sizeof said);
    if (!said[0]) {
        print_message("no valgrind that runs this program: skipped\n");
        skip();
    }
    assert_non_null(strstr(said, "not here: runs under valgrind"));
}

/* --- the tracing process is killed -------------------------------------------------------- */

static int killed(void)
{
    fmp_system *system = start_watch();
    CHECK(system);
    call_many(100);
    const pid_t process = tracing_process();
    if (process == 0)
        return NOT_PERMITTED;
    kill(process, SIGKILL);
    CHECK(is_gone(process, 30));
    call_many(100);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    CHECK(report && watched(report));
    CHECK(counted(report, "many", "getpgid", 100, 0)); /* those of before are kept */
    CHECK(strcmp(facility_text(report, 1, "what"), "tracing process") == 0);
    fmp_system_report_free(&report);
    CHECK(waitpid(-1, NULL, __WALL) == -1 && errno == ECHILD);
    return 0;
}

static void a_killed_tracer_harms_nobody(void **state)
{
    (void)state;
    run_it(killed);
}

/* --- the program is stopped, ended, replaced ------------------------------------------------ */

typedef enum end_kind { STOPPED_AND_GOES_ON, KILLED, EXITS, EXECS } end_kind;

static volatile int *shared_with_child; /* the tracing process; then 1 when calls were made */

static int meet(end_kind fate)
{
    fmp_system *system = start_watch();
    CHECK(system);
    shared_with_child[0] = tracing_process();
    if (fate == EXITS)
        _exit(5);
    if (fate == EXECS)
        execl("/bin/sh", "sh", "-c", "exit 6", (char *)NULL);
    for (int i = 0; i < 200 && !shared_with_child[2]; i++) {
        call_many(10);
        shared_with_child[1]++;
        sleep_ms(5);
    }
    fmp_system_report *report = fmp_system_stop(&system, 0);
    CHECK(watched(report));
    CHECK(counted(report, "many", "getpgid", shared_with_child[1] * 10, 0));
    /* What a stop interrupts goes on as the same call. */
    CHECK(counted(report, NULL, "restart_syscall", 0, 0));
    fmp_system_report_free(&report);
    return 7;
}

static pid_t child_with_fate(end_kind fate)
{
    shared_with_child = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0)
        _exit(meet(fate));
    siginfo_t ended = {.si_pid = 0};
    while (shared_with_child[0] == 0 && ended.si_pid == 0) {
        sleep_ms(5);
        waitid(P_PID, (id_t)child, &ended, WEXITED | WNOHANG | WNOWAIT);
    }
    return child;
}

static void wait_until_stopped(pid_t child)
{
    int status = 0;
    assert_int_equal(waitpid(child, &status, WUNTRACED), child); /* the parent is told as if nobody traced */
    assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    const int calls = shared_with_child[1];
    sleep_ms(60);
    assert_int_equal(calls, shared_with_child[1]);
}

static void a_stop_stops_and_goes_on(void **state)
{
    (void)state;
    const pid_t child = child_with_fate(STOPPED_AND_GOES_ON);
    if (shared_with_child[0] == 0) {
        end_of_child(child, LIMIT_S);
        print_message("not permitted to trace here: skipped\n");
        skip();
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(kill(child, SIGSTOP), 0);
        wait_until_stopped(child);
        assert_int_equal(kill(child, SIGCONT), 0);
        const int calls = shared_with_child[1];
        for (int ms = 0; ms < LIMIT_S * 1000 && shared_with_child[1] == calls; ms += 5)
            sleep_ms(5);
        assert_true(shared_with_child[1] > calls);
    }
    shared_with_child[2] = 1;
    assert_int_equal(end_of_child(child, LIMIT_S), 7);
}

static void the_tracer_ends_with_the_program(void **state)
{
    (void)state;
    static const struct {
        end_kind fate;
        int status;
    } ends[] = {{KILLED, 128 + SIGKILL}, {EXITS, 5}, {EXECS, 6}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        const pid_t child = child_with_fate(ends[i].fate);
        const pid_t process = shared_with_child[0];
        if (ends[i].fate == KILLED)
            kill(child, SIGKILL);
        assert_int_equal(end_of_child(child, LIMIT_S), ends[i].status);
        if (process == 0) {
            print_message("not permitted to trace here: skipped\n");
            skip();
        }
        assert_true(is_gone(process, 30));
    }
}

/* A pipe whose writer has closed it is at its end, though the tracing process was forked from the writer. */
static int pipes(void)
{
    int ends[2];
    char byte;
    CHECK(pipe(ends) == 0);
    fmp_system *system = start_watch();
    CHECK(system);
    close(ends[1]);
    alarm(20);
    CHECK(read(ends[0], &byte, 1) == 0);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    CHECK(report);
    fmp_system_report_free(&report);
    return 0;
}

static void files_are_not_held_open(void **state)
{
    (void)state;
    run_it(pipes);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--state") == 0)
        return print_state();
    if (argc > 1 && strcmp(argv[1], "--idle") == 0)
        return 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_filter_that_refuses_is_told),
        cmocka_unit_test(an_ordinary_user_may),
        cmocka_unit_test(reasons_are_told),
        cmocka_unit_test(other_tracers_are_named),
        cmocka_unit_test(valgrind_is_refused),
        cmocka_unit_test(a_killed_tracer_harms_nobody),
        cmocka_unit_test(a_stop_stops_and_goes_on),
        cmocka_unit_test(the_tracer_ends_with_the_program),
        cmocka_unit_test(files_are_not_held_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
