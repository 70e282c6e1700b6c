/*
 * The truth of a demo clip as CSV (RFC 4180, '.' decimals in every locale):
 *
 *     frame,timestamp,phase,x_0,y_0,x_1,y_1,...
 *
 * frame from 0, timestamp in seconds (6 decimals), coordinates in pixels of
 * the clip (3 decimals; convention of face/image.h).
 *
 * Thread-safety: Unsafe on one file.
 */
#ifndef FM_DEMO_TRUTH_H
#define FM_DEMO_TRUTH_H

#include <stdint.h>
#include <stdio.h>

#include "base/file.h"
#include "warp.h"

typedef struct fm_truth {
    fm_outfile file;
    FILE *stream; /* NULL: not open */
    int count;    /* landmarks a row */
} fm_truth;

/* Opens beside the final name and writes the header. Zero-initialised objects are safe to close. */
fm_status fm_truth_open(fm_truth *truth, const char *path, bool overwrite, int count, fm_error *err);
fm_status fm_truth_row(fm_truth *truth, int64_t frame, double seconds, const char *phase,
                       const fm_vec2 *points, fm_error *err);
/* Closes and renames to the final name. */
fm_status fm_truth_commit(fm_truth *truth, fm_error *err);
/* Removes what was not committed. */
void fm_truth_discard(fm_truth *truth);

#endif
