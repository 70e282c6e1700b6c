/*
 * The thresholds of all rules, in one table: docs/interpreting.md shows the
 * same, and a file may change them.
 *
 * Thread-safety: Safe.
 */
#ifndef FM_ADVICE_RULES_H
#define FM_ADVICE_RULES_H

#include "facemirror/error.h"

typedef enum fm_threshold {
    FM_RULE_MODEL_DOMINATES,
    FM_RULE_FIRST_SHARE,
    FM_RULE_MINOR_SHARE,
    FM_RULE_PREPROCESSING,
    FM_RULE_DETECTION,
    FM_RULE_MEMORY_OPERATIONS,
    FM_RULE_COVERAGE,
    FM_RULE_PARTITIONS_MODERATE,
    FM_RULE_PARTITIONS_HIGH,
    FM_RULE_BOUNDARY_SHARE,
    FM_RULE_FIRST_CALL_RATIO,
    FM_RULE_FIRST_CALL_SHARE,
    FM_RULE_STAGE_BUSY,
    FM_RULE_STAGE_WAITS,
    FM_RULE_PROCESSORS_BUSY,
    FM_RULE_OVERSUBSCRIBED,
    FM_RULE_UNEXPLAINED,
    FM_RULE_SPREAD_RATIO,
    FM_RULE_DETECTOR_RATE,
    FM_RULE_LOOKS,
    FM_RULE_CROPPED_AGAIN,
    FM_RULE_PICTURES_COPIED,
    FM_RULE_ALLOCATIONS,
    FM_RULE_MEMORY_GROWTH,
    FM_RULE_MEMORY_GROWN,
    FM_RULE_GAIN_HIGH,
    FM_RULE_GAIN_MEDIUM,
    FM_RULE_TINY_FRAMES,
    FM_RULE_OTHERS_BUSY,
    FM_RULE_STOLEN,
    FM_RULE_LOAD,
    FM_RULE_RUN_QUEUE,
    FM_RULE_LOCK_WAIT,
    FM_RULE_SLEEP_WAIT,
    FM_RULE_IO_WAIT,
    FM_RULE_HOT_FUNCTION,
    FM_RULE_SYSCALL_RATE,
    FM_RULE_KEPT_BLOCKS,
    FM_RULE_ALLOCATION_RATE,
    FM_RULE_MAJOR_FAULTS,
    FM_THRESHOLDS
} fm_threshold;

typedef struct fm_threshold_spec {
    const char *name;    /* in a file, such as "model-dominates" */
    double value;        /* default */
    const char *unit;    /* "%", "times"... */
    double least, most;  /* that a file may set */
    const char *meaning; /* "a model takes more than this of the models' time" */
} fm_threshold_spec;

extern const fm_threshold_spec fm_threshold_specs[FM_THRESHOLDS];

typedef struct fm_advice_rules {
    double value[FM_THRESHOLDS]; /* by fm_threshold, in the unit of its spec */
} fm_advice_rules;

fm_advice_rules fm_advice_rules_default(void);

/*
 * Changes thresholds by a file: lines "name = value", blank ones, and comments from '#' on. FM_E_NOT_FOUND when it
 * cannot be read, FM_E_BAD_INPUT with the line for a name that is none or stands twice, and for a value that is no
 * number of the range. *rules is unchanged after an error.
 */
fm_status fm_advice_rules_load(const char *path, fm_advice_rules *rules, fm_error *err);
/* The same from memory; `name` stands for it in errors. */
fm_status fm_advice_rules_parse(const char *text, size_t size, const char *name, fm_advice_rules *rules, fm_error *err);

#endif
