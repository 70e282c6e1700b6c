/* What users may ask for, as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "inference/provider.h"

static const char *const models[] = {"BlazeFace", "FaceMesh"};

static fm_status check(const char *const *providers, int count, const char *const *options, int option_count, fm_error *err)
{
    const fm_provider_options o = {
        .providers = providers, .provider_count = count, .options = options, .option_count = option_count};
    return fm_provider_options_check(&o, models, 2, err);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(fm_provider_suffix("CPUExecutionProvider"), "onnx_cpu");
    assert_string_equal(fm_provider_suffix("CoreMLExecutionProvider"), "coreml");
    assert_string_equal(fm_provider_suffix("NewExecutionProvider"), "NewExecutionProvider");
    assert_string_equal(fm_provider_full_name("CoreML"), "CoreMLExecutionProvider");
    assert_string_equal(fm_provider_full_name("CPU"), "CPUExecutionProvider");
    assert_string_equal(fm_provider_full_name("NewExecutionProvider"), "NewExecutionProvider");
    assert_null(fm_provider_kind_of("cpu"));
}

static void test_good_choices(void **state)
{
    (void)state;
    fm_error err = {0};
    const char *const providers[] = {"auto", "cpu", "coreml", "facemesh=openvino", "BlazeFace=CPU", "MyExecutionProvider"};
    const char *const options[] = {"a=b", "load_config={\"x\"=1}", "empty="};
    assert_int_equal(check(providers, 6, options, 3, &err), FM_OK);
    assert_int_equal(check(NULL, 0, NULL, 0, &err), FM_OK);
}

static void test_bad_choices(void **state)
{
    (void)state;
    static const struct {
        const char *provider, *option, *part;
    } cases[] = {
        {"gpu", NULL, "no execution provider 'gpu'"},
        {"", NULL, "no execution provider ''"},
        {"FaceMesh=", NULL, "no execution provider ''"},
        {"ExecutionProvider", NULL, "no execution provider"},
        {"MTL=cpu", NULL, "the models are BlazeFace, FaceMesh"},
        {"Face=cpu", NULL, "no model 'Face'"},
        {NULL, "novalue", "'novalue' is not of the form key=value"},
        {NULL, "=x", "key=value"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fm_error err = {0};
        assert_int_equal(check(&cases[i].provider, cases[i].provider != NULL, &cases[i].option, cases[i].option != NULL, &err),
                         FM_E_USAGE);
        if (!strstr(err.message, cases[i].part))
            fail_msg("'%s' does not hold '%s'", err.message, cases[i].part);
    }
}

static void test_choice_for_a_model(void **state)
{
    (void)state;
    const char *const providers[] = {"FaceMesh=cpu", "coreml", "openvino", "facemesh=cuda"};
    const fm_provider_options o = {.providers = providers, .provider_count = 4};
    assert_string_equal(fm_provider_for(&o, "FaceMesh").name, "cuda");
    assert_string_equal(fm_provider_for(&o, "BlazeFace").name, "openvino");
    assert_string_equal(fm_provider_for(&(fm_provider_options){0}, "BlazeFace").name, "auto");
}

static void test_option_values(void **state)
{
    (void)state;
    assert_string_equal(fm_provider_option_value("device=gpu", "device"), "gpu");
    assert_null(fm_provider_option_value("device_type=gpu", "device"));
    assert_null(fm_provider_option_value("dev", "device"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),       cmocka_unit_test(test_good_choices),
        cmocka_unit_test(test_bad_choices), cmocka_unit_test(test_choice_for_a_model),
        cmocka_unit_test(test_option_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
