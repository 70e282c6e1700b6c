/*
 * The changes of a what-if question (what_if.h has how they are written): read from text, found in a run, and applied
 * to the model of its pipeline.
 *
 * Thread-safety: Safe on distinct objects.
 */
#ifndef FM_ADVICE_CHANGES_H
#define FM_ADVICE_CHANGES_H

#include "advice/calibrate.h"

enum { FM_CHANGES_MAX = 32, FM_CHANGE_NAME_MAX = 96 };

typedef enum fm_change_how {
    FM_CHANGE_FASTER,  /* amount times as fast */
    FM_CHANGE_OFF,
    FM_CHANGE_LONGER,  /* a call takes amount seconds more */
    FM_CHANGE_SHORTER, /* less */
    FM_CHANGE_TO       /* a call takes amount seconds */
} fm_change_how;

/* What its time is: a processor's, or not. */
typedef enum fm_change_nature { FM_TIME_AS_STAGE, FM_TIME_CPU, FM_TIME_WAIT } fm_change_nature;

typedef enum fm_change_kind { FM_OF_STAGE, FM_OF_OPERATION, FM_OF_MODEL, FM_OF_CATEGORY } fm_change_kind;

typedef struct fm_change {
    char name[FM_CHANGE_NAME_MAX];
    fm_change_how how;
    double amount;
    fm_change_nature nature; /* as given; FM_TIME_AS_STAGE: not given */
    fm_change_kind kind;     /* what the name is in the run */
    bool any_case;           /* the name fits but for upper and lower case */
} fm_change;

typedef struct fm_changes {
    fm_change list[FM_CHANGES_MAX];
    int count;
} fm_changes;

/* What a change does, over all stages, in seconds of the recorded run as its operations were measured. */
typedef struct fm_change_effect {
    double calls, seconds; /* recorded */
    double removed, added;
    bool on[FM_SIM_STAGES_MAX]; /* stages that it is on */
    bool outside;          /* it is on none: before or after them */
} fm_change_effect;

/* Reads them and finds what each is in the run. FM_E_USAGE says what is wrong, and what names there are. */
fm_status fm_changes_read(const char *text, const fm_report_run *run, const fmp_snapshot *snapshot, fm_changes *out,
                          fm_error *err);

/*
 * Applies a change to *model and *outside_seconds, which may have changes of others already. `nature` stands in for
 * one that is not given. *effect may be NULL.
 */
void fm_change_apply(const fm_change *change, fm_change_nature nature, const fm_report_run *run,
                     const fmp_snapshot *snapshot, const fm_calibration *recorded, fm_sim_model *model,
                     double *outside_seconds, fm_change_effect *effect);

/* "stage", "operation", "model", "category". */
const char *fm_change_kind_name(fm_change_kind kind);

#endif
