/*
 * The system's side of a run: what a system profiler would be started for,
 * taken by the program itself while it runs, and tied to the operations that
 * were open at the time.
 *
 *     fmp_system *system = fmp_system_start(NULL);
 *     ...                                       // the work, in scopes
 *     fmp_system_report *report = fmp_system_stop(&system, frames);
 *     fmp_print_system_text(stdout, report);
 *     fmp_system_report_free(&report);
 *
 * A facility that the system refuses is left out, never an error: the report's
 * first table says what ran, by which mechanism, what was refused and how to
 * permit it. Everything else is in tables too, so that one piece of code
 * prints, stores and merges any of them.
 *
 * A library of its own (pkg-config: fmprof-system): libfmprof needs the C
 * library alone, this one reads symbols with elfutils' libdw where it was
 * built with it.
 */
#ifndef FMPROF_SYSTEM_H
#define FMPROF_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "api.h"
#include "fmprof.h"

#ifdef __cplusplus
extern "C" {
#endif
FMP_API_BEGIN

/* --- facilities ------------------------------------------------------------- */

typedef enum fmp_facility {
    FMP_SYSTEM_CPU = 1 << 0,      /* CPU time, switches, waits of threads; CPU against wall time of operations */
    FMP_SYSTEM_MEMORY = 1 << 1,   /* resident size, page faults; with libfmprof-alloc.so preloaded allocations, leaks */
    FMP_SYSTEM_SAMPLE = 1 << 2,   /* call stacks where CPU time goes */
    FMP_SYSTEM_SYSCALLS = 1 << 3, /* system calls, by a helper process that traces this one: slow, hence not usual */
    FMP_SYSTEM_GPU = 1 << 4,      /* use, memory and power of NVIDIA devices */
    FMP_SYSTEM_ENERGY = 1 << 5    /* energy counters of processor and battery: of the whole machine */
} fmp_facility;
enum {
    FMP_SYSTEM_ALL = (1 << 6) - 1,
    FMP_SYSTEM_USUAL = FMP_SYSTEM_ALL & ~FMP_SYSTEM_SYSCALLS,
    FMP_SYSTEM_FACILITIES = 6
};

/* "cpu", "memory", "sample", "syscalls", "gpu", "energy"; NULL for what is not one facility. Thread-safety: Safe. */
const char *fmp_facility_name(unsigned facility);

typedef struct fmp_system_options {
    unsigned facilities;          /* fmp_facility bits; 0: FMP_SYSTEM_USUAL */
    unsigned readings_hz;         /* of threads, memory, devices; 0: 20; at most 1000 */
    unsigned samples_hz;          /* per second of CPU time of each thread; 0: 199; at most 10000 */
    bool sample_by_timer;         /* never by perf_event_open */
    uint64_t allocation_interval; /* a stack every so many bytes; 0: 512 KiB; 1: of every allocation (exact) */
} fmp_system_options;

/*
 * Allocations are seen when libfmprof-alloc.so is preloaded, which the loader
 * does at a program's start only. This restarts the running program with it:
 * call it first in main, before threads are made and files are opened, with
 * the argv of main. It does not return when it restarts the program. In the
 * program that was restarted, and in one that was started with LD_PRELOAD, it
 * returns 0; LD_PRELOAD is then as it was before, so that children do not
 * inherit it. At most one restart: where that changed nothing, it says so.
 *
 * `library`: its path; NULL: the environment's FMPROF_ALLOC_LIBRARY, else
 * libfmprof-alloc.so beside the program, in ../lib, ../lib64 and the libdir
 * that this library was built for, or where the build puts it.
 *
 * Otherwise an errno value, and the program goes on without: ENOENT (not
 * found), EINVAL (a space or colon in the path, which LD_PRELOAD cannot say),
 * ENOTSUP (a memory checker or sanitizer has the allocator, or not Linux),
 * EPERM (restarted, but the loader did not preload it: a set-user-ID program),
 * or what execve says. The row "allocations and leaks" of the table
 * "facilities" says the same in words. Thread-safety: Not safe (the environment).
 */
int fmp_alloc_preload(const char *library, char **argv);

/* --- the report --------------------------------------------------------------- */

typedef enum fmp_column_kind {
    FMP_COLUMN_TEXT = 0,
    FMP_COLUMN_COUNT,   /* whole, 0 or more */
    FMP_COLUMN_BYTES,   /* whole; negative in a change */
    FMP_COLUMN_SECONDS,
    FMP_COLUMN_JOULES,
    FMP_COLUMN_WATTS,
    FMP_COLUMN_SHARE    /* 1 is all of it; may be above where several processors add up */
} fmp_column_kind;

/* How rows of several runs become one. Rows with equal FMP_MERGE_KEY columns are one row. */
typedef enum fmp_column_merge {
    FMP_MERGE_KEY = 0, /* text columns only */
    FMP_MERGE_FACT,    /* text columns only: kept where all agree, else "" */
    FMP_MERGE_SUM,
    FMP_MERGE_MAX,
    FMP_MERGE_RATIO    /* not stored: column `of` divided by column `per`, not a number where that is 0 */
} fmp_column_merge;

typedef struct fmp_column {
    const char *key;   /* in JSON: "cpu_seconds" */
    const char *title; /* over the column: "CPU" */
    fmp_column_kind kind;
    fmp_column_merge merge;
    int of, per; /* of a ratio: indices of columns before it */
} fmp_column;

typedef union fmp_cell {
    const char *text; /* never NULL; UTF-8 is not promised */
    double number;    /* not a number: not known */
} fmp_cell;

typedef struct fmp_table {
    const char *key;    /* in JSON: "threads" */
    const char *title;  /* over the table: "Threads" */
    const char *note;   /* one sentence under it, how to read it; "": none */
    const fmp_column *columns;
    size_t column_count;
    const fmp_cell *cells; /* row by row */
    size_t row_count;
} fmp_table;

/* One kind of call stack that was counted: the samples of an operation, innermost frame first. */
typedef struct fmp_stack {
    const char *operation;     /* "" outside of any scope */
    const char *const *frames; /* "function", or "module+0x1f" */
    size_t frame_count;
    uint64_t count;
} fmp_stack;

typedef struct fmp_system_report {
    const fmp_table *tables; /* "facilities" is the first */
    size_t table_count;
    const fmp_stack *stacks; /* of FMP_SYSTEM_SAMPLE */
    size_t stack_count;
    void *memory; /* private: what the pointers above point into */
} fmp_system_report;

/* --- a run --------------------------------------------------------------------- */

typedef struct fmp_system fmp_system;

/*
 * Starts watching; `options` may be NULL. Call it on the main thread before
 * others are made and outside of scopes: threads that exist are found, but
 * what they did before is not. One at a time in a process. NULL with errno:
 * EBUSY when one is running, ENOMEM, EAGAIN when no thread can be made.
 */
fmp_system *fmp_system_start(const fmp_system_options *options);

/*
 * Stops watching and gives what was seen. `units` is what energy is divided by
 * (frames; 0: not divided). *system is NULL afterwards; NULL and *NULL are
 * fine. NULL with errno: ENOMEM; ECHILD in a forked child, whose parent's the
 * watch is (it may start one of its own). Free with fmp_system_report_free.
 */
fmp_system_report *fmp_system_stop(fmp_system **system, uint64_t units);
void fmp_system_report_free(fmp_system_report **report); /* NULL and *NULL are fine */

/* The table of that key; NULL when the report has none. Thread-safety: Safe. */
const fmp_table *fmp_system_table(const fmp_system_report *report, const char *key);
/* The index of a column; -1 when the table has none. Thread-safety: Safe. */
int fmp_table_column(const fmp_table *table, const char *key);
/* A number of a row, ratios included; not a number for text and where it is not known. Thread-safety: Safe. */
double fmp_table_number(const fmp_table *table, size_t row, int column);
/* A text of a row; "" for numbers. Thread-safety: Safe. */
const char *fmp_table_text(const fmp_table *table, size_t row, int column);

/* --- printing: 0, or -1 when the stream failed or memory is out ------------------- */

/* All tables for people. */
int fmp_print_system_text(FILE *out, const fmp_system_report *report);
/* Collapsed stacks for flame graphs, a root for each operation: "operation;outer;inner count". */
int fmp_print_system_folded(FILE *out, const fmp_system_report *report);
/* speedscope's JSON, one sampled profile for each operation. */
int fmp_print_system_speedscope(FILE *out, const fmp_system_report *report, const char *title);

FMP_API_END
#ifdef __cplusplus
}
#endif
#endif
