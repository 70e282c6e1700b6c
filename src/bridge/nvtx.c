/*
 * NVIDIA's Tools Extension by its shared library: the three functions of its C interface that need no types of its
 * own (https://nvidia.github.io/NVTX/doxygen/, "Push/Pop Ranges", "Resource Naming"). libnvToolsExt.so.1 comes with
 * CUDA until 12; libnvtx3interop.so.1 has the same functions since. Either hands them to the tool that set
 * NVTX_INJECTION64_PATH, and does nothing without one.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bridge/bridge.h"

static struct {
    int (*push)(const char *message);
    int (*pop)(void);
    void (*name_thread)(uint32_t thread, const char *name); /* NULL: the library has none */
} nvtx;

/* POSIX says that a function pointer may be stored through an object pointer; ISO C has no cast for it. */
static bool find(void *library, const char *name, void *function)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static bool open_nvtx(char said[FMP_ANNOTATOR_MESSAGE_SIZE])
{
    static const char *const names[] = {"libnvToolsExt.so.1", "libnvtx3interop.so.1"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL); /* stays: scopes may be open in it until the end */
        if (!library || !find(library, "nvtxRangePushA", &nvtx.push) || !find(library, "nvtxRangePop", &nvtx.pop))
            continue;
        find(library, "nvtxNameOsThreadA", &nvtx.name_thread);
        snprintf(said, FMP_ANNOTATOR_MESSAGE_SIZE, "on by %s", names[i]);
        return true;
    }
    snprintf(said, FMP_ANNOTATOR_MESSAGE_SIZE, "neither %s nor %s is here (LD_LIBRARY_PATH?)", names[0], names[1]);
    return false;
}

static void begin(const char *category, const char *operation)
{
    (void)category;
    nvtx.push(operation);
}

static void end(void)
{
    nvtx.pop();
}

/* NVTX takes the kernel's number of the thread. */
static void name_thread(const char *name)
{
#ifdef __linux__
    if (nvtx.name_thread)
        nvtx.name_thread((uint32_t)gettid(), name);
#else
    (void)name;
#endif
}

const fmp_annotator fmp_annotator_nvtx = {FMP_ANNOTATE_NVTX, "nvtx", open_nvtx, begin, end, name_thread};
