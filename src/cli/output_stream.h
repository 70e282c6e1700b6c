/*
 * Where a command's result goes: stdout, or a file that gets its name when it
 * is whole.
 *
 * Thread-safety: Unsafe.
 */
#ifndef FM_CLI_OUTPUT_STREAM_H
#define FM_CLI_OUTPUT_STREAM_H

#include <stdio.h>

#include "base/file.h"

typedef struct fm_cli_output {
    FILE *stream;
    fm_outfile file; /* unused for stdout */
} fm_cli_output;

/* `path` NULL or "-": stdout. A file that is there is replaced at the end. */
fm_status fm_cli_output_open(fm_cli_output *output, const char *path, fm_error *err);
/* Ends what was written with `status`: only FM_OK gives the file its name. Returns what is to be returned. */
fm_status fm_cli_output_close(fm_cli_output *output, fm_status status, fm_error *err);

/* The error of a failed write to stdout, from errno. */
fm_status fm_cli_stdout_failed(fm_error *err);
/* Flushes stdout: FM_E_OUTPUT or FM_E_NO_SPACE when not all that was printed got out. */
fm_status fm_cli_flush(fm_error *err);

#endif
