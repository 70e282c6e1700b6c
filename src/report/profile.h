/*
 * A profile as a document: the facts of a run, its machine and build, and the
 * profiler's snapshot. It is written as JSON (docs/profile-json.md), loaded
 * again from a file of any origin, and merged with others.
 *
 * Thread-safety: Safe on distinct objects.
 */
#ifndef FM_REPORT_PROFILE_H
#define FM_REPORT_PROFILE_H

#include "report/report.h"

/* The schema that is written, and the only one that is loaded. */
#define FM_PROFILE_SCHEMA "facemirror-profile/2"

enum {
    FM_PROFILE_BYTES_MAX = 64 << 20,  /* of a file */
    FM_PROFILE_WEIGHT_MAX = 14000000, /* of its values, in some 40 bytes that each takes when parsed */
    FM_PROFILE_DEPTH_MAX = 32
};

/* NULL and 0: not known. */
typedef struct fm_report_machine {
    const char *os, *architecture, *cpu_model;
    int cpu_count;
} fm_report_machine;

typedef struct fm_report_build {
    const char *version, *compiler;
    bool optimised, assertions;
} fm_report_build;

typedef struct fm_profile {
    fm_report_run run; /* run.program_version is build.version */
    fm_report_machine machine;
    fm_report_build build;
    fmp_snapshot *snapshot; /* owned; never NULL in a profile that was loaded or merged */
    fmp_system_report *system; /* owned; what run.system is of a profile that was loaded or merged; NULL: not watched */
    void *memory;           /* private: what the pointers above point into */
} fm_profile;

/*
 * Loads a profile. All is checked: syntax, types, ranges, sizes, that every
 * histogram adds up to its count. FM_E_NOT_FOUND when the file cannot be read,
 * FM_E_BAD_INPUT with what is wrong and where. Members that are not known and
 * those that follow from others (shares, percentiles) are passed over. Free
 * with fm_profile_free.
 */
fm_status fm_profile_load(const char *path, fm_profile **out, fm_error *err);
/* The same from memory; `name` stands for it in errors. */
fm_status fm_profile_parse(const void *data, size_t size, const char *name, fm_profile **out, fm_error *err);

/* Writes a profile as JSON. A profile that was loaded gives the bytes that it was loaded from. */
fm_status fm_profile_write(FILE *out, const fm_profile *profile, fm_error *err);

/*
 * Adds up one or more profiles: the snapshots as fmp_snapshot_merge does,
 * frames and times of the runs by sums, peaks by the largest. A fact in which
 * they differ becomes unknown, and a note says so. One profile alone is copied as it is.
 */
fm_status fm_profile_merge(const fm_profile *const *profiles, size_t count, fm_profile **out, fm_error *err);

void fm_profile_free(fm_profile **profile); /* NULL and *NULL are fine */

#endif
