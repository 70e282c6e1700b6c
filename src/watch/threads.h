/*
 * The threads of the process while it is watched: which there were, by name,
 * and what each did since the watch began.
 *
 * Threads that ended count with their last reading. What they did after it is
 * the difference to the process's own figures, a row of its own, so that the
 * table adds up to them. Thread-safety: one thread at a time.
 */
#ifndef FMP_WATCH_THREADS_H
#define FMP_WATCH_THREADS_H

#include "fmprof/current.h"
#include "watch/threads_source.h"

typedef struct fmp_watched {
    uint64_t id;
    char name[FMP_THREAD_NAME_SIZE];
    bool named; /* by the program: the system's name is no better */
    fmp_thread_files files;
    fmp_thread_figures first, last; /* when the watch began, at the last reading */
    uint64_t since_ns, until_ns;    /* what the figures are of: from when it was not there yet, or the watch began */
    uint64_t full_ns;               /* when all figures were read */
    unsigned readings;
    const fmp_metric *track; /* its line in a trace; NULL: none yet */
    unsigned track_number;   /* of those with its name; 0: none */
    double track_cpu_ns;
    int64_t track_value;
} fmp_watched;

typedef struct fmp_threads {
    fmp_thread_source *source;
    fmp_watched *living; /* by rising id */
    size_t living_count, living_room;
    fmp_watched *ended;
    size_t ended_count, ended_room;
    fmp_thread_figures others; /* sums of ended threads that are not kept one by one */
    uint64_t others_wall_ns;
    fmp_thread_current *current; /* the profiler's, as at the last reading */
    size_t current_count, current_room;
    uint64_t now_ns, before_ns; /* the last reading and the one before */
} fmp_threads;

/* False when memory is out; then there is nothing to free. `root` must outlive it. */
bool fmp_threads_create(fmp_threads *threads, const char *root);
void fmp_threads_free(fmp_threads *threads);

/* Finds the threads and reads them: what they did so far does not count. */
void fmp_threads_begin(fmp_threads *threads, uint64_t now_ns);
/* Reads the quick figures once more, next to a reading of the process; `begins`: they count from here. */
void fmp_threads_settle(fmp_threads *threads, bool begins);
/* Asks the profiler which threads record and what is open there: `current`. */
void fmp_threads_ask(fmp_threads *threads);
/*
 * The next reading, after fmp_threads_ask; `all`: of all figures. `watcher` is
 * the id of the watching thread, which gets a name of its own; 0: none.
 */
void fmp_threads_read(fmp_threads *threads, uint64_t now_ns, uint64_t watcher, bool all);

/* The living thread of an id; NULL: not found yet. */
fmp_watched *fmp_threads_find(const fmp_threads *threads, uint64_t id);

/* Fills the table "threads"; `process`: what the whole process did (ready_ns and migrations are not read). */
void fmp_threads_table(const fmp_threads *threads, const fmp_thread_figures *process, fmp_tables *tables);

#endif
