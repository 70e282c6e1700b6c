/* Samples where the system refuses calls, or the user may do less: what serves instead finds planted work too. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sampled_planted.h"
#include "watch/sample_slots.h"

#ifdef FMP_CAN_SAMPLE

/* --- refused ------------------------------------------------------------------------- */

/* From now on these calls fail with EPERM; 0 ends the list. */
static void refuse(const int *calls)
{
    struct sock_filter filter[32] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
    unsigned short count = 1;
    for (; *calls; calls++) {
        filter[count++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)*calls, 0, 1);
        filter[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    }
    filter[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    const struct sock_fprog program = {count, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(77);
}

static void perf_is_refused(void)
{
    refuse((int[]){SYS_perf_event_open, 0});
    planted_seconds spent;
    fmp_system_report *report = sampled(199, false, 1.5, &spent);
    const char *how = facility_says(report, "call stacks", "how");
    CHECK(strstr(how, "timer_create at the kernel's tick, since perf_event_open said: Operation not permitted"));
    CHECK(strstr(how, "kernel.perf_event_paranoid is "));
    CHECK(strstr(facility_says(report, "call stacks", "remedy"), "CAP_PERFMON"));
    check_planted(report, 199, &spent, 0.12);
    if (failures)
        print_report(report);
    fmp_system_report_free(&report);
}

static void both_tickers_are_refused(void)
{
    refuse((int[]){SYS_perf_event_open, SYS_timer_create, 0});
    planted_seconds spent;
    fmp_system_report *report = sampled(997, false, 0.1, &spent);
    CHECK(strcmp(facility_says(report, "call stacks", "state"), "not permitted") == 0);
    CHECK(strstr(facility_says(report, "call stacks", "how"), "timer_create: Operation not permitted"));
    CHECK(!fmp_system_table(report, "samples"));
    struct sigaction now;
    sigaction(SIGPROF, NULL, &now);
    CHECK(now.sa_handler == SIG_DFL);
    fmp_system_report_free(&report);
}

static void stack_by_file(void)
{
    refuse((int[]){SYS_process_vm_readv, 0});
    planted_seconds spent;
    fmp_system_report *report = sampled(997, false, 0.7, &spent);
    CHECK(strstr(facility_says(report, "call stacks", "how"), "stacks by /proc/self/mem"));
    check_planted(report, 997, &spent, 0.05);
    check_stacks(report, "main");
    if (failures)
        print_report(report);
    fmp_system_report_free(&report);
}

/* Reading is refused, opening is not: a filter cannot look at names. */
static void stack_by_page(void)
{
    refuse((int[]){SYS_process_vm_readv, SYS_pread64, 0});
    fmp_system *system = start(997, false);
    planted_seconds spent = planted_rounds(0.7);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    CHECK(strstr(facility_says(report, "call stacks", "how"), "cut at a page's end"));
    const double all = planted_sum(&spent);
    check_share("warm", figure(report, "samples", "seconds", "warm", ""), spent.red, all, 0.05);
    check_share("red", figure(report, "functions", "self_seconds", "warm", "planted_red"), spent.red, all, 0.05);
    if (failures)
        print_report(report);
    fmp_system_report_free(&report);
}

static void as_an_ordinary_user(void)
{
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        _exit(77);
    planted_seconds spent;
    fmp_system_report *report = sampled(199, false, 1.5, &spent);
    CHECK(strcmp(facility_says(report, "call stacks", "state"), "on") == 0);
    check_planted(report, 199, &spent, 0.12);
    check_stacks(report, "main");
    if (failures)
        print_report(report);
    fmp_system_report_free(&report);
}

CHILD_TEST(perf_is_refused)
CHILD_TEST(both_tickers_are_refused)
CHILD_TEST(stack_by_file)
CHILD_TEST(stack_by_page)
CHILD_TEST(as_an_ordinary_user)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_perf_is_refused),
        cmocka_unit_test(test_both_tickers_are_refused),
        cmocka_unit_test(test_stack_by_file),
        cmocka_unit_test(test_stack_by_page),
        cmocka_unit_test(test_as_an_ordinary_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
    return 77; /* not written for this system */
}
#endif
