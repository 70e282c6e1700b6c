#include "pipeline/blendshapes_run.h"

#include <stdlib.h>

#include "pipeline/model_run.h"

struct fm_blendshapes_run {
    fm_model_run run;
    int scores; /* output */
};

fm_status fm_blendshapes_run_create(fm_blendshapes_run **out, const fm_face_model *model, fm_error *err)
{
    *out = NULL;
    fm_blendshapes_run *r = calloc(1, sizeof *r);
    if (!r)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the blendshapes");
    r->scores = fm_face_model_output(model, "scores");
    const int64_t dims[] = {1, FM_BLENDSHAPE_POINTS, 2};
    fm_status status = fm_model_run_create(&r->run, model->spec->name, model->session, dims, 3, err);
    if (status != FM_OK) {
        fm_blendshapes_run_destroy(&r);
        return status;
    }
    *out = r;
    return FM_OK;
}

void fm_blendshapes_run_destroy(fm_blendshapes_run **run)
{
    if (!*run)
        return;
    fm_model_run_destroy(&(*run)->run);
    free(*run);
    *run = NULL;
}

fm_status fm_blendshapes_run_once(fm_blendshapes_run *r, const fm_point3 *points, const float **scores,
                                  fm_error *err)
{
    {
        FMP_SCOPE_SITE(r->run.pre);
        fm_blendshapes_input(points, fm_binding_input(r->run.binding));
    }
    const fm_status status = fm_model_run_once(&r->run, err);
    if (status == FM_OK)
        *scores = fm_binding_output(r->run.binding, r->scores);
    return status;
}
