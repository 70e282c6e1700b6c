#include "pipeline/model_run.h"

#include <stdio.h>

static const fmp_site *site(const char *category, const char *model, const char *what)
{
    char name[160];
    snprintf(name, sizeof name, "%s_%s", model, what);
    return fmp_site_get(category, name);
}

fm_status fm_model_run_create(fm_model_run *out, const char *name, fm_session *session, const int64_t *dims, int rank,
                              fm_error *err)
{
    *out = (fm_model_run){0};
    const fm_status status = dims ? fm_binding_create_sized(&out->binding, session, dims, rank, err)
                                  : fm_binding_create(&out->binding, session, err);
    if (status != FM_OK)
        return status;
    out->pre = site("PREPROCESSING", name, "preprocess");
    out->run = site("MODEL_INFERENCE", name, fm_session_backend(session));
    out->post = site("POSTPROCESSING", name, "postprocess");
    return FM_OK;
}

void fm_model_run_destroy(fm_model_run *run)
{
    fm_binding_destroy(&run->binding);
}

fm_status fm_model_run_once(fm_model_run *run, fm_error *err)
{
    FMP_SCOPE_SITE(run->run);
    return fm_binding_run(run->binding, err);
}
