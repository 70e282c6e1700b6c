/* How this machine is really asked; permissions.c judges the answers. */
#include <dlfcn.h>
#include <errno.h>
#include <unistd.h>

#include "system/permissions.h"

#if defined(__linux__)
#include <linux/perf_event.h>
#include <sys/syscall.h>

static int open_perf(fm_perf_event event)
{
    struct perf_event_attr attributes = {
        .type = event == FM_PERF_CYCLES ? PERF_TYPE_HARDWARE : PERF_TYPE_SOFTWARE,
        .size = sizeof attributes,
        .config = event == FM_PERF_CYCLES ? PERF_COUNT_HW_CPU_CYCLES : PERF_COUNT_SW_TASK_CLOCK,
        .disabled = 1,
        .exclude_kernel = 1,
        .exclude_hv = 1,
    };
    const long fd = syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0)
        return errno;
    close((int)fd);
    return 0;
}
#else
static int open_perf(fm_perf_event event)
{
    (void)event;
    return ENOSYS;
}
#endif

static bool has_library(const char *name)
{
    void *library = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
    if (library)
        dlclose(library);
    return library;
}

fm_probes fm_probes_real(void)
{
    return (fm_probes){"", open_perf, has_library};
}
