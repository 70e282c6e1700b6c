/*
 * What a recorded run would have taken if operations of it had been faster, slower, or absent: the pipeline of the
 * profile is simulated (simulate.h) as it was and as it would be.
 *
 * Changes are text, several by comma: NAME=2x (twice as fast), NAME=0.5x (half as fast), NAME=off, NAME=+3ms, NAME=-3ms
 * (a call takes so much more or less), NAME=5ms (a call takes that); s, ms, us. NAME is a stage ("analysis"), the last
 * word of several ("encoder"), a model ("MTL": all of its operations, in the lanes of action units, too), an
 * operation, or a category; upper and lower case count only where names differ by nothing else. ":cpu" or ":wait"
 * behind a change says that its time is a processor's, or is not (a sleep, an accelerator); by default it is as the
 * rest of its stage, on an accelerator waiting.
 *
 * Thread-safety: Safe on distinct objects; a fm_what_if may be asked from several threads.
 */
#ifndef FM_ADVICE_WHAT_IF_H
#define FM_ADVICE_WHAT_IF_H

#include "report/report.h"

/* A simulation that is off by more than this, as a share of the recorded time, predicts nothing. */
#define FM_WHAT_IF_ERROR_MAX 0.15

typedef struct fm_what_if fm_what_if;

/* What holds a run back. */
typedef struct fm_what_if_limit {
    const char *stage;      /* the busiest one; lives as long as the run */
    double busy;            /* share of the time in which it is at work, 0 to 1 */
    double processors_busy; /* share of the processors' time that this program uses, 0 to 1 */
    double gain_of_processors; /* so many times as fast it would be with a processor for each thread; 1 or more */
    bool processors;        /* that is 1.15 or more: they are what limits, rather than the stage */
} fm_what_if_limit;

/* The run as it was recorded, and as the simulation has it. */
typedef struct fm_what_if_base {
    double frames, wall_seconds, fps;
    double model_error;   /* simulated time over recorded time, minus 1; predictions are corrected by it */
    double outside_seconds; /* of the wall time, before and after the stages; taken as it is */
    int processors;
    double share;         /* of the processors that other programs left to this one, 0 to 1, as the waiting shows */
    fm_what_if_limit limit;
} fm_what_if_base;

typedef struct fm_what_if_prediction {
    double wall_seconds, fps;
    double fps_low, fps_high; /* by how the time is divided between processor and waiting, and the model's error */
    double speedup;           /* recorded over predicted wall time */
    fm_what_if_limit limit;
} fm_what_if_prediction;

/*
 * Fits the simulation to a run; run and snapshot must live as long as *out. FM_E_BAD_INPUT with the reason when that
 * run cannot be simulated: its profile does not tell about stages, it is too short, or the simulation is off by more
 * than FM_WHAT_IF_ERROR_MAX. Takes tens of milliseconds. Free with fm_what_if_close.
 */
fm_status fm_what_if_open(fm_what_if **out, const fm_report_run *run, const fmp_snapshot *snapshot, fm_error *err);
void fm_what_if_close(fm_what_if **what_if); /* NULL and *NULL are fine */

fm_what_if_base fm_what_if_recorded(const fm_what_if *what_if);

/* FM_E_USAGE when the changes cannot be read, or name what the run has not (the message lists what it has). */
fm_status fm_what_if_predict(const fm_what_if *what_if, const char *changes, fm_what_if_prediction *out, fm_error *err);

#endif
