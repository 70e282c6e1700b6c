/*
 * Intel's and AMD's energy counters (RAPL) as the kernel's powercap class tells them:
 * https://docs.kernel.org/power/powercap/powercap.html. Zones stand side by side in the class: "intel-rapl:0" is a
 * package, "intel-rapl:0:1" is a part of it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "watch/energy_domains.h"

static bool is_zone(const char *name)
{
    return strstr(name, "rapl") && strchr(name, ':');
}

static void read_zone(fmp_energy_source *source, uint64_t now_ns)
{
    int64_t value;
    if (fmp_file_integer(source->folder, source->file, &value) || value < 0)
        fmp_energy_lost(&source->sum);
    else
        fmp_energy_counter(&source->sum, now_ns, (double)value * source->scale, source->range);
}

/* "package-0/core": the name alone is the same in each package. What comes by memory-mapped registers is said to. */
static void zone_name(char *out, size_t size, const char *class_folder, const char *zone)
{
    char folder[FMP_FILE_PATH_SIZE], name[48], parent[FMP_FILE_PATH_SIZE], outer[48] = "";
    if (!fmp_file_path(folder, "%s/%s", class_folder, zone) || fmp_file_line(folder, "name", name, sizeof name) ||
        name[0] == '\0')
        snprintf(name, sizeof name, "%.40s", zone);
    const char *first = strchr(zone, ':'), *last = strrchr(zone, ':');
    if (last && last != first && fmp_file_path(parent, "%s/%.*s", class_folder, (int)(last - zone), zone))
        fmp_file_line(parent, "name", outer, sizeof outer);
    snprintf(out, size, "%s%s%s%s", outer, outer[0] ? "/" : "", name, strstr(zone, "-mmio:") ? " by MMIO" : "");
}

fmp_energy_found fmp_energy_find_powercap(fmp_energy_sources *sources, const char *root)
{
    fmp_energy_found found = {0};
    char class_folder[FMP_FILE_PATH_SIZE], folder[FMP_FILE_PATH_SIZE], name[112], **zones;
    if (!fmp_file_path(class_folder, "%s/sys/class/powercap", root))
        return found;
    const size_t count = fmp_file_names(class_folder, is_zone, &zones);
    for (size_t i = 0; i < count; i++) {
        int64_t value = 0, range = 0;
        if (!fmp_file_path(folder, "%s/%s", class_folder, zones[i]))
            continue;
        const int failure = fmp_file_integer(folder, "energy_uj", &value);
        if (failure || value < 0) {
            found.denied += failure == EACCES || failure == EPERM;
            if (!found.failure || failure == EACCES)
                fmp_file_path(found.path, "%s/energy_uj", folder);
            found.failure = failure ? failure : EINVAL;
            continue;
        }
        zone_name(name, sizeof name, class_folder, zones[i]);
        fmp_energy_source *source = fmp_energy_source_add(sources, name, zones[i]);
        if (!source)
            break;
        if (fmp_file_integer(folder, "max_energy_range_uj", &range) || range < 0)
            range = 0;
        source->scale = 1e-6;
        source->range = (double)range * 1e-6;
        source->read = read_zone;
        snprintf(source->folder, sizeof source->folder, "%s", folder);
        snprintf(source->file, sizeof source->file, "energy_uj");
        found.count++;
    }
    fmp_file_names_free(zones, count);
    return found;
}
