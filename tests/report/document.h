/* Profiles written into memory and loaded again. */
#ifndef DOCUMENT_H
#define DOCUMENT_H

#include "report/profile.h"
#include "sample.h"

static inline char *written(const fmp_snapshot *snapshot, const fm_report_run *run)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    fm_error err = {0};
    assert_int_equal(fm_report_json(out, snapshot, run, &err), FM_OK);
    fclose(out);
    return text;
}

static inline char *rewritten(const fm_profile *profile)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    fm_error err = {0};
    assert_int_equal(fm_profile_write(out, profile, &err), FM_OK);
    fclose(out);
    return text;
}

static inline fm_profile *loaded(const char *text)
{
    fm_profile *profile = NULL;
    fm_error err = {0};
    if (fm_profile_parse(text, strlen(text), "text", &profile, &err) != FM_OK)
        fail_msg("%s\n%s", err.message, text);
    assert_non_null(profile);
    return profile;
}

#endif
