/*
 * The same program under strace, by which its calls are counted independently.
 * Two cannot trace at once, so it runs twice: this test is that program too.
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <sys/stat.h>
#include <sys/uio.h>

#include <cmocka.h>

#include "syscalls_support.h"

/* Calls that neither the loader nor the C library makes by itself; strace gives them the same names. */
static const char *const calls[] = {"pwrite64", "preadv", "getpgid", "fchmodat", "nanosleep", "sched_yield"};
enum { CALLS = sizeof calls / sizeof calls[0], THREADS = 4, ROUNDS = 150 };

static void *work(void *opaque)
{
    const int file = *(const int *)opaque;
    char bytes[512] = {0};
    FMP_SCOPE("T", "work");
    for (int i = 0; i < ROUNDS; i++) {
        const bool written = pwrite(file, bytes, (size_t)(i % 500), 0) >= 0;
        struct iovec parts[2] = {{bytes, 100}, {bytes + 100, 57}};
        if (preadv(file, parts, 2, 0) < 0 || !written)
            abort();
        syscall(SYS_getpgid, 0);
        if (i % 3 == 0)
            syscall(SYS_fchmodat, AT_FDCWD, "/there/is/no/such/file", 0600);
        if (i % 10 == 0)
            syscall(SYS_nanosleep, &(struct timespec){.tv_nsec = 20000}, NULL);
        sched_yield();
    }
    return NULL;
}

static int run_work(void)
{
    char path[] = "/tmp/test_syscalls.XXXXXX";
    int file = mkstemp(path);
    CHECK(file >= 0);
    unlink(path);
    char bytes[600] = {0}; /* so that reads get the same whoever was first */
    CHECK(write(file, bytes, sizeof bytes) == (ssize_t)sizeof bytes);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, work, &file) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}

typedef struct figures {
    long count, errors, bytes;
} figures;

static int watch_work(figures *all)
{
    fmp_system *system = start_watch();
    CHECK(system);
    CHECK(run_work() == 0);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    CHECK(report);
    if (!watched(report))
        return NOT_PERMITTED;
    for (int i = 0; i < CALLS; i++)
        all[i] = (figures){(long)figure(report, "work", calls[i], "count"),
                           (long)figure(report, "work", calls[i], "errors"),
                           i < 2 ? (long)figure(report, "work", calls[i], "bytes") : 0};
    fmp_system_report_free(&report);
    return 0;
}

/* The output of strace on this program; NULL: no strace, or it may not trace. */
static FILE *under_strace(const char *options)
{
    char self[4096], command[5000];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0 || system("strace -o /dev/null true >/dev/null 2>&1") != 0) /* NOLINT */
        return NULL;
    self[length] = '\0';
    snprintf(command, sizeof command, "exec strace -f %s -o /dev/stdout '%s' --work 2>&1", options, self);
    return popen(command, "r");
}

/* "% time  seconds  usecs/call  calls  [errors]  syscall" */
static void read_summary(FILE *output, figures *all)
{
    char line[512];
    while (fgets(line, sizeof line, output)) {
        char last[64], word[64];
        long count, errors = 0;
        if (sscanf(line, "%*f %*f %*d %ld %63s %63s", &count, word, last) == 3)
            errors = atol(word);
        else if (sscanf(line, "%*f %*f %*d %ld %63s", &count, last) != 2)
            continue;
        for (int i = 0; i < CALLS; i++)
            if (strcmp(last, calls[i]) == 0)
                all[i] = (figures){count, errors, 0};
    }
}

/* "1234 pwrite64(3, ..., 12, 0) = 12", or "1234 <... pwrite64 resumed>...) = 12" */
static void read_lines(FILE *output, figures *all)
{
    char line[4096];
    while (fgets(line, sizeof line, output)) {
        const char *result = NULL;
        for (const char *found = line; (found = strstr(found, " = ")); found += 3)
            result = found + 3;
        for (int i = 0; result && i < CALLS; i++) {
            char begin[64], resumed[64];
            snprintf(begin, sizeof begin, " %s(", calls[i]);
            snprintf(resumed, sizeof resumed, "<... %s resumed>", calls[i]);
            if (!strstr(line, begin) && !strstr(line, resumed))
                continue;
            const long value = atol(result);
            all[i].count++;
            all[i].errors += value < 0;
            all[i].bytes += value > 0 && i < 2 ? value : 0;
        }
    }
}

static void strace_counts_the_same(void **state)
{
    (void)state;
    figures own[CALLS] = {{0}}, summary[CALLS] = {{0}}, lines[CALLS] = {{0}};
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* the leak checker cannot trace what is traced */
    FILE *output = under_strace("-c");
    if (!output) {
        print_message("no strace that may trace: skipped\n");
        skip();
    }
    read_summary(output, summary);
    assert_int_equal(pclose(output), 0);
    output = under_strace("-e trace=pwrite64,preadv,getpgid,fchmodat,nanosleep,sched_yield");
    assert_non_null(output);
    read_lines(output, lines);
    assert_int_equal(pclose(output), 0);
    const int status = watch_work(own);
    SKIP_UNLESS_PERMITTED(status);
    assert_int_equal(status, 0);
    for (int i = 0; i < CALLS; i++) {
        print_message("%-12s %ld calls, %ld errors, %ld bytes\n", calls[i], own[i].count, own[i].errors, own[i].bytes);
        assert_true(own[i].count >= THREADS * ROUNDS / 10);
        assert_int_equal(own[i].count, summary[i].count);
        assert_int_equal(own[i].errors, summary[i].errors);
        assert_int_equal(own[i].count, lines[i].count);
        assert_int_equal(own[i].errors, lines[i].errors);
        assert_int_equal(own[i].bytes, lines[i].bytes);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--work") == 0)
        return run_work();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strace_counts_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
