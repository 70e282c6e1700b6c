/*
 * Declared by hand from NVIDIA's documented interface, which keeps functions and numbers for good
 * (https://docs.nvidia.com/deploy/nvml-api/, "Device Queries", "Device Enums", "Initialization and Cleanup"): whoever
 * builds this needs no CUDA. The functions named _v2 are what today's nvml.h calls by the plain names.
 */
#include "watch/nvml.h"

#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void *nvml_device; /* nvmlDevice_t: opaque */
typedef int nvml_return;   /* nvmlReturn_t */
enum {
    NVML_SUCCESS = 0,
    NVML_ERROR_NO_PERMISSION = 4,
    NVML_ERROR_DRIVER_NOT_LOADED = 9,
    NVML_ERROR_LIB_RM_VERSION_MISMATCH = 18,
    NVML_TEMPERATURE_GPU = 0
};
typedef struct nvml_utilization {
    unsigned gpu, memory; /* percent */
} nvml_utilization;
typedef struct nvml_memory {
    unsigned long long total, free, used; /* bytes */
} nvml_memory;

struct fmp_nvml {
    bool started;
    nvml_return failure; /* the last */
    unsigned count;
    nvml_device devices[FMP_NVML_DEVICES_MAX];
    nvml_return (*init)(void);
    nvml_return (*shutdown)(void);
    nvml_return (*get_count)(unsigned *count);
    nvml_return (*get_handle)(unsigned index, nvml_device *device);
    /* What may be missing in an old library, or a device. */
    const char *(*error_string)(nvml_return code);
    nvml_return (*get_name)(nvml_device device, char *name, unsigned length);
    nvml_return (*get_utilization)(nvml_device device, nvml_utilization *out);
    nvml_return (*get_memory)(nvml_device device, nvml_memory *out);
    nvml_return (*get_power)(nvml_device device, unsigned *milliwatts);
    nvml_return (*get_energy)(nvml_device device, unsigned long long *millijoules);
    nvml_return (*get_temperature)(nvml_device device, int sensor, unsigned *celsius);
};

/* POSIX says that a function pointer may be stored through an object pointer; ISO C has no cast for it. */
static bool find(void *library, const char *name, void *function)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

fmp_nvml *fmp_nvml_load(const char *library)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        errno = ENOENT;
        return NULL;
    }
    fmp_nvml *nvml = calloc(1, sizeof *nvml);
    if (!nvml) {
        errno = ENOMEM;
        return NULL;
    }
    const bool needed = find(handle, "nvmlInit_v2", &nvml->init) && find(handle, "nvmlShutdown", &nvml->shutdown) &&
                        find(handle, "nvmlDeviceGetCount_v2", &nvml->get_count) &&
                        find(handle, "nvmlDeviceGetHandleByIndex_v2", &nvml->get_handle);
    if (!needed) {
        free(nvml);
        errno = ENOSYS;
        return NULL;
    }
    find(handle, "nvmlErrorString", &nvml->error_string);
    find(handle, "nvmlDeviceGetName", &nvml->get_name);
    find(handle, "nvmlDeviceGetUtilizationRates", &nvml->get_utilization);
    find(handle, "nvmlDeviceGetMemoryInfo", &nvml->get_memory);
    find(handle, "nvmlDeviceGetPowerUsage", &nvml->get_power);
    find(handle, "nvmlDeviceGetTotalEnergyConsumption", &nvml->get_energy);
    find(handle, "nvmlDeviceGetTemperature", &nvml->get_temperature);
    return nvml;
}

const char *fmp_nvml_remedy(const fmp_nvml *nvml)
{
    switch (nvml->failure) {
    case NVML_ERROR_DRIVER_NOT_LOADED:
        return "load the driver that the library belongs to (nvidia-smi shows whether it runs)";
    case NVML_ERROR_LIB_RM_VERSION_MISMATCH:
        return "the running driver is of another version than the library: restart the machine after an update of it";
    case NVML_ERROR_NO_PERMISSION:
        return "let this user read and write /dev/nvidia*";
    default:
        return "";
    }
}

static bool fails(fmp_nvml *nvml, const char *what, nvml_return code, char message[FMP_NVML_MESSAGE_SIZE])
{
    if (code == NVML_SUCCESS)
        return false;
    const char *text = nvml->error_string ? nvml->error_string(code) : NULL;
    snprintf(message, FMP_NVML_MESSAGE_SIZE, "%s failed with %d (%s)", what, code, text ? text : "?");
    nvml->failure = code;
    errno = code == NVML_ERROR_NO_PERMISSION ? EACCES : ENODEV;
    return true;
}

bool fmp_nvml_start(fmp_nvml *nvml, char message[FMP_NVML_MESSAGE_SIZE])
{
    if (fails(nvml, "nvmlInit", nvml->init(), message))
        return false;
    nvml->started = true;
    unsigned count = 0;
    if (fails(nvml, "nvmlDeviceGetCount", nvml->get_count(&count), message))
        return false;
    nvml->count = count < FMP_NVML_DEVICES_MAX ? count : FMP_NVML_DEVICES_MAX;
    for (unsigned i = 0; i < nvml->count; i++)
        if (nvml->get_handle(i, &nvml->devices[i]) != NVML_SUCCESS)
            nvml->devices[i] = NULL; /* lost, or forbidden: the others keep their numbers */
    if (count == 0) {
        snprintf(message, FMP_NVML_MESSAGE_SIZE, "NVML knows of no device");
        errno = ENODEV;
    }
    return count > 0;
}

unsigned fmp_nvml_count(const fmp_nvml *nvml)
{
    return nvml->count;
}

void fmp_nvml_name(const fmp_nvml *nvml, unsigned device, char *out, size_t size)
{
    out[0] = '\0';
    if (nvml->devices[device] && nvml->get_name &&
        nvml->get_name(nvml->devices[device], out, (unsigned)size) != NVML_SUCCESS)
        out[0] = '\0';
    out[size - 1] = '\0';
}

void fmp_nvml_read(const fmp_nvml *nvml, unsigned device, fmp_gpu_reading *out)
{
    const double unknown = (double)NAN;
    *out = (fmp_gpu_reading){unknown, unknown, unknown, unknown, unknown, unknown};
    const nvml_device handle = nvml->devices[device];
    nvml_utilization use;
    nvml_memory memory;
    unsigned number;
    unsigned long long energy;
    if (!handle)
        return;
    if (nvml->get_utilization && nvml->get_utilization(handle, &use) == NVML_SUCCESS && use.gpu <= 100)
        out->busy = use.gpu / 100.0;
    if (nvml->get_memory && nvml->get_memory(handle, &memory) == NVML_SUCCESS) {
        out->memory_used = (double)memory.used;
        out->memory_total = (double)memory.total;
    }
    if (nvml->get_power && nvml->get_power(handle, &number) == NVML_SUCCESS)
        out->watts = number * 1e-3;
    if (nvml->get_energy && nvml->get_energy(handle, &energy) == NVML_SUCCESS)
        out->joules = (double)energy * 1e-3;
    if (nvml->get_temperature && nvml->get_temperature(handle, NVML_TEMPERATURE_GPU, &number) == NVML_SUCCESS)
        out->celsius = number;
}

void fmp_nvml_free(fmp_nvml **nvml)
{
    if (!nvml || !*nvml)
        return;
    if ((*nvml)->started)
        (*nvml)->shutdown();
    free(*nvml);
    *nvml = NULL;
}
