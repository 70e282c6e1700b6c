/* Profiles given on a command line. Thread-safety: Safe on distinct arguments. */
#ifndef FM_CLI_PROFILES_H
#define FM_CLI_PROFILES_H

#include "advice/advice.h"
#include "report/profile.h"

/* Loads one or more profiles; several become one, as fm_profile_merge makes it. */
fm_status fm_cli_load_profiles(char *const *paths, size_t count, fm_profile **out, fm_error *err);

/*
 * Makes the findings of a profile and puts them into its run; `rules_path` NULL: default thresholds. Free them after the
 * last use of the profile.
 */
fm_status fm_cli_advise(fm_profile *profile, const char *rules_path, fm_advice **out, fm_error *err);

#endif
