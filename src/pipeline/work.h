/*
 * One frame on its way through the pipeline: the decoded picture and what the
 * analysis found in it. Works are pooled; their number bounds how many source
 * frames are alive at once, whatever the clip's length.
 *
 * Ownership: a work is reference-counted; fm_work_release gives it back to its
 * pool. Thread-safety: Safe to hold and release from any thread; its fields
 * are written by the reader and the analysis only, before it is shared.
 */
#ifndef FM_PIPELINE_WORK_H
#define FM_PIPELINE_WORK_H

#include <libavutil/frame.h>
#include <stdatomic.h>

#include "face/midline.h"
#include "face/pose.h"
#include "face/tracker.h"
#include "pipeline/ledger.h"
#include "pipeline/queue.h"

typedef struct fm_work_pool fm_work_pool;

typedef struct fm_work {
    fm_work_pool *pool;
    atomic_int references;
    AVFrame *frame; /* upright yuv420p */
    fm_image image; /* a view of frame */
    int64_t index;  /* 0-based number of the frame */
    double seconds; /* from the start of the clip */
    fm_trip *trip;  /* its way through the run; NULL: not followed */
    fm_face face;
    bool has_line;  /* line is of this frame, or held from a moment ago */
    fm_line line;
    bool has_pose;
    fm_pose pose;
} fm_work;

fm_status fm_work_pool_create(fm_work_pool **out, size_t count, fm_error *err);
/* Nobody may use a work any more; those that an abort left in queues are freed, too. */
void fm_work_pool_destroy(fm_work_pool **pool);

/* Waits for a free work; one reference is the caller's. NULL after an abort. */
fm_work *fm_work_acquire(fm_work_pool *pool);
void fm_work_retain(fm_work *work);
void fm_work_release(fm_work *work);
/* Lets nobody wait any more. */
void fm_work_pool_abort(fm_work_pool *pool);

#endif
