#include "inference/probe.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inference/internal.h"
#include "models/onnx_graph.h"

enum { SIDE = 32, CHANNELS = 8, ELEMENTS = CHANNELS * SIDE * SIDE, KERNEL = 3, RUNS = 5 };

/* Accelerators may compute in 16 bits: 11 bits of mantissa, and some operations one after the other. */
#define DIFFERENCE_MAX 0.02

/* --- the network: convolution and ReLU ------------------------------------------ */

/* -1..1, the same everywhere. */
static float next_value(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u; /* Numerical Recipes, section 7.1 */
    return (float)(*state >> 8) * 0x1p-23f - 1.0f;
}

/* Little-endian, as ONNX has them. */
static void put_weights(uint8_t *out, size_t count)
{
    uint32_t state = 1;
    for (size_t i = 0; out && i < count; i++) {
        const float value = 0.1f * next_value(&state);
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        for (int byte = 0; byte < 4; byte++)
            *out++ = (uint8_t)(bits >> (8 * byte));
    }
}

typedef struct network {
    uint8_t *data;
    size_t size;
} network;

static fm_status make_network(network *out, fm_error *err)
{
    static const int64_t picture[] = {1, CHANNELS, SIDE, SIDE}, weights[] = {CHANNELS, CHANNELS, KERNEL, KERNEL},
                         pads[] = {1, 1, 1, 1}, kernel[] = {KERNEL, KERNEL};
    enum { WEIGHTS = CHANNELS * CHANNELS * KERNEL * KERNEL };
    fm_onnx g;
    fm_onnx_init(&g, 1 << 16);
    fm_onnx_input(&g, "x", picture, 4);
    fm_onnx_output(&g, "y", picture, 4);
    put_weights(fm_onnx_constant_f32(&g, "w", weights, 4, WEIGHTS), WEIGHTS);
    fm_onnx_node_begin(&g, "Conv", "conv");
    fm_onnx_node_input(&g, "x");
    fm_onnx_node_input(&g, "w");
    fm_onnx_node_output(&g, "c");
    fm_onnx_node_ints(&g, "kernel_shape", kernel, 2);
    fm_onnx_node_ints(&g, "pads", pads, 4);
    fm_onnx_node_end(&g);
    fm_onnx_node_begin(&g, "Relu", "relu");
    fm_onnx_node_input(&g, "c");
    fm_onnx_node_output(&g, "y");
    fm_onnx_node_end(&g);
    const fm_pb_failure failure = fm_onnx_finish(&g, "probe", &out->data, &out->size);
    fm_onnx_free(&g);
    return failure == FM_PB_FINE ? FM_OK : fm_fail(err, FM_E_NO_MEMORY, "out of memory for a small network");
}

/* --- running it -------------------------------------------------------------------- */

/* Runs it over fixed values. *seconds: the shortest run after the first. */
static fm_status run_network(fm_session *session, float result[ELEMENTS], double *seconds, fm_error *err)
{
    fm_binding *binding = NULL;
    fm_status status = fm_binding_create(&binding, session, err);
    if (status != FM_OK)
        return status;
    uint32_t state = 2;
    for (int i = 0; i < ELEMENTS; i++)
        fm_binding_input(binding)[i] = next_value(&state);
    status = fm_binding_run(binding, err);
    for (int i = 0; status == FM_OK && i < RUNS; i++) {
        const double start = fm_ort_seconds();
        status = fm_binding_run(binding, err);
        const double took = fm_ort_seconds() - start;
        *seconds = i == 0 || took < *seconds ? took : *seconds;
    }
    if (status == FM_OK)
        memcpy(result, fm_binding_output(binding, 0), ELEMENTS * sizeof *result);
    fm_binding_destroy(&binding);
    return status;
}

/* Largest difference as a share of the largest value; NAN counts as infinite. */
static double difference(const float *result, const float *wanted)
{
    double worst = 0, largest = 0;
    for (int i = 0; i < ELEMENTS; i++) {
        const double d = fabs((double)result[i] - (double)wanted[i]);
        worst = d <= worst ? worst : isnan(d) ? (double)INFINITY : d;
        largest = fmax(largest, fabs((double)wanted[i]));
    }
    return largest > 0 ? worst / largest : worst;
}

typedef struct prober {
    fm_runtime *runtime;
    network network;
    const char *const *options;
    int option_count;
    float cpu[ELEMENTS]; /* the results that count */
} prober;

static void fail_probe(fm_probe *p, const char *reason)
{
    p->state = FM_PROBE_FAILS;
    snprintf(p->reason, sizeof p->reason, "%s", reason);
}

/* The provider is here: does it run? */
static void try_provider(const prober *me, fm_probe *p, float result[ELEMENTS])
{
    fm_error why = {0};
    fm_session *session = NULL;
    const bool cpu = strcmp(p->full, FM_CPU_PROVIDER) == 0;
    const fm_session_options options = {
        .provider = {.name = p->full, .options = me->options, .option_count = me->option_count}};
    const fm_source from = {"probe", me->network.data, me->network.size};
    fm_status status = fm_ort_open(&session, me->runtime, &from, &options, p->full, &why);
    if (status == FM_OK)
        status = run_network(session, result, &p->run_seconds, &why);
    if (status != FM_OK) {
        fail_probe(p, why.message);
    } else if (!cpu && fm_session_breakdown(session)->accelerator == 0) {
        fail_probe(p, "it takes none of the operators of a convolution with ReLU");
    } else {
        p->state = FM_PROBE_WORKS;
        p->load_seconds = fm_session_load_seconds(session);
        p->difference = cpu ? 0 : difference(result, me->cpu);
        if (!(p->difference <= DIFFERENCE_MAX)) {
            char text[96];
            snprintf(text, sizeof text, "its results differ from the CPU's by %.0f%%", 100 * fmin(p->difference, 1e4));
            fail_probe(p, text);
        }
    }
    fm_session_close(&session);
}

/* --- what is here ------------------------------------------------------------------- */

/* Where each kind comes from when the runtime at hand does not have it. */
static const struct source {
    const char *name;
    bool plugin; /* exists as a plug-in */
    const char *advice;
} sources[] = {
    {"coreml", false, "macOS: in ONNX Runtime's builds for it"},
    {"tensorrt", false, "NVIDIA GPU: a build with TensorRT, by LD_LIBRARY_PATH"},
    {"cuda", false, "NVIDIA GPU: a build with CUDA, by LD_LIBRARY_PATH"},
    {"xnnpack", false, "a build with XNNPACK, by LD_LIBRARY_PATH"},
    {"tensorrt_rtx", true, "NVIDIA RTX GPU: onnxruntime-ep-nv-tensorrt-rtx, by --ep-library"},
    {"migraphx", true, "AMD GPU: MIGraphX's plug-in, by --ep-library"},
    {"qnn", true, "Qualcomm NPU: QNN's plug-in, by --ep-library"},
    {"openvino", true, "Intel CPU, GPU, NPU: onnxruntime-ep-openvino, by --ep-library"},
    {"webgpu", true, "any GPU: onnxruntime-ep-webgpu, by --ep-library"},
};

static void say_absent(fm_probe *p)
{
    p->state = FM_PROBE_NEEDS_PLUGIN;
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        if (strcmp(sources[i].name, p->name) != 0)
            continue;
        p->state = sources[i].plugin ? FM_PROBE_NEEDS_PLUGIN : FM_PROBE_NOT_BUILT;
        snprintf(p->advice, sizeof p->advice, "%s", sources[i].advice);
    }
    snprintf(p->reason, sizeof p->reason, p->state == FM_PROBE_NOT_BUILT
                                              ? "not in this build of ONNX Runtime"
                                              : "not in this build of ONNX Runtime, and no plug-in here offers it");
}

static void read_devices(const fm_runtime *r, fm_probe *p)
{
    const OrtApi *api = r->api;
    fm_ort_share();
    const fm_ort_devices list = fm_ort_list_devices(r);
    for (size_t i = 0; i < list.count && p->device_count < FM_PROBE_DEVICES_MAX; i++) {
        if (strcmp(api->EpDevice_EpName(list.devices[i]), p->full) != 0)
            continue;
        const OrtHardwareDevice *hardware = api->EpDevice_Device(list.devices[i]);
        const char *vendor = api->HardwareDevice_Vendor(hardware);
        fm_probe_device *d = &p->devices[p->device_count++];
        *d = (fm_probe_device){.vendor_id = api->HardwareDevice_VendorId(hardware),
                               .device_id = api->HardwareDevice_DeviceId(hardware)};
        snprintf(d->type, sizeof d->type, "%s", fm_ort_device_type(r, list.devices[i]));
        snprintf(d->vendor, sizeof d->vendor, "%s", vendor ? vendor : "");
    }
    p->builtin = fm_ort_is_builtin(r, p->full);
    fm_ort_leave();
}

static void probe(const prober *me, fm_probe *p, float result[ELEMENTS])
{
    read_devices(me->runtime, p);
    if (p->builtin || p->device_count > 0)
        try_provider(me, p, result);
    else
        say_absent(p);
}

/* --- all of them ---------------------------------------------------------------------- */

typedef struct probe_list {
    fm_probe *items;
    int count;
    bool no_memory;
} probe_list;

static void add(probe_list *list, const char *name, const char *full)
{
    for (int i = 0; i < list->count; i++)
        if (strcmp(list->items[i].full, full) == 0)
            return;
    fm_probe *grown = realloc(list->items, (size_t)(list->count + 1) * sizeof *grown);
    if (!grown) {
        list->no_memory = true;
        return;
    }
    list->items = grown;
    fm_probe *p = &list->items[list->count++];
    *p = (fm_probe){0};
    snprintf(p->name, sizeof p->name, "%s", name);
    snprintf(p->full, sizeof p->full, "%s", full);
}

/* The CPU first; then what this program has a name for; then what only plug-ins know. */
static probe_list list_all(const fm_runtime *r)
{
    probe_list list = {0};
    add(&list, "cpu", FM_CPU_PROVIDER);
    for (size_t i = 0; i < fm_provider_kind_count; i++)
        add(&list, fm_provider_kinds[i].name, fm_provider_kinds[i].full);
    fm_ort_share();
    const fm_ort_devices devices = fm_ort_list_devices(r);
    for (size_t i = 0; i < devices.count; i++) {
        const char *full = r->api->EpDevice_EpName(devices.devices[i]);
        add(&list, full, full);
    }
    fm_ort_leave();
    return list;
}

static fm_status probe_all(prober *me, probe_list *list, fm_error *err)
{
    fm_status status = make_network(&me->network, err);
    if (status != FM_OK)
        return status;
    probe(me, &list->items[0], me->cpu);
    if (list->items[0].state != FM_PROBE_WORKS)
        return fm_fail(err, FM_E_RUNTIME, "ONNX Runtime does not run on the CPU: %s", list->items[0].reason);
    float *result = malloc(ELEMENTS * sizeof *result);
    if (!result)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for a small network");
    for (int i = 1; i < list->count; i++)
        probe(me, &list->items[i], result);
    free(result);
    return FM_OK;
}

fm_status fm_probe_providers(fm_probe **out, int *count, fm_runtime *runtime, const char *const *options,
                             int option_count, fm_error *err)
{
    *out = NULL;
    *count = 0;
    probe_list list = list_all(runtime);
    prober *me = calloc(1, sizeof *me);
    fm_status status = FM_OK;
    if (!me || list.no_memory)
        status = fm_fail(err, FM_E_NO_MEMORY, "out of memory listing execution providers");
    if (status == FM_OK) {
        me->runtime = runtime;
        me->options = options;
        me->option_count = option_count;
        status = probe_all(me, &list, err);
    }
    if (me)
        free(me->network.data);
    free(me);
    if (status != FM_OK) {
        free(list.items);
        return status;
    }
    *out = list.items;
    *count = list.count;
    return FM_OK;
}

int fm_probe_plugin_devices(const fm_runtime *runtime, const char *path)
{
    char *full = realpath(path, NULL); /* as fm_runtime_add_library registers it */
    int count = 0;
    fm_ort_share();
    const fm_ort_devices list = fm_ort_list_devices(runtime);
    for (size_t i = 0; full && i < list.count; i++) {
        const char *library = fm_ort_device_library(runtime, list.devices[i]);
        count += library && strcmp(library, full) == 0;
    }
    fm_ort_leave();
    free(full);
    return count;
}

const char *fm_probe_state_name(fm_probe_state state)
{
    switch (state) {
    case FM_PROBE_WORKS:
        return "works";
    case FM_PROBE_FAILS:
        return "fails";
    case FM_PROBE_NOT_BUILT:
        return "not_built";
    case FM_PROBE_NEEDS_PLUGIN:
        break;
    }
    return "needs_plugin";
}

bool fm_probe_library(char *out)
{
    /* ISO C has no cast from a function's address, which dladdr takes. The library's own, not the linker's stub. */
    union {
        const char *(ORT_API_CALL *function)(void);
        void *object;
    } address = {.function = OrtGetApiBase()->GetVersionString};
    Dl_info info;
    char *resolved = NULL;
    if (dladdr(address.object, &info) && info.dli_fname)
        resolved = realpath(info.dli_fname, NULL);
    const bool known = resolved && strlen(resolved) < FM_PATH_MAX;
    snprintf(out, FM_PATH_MAX, "%s", known ? resolved : "");
    free(resolved);
    return known;
}

const char *fm_probe_version(void)
{
    return OrtGetApiBase()->GetVersionString();
}
