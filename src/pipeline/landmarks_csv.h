/*
 * STEM_landmarks.csv: frame, timestamp, success, then x_0,y_0,z_0,x_1... in
 * source pixels (upright picture), one row a frame; empty cells without a face.
 * With blendshapes their scores follow, under MediaPipe's names (blendshapes.h).
 *
 * Thread-safety: Unsafe; one stage at a time.
 */
#ifndef FM_PIPELINE_LANDMARKS_CSV_H
#define FM_PIPELINE_LANDMARKS_CSV_H

#include "pipeline/work.h"

typedef struct fm_landmarks_csv fm_landmarks_csv;

fm_status fm_landmarks_csv_create(fm_landmarks_csv **out, const char *path, int points, bool blendshapes,
                                  bool overwrite, fm_error *err);
void fm_landmarks_csv_destroy(fm_landmarks_csv **csv);
/* `scores`: of the frame's blendshapes, where the table has them and there is a face; NULL: empty cells. */
fm_status fm_landmarks_csv_frame(fm_landmarks_csv *csv, const fm_work *work, const float *scores, fm_error *err);
/* Flushes and renames to the final name. */
fm_status fm_landmarks_csv_commit(fm_landmarks_csv *csv, fm_error *err);

#endif
