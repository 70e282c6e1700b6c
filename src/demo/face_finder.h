/*
 * Finds the face of a picture and its landmarks with the default models:
 * detector, landmarker and tracker put together for one caller, without
 * smoothing, so that a still gives the network's own answer.
 *
 * Thread-safety: Unsafe; one finder, one thread at a time.
 */
#ifndef FM_DEMO_FACE_FINDER_H
#define FM_DEMO_FACE_FINDER_H

#include "face/tracker.h"
#include "facemirror/error.h"

typedef struct fm_face_finder fm_face_finder;

/* Finds and loads the models; models_dir may be NULL (search path). On error *out is NULL. */
fm_status fm_face_finder_open(fm_face_finder **out, const char *models_dir, fm_error *err);
void fm_face_finder_close(fm_face_finder **finder); /* NULL and *NULL are fine */

const fm_topology *fm_face_finder_topology(const fm_face_finder *finder);

/* The next picture of a clip, at strictly rising `seconds`; face->found says whether there is a face. */
fm_status fm_face_finder_next(fm_face_finder *finder, const fm_image *image, double seconds,
                              fm_face *face, fm_error *err);

#endif
