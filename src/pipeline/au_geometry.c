/*
 * Action units by geometry: displacements from the neutral face, of landmarks
 * that the landmarker finds in the mirrored picture. One without a presence
 * score (STAR) could not say whether it sees a face there, and takes many times
 * as long; for it the source's own landmarks and their reflection are measured.
 */
#include <stdlib.h>

#include "fmprof/fmprof.h"
#include "pipeline/au_estimator.h"

/* The score below which MediaPipe, too, does not believe a face. */
#define MIN_PRESENCE 0.5f

typedef struct geometry {
    fm_au_estimator base;
    fm_face_runner *runner; /* NULL: reflected landmarks are measured */
    const fm_topology *topology;
} geometry;

static void measure_points(const geometry *g, const fm_au_view *view, fm_point3 *points, float confidence,
                           fm_au_sample *sample)
{
    FMP_SCOPE("AU_EXTRACTION", "au_measure");
    sample->confidence = confidence;
    fm_au_sample_measure(sample, view, g->topology, points);
    sample->success = sample->has_features;
}

static fm_status look(geometry *g, const fm_au_view *view, fm_au_sample *sample, fm_error *err)
{
    fm_point3 expected[FM_LANDMARKS_MAX];
    if (!g->runner) {
        fm_mirrored_points(view->face->raw, g->topology, view->line, view->keep, expected);
        measure_points(g, view, expected, view->face->confidence, sample);
        return FM_OK;
    }
    fm_mirrored_points(view->face->points, g->topology, view->line, view->keep, expected);
    const fm_roi roi = fm_roi_from_landmarks(expected, g->topology);

    fm_point3 measured[FM_LANDMARKS_MAX];
    float presence;
    fm_status status;
    {
        FMP_CONTEXT("AU_"); /* told apart from the tracker's landmarker: AU_FaceMesh_... */
        status = fm_face_runner_landmarks(g->runner, view->mirrored, &roi, measured, &presence, err);
    }
    if (status == FM_OK && presence >= MIN_PRESENCE)
        measure_points(g, view, measured, presence, sample);
    return status;
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

fm_status fm_au_geometry_create(fm_au_estimator **out, const fm_face_models *models, fm_error *err)
{
    *out = NULL;
    geometry *g = calloc(1, sizeof *g);
    if (!g)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the action units");
    g->base = (fm_au_estimator){.kind = &kind, .batch = 1};
    g->topology = fm_face_models_topology(models);
    const bool tells_presence = fm_face_model_output(fm_face_models_get(models, FM_ROLE_LANDMARKER), "presence") >= 0;
    const fm_status status =
        tells_presence ? fm_face_runner_create(&g->runner, models, FM_FACE_RUNNER_PLAIN, err) : FM_OK;
    if (status != FM_OK) {
        destroy(&g->base);
        return status;
    }
    *out = &g->base;
    return FM_OK;
}
