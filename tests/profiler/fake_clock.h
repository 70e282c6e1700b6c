/* A clock that stands still until a test moves it: figures become exact. One thread only. */
#ifndef FAKE_CLOCK_H
#define FAKE_CLOCK_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "fmprof/fmprof.h"
#include "profiler/clock.h"

static uint64_t fake_now = 1000;

static uint64_t fake_ticks(void)
{
    return fake_now;
}

static inline int use_fake_clock(void **state)
{
    (void)state;
    fmp_enable(true);
    fmp_clock_set_for_tests(fake_ticks);
    fmp_reset();
    return 0;
}

static inline int use_real_clock(void **state)
{
    (void)state;
    fmp_enable(true);
    fmp_clock_set_for_tests(NULL);
    fmp_reset();
    return 0;
}

/* cmocka's own comparison works in single precision. */
#define assert_near(value, expected, tolerance) assert_true(fabs((value) - (expected)) <= (tolerance))

/* The operation of a snapshot, or NULL. */
static inline const fmp_operation *find_operation(const fmp_snapshot *snapshot,
                                                  const char *category, const char *operation)
{
    for (size_t i = 0; i < snapshot->operation_count; i++) {
        const fmp_operation *op = &snapshot->operations[i];
        if (strcmp(op->category, category) == 0 && strcmp(op->operation, operation) == 0)
            return op;
    }
    return NULL;
}

#endif
