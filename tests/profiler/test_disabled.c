/* With FMP_DISABLE the scopes of a file are compiled out: nothing is recorded from it. */
#define FMP_DISABLE
#include "fmprof/fmprof.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void compiled_out_scopes_record_nothing(void **state)
{
    (void)state;
    {
        FMP_SCOPE("DISABLED", "macro");
        FMP_SCOPE_SITE(fmp_site_get("DISABLED", "site"));
    }
    fmp_snapshot *snapshot = fmp_snapshot_take();
    assert_non_null(snapshot);
    assert_int_equal(snapshot->operation_count, 0);
    fmp_snapshot_free(&snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(compiled_out_scopes_record_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
