/*
 * What a run knows of itself: how each stage spent its time, and each frame's
 * way through all of them.
 *
 * A stage is one thread. From the ledger's start to the end of that thread it
 * is in one of three states, which tell its wall time apart: busy, starved
 * (waits for a frame), blocked (waits for room in the queue behind it, or for
 * an empty picture). It says so itself:
 *
 *     fm_stage_attach(stage);                        on the stage's thread
 *     while ((item = pop...) != NULL) {              starved until here
 *         fm_stage_enter(stage, FM_STAGE_BUSY);
 *         ...work on the frame...
 *         fm_stage_finish(stage, trip, FM_STAGE_BLOCKED);
 *         push...
 *         fm_stage_enter(stage, FM_STAGE_STARVED);
 *     }
 *     fm_stage_detach(stage);
 *
 * Busy time is wall time: what a thread waits for a processor, a disk or an
 * accelerator is in it. Of that the CPU time is only what the stage's own
 * thread took: decoder and encoders have helper threads of their own, whose
 * time stands in the process's CPU time alone. An encoder works on frames that
 * it was given earlier, too, so its time for a frame is that for which the
 * frame's call kept the thread.
 *
 * A trip is a frame's way: the reader opens it, each stage writes its own time
 * into it, and the last stage of each branch closes its part. The way of a
 * frame are the stages that follow each other up to the end of the slowest
 * branch; the slowest of these is the one that held the frame.
 *
 * Cost: a change of state is one clock reading and a few additions, no system
 * call, no lock, no allocation. A frame makes 5 of them and 7 more on each
 * branch, 26 in a run with three; docs/architecture.md has what they take. CPU
 * time is read once a thread. Memory is constant.
 *
 * Also here: the wall time in which at least one stage was busy, which is the
 * part of the run that the profiler's scopes explain.
 *
 * Thread-safety: a stage belongs to the thread that is attached to it; trips
 * are opened by one thread. Setting up and fm_ledger_report are the caller's,
 * before the threads start and after they ended.
 */
#ifndef FM_PIPELINE_LEDGER_H
#define FM_PIPELINE_LEDGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "facemirror/error.h"
#include "pipeline/slow.h"
#include "report/report.h"

enum {
    FM_LEDGER_STAGES = 8,
    FM_LEDGER_OUTLIERS = 10,
    FM_LEDGER_TRIPS = 64,   /* frames on their way at once; 20 in a run */
    FM_LEDGER_WARM_UP = 96  /* frames until buffers, look-ahead of encoders and batches are full */
};

typedef enum fm_stage_state {
    FM_STAGE_STARVED,
    FM_STAGE_BLOCKED,
    FM_STAGE_BUSY,
    FM_STAGE_ENDED,
    FM_STAGE_STATES
} fm_stage_state;

typedef struct fm_ledger fm_ledger;
typedef struct fm_stage fm_stage;

/* A frame's way. The reader writes the first two members, the analysis the next three, before the frame is shared. */
typedef struct fm_trip {
    int64_t frame;
    double seconds;      /* in the clip */
    int faces;           /* that were seen or followed */
    double face_size;    /* distance of the outer canthi over the picture's width; 0: no face */
    bool detected;       /* the detector ran */
    uint64_t service_ns[FM_LEDGER_STAGES]; /* private: each is written by its stage */
    atomic_int open;     /* private: branches that have not ended */
} fm_trip;

/* `now` is the clock, in ns; NULL: the profiler's. */
fm_status fm_ledger_create(fm_ledger **out, uint64_t (*now)(void), fm_error *err);
void fm_ledger_destroy(fm_ledger **ledger); /* NULL and *NULL are fine */

/*
 * A stage behind `after` (NULL: the first one). `name` is its thread's, and is kept as a pointer. `queue` and
 * `pictures`: see fm_report_stage. Stages are added in the order of flow, FM_LEDGER_STAGES at most.
 */
fm_stage *fm_ledger_add(fm_ledger *ledger, const char *name, const fm_stage *after, int queue, int pictures);

/* All stages are there; their time begins. */
void fm_ledger_start(fm_ledger *ledger);
/* All their threads ended. */
void fm_ledger_stop(fm_ledger *ledger);

/* Work of the run that is no stage's, for the wall time in which at least one is busy. */
void fm_ledger_work_begins(fm_ledger *ledger);
void fm_ledger_work_ends(fm_ledger *ledger);
/* Until now, when something is still at work. */
double fm_ledger_covered_seconds(const fm_ledger *ledger);

/* The calling thread is the stage's from now on, and the profiler calls it by the stage's name. */
void fm_stage_attach(fm_stage *stage);
void fm_stage_detach(fm_stage *stage); /* the stage's time is over */
/* The calling thread works for the stage a moment, before it has a thread of its own, and leaves it blocked. */
void fm_stage_borrow(fm_stage *stage);
void fm_stage_give_back(fm_stage *stage);
void fm_stage_enter(fm_stage *stage, fm_stage_state state);
/*
 * The stage is done with a frame: its time is what it was busy since the last one. Call it before the frame is
 * handed on. trip NULL: the work belonged to no frame (audio, the end of a file), or the frame has no trip.
 */
void fm_stage_finish(fm_stage *stage, fm_trip *trip, fm_stage_state next);
/* The stage is made slower on purpose, when it is. */
void fm_stage_slow_down(const fm_stage *stage);
/* The stage copied so many bytes of a frame without changing them. */
void fm_stage_copied(fm_stage *stage, size_t bytes);
/* Our own code allocated memory for a frame; counted once warm-up is over. */
void fm_stage_allocated(fm_stage *stage, int64_t frame);

/* A frame enters the run. NULL when too many are on their way, which the queues' sizes exclude. Only the reader. */
fm_trip *fm_ledger_open_trip(fm_ledger *ledger, int64_t frame, double seconds);

/* No more frames enter. Only the reader. */
void fm_ledger_end_trips(fm_ledger *ledger);

/* What became of the run. The pointers in *out are the ledger's, or to what it was given. */
void fm_ledger_report(fm_ledger *ledger, fm_report_pipeline *out);

#endif
