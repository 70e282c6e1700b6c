/*
 * What `facemirror bench` does: runs of the program itself, one child process
 * each, in turn between configurations, and what they took.
 *
 * Files, below the output folder: STEM_bench.json, and the folder STEM_bench with
 * NAME/run_001.json ... (profiles), the tables of the last run, NAME/warm_up/, and
 * NAME_profile.json (the merged profile). They are made in a hidden folder
 * beside these and get their names at the end.
 *
 * Thread-safety: Unsafe.
 */
#ifndef FM_CLI_BENCH_H
#define FM_CLI_BENCH_H

#include "advice/bench_doc.h"
#include "cli/bench_child.h"
#include "models/pack.h"

enum { FM_BENCH_WORDS_MAX = 128, FM_BENCH_NOTES_MAX = 24, FM_BENCH_NAME_MAX = 32, FM_BENCH_WARM_UP_LIMIT = 50 };

typedef struct fm_bench_setting {
    char name[FM_BENCH_NAME_MAX];
    const char *options;             /* as given */
    char *text;                      /* malloc'ed, the words point into it; NULL: none */
    char *words[FM_BENCH_WORDS_MAX];
    int word_count;
    fm_pack *pack;                   /* that it runs with, for the hashes of its models */
} fm_bench_setting;

typedef struct fm_bench_job {
    const char *clip;
    const char *output_dir;          /* NULL: beside the clip */
    fm_bench_setting settings[FM_BENCH_CONFIGURATIONS_MAX];
    size_t setting_count;
    int runs, warm_up;               /* warm_up -1: until steady */
    bool overwrite, quiet;
    /* made by fm_bench_measure */
    char stem[FM_PATH_MAX], dir[FM_PATH_MAX];
    char work[FM_PATH_MAX];          /* the hidden folder; "": none */
    fm_bench *bench;
    int position;                    /* runs so far */
    bool stopped;                    /* by a signal */
} fm_bench_job;

/*
 * "NAME: options" with words as a shell takes them (blanks, quotes, backslashes; no variables). Refuses, with a
 * message, names that are no file names, and what no run takes. 0, or the exit code to end with.
 */
int fm_bench_setting_parse(fm_bench_setting *out, const char *text);
void fm_bench_setting_free(fm_bench_setting *setting);

/*
 * Runs everything; job->bench then has what was measured, also after a signal (job->stopped). FM_E_EXISTS before
 * anything runs. The error of a run that failed is its own, with the configuration.
 */
fm_status fm_bench_measure(fm_bench_job *job, fm_error *err);
/* Gives the files their names. */
fm_status fm_bench_publish(fm_bench_job *job, fm_error *err);
/* Removes what has no name yet. */
void fm_bench_clean(fm_bench_job *job);

/* The machine as it is before the first run. FM_E_NO_MEMORY. */
fm_status fm_bench_note_machine(fm_bench_job *job, fm_error *err);
/* The machine after a run, and what the run's profile warns of. FM_E_NO_MEMORY. */
fm_status fm_bench_note_run(fm_bench_job *job, fm_bench_run *run, const fm_profile *profile, fm_error *err);
/* What the runs together warn of. FM_E_NO_MEMORY. */
fm_status fm_bench_note_result(fm_bench_job *job, fm_error *err);

/* The table, and the comparison of each configuration with the first. */
fm_status fm_bench_print(FILE *out, const fm_bench_job *job, bool utf8, fm_error *err);

/* Empties and removes a folder of ours; `foreign`: also files that are neither .json nor .csv. False: some is left. */
bool fm_bench_remove(const char *path, bool foreign);

#endif
