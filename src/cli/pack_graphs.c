#include "cli/pack_graphs.h"

#include <stdio.h>
#include <string.h>

#include "models/pack_contract.h"
#include "pipeline/model_check.h"

static const fm_session_options on_cpu = {.intra_threads = 1};

static void adopt_input(fm_pack_model *model, const fm_session *session)
{
    const fm_tensor_info *info = fm_session_input_count(session) == 1 ? fm_session_input(session, 0) : NULL;
    if (!info || strlen(info->name) >= sizeof model->input.name)
        return; /* the check says why that will not do */
    snprintf(model->input.name, sizeof model->input.name, "%s", info->name);
    const int64_t *dims = info->dims;
    if (fm_decoding_contract(model->decoding)->any_size && info->rank == 4 && dims[2] > 0 && dims[3] > 0 &&
        dims[2] <= FM_PACK_SIDE_MAX && dims[3] <= FM_PACK_SIDE_MAX) {
        model->input.height = (int)dims[2];
        model->input.width = (int)dims[3];
    }
}

fm_status fm_pack_graph_check(fm_runtime *runtime, const fm_pack_model *model, fm_error *err)
{
    fm_session *session = NULL;
    fm_status status = fm_session_open(&session, runtime, model->path, &on_cpu, err);
    if (status == FM_OK)
        status = fm_model_check(model, session, err);
    fm_session_close(&session);
    return status;
}

fm_status fm_pack_graph_check_bytes(fm_runtime *runtime, fm_pack_model *model, bool adopt, const void *onnx,
                                    size_t size, fm_error *err)
{
    fm_session *session = NULL;
    fm_status status = fm_session_open_memory(&session, runtime, onnx, size, model->path, &on_cpu, err);
    if (status == FM_OK && adopt)
        adopt_input(model, session);
    if (status == FM_OK)
        status = fm_model_check(model, session, err);
    fm_session_close(&session);
    return status;
}
