/*
 * Stages and models that are made slower on purpose, so that tests can see whether the profile finds the one that is,
 * and whether a prediction comes true. For tests only: the report says so in its first line.
 *
 *     FACEMIRROR_SLOW="analysis=5ms,left mirror=2ms:cpu,FaceMesh=800us"
 *
 * adds to each frame that a stage handles, or to each run of a model, so much: asleep, or with ":cpu" at work on the
 * processor (so much CPU time). Names are those of the threads (reader, analysis, left mirror, right mirror, debug,
 * left encoder, right encoder, debug encoder) and those of the models, as their operations begin. Whole numbers of s,
 * ms, or us, up to 10 s. A stage sleeps within its own scope, so it shows as that operation's time. A name that
 * nothing has slows nothing. "pictures=1" lets the run have so many source frames at once, so that its stages wait for
 * each other.
 *
 * Thread-safety: Safe, while nobody changes the environment.
 */
#ifndef FM_PIPELINE_SLOW_H
#define FM_PIPELINE_SLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "facemirror/error.h"

typedef struct fm_slow {
    uint64_t ns; /* 0: as fast as can be */
    bool cpu;
} fm_slow;

/* The variable's value; NULL: nothing is slowed. */
const char *fm_slow_text(void);
/* FM_E_USAGE when it cannot be read. */
fm_status fm_slow_check(fm_error *err);
/* What it says about a stage or model. To be asked once, at set-up. */
fm_slow fm_slow_of(const char *name);

/* How many source frames may be alive at once: what it says, from 1 to `usual`, or `usual`. */
int fm_slow_pictures(int usual);

void fm_slow_spend(const fm_slow *slow);
/* Costs one comparison when nothing is slowed. */
static inline void fm_slow_down(const fm_slow *slow)
{
    if (slow->ns > 0)
        fm_slow_spend(slow);
}

#endif
