/*
 * Answers to what-if questions, for people and as JSON (docs/what-if.md).
 *
 * Thread-safety: Safe.
 */
#ifndef FM_ADVICE_WHAT_IF_PRINT_H
#define FM_ADVICE_WHAT_IF_PRINT_H

#include <stdio.h>

#include "report/report.h"

typedef struct fm_what_if_options {
    bool json;
    bool utf8; /* box-drawing rules in text */
} fm_what_if_options;

/*
 * Answers each of the questions (changes as in what_if.h), one after the other. Nothing is written unless all of them
 * can be answered. Errors are those of fm_what_if_open and fm_what_if_predict, and FM_E_OUTPUT of the stream.
 */
fm_status fm_what_if_print(FILE *out, const fm_report_run *run, const fmp_snapshot *snapshot,
                           const char *const *questions, size_t count, const fm_what_if_options *options,
                           fm_error *err);

#endif
