/*
 * Not NVIDIA's: a stand-in for libnvToolsExt.so.1, and with -DINJECTION for a tool that the true library loads, by
 * NVTX_INJECTION64_PATH. Either writes "thread what name" lines to the file that FAKE_NVTX_LOG names, as one write
 * each, so that threads do not mix.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__GNUC__) || defined(__clang__)
#define EXPORT __attribute__((visibility("default")))
#else
#define EXPORT
#endif

static void note(const char *what, unsigned thread, const char *name)
{
    const char *path = getenv("FAKE_NVTX_LOG");
    char line[256];
    const int length = snprintf(line, sizeof line, "%u %s %s\n", thread, what, name);
    const int file = path ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0644) : -1;
    if (file < 0 || write(file, line, (size_t)length) != length)
        abort();
    close(file);
}

static int push(const char *message)
{
    note("push", (unsigned)gettid(), message);
    return 0;
}

static int pop(void)
{
    note("pop", (unsigned)gettid(), "");
    return 0;
}

static void name_thread(uint32_t thread, const char *name)
{
    note("name", thread, name);
}

#ifndef INJECTION
EXPORT int nvtxRangePushA(const char *message);
EXPORT int nvtxRangePop(void);
EXPORT void nvtxNameOsThreadA(uint32_t thread, const char *name);

int nvtxRangePushA(const char *message)
{
    return push(message);
}

int nvtxRangePop(void)
{
    return pop();
}

void nvtxNameOsThreadA(uint32_t thread, const char *name)
{
    name_thread(thread, name);
}
#else
/*
 * The tool's side of NVTX 3, numbers by hand from its nvtxTypes.h (NvtxExportTableID, NvtxCallbackModule,
 * NvtxCallbackIdCore): table 1 gives, for module 1, an array of where to put a function for each call.
 */
enum { TABLE_CALLBACKS = 1, MODULE_CORE = 1, CORE_RANGE_PUSH_A = 9, CORE_RANGE_POP = 11, CORE_NAME_OS_THREAD_A = 14 };

typedef struct callbacks_table {
    size_t size;
    int (*get_module)(int module, void ****out_table, unsigned *out_size);
} callbacks_table;

static void put(void ***table, int index, const void *function)
{
    memcpy(table[index], function, sizeof(void *));
}

EXPORT int InitializeInjectionNvtx2(const void *(*get_export_table)(uint32_t id));
int InitializeInjectionNvtx2(const void *(*get_export_table)(uint32_t id))
{
    const callbacks_table *callbacks = get_export_table(TABLE_CALLBACKS);
    void ***table = NULL;
    unsigned size = 0;
    int (*const push_function)(const char *) = push;
    int (*const pop_function)(void) = pop;
    void (*const name_function)(uint32_t, const char *) = name_thread;
    if (!callbacks || callbacks->size < sizeof *callbacks ||
        !callbacks->get_module(MODULE_CORE, &table, &size) || size <= CORE_NAME_OS_THREAD_A)
        return 0;
    put(table, CORE_RANGE_PUSH_A, &push_function);
    put(table, CORE_RANGE_POP, &pop_function);
    put(table, CORE_NAME_OS_THREAD_A, &name_function);
    return 1;
}
#endif
