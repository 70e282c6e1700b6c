/*
 * How a picture must be turned to be upright, from a display matrix.
 *
 * Thread-safety: Safe (plain values).
 */
#ifndef FM_VIDEO_ORIENTATION_H
#define FM_VIDEO_ORIENTATION_H

#include <stdbool.h>
#include <stdint.h>

/* First flip (left and right swapped) when `flip`, then turn clockwise by `rotation` degrees. */
typedef struct fm_orientation {
    int rotation; /* 0, 90, 180, 270 */
    bool flip;
} fm_orientation;

/*
 * Nearest orientation for a 3x3 display matrix as in ISO/IEC 14496-12, 8.3.2
 * (libavutil/display.h: a b u / c d v / x y w, x' = a x + c y, y' = b x + d y,
 * y down). NULL or a singular matrix: upright.
 */
fm_orientation fm_orientation_from_matrix(const int32_t *matrix);

static inline bool fm_orientation_is_upright(fm_orientation o)
{
    return o.rotation == 0 && !o.flip;
}

#endif
