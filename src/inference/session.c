#include "inference/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <onnxruntime_session_options_config_keys.h>

#include "base/file.h"
#include "inference/internal.h"

#define OUTLINE_BYTES_MAX ((size_t)512 << 20)

typedef enum direction { DIRECTION_INPUT, DIRECTION_OUTPUT } direction;

double fm_ort_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

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

static fm_status read_tensors(fm_session *s, direction dir, fm_tensor_info **list, int *count,
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

static fm_status set_options(const fm_session *s, OrtSessionOptions *options, int intra_threads,
                             fm_error *err)
{
    const OrtApi *api = s->runtime->api;
    OrtStatus *status = api->SetIntraOpNumThreads(options, intra_threads);
    if (!status)
        status = api->SetInterOpNumThreads(options, 1);
    if (!status)
        status = api->SetSessionExecutionMode(options, ORT_SEQUENTIAL);
    if (!status)
        status = api->SetSessionGraphOptimizationLevel(options, ORT_ENABLE_ALL);
    if (!status)
        status = api->SetSessionLogId(options, s->name);
    if (!status)
        status = api->SetSessionLogSeverityLevel(options, ORT_LOGGING_LEVEL_WARNING);
    if (!status)
        status = api->SetUserLoggingFunction(options, fm_ort_log, s->runtime);
    /* A waiting pool must not burn the cores of the stages beside it. */
    if (!status)
        status = api->AddSessionConfigEntry(options, kOrtSessionOptionsConfigAllowIntraOpSpinning, "0");
    if (!status)
        status = api->AddSessionConfigEntry(options, kOrtSessionOptionsConfigAllowInterOpSpinning, "0");
    if (!status)
        status = api->AddSessionConfigEntry(options, kOrtSessionOptionsRecordEpGraphAssignmentInfo, "1");
    return fm_ort_check(s->runtime, status, FM_E_RUNTIME, "set options for the model", s->name, err);
}

static fm_status load(fm_session *s, const fm_source *from, const fm_session_options *o, const char *full, fm_error *err)
{
    const OrtApi *api = s->runtime->api;
    const int threads = o->intra_threads > 0 ? o->intra_threads : 1;
    OrtSessionOptions *options = NULL;
    fm_status status = fm_ort_check(s->runtime, api->CreateSessionOptions(&options), FM_E_RUNTIME,
                                    "set options for the model", s->name, err);
    if (status == FM_OK)
        status = set_options(s, options, threads, err);
    if (status == FM_OK && strcmp(full, FM_CPU_PROVIDER) != 0)
        status = fm_ort_append(s, options, full, &o->provider, threads, err);
    if (status == FM_OK) {
        OrtStatus *made = from->data ? api->CreateSessionFromArray(s->runtime->env, from->data,
                                                                   from->size, options, &s->session)
                                     : api->CreateSession(s->runtime->env, from->name, options,
                                                          &s->session);
        status = fm_ort_check(s->runtime, made, FM_E_MODEL, "load the model", s->name, err);
    }
    if (options)
        api->ReleaseSessionOptions(options);
    return status;
}

/* Counts what runs where; a file is read once more for its edges, which the runtime does not tell. */
static fm_status break_down(fm_session *s, const fm_source *from, fm_error *err)
{
    if (from->data)
        return fm_ort_breakdown(s, from->data, from->size, err);
    uint8_t *data = NULL;
    size_t size = 0;
    fm_error ignored = {0}; /* a file that is too large to be read whole costs only details */
    if (fm_file_read(from->name, OUTLINE_BYTES_MAX, &data, &size, &ignored) != FM_OK)
        data = NULL;
    fm_status status = fm_ort_breakdown(s, data, size, err);
    free(data);
    return status;
}

fm_status fm_ort_open(fm_session **out, fm_runtime *runtime, const fm_source *from, const fm_session_options *options,
                      const char *full, fm_error *err)
{
    *out = NULL;
    fm_session *s = calloc(1, sizeof *s);
    if (s)
        s->name = strdup(from->name);
    if (!s || !s->name) {
        free(s);
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory loading the model '%s'", from->name);
    }
    s->runtime = runtime;
    fm_ort_share();
    const double start = fm_ort_seconds(); /* waiting for another's trial is not loading */
    fm_status status = load(s, from, options, full, err);
    if (status == FM_OK)
        status = read_tensors(s, DIRECTION_INPUT, &s->inputs, &s->input_count, err);
    if (status == FM_OK)
        status = read_tensors(s, DIRECTION_OUTPUT, &s->outputs, &s->output_count, err);
    if (status == FM_OK) {
        s->load_seconds = fm_ort_seconds() - start;
        status = break_down(s, from, err);
    }
    fm_ort_leave();
    if (status != FM_OK) {
        fm_session_close(&s);
        return status;
    }
    *out = s;
    return FM_OK;
}

fm_status fm_session_open(fm_session **out, fm_runtime *runtime, const char *path,
                          const fm_session_options *options, fm_error *err)
{
    *out = NULL;
    struct stat st;
    if (stat(path, &st) != 0)
        return fm_fail(err, FM_E_MODEL, "cannot load the model '%s': %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode)) /* a FIFO would block for ever */
        return fm_fail(err, FM_E_MODEL, "cannot load the model '%s': it is not a regular file", path);
    return fm_ort_open_chosen(out, runtime, &(fm_source){path, NULL, 0}, options, err);
}

fm_status fm_session_open_memory(fm_session **out, fm_runtime *runtime, const void *data,
                                 size_t size, const char *name, const fm_session_options *options,
                                 fm_error *err)
{
    *out = NULL;
    if (!data || size == 0)
        return fm_fail(err, FM_E_MODEL, "cannot load the model '%s': it is empty", name);
    return fm_ort_open_chosen(out, runtime, &(fm_source){name, data, size}, options, err);
}

static void free_tensors(fm_tensor_info *list, int count)
{
    for (int i = 0; list && i < count; i++)
        free((char *)list[i].name); /* made by strdup in read_name */
    free(list);
}

void fm_session_close(fm_session **session)
{
    if (!session || !*session)
        return;
    fm_session *s = *session;
    free_tensors(s->inputs, s->input_count);
    free_tensors(s->outputs, s->output_count);
    fm_breakdown_free(&s->breakdown);
    if (s->session)
        s->runtime->api->ReleaseSession(s->session);
    free(s->name);
    free(s);
    *session = NULL;
}

int fm_session_input_count(const fm_session *session)
{
    return session->input_count;
}

int fm_session_output_count(const fm_session *session)
{
    return session->output_count;
}

const fm_tensor_info *fm_session_input(const fm_session *session, int index)
{
    return index >= 0 && index < session->input_count ? &session->inputs[index] : NULL;
}

const fm_tensor_info *fm_session_output(const fm_session *session, int index)
{
    return index >= 0 && index < session->output_count ? &session->outputs[index] : NULL;
}

int fm_session_find_output(const fm_session *session, const char *name)
{
    for (int i = 0; i < session->output_count; i++)
        if (strcmp(session->outputs[i].name, name) == 0)
            return i;
    return -1;
}

const char *fm_session_backend(const fm_session *session)
{
    return session->backend;
}

double fm_session_load_seconds(const fm_session *session)
{
    return session->load_seconds;
}

const fm_breakdown *fm_session_breakdown(const fm_session *session)
{
    return &session->breakdown;
}
