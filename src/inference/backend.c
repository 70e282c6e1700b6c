/* Which execution provider really runs a session, as operation names end. */
#include <stdio.h>
#include <string.h>

#include "inference/internal.h"

typedef struct provider_suffix {
    const char *provider, *suffix;
} provider_suffix;

static const provider_suffix suffixes[] = {
    {"CPUExecutionProvider", "onnx_cpu"},
    {"CoreMLExecutionProvider", "coreml"},
    {"CUDAExecutionProvider", "cuda"},
    {"TensorrtExecutionProvider", "tensorrt"},
    {"NvTensorRTRTXExecutionProvider", "tensorrt_rtx"},
    {"OpenVINOExecutionProvider", "openvino"},
    {"XnnpackExecutionProvider", "xnnpack"},
    {"WebGpuExecutionProvider", "webgpu"},
};

static const char *suffix_of(const char *provider)
{
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (strcmp(suffixes[i].provider, provider) == 0)
            return suffixes[i].suffix;
    return provider; /* its own name is better than a wrong one */
}

/* Operators of each provider seen so far. */
typedef struct tally {
    const char *provider;
    size_t nodes;
} tally;

enum { PROVIDERS_MAX = 16 };

static void add_nodes(tally *list, size_t *used, const char *provider, size_t nodes)
{
    size_t i = 0;
    while (i < *used && strcmp(list[i].provider, provider) != 0)
        i++;
    if (i == PROVIDERS_MAX)
        return;
    if (i == *used)
        list[(*used)++] = (tally){provider, 0};
    list[i].nodes += nodes;
}

fm_status fm_ort_backend(fm_session *s, fm_error *err)
{
    const OrtApi *api = s->runtime->api;
    const OrtEpAssignedSubgraph *const *graphs = NULL; /* owned by the session */
    size_t count = 0, used = 0;
    tally list[PROVIDERS_MAX] = {{0}};
    OrtStatus *status = api->Session_GetEpGraphAssignmentInfo(s->session, &graphs, &count);
    for (size_t i = 0; !status && i < count; i++) {
        const char *provider = NULL;
        const OrtEpAssignedNode *const *nodes = NULL;
        size_t node_count = 0;
        status = api->EpAssignedSubgraph_GetEpName(graphs[i], &provider);
        if (!status)
            status = api->EpAssignedSubgraph_GetNodes(graphs[i], &nodes, &node_count);
        if (!status)
            add_nodes(list, &used, provider, node_count);
    }
    if (status)
        return fm_ort_check(s->runtime, status, FM_E_RUNTIME, "learn what runs the model", s->name, err);
    size_t most = 0;
    for (size_t i = 1; i < used; i++)
        if (list[i].nodes > list[most].nodes)
            most = i;
    /* No operator at all (everything was constant): nothing but the CPU takes part. */
    snprintf(s->backend, sizeof s->backend, "%s",
             used ? suffix_of(list[most].provider) : suffixes[0].suffix);
    return FM_OK;
}
