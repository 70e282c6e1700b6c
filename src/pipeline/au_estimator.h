/*
 * What measures the action units of a mirrored face: its geometry
 * (au_geometry.c), or a network of the pack (au_mtl.c). One for each lane.
 *
 * A frame is measured in two steps where a network takes several faces at once:
 * measure() puts the face into the batch and says that its sample waits; run()
 * completes all that wait. Units are made of samples at the end, when the
 * neutral face is known.
 *
 * Thread-safety: Unsafe; one stage at a time. Several may share the models.
 */
#ifndef FM_PIPELINE_AU_ESTIMATOR_H
#define FM_PIPELINE_AU_ESTIMATOR_H

#include "face/action_units.h"
#include "face/mirrored_face.h"
#include "face/mtl.h"
#include "face/tracker.h"
#include "facemirror/run.h" /* FM_AU_BATCH_MAX */
#include "pipeline/face_runner.h"

enum { FM_AU_BATCH_DEFAULT = 4 }; /* measured: docs/providers.md */

typedef struct fm_au_estimator fm_au_estimator;

/* One frame that shows a face. */
typedef struct fm_au_view {
    const fm_face *face;      /* of the source picture, and its pose and midline */
    const fm_pose *pose;
    const fm_line *line;
    fm_side keep;             /* the half that was kept */
    const fm_image *mirrored; /* the mirrored picture */
} fm_au_view;

/* What is known of one frame's mirrored face. */
typedef struct fm_au_sample {
    float confidence;        /* 0..1 */
    bool success;            /* the face was measured */
    bool has_features;       /* features are valid */
    fm_au_features features; /* of the landmarks; the neutral is made of them */
    fm_mtl_result network;   /* where a network estimates */
} fm_au_sample;

/*
 * Fills in the features of the mirrored face's landmarks, whose width is
 * brought back to the source's: `points` change. All ways of estimating make
 * their features here.
 */
void fm_au_sample_measure(fm_au_sample *sample, const fm_au_view *view, const fm_topology *topology,
                          fm_point3 *points);

/* One way of estimating. `self` is the estimator, which begins with a fm_au_estimator. */
typedef struct fm_au_estimator_kind {
    /*
     * *sample is zeroed, *waits is false. *waits true: the next run() completes the sample. A face that cannot be
     * measured is no error.
     */
    fm_status (*measure)(fm_au_estimator *self, const fm_au_view *view, fm_au_sample *sample, bool *waits,
                         fm_error *err);
    /* Completes the `count` samples that wait, in the order of measure(). NULL: none ever waits. */
    fm_status (*run)(fm_au_estimator *self, fm_au_sample *const waiting[], int count, fm_error *err);
    /* Features alone, for a picture of the neutral face. *sample is zeroed. */
    fm_status (*features)(fm_au_estimator *self, const fm_au_view *view, fm_au_sample *sample, fm_error *err);
    /* The table's columns for a sample with success. */
    void (*units)(const fm_au_estimator *self, const fm_au_sample *sample, const fm_au_features *neutral,
                  fm_au_result *out);
    void (*destroy)(fm_au_estimator *self);
} fm_au_estimator_kind;

struct fm_au_estimator {
    const fm_au_estimator_kind *kind;
    int batch;          /* samples that may wait, 1 to FM_AU_BATCH_MAX; then run() must come */
    bool tells_emotion; /* samples hold emotion and gaze, too */
};

/*
 * The way that the models allow: their AU estimator, else geometry by their
 * landmarker. `batch`: faces in one run of the network, up to FM_AU_BATCH_MAX;
 * 0: FM_AU_BATCH_DEFAULT, or 1 where the model takes no more. FM_E_USAGE where
 * more is asked for than the models can do. The models must outlive the estimator.
 */
fm_status fm_au_estimator_create(fm_au_estimator **out, const fm_face_models *models, int batch, fm_error *err);
void fm_au_estimator_destroy(fm_au_estimator **estimator);

/* The two ways. The second wants models with an AU estimator. */
fm_status fm_au_geometry_create(fm_au_estimator **out, const fm_face_models *models, fm_error *err);
fm_status fm_au_mtl_create(fm_au_estimator **out, const fm_face_models *models, int batch, fm_error *err);

#endif
