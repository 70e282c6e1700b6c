/*
 * Fits the simulation of a pipeline to a run that was recorded.
 *
 * What a profile tells of a stage is how long it worked on frames (wall time), the CPU time of its thread, and, on
 * Linux, how long the thread was ready to run without a processor. The rest of the work is waiting. Where threads
 * wanted more processors than there are, work is stretched by that; the simulation stretches it, too. So these are
 * found: what a stage waits for, such that the simulated stages work as long as the recorded ones did; how much of the
 * processors other programs left, and by which weights our threads shared them, such that these are as long without
 * one; how long a thread takes to run again after a wait; and how much of the spread from frame to frame is the work's
 * own, such that the run takes as long. CPU time of the process that no stage's thread spent is of
 * helper threads: it is divided among the decoder and the encoders.
 *
 * Thread-safety: Safe on distinct objects.
 */
#ifndef FM_ADVICE_CALIBRATE_H
#define FM_ADVICE_CALIBRATE_H

#include "advice/simulate.h"
#include "report/report.h"

/* Fewer frames say more about warm-up than about speed. */
enum { FM_CALIBRATE_FRAMES_MIN = 20 };

typedef struct fm_calibration {
    fm_sim_model model;                /* its stages in the order of the pipeline's */
    double processors;                 /* of the machine; those of the model are what other programs left of them */
    /* Of each stage: its frames, and what it did at its end (an encoder its look-ahead) as so many frames' work. */
    double works[FM_SIM_STAGES_MAX];
    double busy[FM_SIM_STAGES_MAX];    /* recorded, of one of these works, seconds */
    double delay[FM_SIM_STAGES_MAX];   /* of it, recorded: without a processor; found, where that is not known */
    double wakes_seconds;              /* of all stages, recorded: ready to run and not at work yet */
    double variation[FM_SIM_STAGES_MAX]; /* recorded standard deviation of the work on a frame over its mean */
    double spread;                     /* of that so much is taken for the work's own, 0 to 3 */
    double seconds;                    /* recorded, while stages ran */
    double outside_seconds;            /* the rest of the wall time */
    bool cpu_known, ready_known;       /* was the CPU time of the stages recorded, and the time without a processor? */
    fm_sim_result result;              /* of the model */
    double error;                      /* simulated over recorded seconds, minus 1 */
} fm_calibration;

/* FM_E_BAD_INPUT, with the reason, when the run does not tell enough. `run` may be of any origin. */
fm_status fm_calibrate(const fm_report_run *run, fm_calibration *out, fm_error *err);

#endif
