#include "system/host.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "system/files.h"

#ifdef __APPLE__
#include <sys/sysctl.h>

/* Untested: see docs/cli.md. */
static void read_system(fm_host *out)
{
    size_t size = sizeof out->memory;
    int guest = 0;
    if (sysctlbyname("hw.memsize", &out->memory, &size, NULL, 0) != 0)
        out->memory = 0;
    size = sizeof guest;
    if (sysctlbyname("kern.hv_vmm_present", &guest, &size, NULL, 0) == 0 && guest)
        snprintf(out->hypervisor, sizeof out->hypervisor, "yes");
    double loads[1];
    if (getloadavg(loads, 1) == 1)
        out->load = loads[0];
}
#else
static void read_system(fm_host *out)
{
    (void)out;
}
#endif

/*
 * A decimal number with a point, whatever the locale. One division of whole numbers gives the double that a reader of
 * the same digits gets: 2.45 as 2 + 0.4 + 0.05 is another, and rounds to another tenth.
 */
static double decimal(const char *text)
{
    char *end;
    const long long whole = strtoll(text, &end, 10);
    if (end == text)
        return (double)NAN;
    double digits = (double)whole, scale = 1;
    for (const char *p = end + 1; *end == '.' && *p >= '0' && *p <= '9' && scale < 1e9; p++, scale *= 10)
        digits = digits * 10 + (*p - '0');
    return digits / scale;
}

static uint64_t kibibytes(const char *text, const char *key)
{
    char value[64];
    return fm_system_field(text, key, value, sizeof value) ? strtoull(value, NULL, 10) * 1024 : 0;
}

static void read_memory(const char *root, fm_host *out)
{
    char text[4096];
    if (!fm_system_text(root, "/proc/meminfo", text, sizeof text))
        return;
    out->memory = kibibytes(text, "MemTotal");
    out->memory_available = kibibytes(text, "MemAvailable");
    out->swap = kibibytes(text, "SwapTotal");
    out->swap_free = kibibytes(text, "SwapFree");
}

/* Marks that container runtimes leave: their own files, systemd's, or the names of control groups. */
static void read_container(const char *root, fm_host *out)
{
    static const struct {
        const char *part, *name;
    } groups[] = {{"kubepods", "kubernetes"}, {"docker", "docker"}, {"libpod", "podman"}, {"lxc", "lxc"},
                  {"containerd", "containerd"}};
    char text[4096];
    const char *name = "";
    if (fm_system_exists(root, "/run/.containerenv"))
        name = "podman";
    else if (fm_system_exists(root, "/.dockerenv"))
        name = "docker";
    else if (fm_system_text(root, "/run/systemd/container", text, sizeof text) && *text)
        name = text;
    else if (fm_system_text(root, "/proc/1/cgroup", text, sizeof text))
        for (size_t i = 0; !*name && i < sizeof groups / sizeof groups[0]; i++)
            if (strstr(text, groups[i].part))
                name = groups[i].name;
    snprintf(out->container, sizeof out->container, "%.31s", name);
}

/* The firmware's names of what makes virtual machines; else the processor's own bit. */
static void read_hypervisor(const char *root, fm_host *out)
{
    static const struct {
        const char *part, *name;
    } makers[] = {{"QEMU", "QEMU/KVM"}, {"KVM", "KVM"}, {"VMware", "VMware"}, {"VirtualBox", "VirtualBox"},
                  {"innotek", "VirtualBox"}, {"Xen", "Xen"}, {"Amazon EC2", "Amazon EC2"},
                  {"Google Compute Engine", "Google Compute Engine"}, {"Virtual Machine", "Hyper-V"},
                  {"Parallels", "Parallels"}, {"OpenStack", "OpenStack"}};
    static const char *const files[] = {"/sys/class/dmi/id/product_name", "/sys/class/dmi/id/sys_vendor"};
    char text[8192];
    for (size_t f = 0; f < sizeof files / sizeof files[0]; f++) {
        if (!fm_system_text(root, files[f], text, sizeof text))
            continue;
        for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++) {
            if (strstr(text, makers[i].part)) {
                snprintf(out->hypervisor, sizeof out->hypervisor, "%s", makers[i].name);
                return;
            }
        }
    }
    if (fm_system_text(root, "/sys/hypervisor/type", text, sizeof text) && *text)
        snprintf(out->hypervisor, sizeof out->hypervisor, "%.63s", text);
    else if (fm_system_text(root, "/proc/cpuinfo", text, sizeof text) && strstr(text, " hypervisor"))
        snprintf(out->hypervisor, sizeof out->hypervisor, "yes");
}

/* Version 2 of control groups, as seen from inside a container; "max" is no limit. */
static void read_limits(const char *root, fm_host *out)
{
    char text[64];
    int64_t bytes;
    if (fm_system_text(root, "/sys/fs/cgroup/cpu.max", text, sizeof text)) {
        const char *period = strchr(text, ' ');
        const double quota = decimal(text), length = period ? decimal(period + 1) : (double)NAN;
        if (quota > 0 && length > 0)
            out->cpu_limit = quota / length;
    }
    if (fm_system_number(root, "/sys/fs/cgroup/memory.max", &bytes) && bytes > 0)
        out->memory_limit = (uint64_t)bytes;
}

void fm_host_read(const char *root, fm_host *out)
{
    *out = (fm_host){.load = (double)NAN};
    char text[64];
    if (fm_system_text(root, "/proc/loadavg", text, sizeof text))
        out->load = decimal(text);
    fm_system_text(root, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", out->governor, sizeof out->governor);
    read_memory(root, out);
    read_container(root, out);
    read_hypervisor(root, out);
    read_limits(root, out);
    read_system(out);
}
