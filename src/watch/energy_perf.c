/*
 * RAPL's counters as events of the kernel's "power" PMU (perf stat -e power/energy-pkg/), one for each package:
 * where powercap is not readable, perf_event_paranoid or CAP_PERFMON may still permit these. `type` and
 * `events/NAME` say what to ask for, `events/NAME.scale` what the unit is in joules, `cpumask` on which processors:
 * https://docs.kernel.org/admin-guide/abi-testing.html (sysfs-bus-event_source-devices).
 */
#include "watch/energy_domains.h"

#ifdef __linux__
#include <errno.h>
#include <linux/perf_event.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PACKAGES_MAX = 64 };

static bool is_energy(const char *name)
{
    return strncmp(name, "energy-", 7) == 0 && !strchr(name, '.');
}

static void read_event(fmp_energy_source *source, uint64_t now_ns)
{
    uint64_t value;
    if (read(source->fd, &value, sizeof value) != (ssize_t)sizeof value)
        fmp_energy_lost(&source->sum);
    else
        fmp_energy_counter(&source->sum, now_ns, (double)value * source->scale, 0);
}

/* "0,4-5": the processors on which events are opened, one a package. */
static size_t read_cpus(const char *pmu, int cpus[PACKAGES_MAX])
{
    char text[256], *at = text;
    size_t count = 0;
    if (fmp_file_line(pmu, "cpumask", text, sizeof text))
        return 0;
    while (*at >= '0' && *at <= '9') {
        const long first = strtol(at, &at, 10);
        const long last = *at == '-' ? strtol(at + 1, &at, 10) : first;
        for (long cpu = first; cpu <= last && cpu < 65536 && count < PACKAGES_MAX; cpu++)
            cpus[count++] = (int)cpu;
        if (*at == ',')
            at++;
    }
    return count;
}

static int open_event(uint32_t type, uint64_t config, int cpu)
{
    struct perf_event_attr attr = {.type = type, .size = sizeof attr, .config = config};
    return (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

typedef struct event {
    uint32_t type;
    uint64_t config;
    double scale;
} event;

/* "event=0x02" and "2.3283064365386962890625e-10"; joules, not watts: `unit` says so. */
static bool describe(const char *pmu, const char *name, event *out)
{
    char events[FMP_FILE_PATH_SIZE], file[96], text[64], *end;
    int64_t type;
    if (!fmp_file_path(events, "%s/events", pmu) || fmp_file_integer(pmu, "type", &type) || type < 0 ||
        type > UINT32_MAX || fmp_file_line(events, name, text, sizeof text) || strncmp(text, "event=", 6) != 0)
        return false;
    *out = (event){.type = (uint32_t)type, .config = strtoull(text + 6, &end, 16)};
    snprintf(file, sizeof file, "%.60s.scale", name);
    if (end == text + 6 || *end != '\0' || fmp_file_line(events, file, text, sizeof text))
        return false;
    out->scale = strtod(text, &end);
    snprintf(file, sizeof file, "%.60s.unit", name);
    return end != text && isfinite(out->scale) && out->scale > 0 && !fmp_file_line(events, file, text, sizeof text) &&
           strcmp(text, "Joules") == 0;
}

static void add_event(fmp_energy_sources *sources, fmp_energy_found *found, const char *name, const event *e,
                      int cpu, size_t package)
{
    const int fd = open_event(e->type, e->config, cpu);
    if (fd < 0) {
        found->denied += errno == EACCES || errno == EPERM;
        found->failure = errno;
        snprintf(found->path, sizeof found->path, "power/%s/", name);
        return;
    }
    char text[96], apart[32];
    snprintf(text, sizeof text, "package-%zu %.60s", package, name + 7);
    snprintf(apart, sizeof apart, "CPU %d", cpu);
    fmp_energy_source *source = fmp_energy_source_add(sources, text, apart);
    if (!source) {
        close(fd);
        return;
    }
    source->fd = fd;
    source->scale = e->scale;
    source->read = read_event;
    found->count++;
}

fmp_energy_found fmp_energy_find_perf(fmp_energy_sources *sources, const char *root)
{
    fmp_energy_found found = {0};
    char pmu[FMP_FILE_PATH_SIZE], folder[FMP_FILE_PATH_SIZE], **names;
    int cpus[PACKAGES_MAX];
    if (!fmp_file_path(pmu, "%s/sys/bus/event_source/devices/power", root) ||
        !fmp_file_path(folder, "%s/events", pmu))
        return found;
    const size_t packages = read_cpus(pmu, cpus), count = fmp_file_names(folder, is_energy, &names);
    for (size_t i = 0; i < count; i++) {
        event e;
        if (!describe(pmu, names[i], &e))
            continue;
        for (size_t p = 0; p < packages; p++)
            add_event(sources, &found, names[i], &e, cpus[p], p);
    }
    fmp_file_names_free(names, count);
    return found;
}
#else
fmp_energy_found fmp_energy_find_perf(fmp_energy_sources *sources, const char *root)
{
    (void)sources;
    (void)root;
    return (fmp_energy_found){0};
}
#endif
