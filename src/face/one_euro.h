/*
 * One-Euro filter (Casiez, Roussel, Vogel: "1 euro filter: a simple
 * speed-based low-pass filter for noisy input in interactive systems",
 * CHI 2012): a first-order low-pass whose cut-off rises with speed, so that a
 * still point does not jitter and a moving one does not lag.
 *
 * Values are divided by `scale` (the size of the face) before the speed is
 * taken, so the same constants serve near and far faces.
 *
 * Thread-safety: Unsafe on one filter.
 */
#ifndef FM_FACE_ONE_EURO_H
#define FM_FACE_ONE_EURO_H

#include <stdbool.h>

/*
 * Constants for landmarks of a face, with scale = distance of the outer eye
 * corners. Chosen on a 30 fps clip of a slowly turning head (tests/face/
 * test_clip.c measures it anew), jitter at rest in % of the eye distance (what
 * a 7-frame parabola leaves over), lag at 0.4 eye distances a second, and what
 * is left of the peak of a blink (8 % closing in 0.1 s, held 0.05 s, opening in 0.2 s):
 *
 *     min_cutoff  beta  derivative   jitter   lag      blink
 *     (raw)                          0.056     0.0 ms  100 %
 *     1           10    2            0.015    22.2 ms   93 %
 *     1           20    2            0.019    14.0 ms   97 %
 *     1           40    1            0.024     8.7 ms   98 %
 *     1           40    2            0.024     8.4 ms   99 %   <- chosen
 *     1           80    1            0.031     5.0 ms
 *     0.05        80    1            0.031     5.2 ms          (MediaPipe's own)
 *
 * A quarter of a frame is the most that two mirrored halves of a moving mouth
 * may trail; below that the quietest is best. Whole chain in YUV, as the test
 * prints it: jitter 0.0575 -> 0.0240 %, lag 8.4 ms, shift at best correlation
 * 10 ms.
 */
#define FM_ONE_EURO_MIN_CUTOFF_HZ 1.0
#define FM_ONE_EURO_BETA 40.0 /* Hz per (eye distance / second) */
#define FM_ONE_EURO_DERIVATIVE_CUTOFF_HZ 2.0

typedef struct fm_one_euro {
    double min_cutoff_hz; /* > 0 */
    double beta;          /* >= 0 */
    double derivative_cutoff_hz; /* > 0; 1.0 in the paper */
    bool started;
    double value, derivative;
} fm_one_euro;

/* Forgets the past: the next value passes unchanged. */
void fm_one_euro_reset(fm_one_euro *filter);

/*
 * Filters one value taken dt seconds after the last. dt <= 0 or scale <= 0
 * passes it unchanged and restarts from it; a value that is not finite is
 * given back and forgotten.
 */
double fm_one_euro_apply(fm_one_euro *filter, double value, double scale, double dt);

#endif
