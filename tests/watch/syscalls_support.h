/* What the tests of the facility "syscalls" share. */
#ifndef SYSCALLS_SUPPORT_H
#define SYSCALLS_SUPPORT_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/syscall.h>
#include <sys/wait.h>

#include "fmprof/fmprof.h"
#include "fmprof/system.h"

enum { NOT_PERMITTED = 77, TOO_LATE = 78 };

/* In a child process, where cmocka's assertions would go astray: what is wrong is printed, and 1 returned. */
#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not so: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno);                  \
            return 1;                                                                                                  \
        }                                                                                                              \
    } while (0)

/* Ends the test as skipped, with the reason, when a child said so. */
#define SKIP_UNLESS_PERMITTED(status)                                                                                  \
    do {                                                                                                               \
        if ((status) == NOT_PERMITTED) {                                                                               \
            print_message("not permitted to trace here: skipped\n");                                                   \
            skip();                                                                                                    \
        }                                                                                                              \
    } while (0)

static inline fmp_system *start_watch(void)
{
    return fmp_system_start(&(fmp_system_options){.facilities = FMP_SYSTEM_SYSCALLS});
}

/* A text of the facility's n-th row of the first table. */
static inline const char *facility_text(const fmp_system_report *report, int n, const char *column)
{
    const fmp_table *table = fmp_system_table(report, "facilities");
    for (size_t row = 0; table && row < table->row_count; row++)
        if (strcmp(fmp_table_text(table, row, 0), "syscalls") == 0 && n-- == 0)
            return fmp_table_text(table, row, fmp_table_column(table, column));
    return "";
}

static inline bool watched(const fmp_system_report *report)
{
    return strcmp(facility_text(report, 0, "state"), "on") == 0;
}

/* The sum of a figure over all rows of that operation (NULL: any) and call. */
static inline double figure(const fmp_system_report *report, const char *operation, const char *call,
                            const char *column)
{
    const fmp_table *table = fmp_system_table(report, "syscalls");
    double sum = 0;
    for (size_t row = 0; table && row < table->row_count; row++)
        if ((!operation || strcmp(fmp_table_text(table, row, 0), operation) == 0) &&
            strcmp(fmp_table_text(table, row, 1), call) == 0)
            sum += fmp_table_number(table, row, fmp_table_column(table, column));
    return sum;
}

/* Numbers that are whole by nature. */
static inline bool counted(const fmp_system_report *report, const char *operation, const char *call, long count,
                           long errors)
{
    const double calls = figure(report, operation, call, "count"), failed = figure(report, operation, call, "errors");
    const bool right = (long)calls == count && (long)failed == errors;
    if (!right)
        fprintf(stderr, "%s in %s: %.0f calls, %.0f errors; expected %ld, %ld\n", call, operation ? operation : "all",
                calls, failed, count, errors);
    return right;
}

static inline void sleep_ms(long ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

/* Waits that long at most; the status of a process that must be killed is TOO_LATE. */
static inline int end_of_child(pid_t child, int seconds)
{
    int status = 0;
    for (int ms = 0; ms < seconds * 1000; ms += 5) {
        const pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        sleep_ms(5);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return TOO_LATE;
}

/* `work` in a process of its own, which what it does to itself leaves with it. */
static inline int in_child(int (*work)(void), int seconds)
{
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0)
        _exit(work());
    return child < 0 ? 1 : end_of_child(child, seconds);
}

/* A child of this process that waitpid(-1) does not tell of; 0: none. */
static inline pid_t tracing_process(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)gettid());
    FILE *file = fopen(path, "r");
    int process = 0;
    if (!file || fscanf(file, "%d", &process) != 1)
        process = 0;
    if (file)
        fclose(file);
    return process;
}

static inline bool is_gone(pid_t process, int seconds)
{
    char path[64], state = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
    for (int ms = 0; ms < seconds * 1000; ms += 5) {
        FILE *file = fopen(path, "r");
        const bool there = file && fscanf(file, "%*d %*s %c", &state) == 1 && state != 'Z';
        if (file)
            fclose(file);
        if (!there)
            return true;
        sleep_ms(5);
    }
    return false;
}

#endif
