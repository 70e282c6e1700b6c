/*
 * One run of this program in a process of its own, and what the system says
 * that it took.
 *
 * Thread-safety: Unsafe.
 */
#ifndef FM_CLI_BENCH_CHILD_H
#define FM_CLI_BENCH_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include "facemirror/error.h"

typedef struct fm_child {
    int exit_code;         /* 128 + the number of the signal that ended it */
    bool stopped;          /* since fm_interrupt_wanted */
    double seconds;        /* from its start to its end, to about 10 ms */
    double cpu_seconds;    /* user and system, all threads */
    int64_t peak_rss_bytes;
    double others_share;   /* of the processors' time that other programs took meanwhile; NAN: not known */
    char message[FM_ERROR_MESSAGE_MAX]; /* the last line that it wrote to stderr */
} fm_child;

/*
 * Starts this program with the arguments (NULL-terminated, the first is its name), without input and output, stderr to
 * the file `errors`. Once a signal to end is noted (fm_interrupt_wanted), the child gets SIGTERM and, when it does not
 * end soon, SIGKILL. FM_E_INTERNAL or FM_E_NO_MEMORY when it cannot be started.
 */
fm_status fm_child_run(const char *const *arguments, const char *errors, fm_child *out, fm_error *err);

#endif
