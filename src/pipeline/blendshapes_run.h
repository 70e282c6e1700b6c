/*
 * The blendshape network at work: from the landmarks of a frame to 52 scores
 * (face/blendshapes.h), each step in its profiler scope.
 *
 * Thread-safety: Unsafe; one stage at a time.
 */
#ifndef FM_PIPELINE_BLENDSHAPES_RUN_H
#define FM_PIPELINE_BLENDSHAPES_RUN_H

#include "face/blendshapes.h"
#include "pipeline/face_models.h"

typedef struct fm_blendshapes_run fm_blendshapes_run;

/* `model` has its outputs checked and must outlive the run. On error *out is NULL. */
fm_status fm_blendshapes_run_create(fm_blendshapes_run **out, const fm_face_model *model, fm_error *err);
void fm_blendshapes_run_destroy(fm_blendshapes_run **run); /* NULL and *NULL are fine */

/* `points`: 478 in image pixels. The scores, FM_BLENDSHAPES, are valid until the next call. */
fm_status fm_blendshapes_run_once(fm_blendshapes_run *run, const fm_point3 *points, const float **scores,
                                  fm_error *err);

#endif
