/* When findings are to be believed: clips and builds that mislead, thresholds, and figures of any origin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advice_sample.h"

static const char *document;

/* --- trust ------------------------------------------------------------------------------------------ */

static void test_no_high_from_a_tiny_clip(void **state)
{
    (void)state;
    sample s;
    load(&s, "guide.json");
    s.profile->run.frames = 59;
    const fm_report_findings *f = advise(&s);
    assert_false(f->confident);
    for (size_t i = 0; i < f->count; i++)
        assert_int_not_equal(f->list[i].priority, FM_PRIORITY_HIGH);
    assert_string_equal(f->list[0].rule, "model-dominates");
    end(&s);
}

static void test_no_high_from_a_debug_build(void **state)
{
    (void)state;
    sample s;
    load_staged(&s);
    assert_true(advise(&s)->confident);
    s.conditions.optimised = false;
    assert_false(advise(&s)->confident);
    s.conditions.optimised = true;
    s.conditions.sanitizers = "address";
    assert_false(advise(&s)->confident);
    end(&s);
}

static void test_caveats(void **state)
{
    (void)state;
    sample s;
    load_staged(&s);
    assert_int_equal(advise(&s)->caveat_count, 0);
    s.conditions.hypervisor = "KVM";
    assert_true(caveat(advise(&s), "virtual machine of KVM"));
    s.conditions.others_share = 0.34;
    assert_true(caveat(advise(&s), "Other programs took 34 %"));
    s.conditions.others_share = 0;
    s.conditions.load_before = 9.2;
    assert_true(caveat(advise(&s), "load 9.2 on 8"));
    s.conditions.throttled = 4;
    assert_true(caveat(advise(&s), "heat 4 times"));
    s.conditions.governor = "powersave";
    assert_true(caveat(advise(&s), "'powersave'"));
    s.conditions.cpu_limit = 1.5;
    assert_true(caveat(advise(&s), "1.5 of 8"));
    s.conditions.steal_share = 0.12;
    assert_true(caveat(advise(&s), "hypervisor gave 12 %"));
    s.conditions.dropped_events = 77;
    assert_true(caveat(advise(&s), "lacks 77 events"));
    s.profile->run.runs = 3;
    assert_true(caveat(advise(&s), "3 runs are added up"));
    end(&s);
}

/* --- thresholds -------------------------------------------------------------------------------------- */

static void test_thresholds(void **state)
{
    (void)state;
    sample s;
    fm_error err = {0};
    fm_advice_rules rules = fm_advice_rules_default();
    static const char file[] = "# for our rig\npreprocessing = 9.5\n\n  model-dominates=60 # more\r\n";
    assert_int_equal(fm_advice_rules_parse(file, sizeof file - 1, "rules", &rules, &err), FM_OK);
    assert_near(rules.value[FM_RULE_PREPROCESSING], 9.5);
    load(&s, "guide.json");
    const fm_report_findings *f = advise_by(&s, &rules);
    assert_int_equal(count_of(f, "preprocessing"), 1);
    assert_int_equal(count_of(f, "model-dominates"), 0);
    assert_int_equal(f->threshold_count, 2);
    assert_string_equal(f->thresholds[0].name, "model-dominates");
    end(&s);
}

static void test_bad_thresholds(void **state)
{
    (void)state;
    static const char *const bad[] = {"no-such = 1",       "preprocessing",          "preprocessing = x",
                                      "preprocessing = ",
                                      "preprocessing = -1", "preprocessing = 101",    "preprocessing = 1e1",
                                      "preprocessing = nan", "preprocessing = 1\npreprocessing = 2", "= 3",
                                      "preprocessing = 1.2.3", "preprocessing = 1 2", "preprocessing = ."};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fm_error err = {0};
        fm_advice_rules rules = fm_advice_rules_default(), before = rules;
        assert_int_equal(fm_advice_rules_parse(bad[i], strlen(bad[i]), "rules", &rules, &err), FM_E_BAD_INPUT);
        assert_non_null(strstr(err.message, "line "));
        assert_memory_equal(&rules, &before, sizeof rules);
    }
}

/* The table of the documentation says the same as the code's. */
static void test_thresholds_are_documented(void **state)
{
    (void)state;
    static char text[1 << 16];
    FILE *file = fopen(document, "r");
    assert_non_null(file);
    const size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = '\0';
    const char *begin = strstr(text, "## Thresholds");
    assert_non_null(begin);
    size_t rows = 0;
    for (const char *row = strstr(begin, "\n| `"); row; row = strstr(row + 1, "\n| `"))
        rows++;
    assert_int_equal(rows, FM_THRESHOLDS);
    for (int i = 0; i < FM_THRESHOLDS; i++) {
        const fm_threshold_spec *spec = &fm_threshold_specs[i];
        char line[512];
        snprintf(line, sizeof line, "\n| `%s` | %g %s | %s |\n", spec->name, spec->value, spec->unit, spec->meaning);
        if (!strstr(begin, line))
            fail_msg("not in the document: %s", line);
    }
}

/* --- hostile ------------------------------------------------------------------------------------------- */

static void test_nothing(void **state)
{
    (void)state;
    fm_advice *advice;
    fm_error err = {0};
    assert_int_equal(fm_advise(NULL, NULL, NULL, &advice, &err), FM_OK);
    assert_int_equal(fm_advice_findings(advice)->count, 0);
    assert_null(fm_advice_findings(advice)->bottleneck_operation);
    assert_null(fm_advice_findings(advice)->minor);
    fm_advice_free(&advice);
    fm_advice_free(&advice);
}

static void check_finite(const fm_report_findings *f)
{
    for (size_t i = 0; i < f->count; i++) {
        assert_true(isnan(f->list[i].gain_most) || (f->list[i].gain_most >= 0 && f->list[i].gain_most <= 1));
        assert_null(strstr(f->list[i].title, "nan"));
        assert_null(strstr(f->list[i].title, "inf"));
        assert_null(strstr(f->list[i].evidence, "nan"));
        assert_null(strstr(f->list[i].evidence, "inf"));
        assert_null(strstr(f->list[i].gain, "nan"));
    }
}

static void test_hostile_figures(void **state)
{
    (void)state;
    static const double odd[] = {0, (double)NAN, (double)INFINITY, -1, 1e300};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        sample s;
        load_staged(&s);
        fm_report_run *run = &s.profile->run;
        run->wall_seconds = odd[i];
        check_finite(advise(&s));
        run->covered_seconds = odd[i];
        s.pipeline.process_cpu_seconds = odd[i];
        for (int k = 0; k < 4; k++)
            s.stages[k].busy_seconds = s.stages[k].cpu_seconds = s.stages[k].ready_seconds = odd[i];
        s.conditions.others_share = s.conditions.cpu_limit = s.conditions.load_before = odd[i];
        s.pipeline.frame_p50 = s.pipeline.frame_p99 = odd[i];
        check_finite(advise(&s));
        run->frames = INT64_MAX;
        run->threads = INT32_MAX;
        check_finite(advise(&s));
        run->frames = 0;
        run->model_count = 0;
        check_finite(advise(&s));
        s.profile->snapshot->operation_count = 0;
        check_finite(advise(&s));
        end(&s);
    }
}

/* As many findings as there could be, and more: the list ends, and nothing is written behind it. */
static void test_many_models(void **state)
{
    (void)state;
    enum { MODELS = 200 };
    sample s;
    load(&s, "guide.json");
    fm_report_model *many = calloc(MODELS, sizeof *many);
    assert_non_null(many);
    for (int i = 0; i < MODELS; i++)
        many[i] = *model(&s, "MTL");
    s.profile->run.models = many;
    s.profile->run.model_count = MODELS;
    const fm_report_findings *f = advise(&s);
    assert_in_range(f->count, 10, 64);
    check_finite(f);
    free(many);
    end(&s);
}
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_high_from_a_tiny_clip),
        cmocka_unit_test(test_no_high_from_a_debug_build),
        cmocka_unit_test(test_caveats),
        cmocka_unit_test(test_thresholds),
        cmocka_unit_test(test_bad_thresholds),
        cmocka_unit_test(test_thresholds_are_documented),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_hostile_figures),
        cmocka_unit_test(test_many_models),
    };
    if (argc != 3)
        return 2;
    sample_profiles = argv[1];
    document = argv[2];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
