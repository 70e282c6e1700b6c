/*
 * What a profile says, sorted for the rules: who limits the run, which
 * operation runs on which stage, and what the run would take if some of the
 * work were gone. Internal to the advice module.
 */
#ifndef FM_ADVICE_FACTS_H
#define FM_ADVICE_FACTS_H

#include "advice/rules.h"
#include "report/report.h"

/* What bounds the number of frames a second. */
typedef enum fm_limit {
    FM_LIMIT_UNKNOWN,    /* the profile does not tell about the stages */
    FM_LIMIT_STAGE,      /* one stage is at work nearly all the time */
    FM_LIMIT_PROCESSORS, /* the processors are */
    FM_LIMIT_WAITING     /* neither: stages wait for each other */
} fm_limit;

enum { FM_STAGES_MAX = 64 }; /* that are looked at */

typedef struct fm_facts {
    const fmp_snapshot *snapshot; /* never NULL */
    const fm_report_run *run;     /* never NULL */
    const fm_advice_rules *rules;
    double wall;       /* seconds; 0: not known */
    double profiled;   /* seconds, self time of all scopes */
    double models;     /* seconds, of the category MODEL_INFERENCE */
    double processors; /* that the run could use; 0: not known */
    double cpu;        /* CPU seconds of the whole run; NAN: not known */
    double helpers;    /* of these: of threads that are no stages, the decoder's and the encoders'; 0: not known */
    double cpu_share;  /* of the processor time that others left; NAN: not known */
    const fm_report_stage *stages;
    size_t stage_count;
    fm_limit limit;
    const fm_report_stage *busiest;            /* NULL: there is none */
    const fmp_operation *bottleneck;           /* NULL: none stands out */
} fm_facts;

void fm_facts_read(fm_facts *out, const fmp_snapshot *snapshot, const fm_report_run *run, const fm_advice_rules *rules);

/* The threshold as a fraction, for those in percent. */
double fm_facts_share(const fm_facts *facts, fm_threshold threshold);

double fm_op_seconds(const fmp_operation *op); /* self time */
double fm_op_total(const fmp_operation *op);
/* Of the profiled time; 0 when there is none. */
double fm_op_share(const fm_facts *facts, const fmp_operation *op);
/* The share of its time on that stage of the profile, 0 to 1 (places.h). */
double fm_op_on(const fm_facts *facts, const fmp_operation *op, size_t stage);
/* CPU seconds that it took, as far as the profile tells; else its self time. */
double fm_op_cpu(const fm_facts *facts, const fmp_operation *op);
/* The first stage that it runs on; NULL: not known. */
const fm_report_stage *fm_op_stage(const fm_facts *facts, const fmp_operation *op);

/*
 * What the same fix changes together with an operation, itself included: the encoders of all videos, else the operation
 * alone. Returns how many.
 */
enum { FM_RELATED_MAX = 8 };
size_t fm_op_related(const fm_facts *facts, const fmp_operation *op, const fmp_operation *out[FM_RELATED_MAX]);
/* Their name for people: "encoding", or that of the operation. */
const char *fm_op_title(const fmp_operation *op);

bool fm_op_encodes(const fmp_operation *op);
bool fm_op_decodes(const fmp_operation *op);
/* Ends the name with `suffix`? */
bool fm_ends_with(const char *text, const char *suffix);
bool fm_begins_with(const char *text, const char *prefix);

/* Where a model is used: in face analysis, or on the mirrored faces. */
typedef enum fm_use { FM_USE_ANALYSIS, FM_USE_AU, FM_USES } fm_use;
/* The model's runs in a use; NULL: it did not run there. `what`: its backend, or "preprocess", "postprocess". */
const fmp_operation *fm_model_op(const fm_facts *facts, const fm_report_model *model, fm_use use, const char *what);
/* The model whose runs the operation is, and in which use; NULL: none. */
const fm_report_model *fm_op_model(const fm_facts *facts, const fmp_operation *op, fm_use *use);

/* --- gains ----------------------------------------------------------------------- */

/* Work that is taken away: seconds of each stage's time, and of CPU time in all. */
typedef struct fm_removal {
    double stage[FM_STAGES_MAX];
    double cpu;
} fm_removal;

/* Adds `part` (0 to 1) of the operation's work, without helpers' threads. */
void fm_removal_add(const fm_facts *facts, fm_removal *removal, const fmp_operation *op, double part);
/*
 * The share of the wall time that would be saved, 0 to 1; NAN where the stages are not known. `free`: the other stages
 * find processors free that they had to wait for.
 */
double fm_removal_gain(const fm_facts *facts, const fm_removal *removal, bool free);

#endif
