/*
 * facemirror as a library: one video in, mirrored videos, AU tables and the
 * profile out. The command `facemirror run` is a thin layer over this header.
 *
 * Ownership: options and the strings in them are the caller's and must stay
 * alive for the call only. Thread-safety: fm_run may be called from several
 * threads for different clips; the profiler registry is process-wide, so their
 * profiles then mix: each run sets all figures to zero when its frames begin.
 */
#ifndef FACEMIRROR_RUN_H
#define FACEMIRROR_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "error.h"
#include "fmprof/export.h" /* fmp_sort */
#include "fmprof/system.h"
#include "path.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The patient's side. */
typedef enum fm_side { FM_SIDE_LEFT = 0, FM_SIDE_RIGHT = 1 } fm_side;

typedef enum fm_midline_mode {
    FM_MIDLINE_ROBUST = 0, /* default: fitted over all midline landmarks, outliers weigh less */
    FM_MIDLINE_BROW_CHIN,  /* glabella to chin, as the original program */
    FM_MIDLINE_PUPILS      /* perpendicular bisector of the pupils */
} fm_midline_mode;

enum { FM_DETECT_WHEN_LOST = -1 };

typedef enum fm_run_mode {
    FM_MODE_MIRROR_AU = 0, /* videos and AU tables */
    FM_MODE_MIRROR,        /* videos only */
    FM_MODE_AU             /* AU tables only, no video is written */
} fm_run_mode;

typedef enum fm_neutral_kind {
    FM_NEUTRAL_CLIP = 0, /* estimated over the clip */
    FM_NEUTRAL_TIME,     /* the face at neutral_seconds (mean of the frames within 0.1 s) */
    FM_NEUTRAL_IMAGE     /* a still of the neutral face */
} fm_neutral_kind;

typedef struct fm_progress {
    const char *input;
    int64_t frames;       /* frames written so far */
    int64_t total_frames; /* estimate, 0 when not known */
    double elapsed;       /* seconds since the run began */
    double fps;           /* over the whole run so far */
    double eta;           /* seconds, negative when not known */
} fm_progress;

enum { FM_OPS_EVERY = 32 }; /* the share that --profile-ops samples when it does not say: some percent of the time */

typedef struct fm_profile_options {
    fmp_sort sort;      /* of the operations in a category of the text report */
    bool percentiles;   /* p50, p90, p99, p99.9 in place of min and max */
    bool self;          /* a self-time column in every category */
    bool subtract_cost; /* takes the profiler's own cost out of the figures */
    bool trace;         /* also every single event: STEM_trace.fmptrace and STEM_trace.json */
    bool compat_json;   /* also STEM_profile_compat.json, which holds every sample */
    const char *rules;  /* file of thresholds for the findings (docs/interpreting.md); NULL: the defaults */
    int ops_every;      /* times of the models' nodes, from one of so many runs (FM_OPS_EVERY, 1: all); 0: none */
} fm_profile_options;

/*
 * Where the models run. A provider is "auto" (what is fastest of that which works here, by a trial), "cpu",
 * "coreml", "cuda", "tensorrt", "openvino", "webgpu", "xnnpack"... or a provider's full name in ONNX Runtime.
 * docs/providers.md says more. All zero: "auto".
 */
typedef struct fm_provider_options {
    const char *const *providers; /* "openvino" for all models, "FaceMesh=cpu" for one; later ones win */
    int provider_count;
    const char *const *options;   /* "key=value", handed to every provider but the CPU */
    int option_count;
    const char *const *libraries; /* files of plug-in providers */
    int library_count;
} fm_provider_options;

typedef struct fm_run_options {
    const char *input;       /* video file, required */
    const char *output_dir;  /* NULL: beside the input */
    const char *models;      /* installed model pack or a pack's folder; NULL: the default pack, see fm_pack_find */
    const char *encoder;     /* NULL: first that works */
    const char *neutral_image; /* with FM_NEUTRAL_IMAGE */
    fm_run_mode mode;
    fm_midline_mode midline;
    const char *landmarks;   /* which of the pack's landmark models: "attention", "plain"; NULL: its first */
    int detector_interval;   /* frames after which the detector must see a followed face again; FM_DETECT_WHEN_LOST;
                                0: when lost, or 15 where the landmark model gives no presence score */
    fm_neutral_kind neutral;
    double neutral_seconds;
    double start, duration;  /* seconds from the clip's beginning; duration 0: to the end */
    int64_t max_frames;      /* 0: all */
    int threads;             /* 0: as many as the machine has */
    int au_batch;            /* faces in one run of a network for action units; 0: 4, or 1 where it takes no more */
    bool no_smooth;
    double smooth_cutoff_hz; /* 0: default */
    double smooth_beta;      /* 0: default */
    bool no_flip_average;    /* landmarks from one look; default: the mean of the picture and its mirror image */
    bool no_debug_video;
    bool landmarks_csv;      /* STEM_landmarks.csv, with blendshapes where the pack has them */
    bool no_model_cache;     /* default: optimised graphs are kept in the user's cache folder; docs/providers.md */
    bool overwrite;
    fm_provider_options providers;
    fm_profile_options profile;
    bool watch_system;       /* the report has the system's side, too: CPU time, memory, samples... (fmprof/system.h) */
    fmp_system_options system; /* with watch_system */
    FILE *report;            /* the text report goes here at the end, however the run ends; NULL: none */
    bool report_utf8;        /* box-drawing rules instead of dashes */

    /* on_progress and on_warning are never called at the same time. */
    /* Called from the caller's thread about ten times a second; may be NULL. */
    void (*on_progress)(void *opaque, const fm_progress *progress);
    /* Called for a warning in one sentence, from any thread; may be NULL. */
    void (*on_warning)(void *opaque, const char *message);
    void *opaque;
    /* Polled between frames and inside reads, from any thread; when it returns true the run ends early with whole outputs. May be NULL. */
    bool (*should_stop)(void *opaque);
} fm_run_options;

enum { FM_RUN_OUTPUTS_MAX = 16, FM_AU_BATCH_MAX = 64 };

typedef struct fm_run_output {
    const char *kind;        /* "left_video", "right_csv", "profile", ... constant */
    char path[FM_PATH_MAX];
} fm_run_output;

typedef struct fm_run_summary {
    int width, height;       /* as shown: after rotation */
    double frame_rate;       /* average of the input */
    int64_t frames_read;     /* decoded */
    int64_t frames_written;
    int64_t frames_with_face;
    int64_t frames_detected; /* frames in which the detector ran */
    int64_t frames_damaged;  /* unreadable, skipped */
    double wall_seconds;     /* of the frame loop */
    char encoder[64];        /* empty when no video was written */
    fm_run_output output[FM_RUN_OUTPUTS_MAX];
    int output_count;
} fm_run_summary;

/* All zero is the default of every option but `input`. */
fm_run_options fm_run_defaults(void);

/*
 * Processes one clip. Outputs are written beside their final names and renamed
 * when whole. After an error none is left, except that
 * - FM_E_DAMAGED, and FM_E_INTERRUPTED once a face was found, come with whole,
 *   shorter outputs;
 * - the profile and the trace tell of every run that came to its first frame,
 *   however it ended;
 * - when only the profile cannot be written, which comes last, all else is there.
 * *summary (may be NULL) is filled as far as the run came; its outputs are the
 * files that are there.
 */
fm_status fm_run(const fm_run_options *options, fm_run_summary *summary, fm_error *err);

#ifdef __cplusplus
}
#endif
#endif
