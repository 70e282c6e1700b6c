#include "cli/system_option.h"

#include <string.h>

#include "cli/cli.h"

/* The facilities of one name; 0: it is none. */
static unsigned facilities_named(const char *name, size_t length)
{
    static const struct {
        const char *name;
        unsigned facilities;
    } groups[] = {{"usual", FMP_SYSTEM_USUAL}, {"all", FMP_SYSTEM_ALL}};
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        if (strlen(groups[i].name) == length && strncmp(groups[i].name, name, length) == 0)
            return groups[i].facilities;
    for (int i = 0; i < FMP_SYSTEM_FACILITIES; i++) {
        const char *known = fmp_facility_name(1u << i);
        if (strlen(known) == length && strncmp(known, name, length) == 0)
            return 1u << i;
    }
    return 0;
}

int fm_cli_system_list(const char *list, fm_run_options *options)
{
    options->watch_system = true;
    for (const char *name = list ? list : "usual";;) {
        const size_t length = strcspn(name, ",");
        const unsigned named = facilities_named(name, length);
        if (named == 0)
            return fm_cli_usage("run", "--system does not know '%.*s'; it takes cpu, memory, sample, syscalls, gpu, "
                                       "energy, usual (all but syscalls) and all, several by comma",
                                (int)(length < 100 ? length : 100), name);
        options->system.facilities |= named;
        if (!name[length])
            return -1;
        name += length + 1;
    }
}

bool fm_cli_system_alloc(const char *text, fm_run_options *options)
{
    static const struct {
        const char *unit;
        int64_t bytes;
    } units[] = {{"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}};
    enum { NUMBER_SIZE = 24 };
    char number[NUMBER_SIZE];
    const size_t digits = strspn(text, "0123456789");
    int64_t count = 0;
    if (strcmp(text, "exact") == 0) {
        options->system.allocation_interval = 1;
        return true;
    }
    if (digits == 0 || digits >= sizeof number)
        return false;
    memcpy(number, text, digits);
    number[digits] = '\0';
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text + digits, units[i].unit) != 0)
            continue;
        if (!fm_cli_count(number, INT64_MAX / units[i].bytes, &count) || count < 1)
            return false;
        options->system.allocation_interval = (uint64_t)(count * units[i].bytes);
        return true;
    }
    return false;
}

bool fm_cli_system_rate(const char *text, fm_run_options *options)
{
    enum { RATE_MAX = 10000 }; /* as fmp_system_options */
    int64_t count;
    if (!fm_cli_count(text, RATE_MAX, &count) || count < 1)
        return false;
    options->system.samples_hz = (unsigned)count;
    return true;
}

int fm_cli_system_check(const fm_run_options *options)
{
    const unsigned watched = options->watch_system ? options->system.facilities : 0;
    if (options->system.allocation_interval > 0 && !(watched & FMP_SYSTEM_MEMORY))
        return fm_cli_usage("run", "--system-alloc is for --system with 'memory' in it");
    if (options->system.samples_hz > 0 && !(watched & FMP_SYSTEM_SAMPLE))
        return fm_cli_usage("run", "--system-rate is for --system with 'sample' in it");
    return -1;
}

void fm_cli_system_restart(const fm_run_options *options)
{
    if (options->watch_system && (options->system.facilities & FMP_SYSTEM_MEMORY) && fm_cli_arguments)
        (void)fmp_alloc_preload(NULL, fm_cli_arguments); /* why it did not stands in the report */
}
