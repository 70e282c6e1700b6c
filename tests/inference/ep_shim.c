/*
 * A plug-in provider for the tests that passes everything on to Intel's
 * OpenVINO plug-in, except that the processor is presented as Intel's. The
 * plug-in offers its CPU device for processors of that vendor only; OpenVINO
 * itself runs on any x86-64. So the tests have a true second provider, with
 * compiled partitions of its own, on every machine. It is no part of the
 * program.
 *
 * FACEMIRROR_EP_SHIM_OF names the plug-in's file.
 */
#include <dlfcn.h>
#include <stdlib.h>

#include <onnxruntime_c_api.h>

#define SHIM_EXPORT __attribute__((visibility("default")))

typedef OrtStatus *create_factories(const char *, const OrtApiBase *, const OrtLogger *, OrtEpFactory **, size_t,
                                    size_t *);
typedef OrtStatus *release_factory(OrtEpFactory *);

enum { INTEL_PCI_VENDOR = 0x8086 };

/* One factory of one library; ONNX Runtime asks for it under its own lock. */
static const OrtEpApi *ep_api;
static void *library;
static OrtStatus *(ORT_API_CALL *supported_devices)(OrtEpFactory *, const OrtHardwareDevice *const *, size_t,
                                                    OrtEpDevice **, size_t, size_t *);
static OrtHardwareDevice *processor;

SHIM_EXPORT OrtStatus *CreateEpFactories(const char *name, const OrtApiBase *base, const OrtLogger *logger,
                                         OrtEpFactory **factories, size_t max, size_t *count);
SHIM_EXPORT OrtStatus *ReleaseEpFactory(OrtEpFactory *factory);

static OrtStatus *ORT_API_CALL offer_processor(OrtEpFactory *factory, const OrtHardwareDevice *const *devices,
                                               size_t device_count, OrtEpDevice **out, size_t max, size_t *count)
{
    (void)devices;
    (void)device_count;
    OrtStatus *status = NULL;
    if (!processor)
        status = ep_api->CreateHardwareDevice(OrtHardwareDeviceType_CPU, INTEL_PCI_VENDOR, 0, "Intel", NULL, &processor);
    const OrtHardwareDevice *const list[] = {processor};
    return status ? status : supported_devices(factory, list, 1, out, max, count);
}

/* A function of the plug-in; ISO C has no cast from an object pointer, which dlsym returns. */
static void *find(const char *name)
{
    return library ? dlsym(library, name) : NULL;
}

OrtStatus *CreateEpFactories(const char *name, const OrtApiBase *base, const OrtLogger *logger,
                             OrtEpFactory **factories, size_t max, size_t *count)
{
    const OrtApi *api = base->GetApi(ORT_API_VERSION);
    const char *path = getenv("FACEMIRROR_EP_SHIM_OF");
    ep_api = api->GetEpApi();
    library = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    union {
        void *object;
        create_factories *function;
    } create = {.object = find("CreateEpFactories")};
    if (!create.object)
        return api->CreateStatus(ORT_FAIL, "FACEMIRROR_EP_SHIM_OF names no plug-in provider");
    OrtStatus *status = create.function(name, base, logger, factories, max, count);
    if (!status && *count > 0) {
        supported_devices = factories[0]->GetSupportedDevices;
        factories[0]->GetSupportedDevices = offer_processor;
    }
    return status;
}

OrtStatus *ReleaseEpFactory(OrtEpFactory *factory)
{
    union {
        void *object;
        release_factory *function;
    } release = {.object = find("ReleaseEpFactory")};
    OrtStatus *status = release.object ? release.function(factory) : NULL;
    if (processor)
        ep_api->ReleaseHardwareDevice(processor);
    processor = NULL;
    return status;
}
