/*
 * The document of `facemirror bench`, "facemirror-bench/1" (docs/bench-json.md):
 * every run's figures, configuration by configuration, with the machine that
 * they were measured on.
 *
 * Ownership: all pointers point into `memory`. Thread-safety: Safe on distinct objects.
 */
#ifndef FM_ADVICE_BENCH_DOC_H
#define FM_ADVICE_BENCH_DOC_H

#include "advice/samples.h"

#define FM_BENCH_SCHEMA "facemirror-bench/1"

typedef struct fm_bench_run {
    int position;            /* among all runs in order of time, from 1 */
    bool warm_up;            /* not among the measured ones */
    fm_sample sample;        /* CPU time and peak: of the whole process, from the system */
    double process_seconds;  /* from its start to its end, set-up included */
    double others_share;     /* of the processors' time: what other programs took meanwhile; NAN: not known */
    double temperature;      /* of the hottest sensor after it, degrees Celsius; NAN: not known */
    const char *profile;     /* its file, from the document's folder; NULL: not kept */
} fm_bench_run;

typedef struct fm_bench_configuration {
    const char *name, *options; /* as given; options as one text */
    fm_report_run facts;        /* clip, runtime, encoder, threads, models */
    const char **hashes;        /* SHA-256 of each model; NULL: not known */
    bool steady;                /* warm-up ended because times no longer fell, or as often as was asked for */
    const char *merged;         /* profile of all measured runs, from the document's folder; NULL: none */
    const char *tables;         /* folder with the tables of its last run; NULL: none */
    fm_bench_run *runs;         /* in order of time, warm-up first */
    size_t run_count;
} fm_bench_configuration;

/* 0, "" and NAN: not known. */
typedef struct fm_bench_environment {
    char governor[32], hypervisor[64], container[32];
    double cpu_limit;           /* processors that the control group grants; 0: no limit */
    double load;                /* before the first run */
    double temperature;         /* before the first run */
    uint64_t memory, memory_available;
} fm_bench_environment;

typedef struct fm_bench {
    const char *status;         /* "ok" or "interrupted" */
    const char *sanitizers;     /* of the build; "": none */
    fm_report_machine machine;
    fm_report_build build;
    fm_bench_environment environment;
    int warm_up;                /* runs that were asked for; -1: until steady */
    int runs;                   /* measured runs that were asked for */
    const char **notes;         /* what a reader must know first */
    size_t note_count;
    fm_bench_configuration *configurations;
    size_t configuration_count;
    fm_profile *memory;
} fm_bench;

enum { FM_BENCH_CONFIGURATIONS_MAX = 8 };

fm_status fm_bench_create(fm_bench **out, fm_error *err);
void fm_bench_free(fm_bench **bench); /* NULL and *NULL are fine */

fm_status fm_bench_write(FILE *out, const fm_bench *bench, fm_error *err);
/* FM_E_BAD_INPUT says what is wrong and where; `name` stands for the document. Environment and notes are not read. */
fm_status fm_bench_parse(const void *data, size_t size, const char *name, fm_bench **out, fm_error *err);

/* The measured runs of a configuration as one side of a comparison. */
fm_status fm_bench_samples(const fm_bench *bench, const fm_bench_configuration *configuration, fm_samples **out,
                           fm_error *err);

/* What the runs of a configuration come to; intervals and medians over the measured ones, NAN where there are none. */
typedef struct fm_bench_summary {
    size_t measured, warm_up;
    fm_interval wall, fps, cpu, setup, rss; /* seconds (wall, cpu, setup), frames a second, bytes */
    double spread;             /* of the wall time: fm_stats_spread */
    double shortest, longest;  /* wall time */
    double first_run;          /* wall time and set-up of the very first run over the median of the measured ones */
    double average_of_three;   /* plain mean of the wall times of the first three runs, warm-up or not */
    double others_share;       /* median */
    double drift;              /* second half of the runs over the first; NAN: no significant difference, or too few */
} fm_bench_summary;

fm_bench_summary fm_bench_summarise(const fm_bench_configuration *configuration);

#endif
