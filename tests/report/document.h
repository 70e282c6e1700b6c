/* Profiles written as text and loaded again. */
#ifndef DOCUMENT_H
#define DOCUMENT_H

#include "report/profile.h"
#include "sample.h"

/* What stands in a stream, malloc'ed; closes it. */
static inline char *text_of_stream(FILE *stream)
{
    const long size = ftell(stream);
    assert_true(size >= 0);
    rewind(stream);
    char *text = malloc((size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)size, stream), (size_t)size);
    text[size] = '\0';
    fclose(stream);
    return text;
}

static inline char *written(const fmp_snapshot *snapshot, const fm_report_run *run)
{
    FILE *out = tmpfile();
    assert_non_null(out);
    fm_error err = {0};
    assert_int_equal(fm_report_json(out, snapshot, run, &err), FM_OK);
    return text_of_stream(out);
}

static inline char *rewritten(const fm_profile *profile)
{
    FILE *out = tmpfile();
    assert_non_null(out);
    fm_error err = {0};
    assert_int_equal(fm_profile_write(out, profile, &err), FM_OK);
    return text_of_stream(out);
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
