/*
 * Energy of the machine: the processor's counters (RAPL), batteries, sensors. Each domain is a row of its own, and a
 * part's energy is in its package's as well: rows are not to be added up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "watch/energy_domains.h"

enum { SOURCES_MAX = 512, HOW_SIZE = 320 };

/* --- sources --------------------------------------------------------------------- */

static bool is_taken(const fmp_energy_sources *sources, const char *name)
{
    for (size_t i = 0; i < sources->count; i++)
        if (strcmp(sources->list[i].name, name) == 0)
            return true;
    return false;
}

fmp_energy_source *fmp_energy_source_add(fmp_energy_sources *sources, const char *name, const char *apart)
{
    if (sources->count == SOURCES_MAX)
        return NULL;
    if (sources->count == sources->capacity) {
        const size_t more = sources->capacity * 2 + 8;
        fmp_energy_source *list = realloc(sources->list, more * sizeof *list);
        if (!list)
            return NULL;
        sources->list = list;
        sources->capacity = more;
    }
    fmp_energy_source *source = &sources->list[sources->count];
    *source = (fmp_energy_source){.fd = -1, .scale = 1};
    if (is_taken(sources, name))
        snprintf(source->name, sizeof source->name, "%.80s (%.40s)", name, apart);
    else
        snprintf(source->name, sizeof source->name, "%s", name);
    sources->count++;
    return source;
}

void fmp_energy_sources_free(fmp_energy_sources *sources)
{
    for (size_t i = 0; i < sources->count; i++)
        if (sources->list[i].fd >= 0)
            close(sources->list[i].fd);
    free(sources->list);
    *sources = (fmp_energy_sources){0};
}

/* --- what is said ------------------------------------------------------------------ */

/* "powercap: package-0, package-0/core": the sources from index `first` on. */
static void list_names(char how[HOW_SIZE], const char *mechanism, const fmp_energy_sources *sources, size_t first)
{
    size_t used = (size_t)snprintf(how, HOW_SIZE, "%s:", mechanism);
    for (size_t i = first; i < sources->count && used < HOW_SIZE; i++) {
        const int length = snprintf(how + used, HOW_SIZE - used, "%s %s", i > first ? "," : "", sources->list[i].name);
        used += length > 0 ? (size_t)length : 0;
    }
    if (used >= HOW_SIZE)
        snprintf(how + HOW_SIZE - 5, 5, " ...");
}

#ifdef __linux__
static const char processor[] = "energy of the processor (RAPL)";

/* x86's own sign; elsewhere nobody says. */
static bool virtual_machine(const char *root)
{
    char path[FMP_FILE_PATH_SIZE], line[4096];
    FILE *file = fmp_file_path(path, "%s/proc/cpuinfo", root) ? fopen(path, "r") : NULL;
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file))
        found = strncmp(line, "flags", 5) == 0 && strstr(line, " hypervisor");
    if (file)
        fclose(file);
    return found;
}

static void say_denied(fmp_tables *tables, const fmp_energy_found *powercap, const fmp_energy_found *perf)
{
    static const char remedy[] =
        "run as root, or once after each boot: sudo chmod a+r /sys/class/powercap/*rapl*/energy_uj (every user can "
        "then tell from power what others compute, CVE-2020-8694: not on a shared machine)";
    if (powercap->denied)
        fmp_facility_says(tables, FMP_SYSTEM_ENERGY, processor, FMP_STATE_NOT_PERMITTED,
                          fmp_tables_text(tables, "%s is root's alone", powercap->path), remedy);
    else
        fmp_facility_says(tables, FMP_SYSTEM_ENERGY, processor, FMP_STATE_NOT_PERMITTED,
                          fmp_tables_text(tables, "perf_event_open refuses %s", perf->path),
                          "run as root or with CAP_PERFMON, or: sudo sysctl kernel.perf_event_paranoid=0");
}

static void say_none(fmp_tables *tables, const char *root, const fmp_energy_found *powercap,
                     const fmp_energy_found *perf)
{
    const char *how = "no RAPL counters under /sys/class/powercap and no \"power\" events of perf";
    const fmp_energy_found *broken = powercap->failure ? powercap : perf->failure ? perf : NULL;
    if (broken)
        how = fmp_tables_text(tables, "%s cannot be read: %s", broken->path, strerror(broken->failure));
    else if (virtual_machine(root))
        how = "a virtual machine is not told what its processor takes";
    fmp_facility_says(tables, FMP_SYSTEM_ENERGY, processor, FMP_STATE_NOT_HERE, how, "");
}

static void find_processor(fmp_energy_sources *sources, const char *root, fmp_tables *tables)
{
    char how[HOW_SIZE];
    const fmp_energy_found powercap = fmp_energy_find_powercap(sources, root);
    fmp_energy_found perf = {0};
    if (powercap.count == 0)
        perf = fmp_energy_find_perf(sources, root);
    if (powercap.count + perf.count > 0) {
        list_names(how, powercap.count ? "powercap" : "perf_event_open", sources, 0);
        fmp_facility_says(tables, FMP_SYSTEM_ENERGY, processor, FMP_STATE_ON, how, "");
    } else if (powercap.denied || perf.denied) {
        say_denied(tables, &powercap, &perf);
    } else {
        say_none(tables, root, &powercap, &perf);
    }
}

static void find_battery(fmp_energy_sources *sources, const char *root, fmp_tables *tables)
{
    char how[HOW_SIZE];
    const size_t first = sources->count;
    const fmp_energy_found found = fmp_energy_find_batteries(sources, root);
    if (found.count == 0) {
        fmp_facility_says(tables, FMP_SYSTEM_ENERGY, "battery", FMP_STATE_NOT_HERE,
                          "no battery under /sys/class/power_supply", "");
        return;
    }
    list_names(how, "power_supply, once a second", sources, first);
    const bool mains = found.denied == found.count;
    fmp_facility_says(tables, FMP_SYSTEM_ENERGY, "battery", FMP_STATE_ON, how,
                      mains ? "on mains no power is told: unplug the machine" : "");
}

static void find_sensors(fmp_energy_sources *sources, const char *root, fmp_tables *tables)
{
    char how[HOW_SIZE];
    const size_t first = sources->count;
    const fmp_energy_found found = fmp_energy_find_hwmon(sources, root);
    list_names(how, "hwmon", sources, first);
    fmp_facility_says(tables, FMP_SYSTEM_ENERGY, "power sensors", found.count ? FMP_STATE_ON : FMP_STATE_NOT_HERE,
                      found.count ? how : "no power or energy sensor under /sys/class/hwmon", "");
}

static void find_all(fmp_energy_sources *sources, const char *root, fmp_tables *tables)
{
    find_processor(sources, root, tables);
    find_battery(sources, root, tables);
    find_sensors(sources, root, tables);
}
#else
static void find_all(fmp_energy_sources *sources, const char *root, fmp_tables *tables)
{
    (void)root;
    (void)list_names;
    const size_t count = fmp_energy_find_process(sources);
    if (count)
        fmp_facility_says(tables, FMP_SYSTEM_ENERGY, "energy of this process", FMP_STATE_ON,
                          "proc_pid_rusage (ri_energy_nj)", "");
    fmp_facility_says(tables, FMP_SYSTEM_ENERGY, "energy of the machine", FMP_STATE_NOT_PERMITTED,
                      "this system tells power of processor, GPU and Neural Engine to root alone, by its own tool",
                      "beside the run: sudo powermetrics --samplers cpu_power,gpu_power,ane_power");
}
#endif

/* --- the facility ------------------------------------------------------------------ */

static void read_all(fmp_energy_sources *sources, uint64_t now_ns, bool last)
{
    for (size_t i = 0; i < sources->count; i++) {
        fmp_energy_source *source = &sources->list[i];
        if (!last && source->read_ns && now_ns - source->read_ns < source->interval_ns)
            continue;
        source->read_ns = now_ns;
        source->read(source, now_ns);
        fmp_energy_show(&source->sum, now_ns, source->name);
    }
}

static void *start(const fmp_system_options *options, const fmp_watch_info *info, fmp_tables *tables)
{
    fmp_energy_sources *sources = calloc(1, sizeof *sources);
    if (!sources)
        return NULL;
    find_all(sources, info->root, tables);
    if (!(options->facilities & FMP_SYSTEM_GPU))
        fmp_facility_says(tables, FMP_SYSTEM_ENERGY, "power of accelerators", FMP_STATE_OFF,
                          "is read by the facility gpu", "ask for gpu as well");
    if (sources->count == 0) {
        free(sources);
        return NULL;
    }
    read_all(sources, info->start_ns, false);
    return sources;
}

static void read_now(void *state, const fmp_watch_info *info, uint64_t now_ns)
{
    read_all(state, now_ns, info->end_ns != 0);
}

/* Of what never told anything there is no row: a battery on mains. */
static void stop(void *state, const fmp_watch_info *info, fmp_tables *tables)
{
    fmp_energy_sources *sources = state;
    fmp_table_begin(tables, "energy");
    for (size_t i = 0; i < sources->count; i++) {
        const fmp_energy_source *source = &sources->list[i];
        if (source->sum.seconds > 0)
            fmp_table_row(tables, (fmp_cell[]){FMP_TEXT(source->name), FMP_NUMBER(source->sum.seconds),
                                               FMP_NUMBER(source->sum.joules), FMP_NUMBER(info->units)});
    }
    fmp_energy_sources_free(sources);
    free(sources);
}

const fmp_facility_calls fmp_facility_energy = {FMP_SYSTEM_ENERGY, start, read_now, stop, NULL};
