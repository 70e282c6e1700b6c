/*
 * Not NVIDIA's: a stand-in for libnvidia-ml.so.1 with devices whose figures are known, for machines without any.
 * Device N takes 100 + 10 N watts, has N GiB of 64 GiB in use, is 25 % and 75 % busy at turns, and 40 + N degrees
 * warm. The environment's FAKE_NVML says what is wrong with it, words between commas:
 *     devices=N  (1)      noenergy  odd devices do not count energy       lost  device 0 is lost
 *     init=CODE           nothing   no device says anything               hang  after the third reading of device 0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if defined(__GNUC__) || defined(__clang__)
#define EXPORT __attribute__((visibility("default")))
#else
#define EXPORT
#endif

enum { DEVICES = 64, NOT_SUPPORTED = 3, LOST = 15 };

EXPORT int nvmlInit_v2(void);
EXPORT int nvmlShutdown(void);
EXPORT int nvmlDeviceGetCount_v2(unsigned *count);
EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device);
EXPORT const char *nvmlErrorString(int code);
EXPORT int nvmlDeviceGetName(void *device, char *name, unsigned length);
EXPORT int nvmlDeviceGetUtilizationRates(void *device, unsigned out[2]);
EXPORT int nvmlDeviceGetMemoryInfo(void *device, unsigned long long out[3]);
EXPORT int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts);
#ifndef WITHOUT_ENERGY
EXPORT int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *millijoules);
#endif
EXPORT int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *celsius);

static struct device {
    unsigned number, readings;
} devices[DEVICES];
static double begun;

static const char *setting(const char *word)
{
    const char *all = getenv("FAKE_NVML"), *at = all ? strstr(all, word) : NULL;
    return at ? at + strlen(word) : NULL;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int nvmlInit_v2(void)
{
    const char *code = setting("init=");
    memset(devices, 0, sizeof devices);
    begun = seconds();
    return code ? atoi(code) : 0;
}

int nvmlShutdown(void)
{
    return 0;
}

int nvmlDeviceGetCount_v2(unsigned *count)
{
    const char *number = setting("devices=");
    *count = number ? (unsigned)atoi(number) : 1;
    return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device)
{
    if (index >= DEVICES || (index == 0 && setting("lost")))
        return LOST;
    devices[index].number = index;
    *device = &devices[index];
    return 0;
}

const char *nvmlErrorString(int code)
{
    return code == 18 ? "Driver/library version mismatch" : code == 4 ? "Insufficient Permissions" : "Another error";
}

int nvmlDeviceGetName(void *device, char *name, unsigned length)
{
    (void)device;
    snprintf(name, length, "Stand-in 3000");
    return 0;
}

int nvmlDeviceGetUtilizationRates(void *opaque, unsigned out[2])
{
    struct device *device = opaque;
    if (setting("nothing"))
        return NOT_SUPPORTED;
    if (++device->readings > 3 && device->number == 0 && setting("hang"))
        for (;;)
            pause();
    out[0] = device->readings % 2 ? 25 : 75;
    out[1] = 0;
    return 0;
}

int nvmlDeviceGetMemoryInfo(void *opaque, unsigned long long out[3])
{
    const struct device *device = opaque;
    out[0] = 64ULL << 30;
    out[2] = (unsigned long long)device->number << 30;
    out[1] = out[0] - out[2];
    return setting("nothing") ? NOT_SUPPORTED : 0;
}

int nvmlDeviceGetPowerUsage(void *opaque, unsigned *milliwatts)
{
    const struct device *device = opaque;
    *milliwatts = (100 + 10 * device->number) * 1000;
    return setting("nothing") ? NOT_SUPPORTED : 0;
}

#ifndef WITHOUT_ENERGY
int nvmlDeviceGetTotalEnergyConsumption(void *opaque, unsigned long long *millijoules)
{
    const struct device *device = opaque;
    if (setting("nothing") || (device->number % 2 && setting("noenergy")))
        return NOT_SUPPORTED;
    *millijoules = 123456789 + (unsigned long long)((seconds() - begun) * (100 + 10 * device->number) * 1e3);
    return 0;
}
#endif

int nvmlDeviceGetTemperature(void *opaque, int sensor, unsigned *celsius)
{
    const struct device *device = opaque;
    *celsius = 40 + device->number;
    return sensor != 0 || setting("nothing") ? NOT_SUPPORTED : 0;
}
