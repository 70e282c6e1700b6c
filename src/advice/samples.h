/*
 * The runs of one side of a comparison: each run is one sample. They come from
 * profiles, from folders of profiles, or from a bench document.
 *
 * Thread-safety: Safe on distinct objects.
 */
#ifndef FM_ADVICE_SAMPLES_H
#define FM_ADVICE_SAMPLES_H

#include "advice/stats.h"
#include "facemirror/path.h"
#include "report/profile.h"

enum { FM_SAMPLES_OPERATIONS_MAX = 4096 };

typedef struct fm_sample_operation {
    const char *category, *name;
    uint64_t count;
    double total_seconds, self_seconds; /* self: without the operations inside it */
} fm_sample_operation;

/* What one run took. NAN and 0 bytes: not known. */
typedef struct fm_sample {
    int64_t frames;
    double wall_seconds;  /* of the frame loop */
    double setup_seconds; /* before it */
    double cpu_seconds;   /* of the process, or of the profiled threads: see fm_samples */
    int64_t peak_rss_bytes;
    const fm_sample_operation *operations;
    size_t operation_count;
} fm_sample;

/* An operation over all runs, in order of category and name. */
typedef struct fm_samples_operation {
    const char *category, *name;
    double *self; /* seconds a frame, one a run; 0 in runs without it */
} fm_samples_operation;

typedef struct fm_samples {
    char name[128];           /* for people: the configuration, or the file or folder */
    fm_report_run facts;      /* of the first run: input, size, frames, runtime, encoder, models */
    fm_report_machine machine;
    fm_report_build build;
    bool sanitized;           /* a sanitizer build, where that is known */
    bool mixed;               /* runs that differ in clip, machine or build */
    bool merged;              /* a profile of several runs is among them, and counts as one */
    bool cpu_of_process;      /* else the CPU time of the profiled threads alone */
    double others_share;      /* median over the runs of what other programs took of the processors; NAN: not known */
    size_t count;             /* runs */
    /* One a run. All but the peak: seconds a frame; setup: seconds. */
    double wall[FM_STATS_MAX], cpu[FM_STATS_MAX], work[FM_STATS_MAX], setup[FM_STATS_MAX], rss[FM_STATS_MAX];
    fm_samples_operation *operations;
    size_t operation_count;
    char tables[FM_PATH_MAX]; /* folder in which the tables of such a run may lie; "": none */
    char stem[FM_PATH_MAX];   /* of their names; "": not known */
    fm_profile *memory;       /* owns all text */
} fm_samples;

/* FM_E_NO_MEMORY. The name is cut. */
fm_status fm_samples_create(fm_samples **out, const char *name, fm_error *err);
void fm_samples_free(fm_samples **samples); /* NULL and *NULL are fine */

/* Adds a run whose text need not outlive the call. FM_E_BAD_INPUT: too many runs or operations, or no frames. */
fm_status fm_samples_add(fm_samples *samples, const fm_sample *sample, fm_error *err);
/* The facts of a run by which runs are told apart, with copies of its texts in `memory`; its models are left out. */
fm_report_run fm_samples_facts_of(fm_profile *memory, const fm_report_run *run);
/* Copies the facts when they are the first; else notes whether they differ. */
fm_status fm_samples_facts(fm_samples *samples, const fm_report_run *run, const fm_report_machine *machine,
                           const fm_report_build *build, bool sanitized, fm_error *err);

/* The figures of a profile; its operations are put into `operations` (count: those of the snapshot). */
fm_sample fm_sample_of_profile(const fm_profile *profile, fm_sample_operation *operations);
/* The profile's run and its facts. */
fm_status fm_samples_add_profile(fm_samples *samples, const fm_profile *profile, fm_error *err);

/*
 * Loads the runs of a side: profiles, folders (each profile in them, by name; other JSON is passed over), or one
 * bench document, of which `configuration` (NULL: the only one) is taken. FM_E_NOT_FOUND, FM_E_BAD_INPUT
 * with what is wrong, FM_E_USAGE when the configuration is not there or not said.
 */
fm_status fm_samples_load(fm_samples **out, const char *const *paths, size_t count, const char *configuration,
                          fm_error *err);

#endif
