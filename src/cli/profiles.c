#include "cli/profiles.h"

#include <stdlib.h>

fm_status fm_cli_load_profiles(char *const *paths, size_t count, fm_profile **out, fm_error *err)
{
    *out = NULL;
    if (count == 1)
        return fm_profile_load(paths[0], out, err);
    fm_profile **profiles = calloc(count + 1, sizeof *profiles);
    if (!profiles)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory");
    fm_status status = FM_OK;
    for (size_t i = 0; i < count && status == FM_OK; i++)
        status = fm_profile_load(paths[i], &profiles[i], err);
    if (status == FM_OK)
        status = fm_profile_merge((const fm_profile *const *)profiles, count, out, err);
    for (size_t i = 0; i < count; i++)
        fm_profile_free(&profiles[i]);
    free(profiles);
    return status;
}

fm_status fm_cli_advise(fm_profile *profile, const char *rules_path, fm_advice **out, fm_error *err)
{
    fm_advice_rules rules = fm_advice_rules_default();
    *out = NULL;
    fm_status status = rules_path ? fm_advice_rules_load(rules_path, &rules, err) : FM_OK;
    if (status == FM_OK)
        status = fm_advise(profile->snapshot, &profile->run, &rules, out, err);
    if (status == FM_OK)
        profile->run.findings = fm_advice_findings(*out);
    return status;
}
