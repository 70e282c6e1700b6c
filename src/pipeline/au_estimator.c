#include "pipeline/au_estimator.h"

fm_status fm_au_estimator_create(fm_au_estimator **out, const fm_face_models *models, int batch, fm_error *err)
{
    *out = NULL;
    if (fm_face_models_get(models, FM_ROLE_AU_ESTIMATOR))
        return fm_au_mtl_create(out, models, batch, err);
    if (batch > 1)
        return fm_fail(err, FM_E_USAGE,
                       "the models '%s' have no network that estimates action units, so --au-batch %d cannot be",
                       fm_face_models_pack(models)->name, batch);
    return fm_au_geometry_create(out, models, err);
}

void fm_au_sample_measure(fm_au_sample *sample, const fm_au_view *view, const fm_topology *topology,
                          fm_point3 *points)
{
    fm_mirrored_restore_width(points, topology, view->line, view->pose->inter_ocular);
    sample->has_features = fm_au_measure(points, topology, &sample->features);
}

void fm_au_estimator_destroy(fm_au_estimator **estimator)
{
    if (*estimator)
        (*estimator)->kind->destroy(*estimator);
    *estimator = NULL;
}
