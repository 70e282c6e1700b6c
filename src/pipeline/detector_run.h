/*
 * A detector at work, whichever it is: BlazeFace over the letterboxed picture,
 * RetinaFace over the picture as its network wants it. Each step in its
 * profiler scope.
 *
 * Thread-safety: Unsafe; make one per thread.
 */
#ifndef FM_PIPELINE_DETECTOR_RUN_H
#define FM_PIPELINE_DETECTOR_RUN_H

#include "face/retinaface.h"
#include "pipeline/face_models.h"
#include "pipeline/model_run.h"

enum { FM_FACES_MAX = 16 };

typedef struct fm_detector_run {
    const fm_face_model *model;
    int boxes, scores, points; /* outputs; points -1: it has none */
    fm_model_run run;
    int width, height;         /* of the pictures that `run` is made for; 0: of any */
    fm_retinaface_input input; /* RetinaFace alone */
} fm_detector_run;

/*
 * What a RetinaFace's tensor shows of pictures of that size. A network of a fixed size gets them letterboxed. One
 * that takes any gets them as they are, but no larger than fm_detector_side_max on the long side. False: not possible.
 */
bool fm_detector_input(const fm_pack_model *spec, int width, int height, fm_retinaface_input *out);
extern const int fm_detector_side_max; /* pixels */

fm_status fm_detector_run_create(fm_detector_run *out, const fm_face_model *model, fm_error *err);
/* Safe on a zeroed object. */
void fm_detector_run_destroy(fm_detector_run *run);

/* Finds faces in the whole picture; *count of them, by falling score. */
fm_status fm_detector_run_once(fm_detector_run *run, const fm_image *image, fm_detection faces[FM_FACES_MAX],
                               int *count, fm_error *err);

#endif
