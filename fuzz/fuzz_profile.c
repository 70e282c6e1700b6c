/* libFuzzer target of the profile loader; see README.md. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The profile as JSON; NULL when memory is out. */
static char *written(const fm_profile *profile, size_t *size)
{
    char *text = NULL;
    fm_error err = {0};
    FILE *out = open_memstream(&text, size);
    if (!out)
        return NULL;
    const fm_status status = fm_profile_write(out, profile, &err);
    fclose(out);
    if (status == FM_OK)
        return text;
    free(text);
    return NULL;
}

/* What was loaded is written, loaded, and written with the same bytes. */
static void check_round_trip(const fm_profile *profile)
{
    size_t first_size = 0, second_size = 0;
    fm_error err = {0};
    fm_profile *again = NULL;
    char *first = written(profile, &first_size);
    if (!first || fm_profile_parse(first, first_size, "first", &again, &err) != FM_OK)
        abort();
    char *second = written(again, &second_size);
    if (!second || first_size != second_size || memcmp(first, second, first_size) != 0)
        abort();
    fm_profile_free(&again);
    free(second);
    free(first);
}

/* Merging a profile with itself doubles its calls, or says that this is too much. */
static void check_merge(const fm_profile *profile)
{
    const fm_profile *const both[] = {profile, profile};
    fm_profile *merged = NULL;
    fm_error err = {0};
    const fm_status status = fm_profile_merge(both, 2, &merged, &err);
    if (status != FM_OK && status != FM_E_BAD_INPUT)
        abort();
    if (status == FM_OK) {
        if (merged->snapshot->scopes != 2 * profile->snapshot->scopes)
            abort();
        /* Sums beyond 52 days are rounded by the first file, and whole from then on. */
        size_t size = 0;
        fm_profile *again = NULL;
        char *text = written(merged, &size);
        if (!text || fm_profile_parse(text, size, "merged", &again, &err) != FM_OK)
            abort();
        check_round_trip(again);
        fm_profile_free(&again);
        free(text);
    }
    fm_profile_free(&merged);
}

static void check_text(const fm_profile *profile)
{
    static const fm_report_options options = {.percentiles = true, .self = true, .sort = FMP_SORT_P99};
    FILE *out = fopen("/dev/null", "w");
    fm_error err = {0};
    if (!out || fm_report_text(out, profile->snapshot, &profile->run, &options, &err) != FM_OK)
        abort();
    fclose(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fm_error err = {0};
    fm_profile *profile = NULL;
    const fm_status status = fm_profile_parse(data, size, "fuzz", &profile, &err);
    /* Success has a profile and no message, failure a message and no profile. */
    if ((status == FM_OK) != (profile != NULL) || (status == FM_OK) != (err.message[0] == 0))
        abort();
    if (profile) {
        check_round_trip(profile);
        check_merge(profile);
        check_text(profile);
    }
    fm_profile_free(&profile);
    return 0;
}
