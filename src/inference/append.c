/* Which execution providers this runtime offers, and how one of them gets into a session's options. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "inference/cache_slot.h"
#include "inference/internal.h"

enum { OPTIONS_MAX = 48, KEY_MAX = 64 };

/* The key that we take ourselves: which kind of device a plug-in shall use. */
#define DEVICE_KEY "device"

typedef struct pairs {
    char keys[OPTIONS_MAX][KEY_MAX];
    const char *key_list[OPTIONS_MAX], *value_list[OPTIONS_MAX];
    size_t count;
    char folder[FM_PATH_MAX], config[FM_PATH_MAX + 192]; /* values made here */
} pairs;

static bool has_key(const pairs *p, const char *key)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->keys[i], key) == 0)
            return true;
    return false;
}

/* Adds one that the user has not set. `value` outlives the pairs. */
static void add_default(pairs *p, const char *key, const char *value)
{
    if (p->count == OPTIONS_MAX || has_key(p, key))
        return;
    snprintf(p->keys[p->count], KEY_MAX, "%s", key);
    p->key_list[p->count] = p->keys[p->count];
    p->value_list[p->count++] = value;
}

static fm_status take_options(pairs *p, const fm_provider *asked, fm_error *err)
{
    p->count = 0;
    for (int i = 0; i < asked->option_count; i++) {
        const char *text = asked->options[i], *equals = strchr(text, '=');
        if (!equals || equals == text || equals - text >= KEY_MAX || p->count == OPTIONS_MAX)
            return fm_fail(err, FM_E_USAGE, "the provider option '%s' cannot be taken", text);
        if (fm_provider_option_value(text, DEVICE_KEY))
            continue;
        memcpy(p->keys[p->count], text, (size_t)(equals - text));
        p->keys[p->count][equals - text] = '\0';
        p->key_list[p->count] = p->keys[p->count];
        p->value_list[p->count++] = equals + 1;
    }
    return FM_OK;
}

/* --- plug-ins ------------------------------------------------------------- */

fm_ort_devices fm_ort_list_devices(const fm_runtime *r)
{
    fm_ort_devices list = {NULL, 0};
    OrtStatus *status = r->api->GetEpDevices(r->env, &list.devices, &list.count);
    if (status) {
        r->api->ReleaseStatus(status);
        list.count = 0;
    }
    return list;
}

const char *fm_ort_device_type(const fm_runtime *r, const OrtEpDevice *device)
{
    switch (r->api->HardwareDevice_Type(r->api->EpDevice_Device(device))) {
    case OrtHardwareDeviceType_GPU:
        return "gpu";
    case OrtHardwareDeviceType_NPU:
        return "npu";
    default:
        return "cpu";
    }
}

const char *fm_ort_device_library(const fm_runtime *r, const OrtEpDevice *device)
{
    const OrtKeyValuePairs *facts = r->api->EpDevice_EpMetadata(device);
    return facts ? r->api->GetKeyValue(facts, "library_path") : NULL;
}

/* The device that a plug-in shall use: of the wanted type, else gpu before npu before cpu. NULL: none. */
static const OrtEpDevice *find_device(const fm_runtime *r, const char *full, const char *wanted)
{
    static const char *const by_worth[] = {"gpu", "npu", "cpu"};
    const fm_ort_devices list = fm_ort_list_devices(r);
    for (size_t k = 0; k < sizeof by_worth / sizeof by_worth[0]; k++) {
        if (wanted && strcasecmp(wanted, by_worth[k]) != 0)
            continue;
        for (size_t i = 0; i < list.count; i++)
            if (strcmp(r->api->EpDevice_EpName(list.devices[i]), full) == 0 &&
                strcmp(fm_ort_device_type(r, list.devices[i]), by_worth[k]) == 0)
                return list.devices[i];
    }
    return NULL;
}

static const char *wanted_device(const fm_provider *asked)
{
    const char *wanted = NULL;
    for (int i = 0; i < asked->option_count; i++) {
        const char *value = fm_provider_option_value(asked->options[i], DEVICE_KEY);
        wanted = value ? value : wanted;
    }
    return wanted;
}

/* --- what the field sets when the user has not ---------------------------------- */

typedef struct setting {
    const fm_runtime *runtime;
    const fm_session_options *options;
    const char *full;   /* provider */
    const char *device; /* type of the plug-in's device; NULL: built in */
    int threads;
} setting;

static bool make_folder(pairs *p, const setting *s)
{
    return fm_cache_provider_folder(p->folder, s->runtime, s->options, s->full);
}

static void add_coreml(pairs *p, const setting *s)
{
    add_default(p, "ModelFormat", "MLProgram");
    add_default(p, "MLComputeUnits", "ALL");
    if (!has_key(p, "ModelCacheDirectory") && make_folder(p, s))
        add_default(p, "ModelCacheDirectory", p->folder);
}

static void add_tensorrt(pairs *p, const setting *s)
{
    if (has_key(p, "trt_engine_cache_enable") || has_key(p, "trt_engine_cache_path") || !make_folder(p, s))
        return;
    add_default(p, "trt_engine_cache_enable", "1");
    add_default(p, "trt_engine_cache_path", p->folder);
}

/*
 * As for the CPU provider: stages run beside each other, so one run does not take all cores. A cache is for the
 * devices that compile: reading one back takes the CPU device longer than making the model anew.
 */
static void add_openvino(pairs *p, const setting *s)
{
    if (has_key(p, "load_config"))
        return;
    char device[FM_PATH_MAX + 64] = "";
    if (s->device && strcmp(s->device, "cpu") != 0 && make_folder(p, s) && !strpbrk(p->folder, "\"\\"))
        snprintf(device, sizeof device, ",\"%s\":{\"CACHE_DIR\":\"%s\"}", strcmp(s->device, "gpu") == 0 ? "GPU" : "NPU",
                 p->folder);
    snprintf(p->config, sizeof p->config, "{\"CPU\":{\"INFERENCE_NUM_THREADS\":\"%d\",\"NUM_STREAMS\":\"1\"}%s}",
             s->threads, device);
    add_default(p, "load_config", p->config);
}

static void add_defaults(pairs *p, const setting *s)
{
    const char *name = fm_provider_suffix(s->full);
    if (strcmp(name, "coreml") == 0) {
        add_coreml(p, s);
    } else if (strcmp(name, "tensorrt") == 0) {
        add_tensorrt(p, s);
    } else if (strcmp(name, "openvino") == 0) {
        add_openvino(p, s);
    } else if (strcmp(name, "xnnpack") == 0) {
        snprintf(p->config, sizeof p->config, "%d", s->threads);
        add_default(p, "intra_op_num_threads", p->config);
    }
}

/* --- built-in providers ---------------------------------------------------- */

bool fm_ort_is_builtin(const fm_runtime *r, const char *full)
{
    char **names = NULL;
    int count = 0;
    bool found = false;
    OrtStatus *status = r->api->GetAvailableProviders(&names, &count);
    for (int i = 0; !status && i < count; i++)
        found = found || strcmp(names[i], full) == 0;
    if (!status)
        status = r->api->ReleaseAvailableProviders(names, count);
    if (status)
        r->api->ReleaseStatus(status);
    return found;
}

static OrtStatus *append_cuda(const OrtApi *api, OrtSessionOptions *options, const pairs *p)
{
    OrtCUDAProviderOptionsV2 *cuda = NULL;
    OrtStatus *status = api->CreateCUDAProviderOptions(&cuda);
    if (!status && p->count > 0)
        status = api->UpdateCUDAProviderOptions(cuda, p->key_list, p->value_list, p->count);
    if (!status)
        status = api->SessionOptionsAppendExecutionProvider_CUDA_V2(options, cuda);
    if (cuda)
        api->ReleaseCUDAProviderOptions(cuda);
    return status;
}

static OrtStatus *append_tensorrt(const OrtApi *api, OrtSessionOptions *options, const pairs *p)
{
    OrtTensorRTProviderOptionsV2 *tensorrt = NULL;
    OrtStatus *status = api->CreateTensorRTProviderOptions(&tensorrt);
    if (!status && p->count > 0)
        status = api->UpdateTensorRTProviderOptions(tensorrt, p->key_list, p->value_list, p->count);
    if (!status)
        status = api->SessionOptionsAppendExecutionProvider_TensorRT_V2(options, tensorrt);
    if (tensorrt)
        api->ReleaseTensorRTProviderOptions(tensorrt);
    return status;
}

static OrtStatus *append_builtin(const OrtApi *api, OrtSessionOptions *options, const char *full, const pairs *p)
{
    const fm_provider_kind *kind = fm_provider_kind_of(full);
    if (kind && strcmp(kind->name, "cuda") == 0)
        return append_cuda(api, options, p);
    if (kind && strcmp(kind->name, "tensorrt") == 0)
        return append_tensorrt(api, options, p);
    return api->SessionOptionsAppendExecutionProvider(options, kind && kind->builtin ? kind->builtin : full, p->key_list,
                                                      p->value_list, p->count);
}

/* --- both -------------------------------------------------------------------- */

bool fm_ort_offers(const fm_runtime *runtime, const char *full)
{
    fm_ort_share();
    const bool offers = find_device(runtime, full, NULL) || fm_ort_is_builtin(runtime, full);
    fm_ort_leave();
    return offers;
}

fm_status fm_ort_append(const fm_session *s, OrtSessionOptions *options, const char *full,
                        const fm_session_options *asked, int threads, fm_error *err)
{
    const fm_runtime *r = s->runtime;
    pairs p;
    fm_status status = take_options(&p, &asked->provider, err);
    if (status != FM_OK)
        return status;
    const char *wanted = wanted_device(&asked->provider);
    const OrtEpDevice *device = find_device(r, full, wanted);
    add_defaults(&p, &(setting){r, asked, full, device ? fm_ort_device_type(r, device) : NULL, threads});
    OrtStatus *made;
    if (device)
        made = r->api->SessionOptionsAppendExecutionProvider_V2(options, r->env, &device, 1, p.key_list, p.value_list,
                                                                p.count);
    else if (!wanted && fm_ort_is_builtin(r, full))
        made = append_builtin(r->api, options, full, &p);
    else if (wanted)
        return fm_fail(err, FM_E_RUNTIME, "no device '%s' is offered for it here", wanted);
    else
        return fm_fail(err, FM_E_RUNTIME, "it is neither built into this ONNX Runtime nor offered by a plug-in for this "
                                          "machine's devices");
    return fm_ort_check(r, made, FM_E_RUNTIME, "set up", fm_provider_suffix(full), err);
}

/* A library that is registered already, here or by another run in this process, is not registered again. */
static bool is_registered(const fm_runtime *r, const char *path)
{
    for (size_t i = 0; i < r->library_count; i++)
        if (strcmp(r->libraries[i], path) == 0)
            return true;
    const fm_ort_devices list = fm_ort_list_devices(r);
    for (size_t i = 0; i < list.count; i++) {
        const char *library = fm_ort_device_library(r, list.devices[i]);
        if (library && strcmp(library, path) == 0)
            return true;
    }
    return false;
}

/* Takes `full` over. */
static fm_status add_library(fm_runtime *r, const char *path, char *full, fm_error *err)
{
    if (is_registered(r, full)) {
        free(full);
        return FM_OK;
    }
    char **grown = realloc(r->libraries, (r->library_count + 1) * sizeof *grown);
    if (!grown) {
        free(full);
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the execution provider library '%s'", path);
    }
    r->libraries = grown;
    fm_status status = fm_ort_check(r, r->api->RegisterExecutionProviderLibrary(r->env, full, full), FM_E_RUNTIME,
                                    "load the execution provider library", path, err);
    if (status == FM_OK)
        r->libraries[r->library_count++] = full;
    else
        free(full);
    return status;
}

fm_status fm_runtime_add_library(fm_runtime *r, const char *path, fm_error *err)
{
    /* The runtime takes a relative path from its own folder; users mean theirs. */
    char *full = realpath(path, NULL);
    if (!full)
        return fm_fail(err, FM_E_NOT_FOUND, "cannot find the execution provider library '%s': %s", path,
                       strerror(errno));
    struct stat st;
    if (stat(full, &st) != 0 || !S_ISREG(st.st_mode)) { /* a FIFO would block for ever */
        free(full);
        return fm_fail(err, FM_E_RUNTIME, "cannot load the execution provider library '%s': it is not a regular file",
                       path);
    }
    fm_ort_alone();
    fm_status status = add_library(r, path, full, err);
    fm_ort_leave();
    return status;
}
