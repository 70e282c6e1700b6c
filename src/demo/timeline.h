/*
 * The demo clip's score: which expression is on at which time and how much,
 * and how the head moves. A cycle takes about 6 seconds; longer clips repeat
 * it, and it begins and ends with the face at rest, so that repeats join.
 *
 * At rest both mouth corners are drawn in and down (smile -1, see warp.h); the
 * smiling side's amount rises to 0.6.
 *
 * Table of one cycle, seconds of a 6 s cycle (see timeline.c): rest 0.9 |
 * blink 0.35 | rest | brow raise 1.15 | rest | blink 0.35 | rest | one-sided
 * smile 1.7 | rest 0.8.
 *
 * Thread-safety: Safe (pure functions).
 */
#ifndef FM_DEMO_TIMELINE_H
#define FM_DEMO_TIMELINE_H

#include "warp.h"

/* Head motion relative to the middle of the clip's frame. */
typedef struct fm_head_motion {
    double turn;   /* radians, clockwise on screen; at most 6 degrees either way */
    double dx, dy; /* parts of the frame's width; dx at most 0.04, dy at most 0.02 */
    double scale;  /* 0.97 .. 1.03 */
} fm_head_motion;

typedef struct fm_moment {
    const char *phase; /* "rest", "blink", "brow_raise", "smile_left", "smile_right"; constant */
    fm_warp_amount amount;
    fm_head_motion head;
} fm_moment;

/* The moment at `seconds` of a clip that lasts `duration` seconds (> 0). */
fm_moment fm_timeline_at(double seconds, double duration, fm_side smile_side);

#endif
