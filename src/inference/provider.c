#include "inference/provider.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Names: GetAvailableProviders and SessionOptionsAppendExecutionProvider in onnxruntime_c_api.h; plug-ins' EpDevice_EpName. */
const fm_provider_kind fm_provider_kinds[] = {
    {"coreml", "CoreMLExecutionProvider", "CoreML"},
    {"tensorrt_rtx", "NvTensorRTRTXExecutionProvider", "NvTensorRtRtx"},
    {"tensorrt", "TensorrtExecutionProvider", NULL},
    {"cuda", "CUDAExecutionProvider", NULL},
    {"migraphx", "MIGraphXExecutionProvider", NULL},
    {"qnn", "QNNExecutionProvider", "QNN"},
    {"openvino", "OpenVINOExecutionProvider", "OpenVINO"},
    {"webgpu", "WebGpuExecutionProvider", "WebGPU"},
    {"xnnpack", "XnnpackExecutionProvider", "XNNPACK"},
};
const size_t fm_provider_kind_count = sizeof fm_provider_kinds / sizeof fm_provider_kinds[0];

static const char full_name_end[] = "ExecutionProvider";

const fm_provider_kind *fm_provider_kind_of(const char *name)
{
    for (size_t i = 0; i < fm_provider_kind_count; i++)
        if (strcasecmp(fm_provider_kinds[i].name, name) == 0 || strcmp(fm_provider_kinds[i].full, name) == 0)
            return &fm_provider_kinds[i];
    return NULL;
}

const char *fm_provider_suffix(const char *full)
{
    if (strcmp(full, FM_CPU_PROVIDER) == 0)
        return "onnx_cpu";
    const fm_provider_kind *kind = fm_provider_kind_of(full);
    return kind ? kind->name : full; /* its own name is better than a wrong one */
}

const char *fm_provider_full_name(const char *name)
{
    if (strcasecmp(name, "cpu") == 0)
        return FM_CPU_PROVIDER;
    const fm_provider_kind *kind = fm_provider_kind_of(name);
    return kind ? kind->full : name;
}

/* The name of a provider that this version has no short name for is taken on trust: a plug-in may have it. */
static bool can_be_meant(const char *name)
{
    const size_t length = strlen(name), end = sizeof full_name_end - 1;
    return strcasecmp(name, "auto") == 0 || strcasecmp(name, "cpu") == 0 || fm_provider_kind_of(name) ||
           (length > end && strcmp(name + length - end, full_name_end) == 0);
}

static fm_status unknown_provider(const char *name, fm_error *err)
{
    char list[256] = "auto, cpu";
    for (size_t i = 0; i < fm_provider_kind_count; i++) {
        const size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, ", %s", fm_provider_kinds[i].name);
    }
    return fm_fail(err, FM_E_USAGE, "there is no execution provider '%s'; take one of %s, or a plug-in's full name", name,
                   list);
}

static bool is_model(const char *text, size_t length, const char *model)
{
    return strlen(model) == length && strncasecmp(text, model, length) == 0;
}

static fm_status check_model(const char *text, size_t length, const char *const *models, size_t count, fm_error *err)
{
    char list[256] = "";
    if (count == 0)
        return fm_fail(err, FM_E_USAGE, "'%s' names a model, and there is one only here; give just the provider", text);
    for (size_t i = 0; i < count; i++) {
        if (is_model(text, length, models[i]))
            return FM_OK;
        const size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", models[i]);
    }
    return fm_fail(err, FM_E_USAGE, "there is no model '%.*s' to choose a provider for; the models are %s", (int)length,
                   text, list);
}

fm_status fm_provider_options_check(const fm_provider_options *o, const char *const *models, size_t model_count,
                                    fm_error *err)
{
    for (int i = 0; i < o->provider_count; i++) {
        const char *text = o->providers[i], *equals = strchr(text, '=');
        const char *name = equals ? equals + 1 : text;
        if (!can_be_meant(name))
            return unknown_provider(name, err);
        if (equals) {
            fm_status status = check_model(text, (size_t)(equals - text), models, model_count, err);
            if (status != FM_OK)
                return status;
        }
    }
    for (int i = 0; i < o->option_count; i++) {
        const char *equals = strchr(o->options[i], '=');
        if (!equals || equals == o->options[i])
            return fm_fail(err, FM_E_USAGE, "the provider option '%s' is not of the form key=value", o->options[i]);
    }
    return FM_OK;
}

fm_provider fm_provider_for(const fm_provider_options *o, const char *model)
{
    const char *general = "auto", *own = NULL;
    for (int i = 0; i < o->provider_count; i++) {
        const char *text = o->providers[i], *equals = strchr(text, '=');
        if (!equals)
            general = text;
        else if (is_model(text, (size_t)(equals - text), model))
            own = equals + 1;
    }
    return (fm_provider){.name = own ? own : general, .options = o->options, .option_count = o->option_count};
}

const char *fm_provider_option_value(const char *option, const char *key)
{
    const size_t length = strlen(key);
    return strncmp(option, key, length) == 0 && option[length] == '=' ? option + length + 1 : NULL;
}
