/*
 * Samples: planted work is found in the right operation and function, with the
 * right share; each way of ticking and of reading stacks, and what is refused.
 * What changes the process (seccomp, users, signals) is done in a child.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "sampled_child.h"
#include "watch/sample_slots.h"

#ifdef FMP_CAN_SAMPLE

/* --- shares ------------------------------------------------------------------------- */

static void check_planted(const fmp_system_report *r, unsigned hz, const planted_seconds *spent, double margin)
{
    const double all = planted_sum(spent);
    check_share("samples", figure(r, "samples", "seconds", "", ""), all, all, 0.1);
    check_share("warm", figure(r, "samples", "seconds", "warm", ""), spent->red, all, margin);
    check_share("cold", figure(r, "samples", "seconds", "cold", ""), spent->green + spent->inlined, all, margin);
    check_share("deep", figure(r, "samples", "seconds", "deep", ""), spent->recursion, all, margin);
    check_share("far", figure(r, "samples", "seconds", "far", ""), spent->library + spent->mathematics, all, margin);
    check_share("red in warm", figure(r, "functions", "self_seconds", "warm", "planted_red"), spent->red, all, margin);
    check_share("red in deep", figure(r, "functions", "self_seconds", "deep", "planted_red"), spent->recursion, all,
                margin);
    CHECK(figure(r, "functions", "self_seconds", "cold", "planted_red") < 0.01 * all);
#ifdef FMP_HAVE_LIBDW
    check_share("green", figure(r, "functions", "self_seconds", "cold", "planted_green"), spent->green, all, margin);
    check_share("inlined", figure(r, "functions", "self_seconds", "cold", "planted_inlined"), spent->inlined, all,
                margin);
    check_share("around inlined", inclusive(r, hz, "cold", "planted_caller"), spent->inlined,
                all, margin);
    check_share("library", figure(r, "functions", "self_seconds", "far", "planted_library_inner"), spent->library, all,
                margin);
    check_share("above library", inclusive(r, hz, "far", "planted_library_work"),
                spent->library, all, margin);
    check_share("above libm", inclusive(r, hz, "far", "planted_mathematics"),
                spent->mathematics, all, margin);
#else
    (void)hz;
#endif
}

/* With libdw each stack is whole: from the planted function out to main, or to where its thread begins. */
static void check_stacks(const fmp_system_report *r, const char *root)
{
#ifdef FMP_HAVE_LIBDW
    uint64_t all = 0, whole = 0, recursive = 0;
    for (size_t i = 0; i < r->stack_count; i++) {
        const fmp_stack *s = &r->stacks[i];
        all += s->count;
        whole += has_frame(s, root) ? s->count : 0;
        size_t levels = 0;
        for (size_t f = 0; f < s->frame_count; f++)
            levels += strcmp(s->frames[f], "planted_recursion") == 0;
        if (strcmp(s->operation, "deep") == 0 && strcmp(s->frames[0], "planted_red") == 0 && levels == 21)
            recursive += s->count;
    }
    CHECK((double)whole > 0.97 * (double)all);
    CHECK((double)recursive > 0.05 * (double)all);
#else
    (void)r;
    (void)root;
#endif
}

static fmp_system_report *sampled(unsigned hz, bool by_timer, double seconds, planted_seconds *spent)
{
    fmp_system *system = start(hz, by_timer);
    CHECK(system);
    *spent = planted_rounds(seconds);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    CHECK(report);
    return report;
}

/* A machine without perf_event_open still passes: by timers. */
static bool perf_serves(const fmp_system_report *report)
{
    return strstr(facility_says(report, "call stacks", "how"), "perf_event_open (cpu-clock)") != NULL;
}

static void planted_work_is_found(void)
{
    planted_seconds spent;
    fmp_system_report *report = sampled(997, false, 1.0, &spent);
    check_planted(report, 997, &spent, 0.04);
    check_stacks(report, "main");
    if (perf_serves(report))
        CHECK(figure(report, "samples", "samples", "", "") > 0.9 * 997);
    CHECK(strcmp(facility_says(report, "call stacks", "state"), "on") == 0);
    if (failures)
        print_report(report);
    fmp_system_report_free(&report);
}

static void planted_work_is_found_by_timer(void)
{
    planted_seconds spent;
    fmp_system_report *report = sampled(199, true, 1.5, &spent);
    CHECK(strstr(facility_says(report, "call stacks", "how"), "timer_create, as asked for"));
    check_planted(report, 199, &spent, 0.08);
    check_stacks(report, "main");
    CHECK(figure(report, "samples", "samples", "", "") > 0.8 * 1.5 * (sysconf(_SC_CLK_TCK) < 199 ? 100 : 199) / 2);
    if (failures)
        print_report(report);
    fmp_system_report_free(&report);
}

static void *planted_thread(void *opaque)
{
    *(planted_seconds *)opaque = planted_rounds(0.7);
    return NULL;
}

static void threads_are_found(void)
{
    enum { THREADS = 3 };
    planted_seconds spent[THREADS], all = {0};
    pthread_t threads[THREADS];
    fmp_system *system = start(499, false);
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, planted_thread, &spent[i]);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        const double *from = &spent[i].red;
        for (size_t f = 0; f < sizeof all / sizeof(double); f++)
            (&all.red)[f] += from[f];
    }
    fmp_system_report *report = fmp_system_stop(&system, 0);
    check_planted(report, 499, &all, 0.1); /* a new thread's first sample stands for up to a reading's time */
    check_stacks(report, "planted_thread");
    if (failures)
        print_report(report);
    fmp_system_report_free(&report);
}

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
    check_planted(report, 199, &spent, 0.08);
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
    check_planted(report, 199, &spent, 0.08);
    check_stacks(report, "main");
    if (failures)
        print_report(report);
    fmp_system_report_free(&report);
}

CHILD_TEST(planted_work_is_found)
CHILD_TEST(planted_work_is_found_by_timer)
CHILD_TEST(threads_are_found)
CHILD_TEST(perf_is_refused)
CHILD_TEST(both_tickers_are_refused)
CHILD_TEST(stack_by_file)
CHILD_TEST(stack_by_page)
CHILD_TEST(as_an_ordinary_user)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_planted_work_is_found),
        cmocka_unit_test(test_planted_work_is_found_by_timer),
        cmocka_unit_test(test_threads_are_found),
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
