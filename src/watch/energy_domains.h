/*
 * The domains that energy.c reads, and the mechanisms that find them, a file each.
 * Thread-safety: one thread at a time.
 */
#ifndef FMP_WATCH_ENERGY_DOMAINS_H
#define FMP_WATCH_ENERGY_DOMAINS_H

#include <stddef.h>

#include "watch/energy_domain.h"
#include "watch/energy_file.h"
#include "watch/facility.h"

typedef struct fmp_energy_source fmp_energy_source;
struct fmp_energy_source {
    char name[128]; /* as in the table */
    fmp_energy_sum sum;
    void (*read)(fmp_energy_source *source, uint64_t now_ns);
    uint64_t interval_ns; /* not read more often: some answers take milliseconds */
    uint64_t read_ns;
    char folder[FMP_FILE_PATH_SIZE], file[64]; /* of sysfs */
    double scale;                              /* of what is read, to joules or watts */
    double range;                              /* of a counter, joules */
    int fd;                                    /* of a perf event; -1 */
};

typedef struct fmp_energy_sources {
    fmp_energy_source *list;
    size_t count, capacity;
} fmp_energy_sources;

/*
 * Adds a source without a reader; NULL when memory is out (it is left out then) or after 512 of them. Valid until
 * the next is added. A name that is taken gets `apart` behind it.
 */
fmp_energy_source *fmp_energy_source_add(fmp_energy_sources *sources, const char *name, const char *apart);
void fmp_energy_sources_free(fmp_energy_sources *sources);

/* What looking for a mechanism gave. */
typedef struct fmp_energy_found {
    size_t count;    /* sources that can be read */
    size_t denied;   /* those that may not be */
    int failure;     /* the first errno value otherwise */
    char path[FMP_FILE_PATH_SIZE]; /* of one that may not be, or failed */
} fmp_energy_found;

/* RAPL in powercap: package-0, package-0/core, psys. */
fmp_energy_found fmp_energy_find_powercap(fmp_energy_sources *sources, const char *root);
/* The same counters as events of the "power" PMU. */
fmp_energy_found fmp_energy_find_perf(fmp_energy_sources *sources, const char *root);
/* Batteries; while they discharge. */
fmp_energy_found fmp_energy_find_batteries(fmp_energy_sources *sources, const char *root);
/* Power and energy sensors of boards and cards. */
fmp_energy_found fmp_energy_find_hwmon(fmp_energy_sources *sources, const char *root);

/* What this process itself took, where the system says so (macOS). Returns how many sources it added. */
size_t fmp_energy_find_process(fmp_energy_sources *sources);

#endif
