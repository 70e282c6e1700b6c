/* The filter against its paper: passes, converges, quiets noise at rest and keeps up in motion. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "face/one_euro.h"

static const double pi = 3.141592653589793;

static fm_one_euro make_filter(void)
{
    return (fm_one_euro){
        .min_cutoff_hz = FM_ONE_EURO_MIN_CUTOFF_HZ,
        .beta = FM_ONE_EURO_BETA,
        .derivative_cutoff_hz = FM_ONE_EURO_DERIVATIVE_CUTOFF_HZ,
    };
}

static void test_first_value_and_bad_arguments_pass(void **state)
{
    (void)state;
    fm_one_euro f = make_filter();
    assert_true(fm_one_euro_apply(&f, 5.0, 1.0, 0.04) == 5.0);
    assert_true(fm_one_euro_apply(&f, 9.0, 1.0, 0.0) == 9.0);
    assert_true(fm_one_euro_apply(&f, 7.0, 0.0, 0.04) == 7.0);
    assert_true(fm_one_euro_apply(&f, 7.0, 1.0, -1.0) == 7.0);
    assert_true(isnan(fm_one_euro_apply(&f, NAN, 1.0, 0.04)));
    assert_true(fm_one_euro_apply(&f, 7.0, 1.0, 0.04) == 7.0); /* the NaN left no trace */
    fm_one_euro_reset(&f);
    assert_true(fm_one_euro_apply(&f, -3.0, 1.0, 0.04) == -3.0);
}

/* With beta 0 it is an exponential filter: check against the closed form. */
static void test_beta_zero_is_a_low_pass(void **state)
{
    (void)state;
    fm_one_euro f = {.min_cutoff_hz = 2.0, .beta = 0.0, .derivative_cutoff_hz = 1.0};
    const double dt = 1.0 / 30.0, alpha = 1.0 / (1.0 + 1.0 / (2.0 * pi * 2.0 * dt));
    fm_one_euro_apply(&f, 0.0, 1.0, dt);
    for (int i = 1; i <= 20; i++) {
        double want = 1.0 - pow(1.0 - alpha, i);
        assert_true(fabs(fm_one_euro_apply(&f, 1.0, 1.0, dt) - want) < 1e-12);
    }
}

/* Twice the picture, twice the face: the same result, twice as large. */
static void test_scale_free(void **state)
{
    (void)state;
    fm_one_euro a = make_filter(), b = make_filter();
    for (int i = 0; i < 50; i++) {
        double v = 100.0 + 20.0 * sin(0.3 * i) + (i % 3);
        double small = fm_one_euro_apply(&a, v, 200.0, 1.0 / 30.0);
        double large = fm_one_euro_apply(&b, 2.0 * v, 400.0, 1.0 / 30.0);
        assert_true(fabs(2.0 * small - large) < 1e-9);
    }
}

static void test_mirror_symmetric(void **state)
{
    (void)state;
    fm_one_euro a = make_filter(), b = make_filter();
    for (int i = 0; i < 50; i++) {
        double v = 100.0 + 20.0 * sin(0.3 * i) + (i % 3);
        double here = fm_one_euro_apply(&a, v, 200.0, 1.0 / 30.0);
        double there = fm_one_euro_apply(&b, 640.0 - v, 200.0, 1.0 / 30.0);
        assert_true(fabs(here + there - 640.0) < 1e-9);
    }
}

/* White noise of 0.1 % of the face at rest is halved at least; a steady motion lags less than half a frame. */
static void test_quiet_at_rest_prompt_in_motion(void **state)
{
    (void)state;
    const double dt = 1.0 / 30.0, size = 200.0;
    fm_one_euro f = make_filter();
    uint32_t seed = 9;
    double raw = 0.0, smooth = 0.0;
    for (int i = 0; i < 600; i++) {
        seed = seed * 1664525u + 1013904223u;
        double noise = ((seed >> 8) / 16777216.0 - 0.5) * 0.2 * 0.01 * size * sqrt(3.0);
        double out = fm_one_euro_apply(&f, 300.0 + noise, size, dt) - 300.0;
        if (i >= 30) {
            raw += noise * noise;
            smooth += out * out;
        }
    }
    assert_true(sqrt(smooth) < 0.5 * sqrt(raw));

    fm_one_euro_reset(&f);
    const double speed = 0.4 * size; /* a slow turn of the head */
    double lag = 0.0;
    for (int i = 0; i < 60; i++)
        lag = (speed * i * dt - fm_one_euro_apply(&f, speed * i * dt, size, dt)) / speed;
    assert_true(lag > 0.0 && lag < 0.5 * dt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_value_and_bad_arguments_pass),
        cmocka_unit_test(test_beta_zero_is_a_low_pass),
        cmocka_unit_test(test_scale_free),
        cmocka_unit_test(test_mirror_symmetric),
        cmocka_unit_test(test_quiet_at_rest_prompt_in_motion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
