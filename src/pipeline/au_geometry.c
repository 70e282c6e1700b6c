/* Action units by geometry: the landmarker looks at the mirrored picture; displacements from the neutral face. */
#include <stdlib.h>

#include "fmprof/fmprof.h"
#include "pipeline/au_estimator.h"

/* The score below which MediaPipe, too, does not believe a face. */
#define MIN_PRESENCE 0.5f

typedef struct geometry {
    fm_au_estimator base;
    fm_face_runner *runner;
    const fm_topology *topology;
} geometry;

static fm_status look(geometry *g, const fm_au_view *view, fm_au_sample *sample, fm_error *err)
{
    fm_point3 expected[FM_LANDMARKS_MAX];
    fm_mirrored_points(view->face->points, g->topology, view->line, view->keep, expected);
    const fm_roi roi = fm_roi_from_landmarks(expected, g->topology);

    fm_point3 measured[FM_LANDMARKS_MAX];
    float presence;
    fm_status status;
    {
        FMP_CONTEXT("AU_"); /* told apart from the tracker's landmarker: AU_FaceMesh_... */
        status = fm_face_runner_landmarks(g->runner, view->mirrored, &roi, measured, &presence, err);
    }
    if (status != FM_OK)
        return status;
    FMP_SCOPE("AU_EXTRACTION", "au_measure");
    if (!(presence >= MIN_PRESENCE))
        return FM_OK;
    sample->confidence = presence;
    fm_mirrored_restore_width(measured, g->topology, view->line, view->pose->inter_ocular);
    sample->has_features = fm_au_measure(measured, g->topology, &sample->features);
    sample->success = sample->has_features;
    return FM_OK;
}

static fm_status measure(fm_au_estimator *self, const fm_au_view *view, fm_au_sample *sample, bool *waits,
                         fm_error *err)
{
    (void)waits; /* none does */
    return look((geometry *)self, view, sample, err);
}

static fm_status features(fm_au_estimator *self, const fm_au_view *view, fm_au_sample *sample, fm_error *err)
{
    return look((geometry *)self, view, sample, err);
}

static void units(const fm_au_estimator *self, const fm_au_sample *sample, const fm_au_features *neutral,
                  fm_au_result *out)
{
    (void)self;
    fm_au_intensities(&sample->features, neutral, out);
}

static void destroy(fm_au_estimator *self)
{
    geometry *g = (geometry *)self;
    fm_face_runner_destroy(&g->runner);
    free(g);
}

static const fm_au_estimator_kind kind = {
    .measure = measure, .features = features, .units = units, .destroy = destroy};

fm_status fm_au_geometry_create(fm_au_estimator **out, fm_face_models *models, fm_error *err)
{
    *out = NULL;
    geometry *g = calloc(1, sizeof *g);
    if (!g)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the action units");
    g->base = (fm_au_estimator){.kind = &kind, .batch = 1};
    g->topology = fm_face_models_topology(models);
    const fm_status status = fm_face_runner_create(&g->runner, models, FM_FACE_RUNNER_PLAIN, err);
    if (status != FM_OK) {
        destroy(&g->base);
        return status;
    }
    *out = &g->base;
    return FM_OK;
}
