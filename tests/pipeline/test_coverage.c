#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "fmprof/fmprof.h"
#include "pipeline/coverage.h"

/* Two stages that overlap count once, and the pause between counts not at all. */
static void counts_the_union(void **state)
{
    (void)state;
    fm_coverage c;
    fm_coverage_init(&c);
    const uint64_t t0 = fmp_now();
    fm_coverage_enter(&c);
    usleep(3000);
    fm_coverage_enter(&c);
    usleep(3000);
    fm_coverage_leave(&c);
    assert_int_equal(c.total_ns, 0); /* one is still inside */
    fm_coverage_leave(&c);
    const uint64_t t1 = fmp_now();
    const uint64_t first = c.total_ns;
    assert_in_range(first, 6000000, t1 - t0);

    usleep(5000);
    fm_coverage_enter(&c);
    fm_coverage_leave(&c);
    assert_in_range(c.total_ns, first, first + (fmp_now() - t1) - 5000000);
    fm_coverage_destroy(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts_the_union)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
