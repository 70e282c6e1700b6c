/* The members of a run in the bench document, for its writer and its loader. Internal to the module. */
#ifndef FM_ADVICE_BENCH_FIELDS_H
#define FM_ADVICE_BENCH_FIELDS_H

#include "advice/bench_doc.h"
#include "report/profile_fields.h"

extern const fm_fields fm_bench_run_fields;       /* fm_bench_run */
extern const fm_fields fm_sample_operation_fields; /* fm_sample_operation */
extern const fm_fields fm_bench_facts_fields;     /* fm_report_run: what a configuration has of it */

#endif
