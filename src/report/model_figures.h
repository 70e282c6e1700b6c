/* Figures of the MODELS section as text. Internal to the report module. */
#ifndef FM_REPORT_MODEL_FIGURES_H
#define FM_REPORT_MODEL_FIGURES_H

#include <stdint.h>

#include "export/figures.h"
#include "report/report.h"

/* "31.0%" of a whole; "n/a" without one. */
void fm_figure_percent(char out[FMP_TIME_TEXT_SIZE], double part, double whole);
/* "107.0 ms"; "n/a" when there is none. */
void fm_figure_ms(char out[FMP_TIME_TEXT_SIZE], double seconds);
/* A text that is not there: the other. */
const char *fm_figure_text(const char *text, const char *otherwise);
/* Nanoseconds, summed over samples, as seconds a run. */
double fm_figure_per_run(uint64_t nanoseconds, uint64_t samples);
/* What boundaries cost between nodes: copies are nodes themselves. */
uint64_t fm_nodes_gap_ns(const fm_report_nodes *nodes);

#endif
