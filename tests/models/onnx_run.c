#include "onnx_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <onnxruntime_c_api.h>

static void ORT_API_CALL on_log(void *opaque, OrtLoggingLevel level, const char *category,
                                const char *id, const char *where, const char *message)
{
    (void)category;
    (void)id;
    if (level < ORT_LOGGING_LEVEL_WARNING)
        return;
    /* About the machine, not the model: where there is no GPU, the runtime warns of looking for one. */
    if (strstr(where, "device_discovery"))
        return;
    fprintf(stderr, "ONNX Runtime: %s\n", message);
    ++*(int *)opaque;
}

static void check(const OrtApi *api, OrtStatus *status)
{
    if (!status)
        return;
    fprintf(stderr, "ONNX Runtime: %s\n", api->GetErrorMessage(status));
    api->ReleaseStatus(status);
    fail_msg("the runtime refused the model");
}

static float *first_output(const OrtApi *api, OrtValue *output, size_t *count)
{
    OrtTensorTypeAndShapeInfo *info = NULL;
    float *data = NULL;
    check(api, api->GetTensorTypeAndShape(output, &info));
    check(api, api->GetTensorShapeElementCount(info, count));
    check(api, api->GetTensorMutableData(output, (void **)&data));
    float *copy = malloc(*count * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, data, *count * sizeof *copy);
    api->ReleaseTensorTypeAndShapeInfo(info);
    return copy;
}

float *or_run(const uint8_t *onnx, size_t size, const float *input, const int64_t *dims, int rank,
              size_t *output_count)
{
    const OrtApi *api = OrtGetApiBase()->GetApi(ORT_API_VERSION);
    assert_non_null(api);
    int warnings = 0;
    OrtEnv *env = NULL;
    OrtSessionOptions *options = NULL;
    OrtSession *session = NULL;
    OrtAllocator *allocator = NULL;
    OrtMemoryInfo *memory = NULL;
    OrtValue *value = NULL, *output = NULL;
    char *input_name = NULL, *output_name = NULL;
    check(api, api->CreateEnvWithCustomLogger(on_log, &warnings, ORT_LOGGING_LEVEL_WARNING, "test",
                                              &env));
    check(api, api->CreateSessionOptions(&options));
    check(api, api->SetIntraOpNumThreads(options, 1));
    check(api, api->CreateSessionFromArray(env, onnx, size, options, &session));
    check(api, api->GetAllocatorWithDefaultOptions(&allocator));
    check(api, api->SessionGetInputName(session, 0, allocator, &input_name));
    check(api, api->SessionGetOutputName(session, 0, allocator, &output_name));
    check(api, api->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory));
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    check(api, api->CreateTensorWithDataAsOrtValue(memory, (void *)(uintptr_t)input,
                                                   count * sizeof *input, dims, (size_t)rank,
                                                   ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &value));
    const char *const input_names[] = {input_name}, *const output_names[] = {output_name};
    const OrtValue *const values[] = {value};
    check(api, api->Run(session, NULL, input_names, values, 1, output_names, 1, &output));
    float *result = first_output(api, output, output_count);
    assert_int_equal(warnings, 0);
    api->ReleaseValue(output);
    api->ReleaseValue(value);
    api->ReleaseMemoryInfo(memory);
    check(api, api->AllocatorFree(allocator, input_name));
    check(api, api->AllocatorFree(allocator, output_name));
    api->ReleaseSession(session);
    api->ReleaseSessionOptions(options);
    api->ReleaseEnv(env);
    return result;
}
