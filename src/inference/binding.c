#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "inference/internal.h"

enum { BUFFER_ALIGNMENT = 64 };

typedef struct buffer {
    float *data;
    OrtValue *value; /* a view of data */
} buffer;

struct fm_binding {
    fm_session *session; /* not owned; outlives the binding */
    OrtIoBinding *io;
    buffer input;
    buffer *outputs; /* session->output_count */
};

static fm_status create_buffer(fm_binding *b, const fm_tensor_info *info, buffer *out, fm_error *err)
{
    const fm_session *s = b->session;
    size_t bytes = info->count * sizeof(float); /* count is bounded when the session opens */
    size_t rounded = (bytes + BUFFER_ALIGNMENT - 1) / BUFFER_ALIGNMENT * BUFFER_ALIGNMENT;
    out->data = aligned_alloc(BUFFER_ALIGNMENT, rounded);
    if (!out->data)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the tensor '%s' of '%s'", info->name,
                       s->name);
    memset(out->data, 0, rounded);
    int64_t dims[FM_TENSOR_DIMS_MAX];
    for (int i = 0; i < info->rank; i++)
        dims[i] = info->dims[i] < 0 ? 1 : info->dims[i];
    return fm_ort_check(s->runtime,
                        s->runtime->api->CreateTensorWithDataAsOrtValue(
                            s->runtime->memory, out->data, bytes, dims, (size_t)info->rank,
                            ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &out->value),
                        FM_E_RUNTIME, "bind the tensors of", s->name, err);
}

static fm_status bind(fm_binding *b, fm_error *err)
{
    const fm_session *s = b->session;
    const OrtApi *api = s->runtime->api;
    fm_status status = fm_ort_check(s->runtime, api->CreateIoBinding(s->session, &b->io),
                                    FM_E_RUNTIME, "bind the tensors of", s->name, err);
    if (status == FM_OK)
        status = create_buffer(b, &s->inputs[0], &b->input, err);
    if (status == FM_OK)
        status = fm_ort_check(s->runtime, api->BindInput(b->io, s->inputs[0].name, b->input.value),
                              FM_E_RUNTIME, "bind the tensors of", s->name, err);
    for (int i = 0; status == FM_OK && i < s->output_count; i++) {
        status = create_buffer(b, &s->outputs[i], &b->outputs[i], err);
        if (status == FM_OK)
            status = fm_ort_check(
                s->runtime, api->BindOutput(b->io, s->outputs[i].name, b->outputs[i].value),
                FM_E_RUNTIME, "bind the tensors of", s->name, err);
    }
    return status;
}

fm_status fm_binding_create(fm_binding **out, fm_session *session, fm_error *err)
{
    *out = NULL;
    if (session->input_count != 1 || session->output_count < 1)
        return fm_fail(err, FM_E_MODEL,
                       "the model '%s' has %d inputs and %d outputs; one input and at least one "
                       "output are needed",
                       session->name, session->input_count, session->output_count);
    fm_binding *b = calloc(1, sizeof *b);
    if (b)
        b->outputs = calloc((size_t)session->output_count, sizeof *b->outputs);
    if (!b || !b->outputs) {
        free(b);
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the tensors of '%s'", session->name);
    }
    b->session = session;
    fm_status status = bind(b, err);
    if (status != FM_OK) {
        fm_binding_destroy(&b);
        return status;
    }
    *out = b;
    return FM_OK;
}

static void destroy_buffer(const OrtApi *api, buffer *b)
{
    if (b->value)
        api->ReleaseValue(b->value);
    free(b->data);
}

void fm_binding_destroy(fm_binding **binding)
{
    if (!binding || !*binding)
        return;
    fm_binding *b = *binding;
    const OrtApi *api = b->session->runtime->api;
    if (b->io)
        api->ReleaseIoBinding(b->io);
    destroy_buffer(api, &b->input);
    for (int i = 0; i < b->session->output_count; i++)
        destroy_buffer(api, &b->outputs[i]);
    free(b->outputs);
    free(b);
    *binding = NULL;
}

float *fm_binding_input(fm_binding *binding)
{
    return binding->input.data;
}

const float *fm_binding_output(const fm_binding *binding, int index)
{
    return index >= 0 && index < binding->session->output_count ? binding->outputs[index].data : NULL;
}

fm_status fm_binding_run(fm_binding *binding, fm_error *err)
{
    const fm_session *s = binding->session;
    OrtStatus *status = s->runtime->api->RunWithBinding(s->session, NULL, binding->io);
    /* Shapes were promised by the model itself: when they do not hold, it is to blame. */
    OrtErrorCode code = status ? s->runtime->api->GetErrorCode(status) : ORT_OK;
    return fm_ort_check(s->runtime, status,
                        code == ORT_INVALID_ARGUMENT ? FM_E_MODEL : FM_E_RUNTIME, "run the model",
                        s->name, err);
}
