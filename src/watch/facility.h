/*
 * A facility of fmp_system_*: one file each, tied together by watch.c.
 *
 * `start` begins, or says why not, in rows of the table "facilities" by
 * fmp_facility_says: one row for each thing that a user would ask for ("CPU
 * time of threads", "migrations"), with the mechanism, and where it is refused
 * the reason and the remedy. It returns the facility's state, or NULL when
 * nothing of it runs. `read` is called by the watching thread readings_hz
 * times a second, and once more at the end, before `stop`. `stop` ends it, adds
 * its tables, and frees the state; it may call fmp_facility_says again
 * ("12 stacks dropped"). start and stop run on the caller's thread.
 *
 * Nothing here may print, abort, or change signal dispositions that the
 * program has set.
 */
#ifndef FMP_WATCH_FACILITY_H
#define FMP_WATCH_FACILITY_H

#include <stdbool.h>
#include <stdint.h>

#include "watch/table.h"

/* What facilities are told of the watch. */
typedef struct fmp_watch_info {
    const char *root;  /* before /proc and /sys: "" but in tests */
    uint64_t watcher;  /* thread id of the watching thread; 0 while `start` runs */
    uint64_t start_ns; /* fmp_now at the start of the watch */
    uint64_t end_ns;   /* at its end; 0 before */
    uint64_t units;    /* as fmp_system_stop was told; 0 before */
} fmp_watch_info;

typedef struct fmp_facility_calls {
    unsigned facility; /* its fmp_facility bit */
    void *(*start)(const fmp_system_options *options, const fmp_watch_info *info, fmp_tables *tables);
    void (*read)(void *state, const fmp_watch_info *info, uint64_t now_ns); /* NULL: needs none */
    void (*stop)(void *state, const fmp_watch_info *info, fmp_tables *tables);
    /* What happens from now on is the program's, or no longer: told when all have started, and before any stops. NULL: need not know. */
    void (*count)(void *state, const fmp_watch_info *info, bool on);
} fmp_facility_calls;

extern const fmp_facility_calls fmp_facility_cpu, fmp_facility_memory, fmp_facility_sample, fmp_facility_syscalls,
    fmp_facility_gpu, fmp_facility_energy;

typedef enum fmp_facility_state {
    FMP_STATE_ON = 0,
    FMP_STATE_NOT_PERMITTED, /* the system could, but this user may not: `remedy` says how */
    FMP_STATE_NOT_HERE,      /* the system or the device is not of that kind, or the library was built without it */
    FMP_STATE_OFF            /* not asked for */
} fmp_facility_state;

/*
 * Adds a row to the table "facilities". `what`: "CPU time of threads"; `how`:
 * mechanism and parameters, or the reason; `remedy`: what to do, "" where nothing can be.
 * Texts are copied. May be called while another table is begun.
 */
void fmp_facility_says(fmp_tables *tables, unsigned facility, const char *what, fmp_facility_state state,
                       const char *how, const char *remedy);

/*
 * The operation's name, with its category where two share the name; "(no scope)" for 0, "(profiler)" with
 * FMP_OPERATION_OWN. Lives as long as the process or the tables.
 */
const char *fmp_operation_text(fmp_tables *tables, uint32_t number);

#endif
