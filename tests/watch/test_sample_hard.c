/* Samples of programs that do what samplers stumble over: threads, stacks, jumps, signals, forks. */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "sampled_child.h"
#include "watch/sample_slots.h"

#ifdef FMP_CAN_SAMPLE

/* --- threads ------------------------------------------------------------------------ */

static void *short_thread(void *opaque)
{
    const double end = thread_seconds() + *(const double *)opaque;
    FMP_SCOPE("hard", "short");
    while (thread_seconds() < end)
        planted_red(20000);
    return NULL;
}

/* Some live shorter than a reading, some longer: what is found of them is their time, and never more. */
static void threads_come_and_go(void)
{
    enum { THREADS = 60, AT_ONCE = 4 };
    fmp_system *system = start(997, false);
    double spent = 0;
    for (int i = 0; i < THREADS; i += AT_ONCE) {
        pthread_t threads[AT_ONCE];
        double seconds[AT_ONCE];
        for (int t = 0; t < AT_ONCE; t++) {
            seconds[t] = (i + t) % 3 == 0 ? 0.001 : 0.04;
            spent += seconds[t];
            pthread_create(&threads[t], NULL, short_thread, &seconds[t]);
        }
        for (int t = 0; t < AT_ONCE; t++)
            pthread_join(threads[t], NULL);
    }
    fmp_system_report *report = fmp_system_stop(&system, 0);
    const double found = figure(report, "samples", "seconds", "short", "");
    CHECK(found > 0.3 * spent);
    CHECK(found < 1.1 * spent);
    if (failures)
        print_report(report);
    fmp_system_report_free(&report);
}

/* A thread that blocks all signals is not seen, and that is said; nothing of it is counted elsewhere. */
static void a_thread_blocks_signals(void)
{
    fmp_system *system = start(997, false);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    double seconds = 0.4;
    pthread_create(&thread, NULL, short_thread, &seconds);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_join(thread, NULL);
    const planted_seconds spent = planted_rounds(0.3);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    CHECK(figure(report, "samples", "seconds", "short", "") == 0);
    check_share("all", figure(report, "samples", "seconds", "", ""), planted_sum(&spent), planted_sum(&spent), 0.15);
    CHECK(strstr(facility_says(report, "samples", "how"), "of threads that block the signal"));
    if (failures)
        print_report(report);
    fmp_system_report_free(&report);
}

/* --- stacks ------------------------------------------------------------------------- */

static void *thread_on_given_stack(void *opaque)
{
    (void)opaque;
    FMP_SCOPE("hard", "edge");
    while (thread_seconds() < 0.3)
        planted_red(100000);
    return NULL;
}

/* The stack ends, and right behind it nothing may be read: the copy stops there. */
static void the_stack_ends_soon(void)
{
    enum { STACK = 256 * 1024 };
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, STACK + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED && mprotect(memory + page, STACK, PROT_READ | PROT_WRITE) == 0);
    fmp_system *system = start(997, false);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, memory + page, STACK);
    pthread_t thread;
    CHECK(pthread_create(&thread, &attributes, thread_on_given_stack, NULL) == 0);
    pthread_join(thread, NULL);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    CHECK(figure(report, "functions", "self_seconds", "edge", "planted_red") > 0.2);
#ifdef FMP_HAVE_LIBDW
    const double all = figure(report, "samples", "seconds", "edge", "");
    CHECK(fabs(inclusive(report, 997, "edge", "thread_on_given_stack") - all) < 0.1 * all);
#endif
    if (failures)
        print_report(report);
    fmp_system_report_free(&report);
}

/* Deeper than is shown: the innermost are, and that there are more. */
static void recursion_is_deep(void)
{
    fmp_system *system = start(997, false);
    for (int i = 0; i < 100; i++) {
        FMP_SCOPE("hard", "pit");
        planted_recursion(3000, 500000);
    }
    fmp_system_report *report = fmp_system_stop(&system, 0);
    CHECK(figure(report, "functions", "self_seconds", "pit", "planted_red") >
          0.8 * figure(report, "samples", "seconds", "pit", ""));
#ifdef FMP_HAVE_LIBDW
    size_t deepest = 0;
    for (size_t i = 0; i < report->stack_count; i++) {
        const fmp_stack *s = &report->stacks[i];
        deepest = s->frame_count > deepest ? s->frame_count : deepest;
        CHECK(s->frame_count <= 65);
        if (s->frame_count == 65) {
            CHECK(strcmp(s->frames[64], "(deeper)") == 0);
            CHECK(strcmp(s->frames[40], "planted_recursion") == 0); /* the last may be of who calls it, on the way down */
        }
    }
    CHECK(deepest == 65);
    CHECK(strstr(facility_says(report, "samples", "how"), "outermost calls were not found"));
#endif
    if (failures)
        print_report(report);
    fmp_system_report_free(&report);
}

static volatile sig_atomic_t own_ticks;

static void on_user_signal(int number)
{
    (void)number;
    planted_green(600000);
    own_ticks = own_ticks + 1; /* something to do after the call, so that it stays one */
}

/* A handler that is busy on a stack of its own is sampled there. */
static void a_handler_is_busy_elsewhere(void)
{
    enum { STACK = 64 * 1024 };
    const stack_t stack = {.ss_sp = malloc(STACK), .ss_size = STACK};
    CHECK(sigaltstack(&stack, NULL) == 0);
    struct sigaction action = {.sa_handler = on_user_signal, .sa_flags = SA_ONSTACK};
    sigaction(SIGUSR1, &action, NULL);
    fmp_system *system = start(997, false);
    const double begin = thread_seconds();
    for (int i = 0; i < 200; i++) {
        FMP_SCOPE("hard", "handler");
        raise(SIGUSR1);
    }
    const double spent = thread_seconds() - begin;
    fmp_system_report *report = fmp_system_stop(&system, 0);
    check_share("handler", figure(report, "functions", "self_seconds", "handler", "planted_green"), spent, spent, 0.15);
#ifdef FMP_HAVE_LIBDW
    CHECK(inclusive(report, 997, "handler", "on_user_signal") > 0.8 * spent);
#endif
    if (failures)
        print_report(report);
    fmp_system_report_free(&report);
}

static jmp_buf back;
static volatile bool jumps = true;

static FMP_NOINLINE void jump(int depth)
{
    if (depth == 0) {
        planted_red(20000);
        if (jumps)
            longjmp(back, 1);
        return;
    }
    jump(depth - 1);
    planted_green(1);
}

/* Frames vanish under the sampler's eyes. */
static void jumps_are_long(void)
{
    fmp_system *system = start(5000, false);
    const double end = thread_seconds() + 0.4;
    while (thread_seconds() < end) {
        FMP_SCOPE("hard", "jumps");
        if (setjmp(back) == 0)
            jump(50);
    }
    fmp_system_report *report = fmp_system_stop(&system, 0);
    CHECK(figure(report, "samples", "seconds", "jumps", "") > 0.1);
    CHECK(figure(report, "functions", "self_seconds", "jumps", "planted_red") > 0.08);
    if (failures)
        print_report(report);
    fmp_system_report_free(&report);
}

/* --- signals -------------------------------------------------------------------------- */

static void own_handler(int number)
{
    (void)number;
    own_ticks = own_ticks + 1;
}

static void take(int number)
{
    struct sigaction action = {.sa_handler = own_handler, .sa_flags = SA_RESTART};
    sigaction(number, &action, NULL);
}

static bool is_taken(int number)
{
    struct sigaction now;
    return sigaction(number, NULL, &now) == 0 && now.sa_handler == own_handler;
}

/* A program that profiles itself keeps its signal: another is used. */
static void the_program_uses_sigprof(void)
{
    take(SIGPROF);
    const struct timeval interval = {.tv_usec = 10000};
    setitimer(ITIMER_PROF, &(struct itimerval){interval, interval}, NULL);
    fmp_system *system = start(499, false);
    const planted_seconds spent = planted_rounds(0.6);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    CHECK(own_ticks > 20);
    CHECK(is_taken(SIGPROF));
    CHECK(strstr(facility_says(report, "call stacks", "how"), "SIGSTKFLT"));
    check_share("all", figure(report, "samples", "seconds", "", ""), planted_sum(&spent), planted_sum(&spent), 0.1);
    if (failures)
        print_report(report);
    fmp_system_report_free(&report);
}

static void the_program_uses_both_signals(void)
{
    take(SIGPROF);
    take(SIGSTKFLT);
    fmp_system *system = start(499, false);
    planted_rounds(0.1);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    CHECK(strcmp(facility_says(report, "call stacks", "state"), "not permitted") == 0);
    CHECK(strstr(facility_says(report, "call stacks", "how"), "handles SIGPROF itself"));
    CHECK(is_taken(SIGPROF) && is_taken(SIGSTKFLT) && own_ticks == 0);
    fmp_system_report_free(&report);
}

static void the_program_takes_the_signal_later(void)
{
    fmp_system *system = start(499, false);
    planted_rounds(0.2);
    take(SIGPROF);
    planted_rounds(0.3);
    const int ticks = own_ticks; /* until the next reading; none from then on */
    planted_rounds(0.2);
    CHECK(own_ticks == ticks);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    CHECK(is_taken(SIGPROF));
    CHECK(strcmp(facility_says(report, "samples until the end", "state"), "not permitted") == 0);
    const double sampled = figure(report, "samples", "seconds", "", "");
    CHECK(sampled > 0.1 && sampled < 0.4);
    if (failures)
        print_report(report);
    fmp_system_report_free(&report);
}

/* A signal that waits in a thread when sampling ends does not kill the program afterwards. */
static void a_signal_waits(void)
{
    sigset_t profiling, pending;
    sigemptyset(&profiling);
    sigaddset(&profiling, SIGPROF);
    fmp_system *system = start(997, false);
    pthread_sigmask(SIG_BLOCK, &profiling, NULL);
    planted_rounds(0.1);
    sigpending(&pending);
    CHECK(sigismember(&pending, SIGPROF) == 1);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    sigpending(&pending);
    CHECK(sigismember(&pending, SIGPROF) == 0);
    pthread_sigmask(SIG_UNBLOCK, &profiling, NULL);
    struct sigaction now;
    sigaction(SIGPROF, NULL, &now);
    CHECK(now.sa_handler == SIG_DFL);
    fmp_system_report_free(&report);
}

/* Ticks come for CPU time alone: a call that waits is not disturbed. */
static void waiting_calls_wait(void)
{
    fmp_system *system = start(997, false);
    int ends[2], interrupted = 0;
    CHECK(pipe(ends) == 0);
    for (int i = 0; i < 20; i++) {
        planted_red(300000);
        errno = 1234;
        struct pollfd one = {.fd = ends[0], .events = POLLIN};
        interrupted += poll(&one, 1, 10) != 0;
    }
    CHECK(interrupted <= 2); /* a tick that falls into the call's own few microseconds */
    fmp_system_report *report = fmp_system_stop(&system, 0);
    fmp_system_report_free(&report);
}

/* --- again and again --------------------------------------------------------------------- */

static void sampling_starts_again(void)
{
    for (int i = 0; i < 20; i++) {
        fmp_system *system = start(997, i % 2 == 1);
        planted_rounds(0.02);
        fmp_system_report *report = fmp_system_stop(&system, 0);
        CHECK(figure(report, "samples", "seconds", "", "") < 0.1);
        fmp_system_report_free(&report);
    }
}

static void a_forked_child_samples_itself(void)
{
    fmp_system *system = start(499, false);
    planted_rounds(0.1);
    const pid_t child = fork();
    if (child == 0) {
        fmp_system *own = start(499, false);
        planted_rounds(0.3);
        fmp_system_report *report = fmp_system_stop(&own, 0);
        _exit(strcmp(facility_says(report, "call stacks", "state"), "on") == 0 &&
                      figure(report, "samples", "seconds", "", "") > 0.2
                  ? 0
                  : 1);
    }
    planted_rounds(0.1);
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    const double sampled = figure(report, "samples", "seconds", "", "");
    CHECK(sampled > 0.15 && sampled < 0.3);
    if (failures)
        print_report(report);
    fmp_system_report_free(&report);
}

#ifdef FMP_HAVE_LIBDW
static int count_module(struct dl_phdr_info *info, size_t size, void *count)
{
    (void)info;
    (void)size;
    ++*(int *)count;
    return 0;
}

/* The watching thread walks the linker's list at each reading: a child that is forked meanwhile can walk it, too. */
static void a_fork_meets_no_walk(void)
{
    fmp_system *system = fmp_system_start(
        &(fmp_system_options){.facilities = FMP_SYSTEM_SAMPLE, .readings_hz = 1000, .samples_hz = 997});
    for (int i = 0; i < 400 && failures == 0; i++) {
        planted_red(20000);
        const pid_t child = fork();
        if (child == 0) {
            int modules = 0;
            alarm(5);
            dl_iterate_phdr(count_module, &modules);
            _exit(modules > 1 ? 0 : 1);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    fmp_system_report *report = fmp_system_stop(&system, 0);
    CHECK(report);
    fmp_system_report_free(&report);
}
#else
static void a_fork_meets_no_walk(void)
{
}
#endif

/* Its descriptors are gone, others have their numbers: those are left open. */
static void the_program_closes_everything(void)
{
    fmp_system *system = start(499, false);
    int ends[2];
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    for (int i = 0; i < 16; i++)
        CHECK(pipe(ends) == 0);
    planted_rounds(0.1);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    CHECK(report);
    CHECK(write(ends[1], "x", 1) == 1);
    for (int fd = 3; fd < 3 + 32; fd++)
        CHECK(close(fd) == 0);
    fmp_system_report_free(&report);
}

/* Libraries are loaded and closed while code in them is sampled. */
static void libraries_come_and_go(void)
{
    fmp_system *system = start(2000, false);
    for (int i = 0; i < 30; i++) {
        void *library = dlopen(LATE_LIBRARY, RTLD_NOW | RTLD_LOCAL);
        CHECK(library);
        void (*work)(uint64_t);
        void *found = dlsym(library, "planted_library_work");
        memcpy(&work, &found, sizeof work);
        {
            FMP_SCOPE("hard", "late");
            work(6000000);
        }
        if (i + 1 < 30)
            dlclose(library);
    }
    fmp_system_report *report = fmp_system_stop(&system, 0);
    CHECK(figure(report, "samples", "seconds", "late", "") > 0.05);
    fmp_system_report_free(&report);
}

CHILD_TEST(threads_come_and_go)
CHILD_TEST(a_thread_blocks_signals)
CHILD_TEST(the_stack_ends_soon)
CHILD_TEST(recursion_is_deep)
CHILD_TEST(a_handler_is_busy_elsewhere)
CHILD_TEST(jumps_are_long)
CHILD_TEST(the_program_uses_sigprof)
CHILD_TEST(the_program_uses_both_signals)
CHILD_TEST(the_program_takes_the_signal_later)
CHILD_TEST(a_signal_waits)
CHILD_TEST(waiting_calls_wait)
CHILD_TEST(sampling_starts_again)
CHILD_TEST(a_forked_child_samples_itself)
CHILD_TEST(a_fork_meets_no_walk)
CHILD_TEST(the_program_closes_everything)
CHILD_TEST(libraries_come_and_go)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_come_and_go),
        cmocka_unit_test(test_a_thread_blocks_signals),
        cmocka_unit_test(test_the_stack_ends_soon),
        cmocka_unit_test(test_recursion_is_deep),
        cmocka_unit_test(test_a_handler_is_busy_elsewhere),
        cmocka_unit_test(test_jumps_are_long),
        cmocka_unit_test(test_the_program_uses_sigprof),
        cmocka_unit_test(test_the_program_uses_both_signals),
        cmocka_unit_test(test_the_program_takes_the_signal_later),
        cmocka_unit_test(test_a_signal_waits),
        cmocka_unit_test(test_waiting_calls_wait),
        cmocka_unit_test(test_sampling_starts_again),
        cmocka_unit_test(test_a_forked_child_samples_itself),
        cmocka_unit_test(test_a_fork_meets_no_walk),
        cmocka_unit_test(test_the_program_closes_everything),
        cmocka_unit_test(test_libraries_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
    return 77; /* not written for this system */
}
#endif
