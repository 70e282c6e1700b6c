/*
 * The outputs of the landmark network, whichever it is: the plain mesh has its
 * points in one tensor, the attention mesh has them in six, which are put
 * together here.
 *
 * Thread-safety: Safe on distinct bindings.
 */
#ifndef FM_PIPELINE_LANDMARKER_H
#define FM_PIPELINE_LANDMARKER_H

#include "face/topology.h"
#include "facemirror/error.h"
#include "facemirror/run.h" /* fm_landmarks_model */
#include "inference/session.h"

/* Output indices of a session. */
typedef struct fm_landmarker {
    fm_landmarks_model model;
    const fm_topology *topology;
    int points, presence;
    int lips, left_eye, right_eye, left_iris, right_iris; /* attention mesh alone */
} fm_landmarker;

/* Finds and checks the outputs of a model; `file` stands in the message. FM_E_MODEL: it is another model. */
fm_status fm_landmarker_find(fm_landmarker *out, const fm_session *session, const char *file,
                             fm_landmarks_model model, fm_error *err);

/* The index of the output that holds `count` values, or an error that says what the model lacks. */
fm_status fm_expect_output(const fm_session *session, const char *file, const char *name,
                           size_t count, int *index, fm_error *err);

/*
 * After a run: topology->count * 3 values in network units, and the presence
 * logit. The points are the binding's own or stand in `room` (as many values),
 * and are valid until either is used again.
 */
const float *fm_landmarker_points(const fm_landmarker *landmarker, const fm_binding *binding,
                                  float *room, float *presence_logit);

#endif
