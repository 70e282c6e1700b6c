/* Which execution providers work: here the CPU does, whatever else there is; the others come with reasons. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "inference/probe.h"

static const fm_probe *of(const fm_probe *probes, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(probes[i].name, name) == 0)
            return &probes[i];
    fail_msg("%s was not probed", name);
    return NULL;
}

static fm_runtime *start(void)
{
    fm_runtime *runtime = NULL;
    fm_error err = {0};
    assert_int_equal(fm_runtime_create(&runtime, NULL, NULL, &err), FM_OK);
    return runtime;
}

static void test_every_kind_has_an_answer(void **state)
{
    (void)state;
    fm_runtime *runtime = start();
    fm_probe *probes = NULL;
    fm_error err = {0};
    int count = 0;
    assert_int_equal(fm_probe_providers(&probes, &count, runtime, NULL, 0, &err), FM_OK);
    assert_true(count >= 1 + (int)fm_provider_kind_count);
    for (int i = 0; i < count; i++) {
        const fm_probe *p = &probes[i];
        assert_true(p->name[0] && p->full[0]);
        assert_true((p->state == FM_PROBE_WORKS) == (p->reason[0] == '\0'));
        assert_null(strchr(p->reason, '\n'));
        if (p->state == FM_PROBE_WORKS) {
            assert_true(p->run_seconds > 0 && p->load_seconds > 0 && p->difference < 0.02);
            assert_true(p->builtin || p->device_count > 0);
        } else if (p->state != FM_PROBE_FAILS) {
            assert_false(p->builtin);
            assert_true(p->advice[0] != '\0' && p->device_count == 0);
        }
        assert_true(fm_probe_state_name(p->state)[0] != '\0');
    }
    assert_string_equal(probes[0].name, "cpu");
    assert_string_equal(probes[0].full, FM_CPU_PROVIDER);
    assert_int_equal(probes[0].state, FM_PROBE_WORKS);
    assert_true(probes[0].builtin && probes[0].difference == 0);
    for (size_t i = 0; i < fm_provider_kind_count; i++)
        assert_string_equal(of(probes, count, fm_provider_kinds[i].name)->full, fm_provider_kinds[i].full);
#ifndef __APPLE__
    assert_int_equal(of(probes, count, "coreml")->state, FM_PROBE_NOT_BUILT);
#endif
    free(probes);
    fm_runtime_destroy(&runtime);
}

/* Options are for the others: the CPU takes none, so a wrong one does not disturb it. */
static void test_options_leave_the_cpu_alone(void **state)
{
    (void)state;
    fm_runtime *runtime = start();
    fm_probe *probes = NULL;
    fm_error err = {0};
    int count = 0;
    const char *const options[] = {"no such=option"};
    assert_int_equal(fm_probe_providers(&probes, &count, runtime, options, 1, &err), FM_OK);
    assert_int_equal(probes[0].state, FM_PROBE_WORKS);
    free(probes);
    fm_runtime_destroy(&runtime);
}

static void test_the_library_is_named(void **state)
{
    (void)state;
    char path[FM_PATH_MAX];
    assert_true(fm_probe_library(path));
    assert_int_equal(path[0], '/');
    assert_non_null(strstr(path, "onnxruntime"));
    fm_runtime *runtime = start();
    assert_string_equal(fm_probe_version(), fm_runtime_version(runtime));
    fm_runtime_destroy(&runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_has_an_answer),
        cmocka_unit_test(test_options_leave_the_cpu_alone),
        cmocka_unit_test(test_the_library_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
