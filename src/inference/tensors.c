/* What goes into a session and comes out of it. */
#include <stdlib.h>
#include <string.h>

#include "inference/internal.h"

typedef enum direction { DIRECTION_INPUT, DIRECTION_OUTPUT } direction;

static fm_status bad_tensor(const fm_session *s, direction dir, const char *tensor,
                            const char *problem, fm_error *err)
{
    return fm_fail(err, FM_E_MODEL, "the model '%s' does not fit: its %s '%s' %s", s->name,
                   dir == DIRECTION_INPUT ? "input" : "output", tensor, problem);
}

/* Elements with dynamic dimensions taken as 1. */
static fm_status count_elements(const fm_session *s, direction dir, fm_tensor_info *info,
                                fm_error *err)
{
    info->count = 1;
    for (int i = 0; i < info->rank; i++) {
        if (info->dims[i] == 0 || info->dims[i] > (int64_t)FM_TENSOR_COUNT_MAX)
            return bad_tensor(s, dir, info->name, "has a dimension out of range", err);
        size_t dim = info->dims[i] < 0 ? 1 : (size_t)info->dims[i];
        if (dim > FM_TENSOR_COUNT_MAX / info->count)
            return bad_tensor(s, dir, info->name, "is too large", err);
        info->count *= dim;
    }
    return FM_OK;
}

static fm_status read_shape(fm_session *s, direction dir, const OrtTypeInfo *type,
                            fm_tensor_info *info, fm_error *err)
{
    const OrtApi *api = s->runtime->api;
    const OrtTensorTypeAndShapeInfo *tensor = NULL; /* owned by type */
    fm_status status = fm_ort_check(s->runtime, api->CastTypeInfoToTensorInfo(type, &tensor),
                                    FM_E_MODEL, "inspect", s->name, err);
    if (status != FM_OK)
        return status;
    if (!tensor)
        return bad_tensor(s, dir, info->name, "is not a tensor", err);
    ONNXTensorElementDataType element = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    size_t rank = 0;
    status = fm_ort_check(s->runtime, api->GetTensorElementType(tensor, &element), FM_E_MODEL,
                          "inspect", s->name, err);
    if (status == FM_OK)
        status = fm_ort_check(s->runtime, api->GetDimensionsCount(tensor, &rank), FM_E_MODEL,
                              "inspect", s->name, err);
    if (status != FM_OK)
        return status;
    if (element != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT)
        return bad_tensor(s, dir, info->name, "is not of type float32", err);
    if (rank > FM_TENSOR_DIMS_MAX)
        return bad_tensor(s, dir, info->name, "has more than 8 dimensions", err);
    info->rank = (int)rank;
    status = fm_ort_check(s->runtime, api->GetDimensions(tensor, info->dims, rank), FM_E_MODEL,
                          "inspect", s->name, err);
    return status == FM_OK ? count_elements(s, dir, info, err) : status;
}

static fm_status read_name(fm_session *s, direction dir, int index, fm_tensor_info *info,
                           fm_error *err)
{
    const OrtApi *api = s->runtime->api;
    OrtAllocator *allocator = NULL; /* the runtime's own, never released */
    char *name = NULL;
    fm_status status = fm_ort_check(s->runtime, api->GetAllocatorWithDefaultOptions(&allocator),
                                    FM_E_RUNTIME, "inspect", s->name, err);
    if (status != FM_OK)
        return status;
    size_t i = (size_t)index;
    OrtStatus *got = dir == DIRECTION_INPUT
                         ? api->SessionGetInputName(s->session, i, allocator, &name)
                         : api->SessionGetOutputName(s->session, i, allocator, &name);
    status = fm_ort_check(s->runtime, got, FM_E_MODEL, "inspect", s->name, err);
    if (status != FM_OK)
        return status;
    info->name = strdup(name);
    OrtStatus *freed = api->AllocatorFree(allocator, name);
    if (freed)
        api->ReleaseStatus(freed);
    return info->name ? FM_OK
                      : fm_fail(err, FM_E_NO_MEMORY, "out of memory inspecting '%s'", s->name);
}

static fm_status read_tensor(fm_session *s, direction dir, int index, fm_tensor_info *info,
                             fm_error *err)
{
    const OrtApi *api = s->runtime->api;
    fm_status status = read_name(s, dir, index, info, err);
    if (status != FM_OK)
        return status;
    OrtTypeInfo *type = NULL;
    size_t i = (size_t)index;
    OrtStatus *got = dir == DIRECTION_INPUT ? api->SessionGetInputTypeInfo(s->session, i, &type)
                                            : api->SessionGetOutputTypeInfo(s->session, i, &type);
    status = fm_ort_check(s->runtime, got, FM_E_MODEL, "inspect", s->name, err);
    if (status != FM_OK)
        return status;
    status = read_shape(s, dir, type, info, err);
    api->ReleaseTypeInfo(type);
    return status;
}

static fm_status read_list(fm_session *s, direction dir, fm_tensor_info **list, int *count,
                              fm_error *err)
{
    const OrtApi *api = s->runtime->api;
    size_t n = 0;
    OrtStatus *got = dir == DIRECTION_INPUT ? api->SessionGetInputCount(s->session, &n)
                                            : api->SessionGetOutputCount(s->session, &n);
    fm_status status = fm_ort_check(s->runtime, got, FM_E_MODEL, "inspect", s->name, err);
    if (status != FM_OK)
        return status;
    if (n > 1024)
        return fm_fail(err, FM_E_MODEL, "the model '%s' has %zu inputs or outputs", s->name, n);
    *list = calloc(n ? n : 1, sizeof **list);
    if (!*list)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory inspecting '%s'", s->name);
    *count = (int)n; /* entries that are not filled yet are zero, which closing accepts */
    for (int i = 0; status == FM_OK && i < *count; i++)
        status = read_tensor(s, dir, i, &(*list)[i], err);
    return status;
}

fm_status fm_ort_read_tensors(fm_session *s, fm_error *err)
{
    fm_status status = read_list(s, DIRECTION_INPUT, &s->inputs, &s->input_count, err);
    return status == FM_OK ? read_list(s, DIRECTION_OUTPUT, &s->outputs, &s->output_count, err) : status;
}

static void free_list(fm_tensor_info *list, int count)
{
    for (int i = 0; list && i < count; i++)
        free((char *)list[i].name); /* made by strdup in read_name */
    free(list);
}

void fm_ort_free_tensors(fm_session *s)
{
    free_list(s->inputs, s->input_count);
    free_list(s->outputs, s->output_count);
    s->inputs = s->outputs = NULL;
    s->input_count = s->output_count = 0;
}
