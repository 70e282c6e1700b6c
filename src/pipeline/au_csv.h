/*
 * The table of action units: OpenFace 2's columns, and behind them emotion and
 * gaze where a network gives them. docs/cli.md describes the columns. An empty
 * cell is how tables say "not measured": nothing is invented.
 *
 * Thread-safety: Safe on distinct files.
 */
#ifndef FM_PIPELINE_AU_CSV_H
#define FM_PIPELINE_AU_CSV_H

#include <stdio.h>

#include "pipeline/au_spool.h"

/* Errors stay with the file: ferror. */
void fm_au_csv_header(FILE *csv, bool with_emotion);
/* `units` is not looked at in a row without success; NaN in it is an empty cell. */
void fm_au_csv_row(FILE *csv, const fm_au_row *row, const fm_au_result *units, bool with_emotion);

#endif
