#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "fmprof/fmprof.h"
#include "pipeline/slow.h"

static void set(const char *text)
{
    assert_int_equal(text ? setenv("FACEMIRROR_SLOW", text, 1) : unsetenv("FACEMIRROR_SLOW"), 0);
}

static void nothing_is_slow_by_default(void **state)
{
    (void)state;
    fm_error err = {0};
    set(NULL);
    assert_null(fm_slow_text());
    assert_int_equal(fm_slow_check(&err), FM_OK);
    assert_int_equal(fm_slow_of("analysis").ns, 0);
    set("");
    assert_null(fm_slow_text());
}

static void names_and_units(void **state)
{
    (void)state;
    fm_error err = {0};
    set("analysis=5ms,left mirror=200us:cpu,FaceMesh=2s");
    assert_int_equal(fm_slow_check(&err), FM_OK);
    assert_int_equal(fm_slow_of("analysis").ns, 5000000);
    assert_false(fm_slow_of("analysis").cpu);
    assert_int_equal(fm_slow_of("left mirror").ns, 200000);
    assert_true(fm_slow_of("left mirror").cpu);
    assert_int_equal(fm_slow_of("FaceMesh").ns, 2000000000);
    assert_int_equal(fm_slow_of("Face").ns, 0);
    assert_int_equal(fm_slow_of("debug").ns, 0);
    assert_int_equal(fm_slow_pictures(8), 8);
    set("analysis=5ms,pictures=2");
    assert_int_equal(fm_slow_check(&err), FM_OK);
    assert_int_equal(fm_slow_pictures(8), 2);
    assert_int_equal(fm_slow_pictures(1), 1);
    assert_int_equal(fm_slow_of("analysis").ns, 5000000);
}

static void refuses_what_it_cannot_read(void **state)
{
    (void)state;
    const char *const bad[] = {"analysis", "=5ms", "analysis=", "analysis=ms", "analysis=5", "analysis=5 ms",
                               "analysis=-5ms",
                               "analysis=11s", "analysis=99999999999999999999us", "analysis=5ms,,debug=1ms", "a=5ms:gpu",
                               "pictures=0", "pictures=12", "pictures=2ms"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fm_error err = {0};
        set(bad[i]);
        assert_int_equal(fm_slow_check(&err), FM_E_USAGE);
        assert_non_null(err.message);
    }
}

static uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void spends_what_it_says(void **state)
{
    (void)state;
    const uint64_t wall = fmp_now(), cpu = cpu_ns();
    fm_slow_down(&(fm_slow){.ns = 20000000});
    assert_true(fmp_now() - wall >= 20000000);
    assert_true(cpu_ns() - cpu < 10000000); /* asleep */

    const uint64_t busy = cpu_ns();
    fm_slow_down(&(fm_slow){.ns = 5000000, .cpu = true});
    assert_true(cpu_ns() - busy >= 5000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_slow_by_default),
        cmocka_unit_test(names_and_units),
        cmocka_unit_test(refuses_what_it_cannot_read),
        cmocka_unit_test(spends_what_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
