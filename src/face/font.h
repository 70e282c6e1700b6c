/*
 * The bitmap font of the debug overlay: printable ASCII in cells of 5 x 9
 * dots, seven rows above the baseline (the height of a capital) and two below.
 *
 * Thread-safety: Safe (constant data).
 */
#ifndef FM_FACE_FONT_H
#define FM_FACE_FONT_H

#include <stdint.h>

enum {
    FM_FONT_FIRST = ' ',
    FM_FONT_LAST = '~',
    FM_FONT_COLUMNS = 5,
    FM_FONT_ROWS = 9,
    FM_FONT_CAPITAL = 7, /* rows of a capital letter */
    FM_FONT_ADVANCE = 6  /* columns from one letter to the next */
};

/* Rows from the top; bit 4 is the left column. */
extern const uint8_t fm_font[FM_FONT_LAST - FM_FONT_FIRST + 1][FM_FONT_ROWS];

#endif
