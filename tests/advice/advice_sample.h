/*
 * The guide's sample as the tests of findings alter it, and what they ask of the findings. A sample that cannot be
 * loaded and a finding that is missing fail the test.
 */
#ifndef TEST_ADVICE_SAMPLE_H
#define TEST_ADVICE_SAMPLE_H

#include "advice/advice.h"

typedef struct sample {
    fm_profile *profile;
    fm_report_conditions conditions;
    fm_report_stage stages[4];
    fm_report_outlier outlier;
    fm_report_pipeline pipeline;
    fm_advice *advice;
} sample;

extern const char *sample_profiles; /* the folder that the profiles are in; set by main */

/* The guide's sample: nothing is known of its stages and its machine. */
void load(sample *s, const char *name);
/* The same with a quiet machine and stages of which 'analysis' limits the run: it is at work 95 % of the time. */
void load_staged(sample *s);
void end(sample *s);

fmp_operation *operation(sample *s, const char *name);
fm_report_model *model(sample *s, const char *name);

const fm_report_findings *advise_by(sample *s, const fm_advice_rules *rules);
const fm_report_findings *advise(sample *s);

size_t count_of(const fm_report_findings *f, const char *rule);
const fm_report_finding *finding(const fm_report_findings *f, const char *rule);
/* The first finding that is about `part` of a subject, or NULL. */
const fm_report_finding *about(const fm_report_findings *f, const char *part);
bool caveat(const fm_report_findings *f, const char *part);

#define assert_near(a, b) assert_true(fabs((a) - (b)) < 0.0005)

#endif
