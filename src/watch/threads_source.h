/*
 * What the system tells of the threads of this process: which there are, and
 * figures of each. Linux: <root>/proc/self/task, of which every file may be
 * absent, and CPU clocks; macOS: the kernel's thread_info.
 *
 * Quick figures cost a system call or two and are for every reading, full ones
 * some ten microseconds. Thread-safety: one thread at a time.
 */
#ifndef FMP_WATCH_THREADS_SOURCE_H
#define FMP_WATCH_THREADS_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "watch/table.h"

/* Since the thread began; not a number where the system does not tell. */
typedef struct fmp_thread_figures {
    double cpu_ns, ready_ns; /* ready: for a processor that was not free */
    double voluntary, involuntary, migrations, major_faults;
} fmp_thread_figures;

enum { FMP_THREAD_NAME_SIZE = 32 };

/* Files that stay open from reading to reading; -1: not open. */
typedef struct fmp_thread_files {
    int schedstat, syscall;
} fmp_thread_files;
#define FMP_NO_THREAD_FILES ((fmp_thread_files){-1, -1})

typedef struct fmp_thread_source fmp_thread_source;

/* `root` stands before /proc and must outlive the source. NULL when memory is out. */
fmp_thread_source *fmp_thread_source_create(const char *root);
void fmp_thread_source_free(fmp_thread_source **source);

/* Calls `found` with the id of each thread; false when the system does not list them. */
bool fmp_thread_source_each(fmp_thread_source *source, void (*found)(void *context, uint64_t id), void *context);

/* Updates what is quick: cpu_ns, ready_ns. False: there is no such thread any more. */
bool fmp_thread_source_quick(fmp_thread_source *source, uint64_t id, fmp_thread_files *files,
                             fmp_thread_figures *figures);
/* Updates the rest, and the name that the system knows. */
void fmp_thread_source_full(fmp_thread_source *source, uint64_t id, fmp_thread_figures *figures,
                            char name[FMP_THREAD_NAME_SIZE]);

/* Figures of a thread that has done nothing yet: 0 for what this system tells, else not a number. */
fmp_thread_figures fmp_thread_source_none(const fmp_thread_source *source);

/* Closes what is open. */
void fmp_thread_source_close(fmp_thread_source *source, fmp_thread_files *files);

/* What a thread is doing at this moment. */
typedef enum fmp_thread_doing {
    FMP_DOING_RUNNING = 0, /* or ready to */
    FMP_DOING_LOCK,
    FMP_DOING_SLEEP,
    FMP_DOING_IO,
    FMP_DOING_POLL,
    FMP_DOING_OTHER,
    FMP_DOING_COUNT,
    FMP_DOING_UNKNOWN = FMP_DOING_COUNT /* the system does not tell, or the thread is gone */
} fmp_thread_doing;
fmp_thread_doing fmp_thread_source_doing(fmp_thread_source *source, uint64_t id, fmp_thread_files *files);

/* Rows of the table "facilities": what is read how, what not and why. */
void fmp_thread_source_says(const fmp_thread_source *source, fmp_tables *tables, unsigned readings_hz);

#endif
