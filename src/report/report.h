/*
 * Shows a profiler snapshot and the facts of a run: the text report that ends
 * every run, and the same as JSON. Reads snapshots and nothing else.
 *
 * Thread-safety: Safe.
 */
#ifndef FM_REPORT_REPORT_H
#define FM_REPORT_REPORT_H

#include <stdint.h>
#include <stdio.h>

#include "facemirror/error.h"
#include "fmprof/fmprof.h"

/* Facts about a model that ran. */
typedef struct fm_report_model {
    const char *name;    /* "FaceMesh" */
    const char *file;    /* base name */
    const char *backend; /* "onnx_cpu" */
    double load_seconds;
} fm_report_model;

typedef struct fm_report_run {
    const char *program_version;
    const char *input;        /* base name */
    const char *status;       /* fm_status_name */
    const char *runtime;      /* inference runtime and version */
    const char *encoder;      /* "" when none */
    int width, height;
    int64_t frames;           /* written */
    int64_t frames_with_face;
    int64_t frames_damaged;
    double wall_seconds;      /* of the frame loop */
    double setup_seconds;     /* model loading, encoder trial... before it */
    double covered_seconds;   /* wall time of the loop in which at least one stage's scope was open */
    int64_t peak_rss_bytes;
    int threads;
    const fm_report_model *models;
    size_t model_count;
    const char *const *notes; /* one sentence each, shown first: debug build, tiny clip... */
    size_t note_count;
} fm_report_run;

typedef struct fm_report_options {
    bool utf8; /* box-drawing rules */
} fm_report_options;

/* Writes the report. Returns FM_E_OUTPUT when the stream failed. */
fm_status fm_report_text(FILE *out, const fmp_snapshot *snapshot, const fm_report_run *run,
                         const fm_report_options *options, fm_error *err);

/* Writes the same as JSON to a file stream (UTF-8, one object; docs/profile-json.md). */
fm_status fm_report_json(FILE *out, const fmp_snapshot *snapshot, const fm_report_run *run,
                         fm_error *err);

#endif
