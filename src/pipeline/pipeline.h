/*
 * The stages of one run, their threads and what they share. Internal to
 * src/pipeline; fm_run in run.c puts it together.
 *
 *     reader --works--> analysis --works--> left lane  --frames--> encoder
 *        \                            \---> right lane --frames--> encoder
 *         \                            \--> debug lane --frames--> encoder
 *          \------------ audio packets ---------------------------^
 *
 * Each arrow is a bounded queue. A stage that fails records the first error
 * and aborts all queues, so that every other stage returns at once.
 *
 * Thread-safety: each field says who writes it; failure is Safe.
 */
#ifndef FM_PIPELINE_PIPELINE_H
#define FM_PIPELINE_PIPELINE_H

#include <pthread.h>
#include <stdatomic.h>

#include "pipeline/analysis.h"
#include "pipeline/au_track.h"
#include "pipeline/blendshapes_run.h"
#include "pipeline/landmarks_csv.h"
#include "pipeline/ledger.h"
#include "pipeline/output.h"
#include "pipeline/work.h"
#include "video/reader.h"

enum {
    FM_WORKS = 8,        /* source frames alive at once, the decoder's own apart */
    FM_WORKS_WAITING = 3 /* of these between two stages */
};

typedef enum fm_lane_kind { FM_LANE_LEFT, FM_LANE_RIGHT, FM_LANE_DEBUG, FM_LANES } fm_lane_kind;

/* One output side: draws its picture of each work, measures it, and feeds its encoder. */
typedef struct fm_lane {
    struct fm_pipeline *pipeline;
    fm_lane_kind kind;
    bool active;
    fm_queue *in;        /* fm_work * */
    fm_output *output;   /* NULL when no video is written */
    AVFrame *scratch;    /* the drawn picture when output is NULL */
    fm_au_track *au;     /* NULL when AUs are not measured */
    const fmp_site *draw_site;
    atomic_llong done;   /* frames drawn and measured */
    fm_stage *draw, *encode; /* encode is NULL when no video is written */
} fm_lane;

typedef struct fm_pipeline {
    const fm_run_options *options;
    fm_reader *reader;
    fm_face_models *models;
    fm_analysis *analysis;
    fm_landmarks_csv *landmarks; /* NULL: not written */
    fm_blendshapes_run *blendshapes; /* for that table; NULL: the pack has none */
    fm_work_pool *pool;
    fm_queue *decoded; /* reader -> analysis */
    fm_lane lane[FM_LANES];
    int out_width, out_height; /* even */
    char encoder[64];

    AVPacket **early_audio; /* packets read before the first frame */
    size_t early_audio_count;
    fm_work *first;         /* the first frame, read before the encoders open */

    const fmp_site *frame_flow;       /* a frame's way through the threads, in traces */
    const fmp_metric *frames_counter; /* frames decoded */
    fm_ledger *ledger;
    fm_stage *reading, *analysing;
    pthread_mutex_t failure_lock;
    fm_error failure;       /* the first error of any stage */
    atomic_bool failed;
    atomic_bool interrupted;

    /* written by their stage, read after it ended */
    int64_t frames_read, frames_with_face, frames_detected, frames_cropped_again;
    fm_report_detections detections;

    pthread_mutex_t callback_lock; /* held while on_progress or on_warning runs */
    pthread_mutex_t end_lock; /* stages that still run; the caller waits for none */
    pthread_cond_t end_changed;
    int stages_running;
} fm_pipeline;

/* Makes the ledger, once lanes, outputs and queues are there. */
fm_status fm_pipeline_open_ledger(fm_pipeline *p, fm_error *err);

/* Records the first error and stops every stage. */
void fm_pipeline_fail(fm_pipeline *p, const fm_error *err);

/* Reads up to the first frame, which opens the outputs' encoders. */
fm_status fm_pipeline_prime(fm_pipeline *p, fm_error *err);

/* Runs all stages to the end, calling on_progress from this thread. The error is in p->failure. */
fm_status fm_pipeline_run(fm_pipeline *p, fm_error *err);

/* Frames that every lane is done with. */
int64_t fm_pipeline_frames_done(const fm_pipeline *p);

/* Stage bodies (stages.c). Each returns when its input ends or the run failed. */
void fm_stage_read(fm_pipeline *p);
void fm_stage_analyse(fm_pipeline *p);
void fm_stage_draw(fm_lane *lane);
void fm_stage_encode(fm_lane *lane);

#endif
