/* The parts of the text report (fmprof/export.h); each writes to a stream whose errors the caller checks. */
#ifndef FMP_EXPORT_TEXT_H
#define FMP_EXPORT_TEXT_H

#include <stdio.h>

#include "fmprof/export.h"

enum { FMP_TEXT_COLUMNS = 80, FMP_NAME_COLUMNS = 30, FMP_LABEL_COLUMNS = 22 };

/* A rule over the report's width: double or single lines. */
void fmp_text_rule(FILE *out, bool heavy, bool utf8);

/* A rule of `columns` columns and nothing behind it, for table heads. */
void fmp_text_dashes(FILE *out, int columns, bool utf8);

/* Dashes under a table head: the name's column and `count` columns more, each after a space. */
void fmp_text_head_rule(FILE *out, const int *columns, size_t count, bool utf8);

/* A title between single rules. */
void fmp_text_section(FILE *out, const char *title, bool utf8);

/*
 * Running text that begins at `column`, where the stream stands, and goes on there line by line, `columns` wide; ends
 * its last line. What is wider than a line is broken.
 */
void fmp_text_wrapped(FILE *out, const char *text, int column, int columns);

/*
 * The sections behind the categories, each only when there is something to
 * show: wall time, waiting, memory, metrics, threads, profiler.
 */
void fmp_text_wall(FILE *out, const fmp_snapshot *snapshot, const fmp_text_options *options);
void fmp_text_waiting(FILE *out, const fmp_snapshot *snapshot, bool utf8);
void fmp_text_memory(FILE *out, const fmp_snapshot *snapshot, bool utf8);
void fmp_text_metrics(FILE *out, const fmp_snapshot *snapshot, const fmp_text_options *options);
void fmp_text_threads(FILE *out, const fmp_snapshot *snapshot, const fmp_text_options *options);
void fmp_text_profiler(FILE *out, const fmp_snapshot *snapshot, const fmp_text_options *options);

#endif
