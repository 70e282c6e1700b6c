/* Figures of a comparison as text, for its text and Markdown forms. Internal to the module. Thread-safety: Safe. */
#ifndef FM_ADVICE_COMPARE_FORMAT_H
#define FM_ADVICE_COMPARE_FORMAT_H

#include "advice/compare.h"

enum { FM_CELL = 48, FM_COMPARE_SMALL_ROWS = 12 };

typedef struct fm_compare_cells {
    char base[FM_CELL], now[FM_CELL], ratio[FM_CELL], interval[FM_CELL], p[FM_CELL];
    const char *verdict; /* for people */
} fm_compare_cells;

void fm_compare_format(const fm_compare_row *row, fm_compare_cells *out);
/* Whether a row is worth a line: it changed, or is among the large ones. */
bool fm_compare_shown(const fm_compare_row *row);
/* "12.3 %" */
void fm_compare_percent(char out[FM_CELL], double share);

#endif
