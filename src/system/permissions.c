#include "system/permissions.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "facemirror/error.h" /* FM_PRINTF */
#include "system/files.h"

#define ENERGY "/sys/class/powercap/intel-rapl:0/energy_uj" /* AMD's processors too, for the kernel's driver is one */
#define PARANOID "/proc/sys/kernel/perf_event_paranoid"

static void say(fm_check *c, fm_check_state state, const char *format, ...) FM_PRINTF(3, 4);

static void say(fm_check *c, fm_check_state state, const char *format, ...)
{
    va_list args;
    c->state = state;
    va_start(args, format);
    vsnprintf(c->detail, sizeof c->detail, format, args);
    va_end(args);
}

static void advise(fm_check *c, const char *what)
{
    snprintf(c->fix, sizeof c->fix, "%s", what);
}

/* Levels: Documentation/admin-guide/sysctl/kernel.rst; 3 and 4 are Debian's and Android's patch. */
static void check_paranoid(const fm_probes *p, bool works, fm_check *c)
{
    int64_t level;
    *c = (fm_check){.id = "perf_paranoid", .name = "perf_event_paranoid"};
    if (!fm_system_number(p->root, PARANOID, &level)) {
        say(c, FM_CHECK_ABSENT, "this system has no performance events");
        return;
    }
    const char *meaning = level < 0    ? "everything may be measured"
                          : level == 0 ? "everything but raw tracepoints may be measured"
                          : level == 1 ? "own processes may be measured, kernel included"
                          : level == 2 ? "own processes may be measured, without the kernel"
                                       : "nothing may be measured without privileges";
    const bool good = level <= 2 || works;
    say(c, good ? FM_CHECK_OK : FM_CHECK_DENIED, "%d: %s%s", (int)level, meaning,
        level > 2 && works ? ", which this user has" : "");
    if (!good)
        advise(c, "sudo sysctl kernel.perf_event_paranoid=1");
}

static void check_perf(const fm_probes *p, fm_perf_event event, fm_check *c)
{
    const int error = p->open_perf(event);
    int64_t level = 0;
    if (error == 0) {
        say(c, FM_CHECK_OK, "can be opened");
    } else if (error == EACCES || error == EPERM) {
        say(c, FM_CHECK_DENIED, "refused: %s", strerror(error));
        if (fm_system_number(p->root, PARANOID, &level) && level > 2)
            advise(c, "sudo sysctl kernel.perf_event_paranoid=1");
        else /* the setting permits it: a filter in front of the kernel does not */
            advise(c, "start the container with --cap-add PERFMON (Docker 20.10 and later)");
    } else if (event == FM_PERF_CYCLES && (error == ENOENT || error == EOPNOTSUPP || error == ENODEV)) {
        say(c, FM_CHECK_ABSENT, "no hardware counters here, as in most virtual machines (%s)", strerror(error));
    } else {
        say(c, FM_CHECK_ABSENT, "not offered: %s", strerror(error));
    }
}

static void check_energy(const fm_probes *p, fm_check *c)
{
    *c = (fm_check){.id = "energy", .name = "RAPL (energy)"};
    if (!fm_system_exists(p->root, ENERGY)) {
        say(c, FM_CHECK_ABSENT, "this machine has no energy counter in /sys/class/powercap");
    } else if (!fm_system_readable(p->root, ENERGY)) {
        say(c, FM_CHECK_DENIED, "only root may read " ENERGY);
        advise(c, "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj");
    } else {
        say(c, FM_CHECK_OK, "can be read");
    }
}

/* Levels: Documentation/admin-guide/LSM/Yama.rst. */
static void check_ptrace(const fm_probes *p, fm_check *c)
{
    int64_t scope;
    *c = (fm_check){.id = "ptrace", .name = "tracing (syscalls)"};
    if (!fm_system_exists(p->root, "/proc/self")) {
        say(c, FM_CHECK_ABSENT, "not known on this system");
        return;
    }
    if (!fm_system_number(p->root, "/proc/sys/kernel/yama/ptrace_scope", &scope))
        scope = 0;
    const char *meaning = scope == 0   ? "all processes of this user"
                          : scope == 1 ? "only processes that one has started"
                          : scope == 2 ? "only with CAP_SYS_PTRACE"
                                       : "none, until the next start of the machine";
    say(c, scope <= 1 ? FM_CHECK_OK : FM_CHECK_DENIED, "ptrace_scope %d: %s", (int)scope, meaning);
    if (scope == 2)
        advise(c, "sudo sysctl kernel.yama.ptrace_scope=1");
}

static void check_nvml(const fm_probes *p, fm_check *c)
{
    *c = (fm_check){.id = "nvml", .name = "NVIDIA (gpu)"};
    if (p->has_library("libnvidia-ml.so.1"))
        say(c, FM_CHECK_OK, "libnvidia-ml.so.1 is there");
    else if (fm_system_exists(p->root, "/proc/driver/nvidia/version"))
        say(c, FM_CHECK_DENIED, "the driver is loaded, but libnvidia-ml.so.1 cannot be");
    else
        say(c, FM_CHECK_ABSENT, "no NVIDIA driver here");
    if (c->state == FM_CHECK_DENIED)
        advise(c, "install the driver's library (Debian: libnvidia-ml1), or start the container with --gpus all");
}

void fm_permissions_check(const fm_probes *p, fm_check out[FM_PERMISSIONS])
{
    out[1] = (fm_check){.id = "perf_task_clock", .name = "CPU clock (sample)"};
    check_perf(p, FM_PERF_TASK_CLOCK, &out[1]);
    check_paranoid(p, out[1].state == FM_CHECK_OK, &out[0]);
    out[2] = (fm_check){.id = "perf_cycles", .name = "hardware cycles"};
    check_perf(p, FM_PERF_CYCLES, &out[2]);
    check_energy(p, &out[3]);
    check_ptrace(p, &out[4]);
    check_nvml(p, &out[5]);
}

const char *fm_check_state_name(fm_check_state state)
{
    switch (state) {
    case FM_CHECK_OK:
        return "ok";
    case FM_CHECK_ABSENT:
        return "absent";
    case FM_CHECK_DENIED:
        break;
    }
    return "denied";
}
