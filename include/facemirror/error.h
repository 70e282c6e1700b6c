/*
 * Errors of facemirror: a status and one sentence that says what failed, on
 * what, and what to do about it.
 *
 * Every function that can fail returns an fm_status (or NULL/negative where
 * its comment says so) and takes an optional `fm_error *` as its last
 * argument. On success the fm_error is left untouched. The first error wins:
 * callers pass the same fm_error down and return the status they got.
 *
 * The process exit code of a run is fm_exit_code(status).
 */
#ifndef FACEMIRROR_ERROR_H
#define FACEMIRROR_ERROR_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Names the one extension used here: printf-style argument checking. */
#if defined(__GNUC__) || defined(__clang__)
#define FM_PRINTF(format_index, first_arg) \
    __attribute__((format(printf, format_index, first_arg)))
#else
#define FM_PRINTF(format_index, first_arg)
#endif

typedef enum fm_status {
    FM_OK = 0,
    FM_E_INTERNAL = -1,    /* a bug of ours, or a library failed without cause */
    FM_E_USAGE = -2,       /* wrong option or argument */
    FM_E_NOT_FOUND = -3,   /* an input file is missing or may not be read */
    FM_E_BAD_INPUT = -4,   /* the input is there but is not what it must be */
    FM_E_NO_FACE = -5,     /* no face in the whole clip */
    FM_E_OUTPUT = -6,      /* an output cannot be created or written */
    FM_E_NO_SPACE = -7,    /* the disk (or quota) is full */
    FM_E_MODEL = -8,       /* a model is missing, broken or of the wrong shape */
    FM_E_RUNTIME = -9,     /* inference runtime or encoder missing or refused */
    FM_E_NO_MEMORY = -10,  /* an allocation failed */
    FM_E_EXISTS = -11,     /* outputs are there already and --overwrite was not given */
    FM_E_DAMAGED = -12,    /* outputs are whole, but part of the input was unreadable */
    FM_E_INTERRUPTED = -13, /* stopped by the user; outputs hold what was done */
    FM_E_WORSE = -20       /* compare: slower, or results farther apart, than was allowed */
} fm_status;

enum { FM_ERROR_MESSAGE_MAX = 1024 };

typedef struct fm_error {
    fm_status status;                   /* FM_OK until an error is set */
    char message[FM_ERROR_MESSAGE_MAX]; /* UTF-8, one sentence, no newline */
} fm_error;

/*
 * Sets *err (may be NULL) unless it already holds an error, and returns
 * `status`, so that a caller can write `return fm_fail(err, ...)`. The message
 * is cut, never overrun. Thread-safety: Safe on distinct fm_error objects.
 */
fm_status fm_fail(fm_error *err, fm_status status, const char *format, ...) FM_PRINTF(3, 4);

/*
 * Maps an errno value to FM_E_NO_SPACE (ENOSPC, EDQUOT), FM_E_NO_MEMORY
 * (ENOMEM) or else `otherwise`.
 */
fm_status fm_status_from_errno(int errnum, fm_status otherwise);

/*
 * Exit code of a process that ends with `status`: 0 for FM_OK, 130 for
 * FM_E_INTERRUPTED (as shells report Ctrl-C), else the negated value (1..12, 20).
 */
int fm_exit_code(fm_status status);

/* A short constant name, for JSON and logs, such as "no_face". */
const char *fm_status_name(fm_status status);

#ifdef __cplusplus
}
#endif
#endif
