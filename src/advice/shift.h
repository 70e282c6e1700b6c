/*
 * How far the results of two runs of one clip lie apart, frame by frame: the
 * landmarks in pixels and in parts of the eye distance, and the action units. A
 * change that makes a run faster may spoil what it measures, and shows here.
 *
 * Tables come from anywhere (csv_table.h). Thread-safety: Safe on distinct objects.
 */
#ifndef FM_ADVICE_SHIFT_H
#define FM_ADVICE_SHIFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "facemirror/error.h"

/* Over the frames; NAN when there are none. */
typedef struct fm_shift_figures {
    double median, p95, max;
    int64_t worst; /* the frame with the maximum; -1: none */
} fm_shift_figures;

enum { FM_SHIFT_UNITS_MAX = 32, FM_SHIFT_NAME = 16 };

/* Frames with a face in both tables, in one alone, and that only one table has. */
typedef struct fm_shift_frames {
    int64_t compared, face_in_one, missing;
} fm_shift_frames;

/* Mean over the points of a frame of how far each moved in the picture. */
typedef struct fm_shift_landmarks {
    bool compared;
    int points;
    fm_shift_frames frames;
    fm_shift_figures pixels;
    fm_shift_figures share;    /* of the distance of the outer canthi in the base; NAN: it is not known */
    double point_max;          /* pixels: the farthest that a single point moved */
} fm_shift_landmarks;

typedef struct fm_shift_unit {
    char name[FM_SHIFT_NAME];  /* "AU12" */
    fm_shift_figures change;   /* of its intensity, 0 to 5, without its sign */
    int64_t presence;          /* frames in which it is present in one alone */
} fm_shift_unit;

typedef struct fm_shift_table {
    bool compared;
    fm_shift_frames frames;
    fm_shift_unit *units;      /* those with values on both sides */
    size_t unit_count;
} fm_shift_table;

typedef struct fm_shift {
    bool asked;                /* somewhere to look was known */
    char base[256], now[256];  /* folders, cut */
    char why[300];             /* why something is not compared; "" */
    fm_shift_landmarks landmarks;
    fm_shift_table left, right;
} fm_shift;

/*
 * Compares STEM_landmarks.csv, STEM_left_mirrored.csv and STEM_right_mirrored.csv of two folders, those that both
 * have. A stem may be NULL or "": the folder's only one. Folders without tables in common are no error: `why` says so.
 * FM_E_BAD_INPUT: a table is none, with file, line and what is wrong; FM_E_NOT_FOUND, FM_E_NO_MEMORY.
 */
fm_status fm_shift_measure(fm_shift *out, const char *base_dir, const char *base_stem, const char *now_dir,
                           const char *now_stem, fm_error *err);
void fm_shift_free(fm_shift *shift); /* zeros are fine */

#endif
