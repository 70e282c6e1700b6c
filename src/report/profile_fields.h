/*
 * The members of the profile's JSON objects that stand for members of a C
 * struct: one table serves the writer and the loader, so that they agree.
 * Internal to the report module.
 */
#ifndef FM_REPORT_PROFILE_FIELDS_H
#define FM_REPORT_PROFILE_FIELDS_H

#include <stddef.h>

#include "report/json_writer.h"
#include "report/profile.h"

typedef enum fm_field_kind {
    FM_FIELD_TEXT,    /* const char *, never null */
    FM_FIELD_FACT,    /* const char *, null: not known */
    FM_FIELD_BOOL,    /* bool */
    FM_FIELD_INT,     /* int, 0 or more */
    FM_FIELD_COUNT,   /* uint64_t, up to INT64_MAX */
    FM_FIELD_AMOUNT,  /* int64_t, 0 or more */
    FM_FIELD_CHANGE,  /* int64_t */
    FM_FIELD_SECONDS, /* uint64_t nanoseconds, as seconds */
    FM_FIELD_MEAN,    /* double nanoseconds, 0 or more, as seconds */
    FM_FIELD_TIME,    /* double seconds, 0 or more; null: not a number */
    FM_FIELD_REAL     /* double, finite */
} fm_field_kind;

typedef struct fm_field {
    const char *key;
    fm_field_kind kind;
    size_t offset;
} fm_field;

typedef struct fm_fields {
    const fm_field *list;
    size_t count;
} fm_fields;

extern const fm_fields fm_run_fields;       /* fm_report_run */
extern const fm_fields fm_machine_fields;   /* fm_report_machine */
extern const fm_fields fm_build_fields;     /* fm_report_build */
extern const fm_fields fm_model_fields;     /* fm_report_model */
extern const fm_fields fm_breakdown_fields; /* fm_report_breakdown */
extern const fm_fields fm_operator_fields;  /* fm_report_operator */
extern const fm_fields fm_operation_fields; /* fmp_operation */
extern const fm_fields fm_change_fields;    /* fmp_operation: memory changes */
extern const fm_fields fm_thread_fields;    /* fmp_thread, but its name */
extern const fm_fields fm_metric_fields;    /* fmp_metric_value, of both kinds */
extern const fm_fields fm_counter_fields;   /* fmp_metric_value */
extern const fm_fields fm_gauge_fields;     /* fmp_metric_value */
extern const fm_fields fm_profiler_fields;  /* fmp_snapshot */

/* Writes all members of a table (profile_write.c). */
void fm_write_fields(fm_json *json, const fm_fields *fields, const void *object);

/* Times beyond this are refused: 292 years, INT64_MAX nanoseconds. */
#define FM_SECONDS_MAX 9.2e9

/* Cuts text at a character, so that it fits with its NUL into `size`. */
void fm_text_cut(char *out, size_t size, const char *text);

#endif
