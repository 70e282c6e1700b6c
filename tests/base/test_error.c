#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "facemirror/error.h"
#include "facemirror/version.h"

static void first_error_wins(void **state)
{
    (void)state;
    fm_error err = {0};
    assert_int_equal(fm_fail(&err, FM_E_MODEL, "model %d", 7), FM_E_MODEL);
    assert_int_equal(fm_fail(&err, FM_E_OUTPUT, "later"), FM_E_OUTPUT);
    assert_int_equal(err.status, FM_E_MODEL);
    assert_string_equal(err.message, "model 7");
    assert_int_equal(fm_fail(NULL, FM_E_USAGE, "nobody listens"), FM_E_USAGE);
}

static void long_message_is_cut(void **state)
{
    (void)state;
    char text[3 * FM_ERROR_MESSAGE_MAX];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    fm_error err = {0};
    fm_fail(&err, FM_E_INTERNAL, "%s", text);
    assert_int_equal(strlen(err.message), FM_ERROR_MESSAGE_MAX - 1);
}

static void exit_codes_are_distinct_and_documented(void **state)
{
    (void)state;
    assert_int_equal(fm_exit_code(FM_OK), 0);
    assert_int_equal(fm_exit_code(FM_E_INTERRUPTED), 130);
    assert_int_equal(fm_exit_code(FM_E_WORSE), 20);
    assert_string_equal(fm_status_name(FM_E_WORSE), "worse");
    for (int a = FM_E_INTERRUPTED; a <= FM_OK; a++) {
        assert_string_not_equal(fm_status_name((fm_status)a), "unknown");
        for (int b = FM_E_INTERRUPTED; b < a; b++) {
            assert_int_not_equal(fm_exit_code((fm_status)a), fm_exit_code((fm_status)b));
            assert_string_not_equal(fm_status_name((fm_status)a), fm_status_name((fm_status)b));
        }
    }
}

static void errno_is_mapped(void **state)
{
    (void)state;
    assert_int_equal(fm_status_from_errno(ENOSPC, FM_E_OUTPUT), FM_E_NO_SPACE);
    assert_int_equal(fm_status_from_errno(EDQUOT, FM_E_OUTPUT), FM_E_NO_SPACE);
    assert_int_equal(fm_status_from_errno(ENOMEM, FM_E_OUTPUT), FM_E_NO_MEMORY);
    assert_int_equal(fm_status_from_errno(EACCES, FM_E_OUTPUT), FM_E_OUTPUT);
}

static void version_is_the_build_systems(void **state)
{
    (void)state;
    assert_string_equal(FM_VERSION, MESON_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_error_wins),
        cmocka_unit_test(long_message_is_cut),
        cmocka_unit_test(exit_codes_are_distinct_and_documented),
        cmocka_unit_test(errno_is_mapped),
        cmocka_unit_test(version_is_the_build_systems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
