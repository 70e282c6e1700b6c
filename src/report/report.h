/*
 * The profile of a run: the facts of the run beside the profiler's snapshot,
 * as the text report that ends every run and as JSON. profile.h has the
 * profile as a document that is loaded and merged.
 *
 * Thread-safety: Safe.
 */
#ifndef FM_REPORT_REPORT_H
#define FM_REPORT_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "facemirror/error.h"
#include "fmprof/export.h"
#include "fmprof/fmprof.h"
#include "fmprof/system.h"
#include "report/findings.h"

/* So many operators of a type. */
typedef struct fm_report_operator {
    const char *type; /* "Pad" */
    int count;
} fm_report_operator;

/* What runs where inside a model (inference/breakdown.h). */
typedef struct fm_report_breakdown {
    const char *asked;    /* the provider that was asked for: "auto", "coreml"... */
    const char *reason;   /* why it runs elsewhere, or what "auto" found; NULL: as asked */
    int operators;
    int accelerator;      /* of these on another provider than the CPU's */
    int partitions;
    int crossings;        /* tensors that pass between devices, in a run */
    bool crossings_known; /* else at least so many */
    int64_t parameters, weight_bytes;
    const fm_report_operator *fallbacks; /* what an accelerator left to the CPU, most first */
    size_t fallback_count;
} fm_report_breakdown;

/*
 * How fragmented so many partitions are: "none" without any, "low" below 10, "moderate" below 20, "high" from 20 on
 * (3 are low, 18 moderate, 28 high). The number counts, since each boundary costs a copy, a synchronisation and a
 * dispatch, however large the pieces are.
 */
const char *fm_report_fragmentation(int partitions);

/*
 * Times of a model's nodes over the runs that were sampled (inference/node_times.h). Times are nanoseconds, summed over
 * the samples.
 */
typedef struct fm_report_node_group {
    const char *name;  /* provider ("onnx_cpu") or operator type ("Conv"; FM_REPORT_COMPILED) */
    int nodes;         /* that ran */
    uint64_t total_ns;
    uint64_t cpu_ns;   /* of this on the CPU's provider */
} fm_report_node_group;

/* The type of a partition that its provider has compiled: how its time is shared out inside, nobody tells. */
#define FM_REPORT_COMPILED "(compiled partition)"

typedef struct fm_report_node {
    const char *name, *type, *provider;
    uint64_t count;
    uint64_t total_ns, min_ns, max_ns;
} fm_report_node;

/* Operators of a type that stand where data pass between devices: what they cost, and what these boundaries cost. */
typedef struct fm_report_boundary {
    const char *type;
    int nodes;
    uint64_t operator_ns, boundary_ns;
} fm_report_boundary;

typedef struct fm_report_nodes {
    int every;             /* one of so many runs was sampled; 0: differs */
    uint64_t samples;
    uint64_t lost_runs;    /* that could not be read */
    uint64_t lost_events;  /* that could not be attributed to a node */
    int nodes;             /* that ran */
    uint64_t run_ns;       /* of the runs, as the runtime measured them */
    uint64_t node_ns;      /* of this in nodes */
    uint64_t cpu_ns;       /* of this on the CPU's provider */
    uint64_t copies, copy_ns; /* between devices */
    uint64_t boundaries;   /* hand-overs between providers */
    uint64_t boundary_ns;  /* what these cost, copies included */
    uint64_t base_ns;      /* what is taken off each gap, summed over the samples */
    bool base_known;       /* false: no two nodes of one provider follow each other in some run */
    const fm_report_node_group *providers, *types; /* by time, falling */
    size_t provider_count, type_count;
    const fm_report_node *costliest; /* FM_REPORT_COSTLIEST at most, by time, falling */
    size_t costliest_count;
    const fm_report_boundary *causes; /* by what they and their boundaries cost, falling */
    size_t cause_count;
} fm_report_nodes;

enum { FM_REPORT_COSTLIEST = 10, FM_REPORT_GROUPS_MAX = 1024 }; /* what there is more of is added to the last group */

/* Facts about a model that ran. */
typedef struct fm_report_model {
    const char *name;    /* "FaceMesh" */
    const char *role;    /* "detector", "landmarker", "au_estimator", "blendshapes"; NULL: not known */
    const char *file;    /* base name */
    const char *backend; /* "onnx_cpu" */
    double load_seconds;
    bool has_breakdown;  /* false: not known, as of profiles that an earlier version wrote */
    fm_report_breakdown breakdown;
    bool has_nodes;      /* false: its nodes were not sampled (--profile-ops) */
    fm_report_nodes nodes;
} fm_report_model;

/* A stage of the pipeline: one thread that takes frames from the stage before it. */
typedef struct fm_report_stage {
    const char *name;        /* as its thread: "reader", "analysis", "left mirror"... */
    const char *after;       /* the stage that feeds it; NULL: none */
    int queue;               /* places in the queue before it; 0: none */
    /*
     * Pictures of its own to write frames into; 0: it hands on those it got. It takes one before it works on a frame,
     * and gets it back when the stages behind it, up to and with the next that has its own, are done with that frame.
     */
    int pictures;
    int64_t frames;          /* that it finished */
    /*
     * Its wall time, from the begin of the frame loop to its own end; what is missing to run.wall_seconds is after it.
     * Busy is also what belongs to no frame, such as sound and the end of a file, and waiting for a processor.
     */
    double busy_seconds;     /* at work */
    double starved_seconds;  /* waiting for a frame */
    double blocked_seconds;  /* waiting for room behind it */
    double cpu_seconds;      /* CPU time of its thread, without helpers; 0: not known */
    double ready_seconds;    /* of its thread: it could run and had no processor; 0: not known (Linux: schedstat) */
    double service_mean, service_stddev; /* of one frame's work, seconds; stddev of the population */
    double service_p99;      /* within 1 %; NaN: not known, as of merged runs */
    int64_t held;            /* frames whose way through the run it was the slowest part of */
} fm_report_stage;

/* A frame that took much longer than others, so that a user can look at it. */
typedef struct fm_report_outlier {
    int64_t frame;           /* 0: the first one, in which all is done for the first time */
    double timestamp;        /* in the clip, seconds */
    double seconds;          /* work on it, over all stages that it passed one after the other, on the slowest branch */
    const char *stage;       /* where most of it went */
    double stage_seconds;
    int faces;               /* that the detector saw, or 1 that was followed */
    double face_size;        /* distance of the outer canthi over the picture's width; 0: no face */
    bool detected;           /* the detector ran */
} fm_report_outlier;

/*
 * Frames in which the detector ran, by what for. Each frame counts once. That it runs while a face is followed has no
 * other reason than these.
 */
typedef struct fm_report_detections {
    int64_t searching; /* there was no face to follow */
    int64_t lost;      /* the face that was followed was lost in this frame */
    int64_t checking;  /* a face was followed, and the interval said so */
    int64_t confirmed; /* of these: it saw the same face, so that following it would have done */
} fm_report_detections;

/* What a frame shows: it is of one kind by its faces, by its face's size where there is one, and by the detector. */
typedef enum fm_report_content {
    FM_CONTENT_NO_FACE,
    FM_CONTENT_ONE_FACE,
    FM_CONTENT_FACES,       /* several */
    FM_CONTENT_SMALL,       /* the outer canthi are less than FM_CONTENT_SMALL_BELOW of the picture's width apart */
    FM_CONTENT_MIDDLE,
    FM_CONTENT_LARGE,       /* FM_CONTENT_LARGE_FROM or more */
    FM_CONTENT_FOLLOWED,    /* the detector did not run */
    FM_CONTENT_DETECTED,
    FM_CONTENTS
} fm_report_content;

#define FM_CONTENT_SMALL_BELOW 0.15
#define FM_CONTENT_LARGE_FROM 0.30

/* What frames of one kind cost. */
typedef struct fm_report_cost {
    int64_t frames;
    double seconds; /* work on all of them, as an outlier's seconds */
} fm_report_cost;

enum { FM_REPORT_STAGES_MAX = 64, FM_REPORT_OUTLIERS = 10 };

/* How the stages worked together, and what they wasted. */
typedef struct fm_report_pipeline {
    const fm_report_stage *stages; /* in the order of flow: a stage stands behind the one that feeds it */
    size_t stage_count;            /* FM_REPORT_STAGES_MAX at most */
    const fm_report_outlier *outliers; /* slowest first */
    size_t outlier_count;          /* FM_REPORT_OUTLIERS at most; 0 also where merged runs are of several clips */
    int processors;                /* that the process may use; 0: not known */
    double process_cpu_seconds;    /* CPU time of the process while the stages ran, helper threads too; 0: not known */
    double frame_p50, frame_p99;   /* work on a frame, as an outlier's seconds; NaN: not known, as of merged runs */
    int64_t frame_bytes_copied;    /* bytes that our own code copies a frame without changing them */
    int64_t allocations, allocation_frames; /* of picture buffers for frames, after warm-up; over so many frames */
    int64_t rss_first, rss_last;   /* resident bytes after warm-up and when the last frame was read; 0: not known */
    int64_t rss_frames;            /* frames between both */
    int64_t frames_converted;      /* that were turned, scaled or converted after decoding, once each */
    int64_t frames_cropped_again;  /* for the landmark network, in the same frame: after a detection, for a better crop */
    fm_report_detections detections;
    fm_report_cost content[FM_CONTENTS];
} fm_report_pipeline;

/* Sampled runs of FaceMesh are operations FaceMesh_ops_sample (with a prefix, as the others). */
#define FM_REPORT_SAMPLE "ops_sample"

/* Under what conditions a run's times were measured. */
typedef struct fm_report_conditions {
    bool optimised;          /* the program was compiled with optimisation */
    const char *sanitizers;  /* "address,undefined"; "": none */
    const char *hypervisor;  /* "KVM"...; "": none that shows */
    const char *governor;    /* of the processor's frequency; "": not told */
    int cpu_count;           /* processors online; 0: not known */
    double cpu_limit;        /* processors that the control group grants; 0: no limit */
    double load_before;      /* processes that ran or waited to when the frame loop began, mean of a minute; NAN: not known */
    double others_share;     /* of the machine's processor time in the loop that other processes took, 0 to 1; NAN */
    double steal_share;      /* of it that the hypervisor gave to others, 0 to 1; NAN: not known */
    int64_t throttled;       /* times that a processor was slowed down for its heat in the loop; 0: none, or not told */
    double quota_wait_seconds; /* that the control group's limit kept threads waiting; NAN: not known */
    int64_t dropped_events;  /* that the run's trace lacks */
    const char *accelerators; /* providers other than the CPU's that the runtime offers: "openvino, cuda"; "": none */
    const char *hardware_encoder; /* one that works here and was not taken; "": none, or not tried */
} fm_report_conditions;

/* Strings may be NULL: not known. Members that are 0 say nothing. */
typedef struct fm_report_run {
    int64_t runs;             /* how many runs were merged; 0 counts as 1 */
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
    const fm_report_pipeline *pipeline; /* NULL: not known, as of profiles that an earlier version wrote */
    const fm_report_conditions *conditions; /* NULL: not known, as above */
    const fmp_system_report *system; /* NULL: the system's side was not watched */
    const char *const *notes; /* one sentence each, shown first: debug build, tiny clip... */
    size_t note_count;
    const fm_report_findings *findings; /* NULL: none were made (advice/advice.h); not read from a file */
} fm_report_run;

typedef struct fm_report_options {
    bool utf8;        /* box-drawing rules */
    bool percentiles; /* columns p50 p90 p99 p99.9 in the place of Min and Max */
    bool self;        /* a Self column in every category; default: where it differs from Total */
    fmp_sort sort;    /* of the operations in a category */
} fm_report_options;

/* Writes the report. snapshot, run and options may be NULL. Returns FM_E_OUTPUT when the stream failed. */
fm_status fm_report_text(FILE *out, const fmp_snapshot *snapshot, const fm_report_run *run,
                         const fm_report_options *options, fm_error *err);

/*
 * Writes the same as JSON (UTF-8, one object; docs/profile-json.md), with the
 * machine and the build of this process. snapshot and run may be NULL.
 */
fm_status fm_report_json(FILE *out, const fmp_snapshot *snapshot, const fm_report_run *run,
                         fm_error *err);

/*
 * Writes every sample of a run, in the shape that scripts of the program
 * before this one read: {"timings": {category: {operation: [seconds, ...]}},
 * "memory": {...}, "counts": {...}}. The samples are the trace's; `snapshot`
 * (may be NULL) adds memory changes, and the counts of operations whose events
 * the trace has dropped.
 */
fm_status fm_report_compat_json(FILE *out, const fmp_trace *trace, const fmp_snapshot *snapshot,
                                fm_error *err);

/*
 * Writes what runs where in a model, as the report does, indented; the caller checks the stream. Where the nodes' times
 * are known, `seconds`, which the model takes in all, are shared out among accelerator, CPU and boundaries.
 */
void fm_text_breakdown(FILE *out, const fm_report_model *model, double seconds);
/* Writes the times of its nodes, a run, indented: by provider and type, the costliest, the price of boundaries. */
void fm_text_nodes(FILE *out, const fm_report_nodes *nodes);

#endif
