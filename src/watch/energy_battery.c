/*
 * Batteries by the kernel's power_supply class (Documentation/ABI/testing/sysfs-class-power): micro-watts,
 * micro-amperes, micro-volts, micro-watt-hours, micro-ampere-hours. What flows is known only while a battery
 * discharges: on mains the machine's power does not pass through it.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "watch/energy_domains.h"

static const double joules_per_micro_watt_hour = 3600e-6;

/* Watts; not a number where the battery tells neither power nor current, whose sign depends on the driver. */
static double watts_now(const char *folder)
{
    int64_t power, current, voltage;
    if (!fmp_file_integer(folder, "power_now", &power))
        return fabs((double)power) * 1e-6;
    if (!fmp_file_integer(folder, "current_now", &current) && !fmp_file_integer(folder, "voltage_now", &voltage))
        return fabs((double)current) * 1e-6 * (double)voltage * 1e-6;
    return (double)NAN;
}

/* Joules that are left; not a number where that is not told. */
static double joules_left(const char *folder)
{
    int64_t energy, charge, voltage;
    if (!fmp_file_integer(folder, "energy_now", &energy))
        return (double)energy * joules_per_micro_watt_hour;
    if (!fmp_file_integer(folder, "charge_now", &charge) && !fmp_file_integer(folder, "voltage_now", &voltage))
        return (double)charge * joules_per_micro_watt_hour * (double)voltage * 1e-6;
    return (double)NAN;
}

static bool discharging(const char *folder)
{
    char status[32];
    return !fmp_file_line(folder, "status", status, sizeof status) && strcmp(status, "Discharging") == 0;
}

/* Power where it is told: what is left comes in steps of up to 36 J, too coarse for a short run. */
static void read_battery(fmp_energy_source *source, uint64_t now_ns)
{
    const double watts = watts_now(source->folder);
    if (!discharging(source->folder)) {
        fmp_energy_lost(&source->sum);
    } else if (!isnan(watts)) {
        fmp_energy_power(&source->sum, now_ns, watts);
    } else {
        /* A counter that falls: `range` stands for full, far above what a battery holds. */
        const double full = 1e9;
        fmp_energy_counter(&source->sum, now_ns, full - joules_left(source->folder), 0);
    }
}

fmp_energy_found fmp_energy_find_batteries(fmp_energy_sources *sources, const char *root)
{
    fmp_energy_found found = {0};
    char class_folder[FMP_FILE_PATH_SIZE], folder[FMP_FILE_PATH_SIZE], text[32], **names;
    if (!fmp_file_path(class_folder, "%s/sys/class/power_supply", root))
        return found;
    const size_t count = fmp_file_names(class_folder, NULL, &names);
    for (size_t i = 0; i < count; i++) {
        if (!fmp_file_path(folder, "%s/%s", class_folder, names[i]) ||
            fmp_file_line(folder, "type", text, sizeof text) || strcmp(text, "Battery") != 0)
            continue;
        if (!fmp_file_line(folder, "scope", text, sizeof text) && strcmp(text, "Device") == 0)
            continue; /* of a mouse or a headset */
        if (isnan(watts_now(folder)) && isnan(joules_left(folder)))
            continue;
        char name[96];
        snprintf(name, sizeof name, "battery %.80s", names[i]);
        fmp_energy_source *source = fmp_energy_source_add(sources, name, "");
        if (!source)
            break;
        source->read = read_battery;
        source->interval_ns = 1000000000; /* an embedded controller is asked, which may take 100 ms */
        snprintf(source->folder, sizeof source->folder, "%s", folder);
        found.count++;
        if (!discharging(folder))
            found.denied++; /* at the moment */
    }
    fmp_file_names_free(names, count);
    return found;
}
