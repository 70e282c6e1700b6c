/*
 * A trace file as its writer sees it (trace_format.h): made, grown by areas,
 * finished. All room is allocated on disk before it is mapped, since a store
 * to a page that finds no room would kill the program (SIGBUS).
 *
 * Thread-safety: Unsafe, the caller locks; stores into the areas need no lock.
 */
#ifndef FMP_TRACE_FILE_H
#define FMP_TRACE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "trace_format.h"

typedef struct fmp_trace_file {
    int fd;
    fmp_trace_file_header *header; /* mapped, with the table behind it */
    fmp_trace_file_area *table;
    uint64_t header_size; /* of the mapping */
    uint64_t end;         /* where the next area goes */
    fmp_trace_file_names *names; /* the newest area of names, mapped; NULL before the first */
    uint64_t names_size;
    uint32_t name_areas;
} fmp_trace_file;

/* What a trace begins with. */
typedef struct fmp_trace_file_start {
    uint64_t ticks;
    uint64_t unix_ns;
    double ns_per_tick;
    uint32_t events_per_thread, threads_max, full;
} fmp_trace_file_start;

/*
 * Makes the file: one that is there is unlinked, not overwritten, since
 * another process may have it mapped. 0 or an errno value.
 */
int fmp_trace_file_create(fmp_trace_file *file, const char *path,
                          const fmp_trace_file_start *start);

/*
 * Adds an area of at least `size` bytes (the size it got is stored there) and
 * maps it, zeroed; the file counts it when fmp_trace_file_commit_area is
 * called, the caller having filled in its header. NULL with errno. The caller
 * unmaps it.
 */
void *fmp_trace_file_add_area(fmp_trace_file *file, uint32_t type, uint64_t *size);
void fmp_trace_file_commit_area(fmp_trace_file *file);

/* Appends a name. 0 or an errno value (counted in the file). */
int fmp_trace_file_add_name(fmp_trace_file *file, uint32_t name, const char *category,
                            const char *operation, const char *unit);

/*
 * Marks the file as complete and, when `move` is set, moves its areas together
 * and cuts off the rest; then no area may be mapped for writing any more but
 * the header and the names. A crash meanwhile leaves a readable file. 0 or an
 * errno value.
 */
int fmp_trace_file_finish(fmp_trace_file *file, double ns_per_tick, bool move);

/* Gives the names' mapping and the descriptor back; the header stays mapped. */
void fmp_trace_file_close(fmp_trace_file *file);
void fmp_trace_file_unmap_header(fmp_trace_file *file);

#endif
