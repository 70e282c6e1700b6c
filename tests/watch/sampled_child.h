/* Tests of samples in a process of their own: what they do to signals, users and permitted calls ends with it. */
#ifndef TEST_WATCH_SAMPLED_CHILD_H
#define TEST_WATCH_SAMPLED_CHILD_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sampled.h"

static int failures; /* of a child */
#define CHECK(condition)                                                                  \
    do {                                                                                  \
        if (!(condition)) {                                                               \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);       \
            failures++;                                                                   \
        }                                                                                 \
    } while (0)

/* Runs it in a process of its own; 77: it is not possible here. */
static inline void in_child(void (*scenario)(void))
{
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        failures = 0;
        scenario();
        fflush(NULL);
        _exit(failures ? 1 : 0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static inline fmp_system *start(unsigned hz, bool by_timer)
{
    return fmp_system_start(
        &(fmp_system_options){.facilities = FMP_SYSTEM_SAMPLE, .samples_hz = hz, .sample_by_timer = by_timer});
}

/* The part of all that is expected of a figure and got, apart by at most so much of all. */
static inline void check_share(const char *what, double got, double expected, double all, double margin)
{
    if (fabs(got - expected) <= margin * all)
        return;
    fprintf(stderr, "%s: %.3f s sampled, %.3f s spent, of %.3f s\n", what, got, expected, all);
    failures++;
}

#define CHILD_TEST(scenario)               \
    static void test_##scenario(void **s)  \
    {                                      \
        (void)s;                           \
        in_child(scenario);                \
    }

#endif
