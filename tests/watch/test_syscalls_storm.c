/* System calls of many threads, while signals, threads and processes come and go: no hang, no call miscounted. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <linux/futex.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "syscalls_support.h"

enum { LIMIT_S = 60, STORM_THREADS = 20, STORM_MS = 2000 };

static void run_it(int (*work)(void))
{
    const int status = in_child(work, LIMIT_S);
    SKIP_UNLESS_PERMITTED(status);
    assert_int_equal(status, 0);
}

static _Atomic(bool) storm_over;
static _Atomic(long) storm_writes, storm_raised, storm_handled;
static int null_file;

static void on_signal(int signal)
{
    (void)signal;
    const int before = errno;
    syscall(SYS_sched_yield);
    errno = before;
}

static void on_raised(int signal)
{
    (void)signal;
    storm_handled++;
}

static void *nothing(void *opaque)
{
    return opaque;
}

static void random_call(unsigned *seed)
{
    uint32_t word = 0;
    pthread_t thread;
    pid_t child;
    void *memory;
    switch (rand_r(seed) % 9) {
    case 0:
        if (write(null_file, "abc", 3) == 3)
            storm_writes++;
        break;
    case 1:
        syscall(SYS_nanosleep, &(struct timespec){.tv_nsec = rand_r(seed) % 200000}, NULL);
        break;
    case 2:
        syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &(struct timespec){.tv_nsec = 50000}, NULL, 0);
        break;
    case 3:
        if (pthread_create(&thread, NULL, nothing, NULL) == 0)
            pthread_join(thread, NULL);
        break;
    case 4:
        memory = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory != MAP_FAILED)
            munmap(memory, 65536);
        break;
    case 5:
        child = rand_r(seed) % 8 == 0 ? vfork() : -1;
        if (child == 0)
            _exit(0);
        if (child > 0)
            while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
            }
        break;
    case 6:
        storm_raised++;
        raise(SIGRTMIN);
        break;
    default:
        syscall(SYS_openat, AT_FDCWD, "/there/is/no/such/file", O_RDONLY);
    }
}

static void *storm_thread(void *opaque)
{
    unsigned seed = *(const unsigned *)opaque;
    while (!storm_over) {
        FMP_SCOPE("T", "storm");
        for (int i = 0; i < 20; i++)
            random_call(&seed);
    }
    return NULL;
}

typedef enum storm_end { OVER_BEFORE, GOES_ON, TRACER_KILLED } storm_end;

static bool start_threads(pthread_t threads[STORM_THREADS])
{
    static unsigned seeds[STORM_THREADS];
    for (int i = 0; i < STORM_THREADS; i++) {
        seeds[i] = (unsigned)i + 1;
        if (pthread_create(&threads[i], NULL, storm_thread, &seeds[i]) != 0)
            return false;
    }
    return true;
}

static void send_signals(const pthread_t threads[STORM_THREADS], int ms)
{
    const uint64_t end = fmp_now() + (uint64_t)ms * 1000000;
    for (int i = 0; fmp_now() < end; i++) {
        pthread_kill(threads[i % STORM_THREADS], i % 2 ? SIGUSR1 : SIGUSR2);
        sleep_ms(2);
    }
}

static void join_all(const pthread_t threads[STORM_THREADS])
{
    storm_over = true;
    for (int i = 0; i < STORM_THREADS; i++)
        pthread_join(threads[i], NULL);
}

static int check_storm(const fmp_system_report *report, storm_end end)
{
    if (!watched(report))
        return NOT_PERMITTED;
    if (end == OVER_BEFORE)
        CHECK(counted(report, "storm", "write", storm_writes, 0));
    CHECK(figure(report, "storm", "write", "count") > 0);
    /* A thread may be between its call's return and its own count of it. */
    CHECK(figure(report, "storm", "write", "count") <= (double)(storm_writes + STORM_THREADS));
    CHECK(waitpid(-1, NULL, __WALL) == -1 && errno == ECHILD);
    return 0;
}

static int storm(storm_end end)
{
    pthread_t threads[STORM_THREADS];
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR2, &action, NULL);
    action.sa_handler = on_raised;
    sigaction(SIGRTMIN, &action, NULL);
    null_file = open("/dev/null", O_WRONLY | O_CLOEXEC);
    fmp_system *system = start_watch();
    CHECK(system);
    const pid_t process = tracing_process();
    CHECK(start_threads(threads));
    send_signals(threads, STORM_MS / 2);
    if (end == TRACER_KILLED && process)
        kill(process, SIGKILL);
    send_signals(threads, STORM_MS / 2);
    if (end != GOES_ON)
        join_all(threads);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    CHECK(report);
    if (end == GOES_ON)
        join_all(threads);
    if (end != TRACER_KILLED) /* which may have had one in its hands */
        CHECK(storm_handled == storm_raised && storm_raised > 0);
    const int status = check_storm(report, end);
    fmp_system_report_free(&report);
    return status;
}

static int storm_over_before(void)
{
    return storm(OVER_BEFORE);
}

static int storm_goes_on(void)
{
    return storm(GOES_ON);
}

static int storm_without_tracer(void)
{
    return storm(TRACER_KILLED);
}

static void every_call_of_a_storm_counts(void **state)
{
    (void)state;
    run_it(storm_over_before);
}

static void a_watch_can_end_in_a_storm(void **state)
{
    (void)state;
    run_it(storm_goes_on);
}

static void a_storm_outlives_the_tracer(void **state)
{
    (void)state;
    run_it(storm_without_tracer);
}

/* --- again and again, and with all the others -------------------------------------------- */

enum { CYCLES = 25 };

static int open_files(void)
{
    int count = 0;
    for (int file = 0; file < 256; file++)
        count += fcntl(file, F_GETFD) >= 0;
    return count;
}

static int cycles(void)
{
    const int files = open_files();
    for (int i = 0; i < CYCLES; i++) {
        fmp_system *system = start_watch();
        CHECK(system);
        {
            FMP_SCOPE("T", "cycle");
            for (int call = 0; call <= i; call++)
                syscall(SYS_getpgid, 0);
        }
        fmp_system_report *report = fmp_system_stop(&system, 0);
        CHECK(report);
        if (!watched(report))
            return NOT_PERMITTED;
        CHECK(counted(report, "cycle", "getpgid", i + 1, 0));
        fmp_system_report_free(&report);
        CHECK(waitpid(-1, NULL, __WALL) == -1 && errno == ECHILD);
    }
    CHECK(open_files() == files);
    return 0;
}

static void watches_follow_each_other(void **state)
{
    (void)state;
    run_it(cycles);
}

static volatile uint64_t sink;

/* Timers, readings and counters of the other facilities go on while calls are traced. */
static int all_facilities(void)
{
    fmp_system *system = fmp_system_start(&(fmp_system_options){.facilities = FMP_SYSTEM_ALL});
    CHECK(system);
    for (int i = 0; i < 30; i++) {
        FMP_SCOPE("T", "mixed");
        const uint64_t begin = fmp_now();
        while (fmp_now() - begin < 10000000)
            sink = sink + 1;
        syscall(SYS_getpgid, 0);
    }
    fmp_system_report *report = fmp_system_stop(&system, 0);
    CHECK(report);
    if (!watched(report))
        return NOT_PERMITTED;
    CHECK(counted(report, "mixed", "getpgid", 30, 0));
    CHECK(counted(report, NULL, "getpgid", 30, 0));
    fmp_system_report_free(&report);
    return 0;
}

static void all_facilities_get_along(void **state)
{
    (void)state;
    run_it(all_facilities);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_of_a_storm_counts), cmocka_unit_test(a_watch_can_end_in_a_storm),
        cmocka_unit_test(a_storm_outlives_the_tracer),  cmocka_unit_test(watches_follow_each_other),
        cmocka_unit_test(all_facilities_get_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
