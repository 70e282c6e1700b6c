/*
 * Sensors of boards and cards by the kernel's hwmon class (Documentation/hwmon/sysfs-interface): powerN_input or
 * powerN_average in micro-watts, energyN_input in micro-joules since some time, NAME_label.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "watch/energy_domains.h"

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static bool is_sensor(const char *name)
{
    if (strncmp(name, "energy", 6) == 0)
        return ends_with(name, "_input");
    return strncmp(name, "power", 5) == 0 && (ends_with(name, "_input") || ends_with(name, "_average"));
}

static void read_power(fmp_energy_source *source, uint64_t now_ns)
{
    int64_t value;
    if (fmp_file_integer(source->folder, source->file, &value) || value < 0)
        fmp_energy_lost(&source->sum);
    else
        fmp_energy_power(&source->sum, now_ns, (double)value * source->scale);
}

static void read_energy(fmp_energy_source *source, uint64_t now_ns)
{
    int64_t value;
    if (fmp_file_integer(source->folder, source->file, &value) || value < 0)
        fmp_energy_lost(&source->sum);
    else
        fmp_energy_counter(&source->sum, now_ns, (double)value * source->scale, 0);
}

static bool add_sensor(fmp_energy_sources *sources, const char *chip, const char *folder, const char *file)
{
    char name[112], label[64], label_file[96];
    const int stem = (int)strcspn(file, "_");
    snprintf(label_file, sizeof label_file, "%.*s_label", stem < 48 ? stem : 48, file);
    if (fmp_file_line(folder, label_file, label, sizeof label) || label[0] == '\0')
        snprintf(label, sizeof label, "%.*s", stem < 48 ? stem : 48, file);
    snprintf(name, sizeof name, "%s/%s", chip, label);
    fmp_energy_source *source = fmp_energy_source_add(sources, name, file);
    if (!source)
        return false;
    source->scale = 1e-6;
    source->read = strncmp(file, "energy", 6) == 0 ? read_energy : read_power;
    source->interval_ns = 100000000; /* sensors on a bus take milliseconds */
    snprintf(source->folder, sizeof source->folder, "%s", folder);
    snprintf(source->file, sizeof source->file, "%.60s", file);
    return true;
}

/* A card that tells both tells the same: the mean of the driver's own interval misses less. */
static bool has_average(char **files, size_t count, const char *file)
{
    const size_t stem = strcspn(file, "_");
    for (size_t i = 0; ends_with(file, "_input") && i < count; i++)
        if (strncmp(files[i], file, stem) == 0 && strcmp(files[i] + stem, "_average") == 0)
            return true;
    return false;
}

fmp_energy_found fmp_energy_find_hwmon(fmp_energy_sources *sources, const char *root)
{
    fmp_energy_found found = {0};
    char class_folder[FMP_FILE_PATH_SIZE], folder[FMP_FILE_PATH_SIZE], chip[48], **chips, **files;
    if (!fmp_file_path(class_folder, "%s/sys/class/hwmon", root))
        return found;
    const size_t chip_count = fmp_file_names(class_folder, NULL, &chips);
    for (size_t c = 0; c < chip_count; c++) {
        if (!fmp_file_path(folder, "%s/%s", class_folder, chips[c]))
            continue;
        if (fmp_file_line(folder, "name", chip, sizeof chip) || chip[0] == '\0')
            snprintf(chip, sizeof chip, "%.40s", chips[c]);
        const size_t count = fmp_file_names(folder, is_sensor, &files);
        for (size_t i = 0; i < count; i++)
            if (!has_average(files, count, files[i]))
                found.count += add_sensor(sources, chip, folder, files[i]);
        fmp_file_names_free(files, count);
    }
    fmp_file_names_free(chips, chip_count);
    return found;
}
