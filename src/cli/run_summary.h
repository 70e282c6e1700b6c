/* What `facemirror run` says at the end: the outputs as text, or everything as JSON. */
#ifndef FM_CLI_RUN_SUMMARY_H
#define FM_CLI_RUN_SUMMARY_H

#include <stdio.h>

#include "facemirror/run.h"

/* One line an output: its path and what it is. */
void fm_run_print_outputs(FILE *out, const fm_run_summary *summary);

/* {"facemirror": VERSION, "runs": [{...}, ...]}: one object a clip; docs/cli.md. */
typedef struct fm_run_json fm_run_json;
fm_run_json *fm_run_json_create(void); /* NULL: out of memory */
void fm_run_json_add(fm_run_json *json, const char *input, fm_status status, int exit_code,
                     const fm_error *err, const fm_run_summary *summary);
/* Prints and frees. FM_E_NO_MEMORY when a run is missing in it, FM_E_OUTPUT or FM_E_NO_SPACE when the stream failed. */
fm_status fm_run_json_finish(fm_run_json **json, FILE *out, fm_error *err);

#endif
