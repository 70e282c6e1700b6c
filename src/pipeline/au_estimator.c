#include "pipeline/au_estimator.h"

fm_status fm_au_estimator_create(fm_au_estimator **out, fm_face_models *models, int batch, fm_error *err)
{
    *out = NULL;
    if (batch > 1)
        return fm_fail(err, FM_E_USAGE,
                       "the models have no network that estimates action units, so --au-batch means nothing");
    return fm_au_geometry_create(out, models, err);
}

void fm_au_estimator_destroy(fm_au_estimator **estimator)
{
    if (*estimator)
        (*estimator)->kind->destroy(*estimator);
    *estimator = NULL;
}
