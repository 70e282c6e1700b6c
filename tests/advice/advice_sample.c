#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "advice_sample.h"

const char *sample_profiles;

void load(sample *s, const char *name)
{
    char path[1024];
    fm_error err = {0};
    memset(s, 0, sizeof *s);
    snprintf(path, sizeof path, "%s/%s", sample_profiles, name);
    if (fm_profile_load(path, &s->profile, &err) != FM_OK)
        fail_msg("%s", err.message);
}

void load_staged(sample *s)
{
    load(s, "guide.json");
    const double wall = s->profile->run.wall_seconds;
    s->conditions = (fm_report_conditions){
        .optimised = true, .sanitizers = "", .hypervisor = "", .governor = "", .cpu_count = 8, .load_before = 0.1,
        .others_share = 0.01, .steal_share = 0, .quota_wait_seconds = (double)NAN, .accelerators = "",
            .hardware_encoder = ""};
    static const char *const names[] = {"reader", "analysis", "left mirror", "right mirror"};
    static const double busy[] = {0.05, 0.95, 0.6, 0.5};
    for (int i = 0; i < 4; i++)
        s->stages[i] = (fm_report_stage){
            .name = names[i], .after = i == 0 ? NULL : names[i == 1 ? 0 : 1], .queue = 3, .frames = 971,
            .busy_seconds = busy[i] * wall, .cpu_seconds = 0.2 * busy[i] * wall,
            .starved_seconds = i >= 2 ? (1 - busy[i]) * wall : 0, .blocked_seconds = i == 0 ? 0.95 * wall : 0,
            .service_mean = busy[i] * wall / 971, .held = i == 1 ? 900 : 10};
    s->pipeline = (fm_report_pipeline){
        .stages = s->stages, .stage_count = 4, .processors = 8, .process_cpu_seconds = 0.5 * wall, .frame_p50 = 0.2,
        .frame_p99 = 0.3, .rss_first = 300 << 20, .rss_last = 301 << 20, .rss_frames = 900, .allocation_frames = 900};
    s->profile->run.conditions = &s->conditions;
    s->profile->run.pipeline = &s->pipeline;
}

fmp_operation *operation(sample *s, const char *name)
{
    for (size_t i = 0; i < s->profile->snapshot->operation_count; i++)
        if (strcmp(s->profile->snapshot->operations[i].operation, name) == 0)
            return &s->profile->snapshot->operations[i];
    fail_msg("no operation %s", name);
    return NULL;
}

fm_report_model *model(sample *s, const char *name)
{
    fm_report_model *models = (fm_report_model *)(uintptr_t)s->profile->run.models;
    for (size_t i = 0; i < s->profile->run.model_count; i++)
        if (strcmp(models[i].name, name) == 0)
            return &models[i];
    fail_msg("no model %s", name);
    return NULL;
}

const fm_report_findings *advise_by(sample *s, const fm_advice_rules *rules)
{
    fm_error err = {0};
    fm_advice_free(&s->advice);
    assert_int_equal(fm_advise(s->profile->snapshot, &s->profile->run, rules, &s->advice, &err), FM_OK);
    return fm_advice_findings(s->advice);
}

const fm_report_findings *advise(sample *s)
{
    return advise_by(s, NULL);
}

void end(sample *s)
{
    fm_advice_free(&s->advice);
    fm_profile_free(&s->profile);
}

size_t count_of(const fm_report_findings *f, const char *rule)
{
    size_t count = 0;
    for (size_t i = 0; i < f->count; i++)
        count += strcmp(f->list[i].rule, rule) == 0;
    return count;
}

const fm_report_finding *finding(const fm_report_findings *f, const char *rule)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->list[i].rule, rule) == 0)
            return &f->list[i];
    for (size_t i = 0; i < f->count; i++)
        print_message("%s %s: %s\n", fm_priority_name(f->list[i].priority), f->list[i].rule, f->list[i].title);
    fail_msg("no finding of %s", rule);
    return NULL;
}

const fm_report_finding *about(const fm_report_findings *f, const char *part)
{
    for (size_t i = 0; i < f->count; i++)
        if (strstr(f->list[i].subject, part))
            return &f->list[i];
    return NULL;
}

bool caveat(const fm_report_findings *f, const char *part)
{
    for (size_t i = 0; i < f->caveat_count; i++)
        if (strstr(f->caveats[i], part))
            return true;
    return false;
}
