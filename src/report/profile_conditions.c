#include "report/profile_conditions.h"

#include <math.h>
#include <string.h>

#include "report/profile_memory.h"

#define AT(member) offsetof(fm_report_conditions, member)

static const fm_field table[] = {
    {"optimised", FM_FIELD_BOOL, AT(optimised)},
    {"sanitizers", FM_FIELD_TEXT, AT(sanitizers)},
    {"hypervisor", FM_FIELD_TEXT, AT(hypervisor)},
    {"governor", FM_FIELD_TEXT, AT(governor)},
    {"cpu_count", FM_FIELD_INT, AT(cpu_count)},
    {"cpu_limit", FM_FIELD_TIME, AT(cpu_limit)},
    {"load_before", FM_FIELD_TIME, AT(load_before)},
    {"others_share", FM_FIELD_TIME, AT(others_share)},
    {"steal_share", FM_FIELD_TIME, AT(steal_share)},
    {"throttled", FM_FIELD_AMOUNT, AT(throttled)},
    {"quota_wait_seconds", FM_FIELD_TIME, AT(quota_wait_seconds)},
    {"dropped_events", FM_FIELD_AMOUNT, AT(dropped_events)},
    {"accelerators", FM_FIELD_TEXT, AT(accelerators)},
    {"hardware_encoder", FM_FIELD_TEXT, AT(hardware_encoder)},
};
static const fm_fields fields = {table, sizeof table / sizeof table[0]};

void fm_conditions_write(fm_json *json, const fm_report_run *run)
{
    if (!run->conditions) {
        fm_json_null(json, "conditions");
        return;
    }
    fm_json_open(json, "conditions", '{');
    fm_write_fields(json, &fields, run->conditions);
    fm_json_close(json, '}');
}

void fm_conditions_read(fm_profile_reader *l, const json_t *root)
{
    const json_t *value = l->status == FM_OK ? json_object_get(root, "conditions") : NULL;
    if (!value || json_is_null(value))
        return;
    const json_t *object = fm_read_object(l, root, "conditions");
    fm_report_conditions *c = fm_profile_allocate(l->profile, 1, sizeof *c);
    if (!c) {
        fm_read_no_memory(l);
        return;
    }
    const size_t before = fm_read_enter(l, "conditions");
    fm_read_fields(l, object, &fields, c);
    fm_read_leave(l, before);
    l->profile->run.conditions = c;
}

static const char *shared_text(fm_profile *out, const char *a, const char *b)
{
    return fm_profile_copy(out, a && b && strcmp(a, b) == 0 ? a : "");
}

static void add(fm_report_conditions *sum, const fm_report_conditions *c)
{
    sum->optimised = sum->optimised && c->optimised;
    sum->cpu_count = sum->cpu_count == c->cpu_count ? c->cpu_count : 0;
    sum->cpu_limit = fmin(sum->cpu_limit, c->cpu_limit);
    sum->load_before = fmax(sum->load_before, c->load_before);
    sum->others_share = fmax(sum->others_share, c->others_share);
    sum->steal_share = fmax(sum->steal_share, c->steal_share);
    sum->throttled = sum->throttled > INT64_MAX - c->throttled ? INT64_MAX : sum->throttled + c->throttled;
    sum->quota_wait_seconds += c->quota_wait_seconds;
    sum->dropped_events =
        sum->dropped_events > INT64_MAX - c->dropped_events ? INT64_MAX : sum->dropped_events + c->dropped_events;
}

bool fm_conditions_merge(fm_profile *out, const fm_profile *const *profiles, size_t count)
{
    static const size_t texts[] = {AT(sanitizers), AT(hypervisor), AT(governor), AT(accelerators),
                                   AT(hardware_encoder)};
    for (size_t i = 0; i < count; i++)
        if (!profiles[i]->run.conditions)
            return true;
    fm_report_conditions *sum = fm_profile_allocate(out, 1, sizeof *sum);
    if (!sum)
        return false;
    *sum = *profiles[0]->run.conditions;
    for (size_t i = 1; i < count; i++)
        add(sum, profiles[i]->run.conditions);
    for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++) {
        const char **to = (const char **)(void *)((char *)sum + texts[t]);
        const char *first = *to;
        for (size_t i = 0; i < count; i++) {
            const char *from = (const char *)profiles[i]->run.conditions + texts[t];
            const char *one = *(const char *const *)(const void *)from;
            if (!(*to = shared_text(out, i == 0 ? first : *to, one)))
                return false;
        }
    }
    out->run.conditions = sum;
    return true;
}
