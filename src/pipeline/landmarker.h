/*
 * The outputs of a landmark network, whichever it is: the meshes have three
 * values a point, in one tensor or (attention) in six; STAR has two.
 *
 * Thread-safety: Safe on distinct bindings.
 */
#ifndef FM_PIPELINE_LANDMARKER_H
#define FM_PIPELINE_LANDMARKER_H

#include "pipeline/face_models.h"

/* Output indices of a session, and how the values are meant. */
typedef struct fm_landmarker {
    fm_decoding decoding;
    const fm_topology *topology;
    int units;            /* so many are the side of the crop */
    int points, presence; /* presence -1: the network does not tell */
    int lips, left_eye, right_eye, left_iris, right_iris; /* attention mesh alone */
} fm_landmarker;

/* The topology of a manifest's name ("mesh468", "mesh478", "wflw98"), or NULL. */
const fm_topology *fm_topology_named(const char *name);

/* For a landmarker whose outputs were checked. */
void fm_landmarker_init(fm_landmarker *out, const fm_face_model *model);

/*
 * After a run: topology->count * 3 values in units, and the presence logit
 * (NAN: the network does not tell). The points are the binding's own or stand
 * in `room` (as many values), and are valid until either is used again.
 */
const float *fm_landmarker_points(const fm_landmarker *landmarker, const fm_binding *binding,
                                  float *room, float *presence_logit);

/*
 * Takes the mean of two looks, of the crop and of its mirror image; into `first`.
 */
void fm_landmarker_average(const fm_landmarker *landmarker, float *first, const float *flipped);

/*
 * Landmarks in image pixels and the presence, 0..1 (NAN: the network does not tell). Values that are no
 * landmarks, and points that a head cannot have, give presence 0.
 */
void fm_landmarker_place(const fm_landmarker *landmarker, const float *values, float presence_logit, const fm_roi *roi,
                         fm_point3 *points, float *presence);

#endif
