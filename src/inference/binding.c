#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "inference/internal.h"

enum { BUFFER_ALIGNMENT = 64 };

typedef struct buffer {
    fm_tensor_info info; /* nothing dynamic */
    float *data;
    OrtValue *value; /* a view of data */
} buffer;

struct fm_binding {
    fm_session *session; /* not owned; outlives the binding */
    OrtIoBinding *io;
    buffer input;
    buffer *outputs; /* session->output_count */
};

static fm_status bad_shape(const fm_session *s, const char *tensor, const char *problem, fm_error *err)
{
    return fm_fail(err, FM_E_MODEL, "the model '%s' does not fit: its tensor '%s' %s", s->name, tensor,
                   problem);
}

/* Takes over `dims`, which must agree with what `info` fixes. */
static fm_status set_shape(const fm_session *s, fm_tensor_info *info, const int64_t *dims, int rank,
                           fm_error *err)
{
    if (rank != info->rank)
        return bad_shape(s, info->name, "has another number of dimensions than wanted", err);
    size_t count = 1;
    for (int i = 0; i < rank; i++) {
        if (info->dims[i] >= 0 && info->dims[i] != dims[i])
            return bad_shape(s, info->name, "has another fixed size than wanted", err);
        if (dims[i] < 1 || (uint64_t)dims[i] > FM_TENSOR_COUNT_MAX / count)
            return bad_shape(s, info->name, "would be empty or too large", err);
        info->dims[i] = dims[i];
        count *= (size_t)dims[i];
    }
    info->count = count;
    return FM_OK;
}

static bool is_dynamic(const fm_tensor_info *info)
{
    for (int i = 0; i < info->rank; i++)
        if (info->dims[i] < 0)
            return true;
    return false;
}

static void set_dynamic_to_one(fm_tensor_info *info) /* as info->count has it already */
{
    for (int i = 0; i < info->rank; i++)
        if (info->dims[i] < 0)
            info->dims[i] = 1;
}

/* Allocates what out->info says. */
static fm_status create_buffer(fm_binding *b, buffer *out, fm_error *err)
{
    const fm_session *s = b->session;
    const fm_tensor_info *info = &out->info;
    size_t bytes = info->count * sizeof(float); /* count is bounded by FM_TENSOR_COUNT_MAX */
    size_t rounded = (bytes + BUFFER_ALIGNMENT - 1) / BUFFER_ALIGNMENT * BUFFER_ALIGNMENT;
    out->data = aligned_alloc(BUFFER_ALIGNMENT, rounded);
    if (!out->data)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the tensor '%s' of '%s'", info->name,
                       s->name);
    memset(out->data, 0, rounded);
    return fm_ort_check(s->runtime,
                        s->runtime->api->CreateTensorWithDataAsOrtValue(
                            s->runtime->memory, out->data, bytes, info->dims, (size_t)info->rank,
                            ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &out->value),
                        FM_E_RUNTIME, "bind the tensors of", s->name, err);
}

static fm_status bind_output(fm_binding *b, int index, fm_error *err)
{
    const fm_session *s = b->session;
    fm_status status = create_buffer(b, &b->outputs[index], err);
    if (status != FM_OK)
        return status;
    return fm_ort_check(s->runtime,
                        s->runtime->api->BindOutput(b->io, s->outputs[index].name,
                                                    b->outputs[index].value),
                        FM_E_RUNTIME, "bind the tensors of", s->name, err);
}

/* What one output was in the trial run. */
static fm_status read_output_shape(fm_binding *b, int index, const OrtValue *value, fm_error *err)
{
    const fm_session *s = b->session;
    const OrtApi *api = s->runtime->api;
    fm_tensor_info *info = &b->outputs[index].info;
    OrtTensorTypeAndShapeInfo *shape = NULL;
    fm_status status = fm_ort_check(s->runtime, api->GetTensorTypeAndShape(value, &shape),
                                    FM_E_RUNTIME, "inspect the outputs of", s->name, err);
    if (status != FM_OK)
        return status;
    size_t rank = 0;
    int64_t dims[FM_TENSOR_DIMS_MAX] = {0};
    OrtStatus *got = api->GetDimensionsCount(shape, &rank);
    if (!got && rank == (size_t)info->rank)
        got = api->GetDimensions(shape, dims, rank);
    api->ReleaseTensorTypeAndShapeInfo(shape);
    status = fm_ort_check(s->runtime, got, FM_E_RUNTIME, "inspect the outputs of", s->name, err);
    return status == FM_OK ? set_shape(s, info, dims, rank > FM_TENSOR_DIMS_MAX ? -1 : (int)rank, err)
                           : status;
}

static fm_status read_output_shapes(fm_binding *b, fm_error *err)
{
    const fm_session *s = b->session;
    const OrtApi *api = s->runtime->api;
    OrtAllocator *allocator = NULL; /* the runtime's own, never released */
    OrtValue **values = NULL;
    size_t count = 0;
    fm_status status = fm_ort_check(s->runtime, api->GetAllocatorWithDefaultOptions(&allocator),
                                    FM_E_RUNTIME, "inspect the outputs of", s->name, err);
    if (status == FM_OK)
        status = fm_ort_check(s->runtime,
                              api->GetBoundOutputValues(b->io, allocator, &values, &count),
                              FM_E_RUNTIME, "inspect the outputs of", s->name, err);
    if (status == FM_OK && count != (size_t)s->output_count)
        status = fm_fail(err, FM_E_RUNTIME, "the model '%s' gave %zu outputs instead of %d", s->name,
                         count, s->output_count);
    for (size_t i = 0; i < count; i++) {
        if (status == FM_OK)
            status = read_output_shape(b, (int)i, values[i], err);
        api->ReleaseValue(values[i]);
    }
    OrtStatus *freed = values ? api->AllocatorFree(allocator, values) : NULL;
    if (freed)
        api->ReleaseStatus(freed);
    return status;
}

/* One run in which the runtime makes the outputs itself; then their shapes are known. */
static fm_status try_output_shapes(fm_binding *b, fm_error *err)
{
    const fm_session *s = b->session;
    fm_status status = FM_OK;
    for (int i = 0; status == FM_OK && i < s->output_count; i++)
        status = fm_ort_check(
            s->runtime,
            s->runtime->api->BindOutputToDevice(b->io, s->outputs[i].name, s->runtime->memory),
            FM_E_RUNTIME, "bind the tensors of", s->name, err);
    if (status == FM_OK)
        status = fm_ort_check(s->runtime, s->runtime->api->RunWithBinding(s->session, NULL, b->io),
                              FM_E_MODEL, "run with this input size the model", s->name, err);
    if (status == FM_OK)
        status = read_output_shapes(b, err);
    s->runtime->api->ClearBoundOutputs(b->io);
    return status;
}

/* dims is NULL where what is dynamic shall be 1. */
static fm_status bind(fm_binding *b, const int64_t *dims, int rank, fm_error *err)
{
    const fm_session *s = b->session;
    const OrtApi *api = s->runtime->api;
    fm_status status = FM_OK;
    bool unknown = false;
    b->input.info = s->inputs[0];
    if (dims)
        status = set_shape(s, &b->input.info, dims, rank, err);
    else
        set_dynamic_to_one(&b->input.info);
    for (int i = 0; i < s->output_count; i++) {
        b->outputs[i].info = s->outputs[i];
        unknown = unknown || (dims && is_dynamic(&s->outputs[i]));
        if (!dims)
            set_dynamic_to_one(&b->outputs[i].info);
    }
    if (status == FM_OK)
        status = fm_ort_check(s->runtime, api->CreateIoBinding(s->session, &b->io), FM_E_RUNTIME,
                              "bind the tensors of", s->name, err);
    if (status == FM_OK)
        status = create_buffer(b, &b->input, err);
    if (status == FM_OK)
        status = fm_ort_check(s->runtime, api->BindInput(b->io, s->inputs[0].name, b->input.value),
                              FM_E_RUNTIME, "bind the tensors of", s->name, err);
    if (status == FM_OK && unknown)
        status = try_output_shapes(b, err);
    for (int i = 0; status == FM_OK && i < s->output_count; i++)
        status = bind_output(b, i, err);
    return status;
}

static fm_status create(fm_binding **out, fm_session *session, const int64_t *dims, int rank,
                        fm_error *err)
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
    fm_status status = bind(b, dims, rank, err);
    if (status != FM_OK) {
        fm_binding_destroy(&b);
        return status;
    }
    *out = b;
    return FM_OK;
}

fm_status fm_binding_create(fm_binding **out, fm_session *session, fm_error *err)
{
    return create(out, session, NULL, 0, err);
}

fm_status fm_binding_create_sized(fm_binding **out, fm_session *session, const int64_t *dims,
                                  int rank, fm_error *err)
{
    return create(out, session, dims, rank, err);
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

const fm_tensor_info *fm_binding_input_info(const fm_binding *binding)
{
    return &binding->input.info;
}

const fm_tensor_info *fm_binding_output_info(const fm_binding *binding, int index)
{
    return index >= 0 && index < binding->session->output_count ? &binding->outputs[index].info : NULL;
}

const fm_session *fm_ort_session_of(const fm_binding *binding)
{
    return binding->session;
}

fm_status fm_ort_run(fm_binding *binding, const OrtRunOptions *options, fm_error *err)
{
    const fm_session *s = binding->session;
    const OrtApi *api = s->runtime->api;
    OrtStatus *status = NULL;
    /* Binding an input hands its values to the device, once: on the CPU they are read where they are. */
    if (s->breakdown.accelerator > 0)
        status = api->BindInput(binding->io, s->inputs[0].name, binding->input.value);
    if (!status)
        status = api->RunWithBinding(s->session, options, binding->io);
    /* Shapes were promised by the model itself: when they do not hold, it is to blame. */
    OrtErrorCode code = status ? s->runtime->api->GetErrorCode(status) : ORT_OK;
    return fm_ort_check(s->runtime, status,
                        code == ORT_INVALID_ARGUMENT ? FM_E_MODEL : FM_E_RUNTIME, "run the model",
                        s->name, err);
}

fm_status fm_binding_run(fm_binding *binding, fm_error *err)
{
    return fm_ort_run(binding, NULL, err);
}
