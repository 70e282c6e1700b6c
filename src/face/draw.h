/*
 * Drawing into YUV420P pictures for the debug video: dots, lines, filled
 * rectangles and a small built-in bitmap font (ASCII). Everything is clipped.
 *
 * Thread-safety: Safe on distinct pictures.
 */
#ifndef FM_FACE_DRAW_H
#define FM_FACE_DRAW_H

#include "midline.h"
#include "pose.h"

typedef struct fm_colour {
    uint8_t r, g, b;
} fm_colour;

void fm_draw_dot(fm_image *image, double x, double y, double radius, fm_colour colour);
void fm_draw_line(fm_image *image, double x0, double y0, double x1, double y1, double width,
                  fm_colour colour);
void fm_draw_rect(fm_image *image, int x, int y, int width, int height, fm_colour colour, double opacity);
/* height: of a capital letter, pixels. Returns the x after the last letter. */
int fm_draw_text(fm_image *image, int x, int y, int height, const char *text, fm_colour colour);

/*
 * The debug overlay of one frame: landmarks (yellow; midline landmarks green), the midline (red) over
 * the whole frame, and a banner with yaw, pitch and roll: green up to 3 degrees of
 * yaw ("optimal"), yellow up to 5 ("acceptable"), red beyond ("excessive"),
 * grey with "no face" when points is NULL. Sizes scale with the picture.
 */
void fm_draw_debug(fm_image *image, const fm_point3 *points, const fm_topology *topology,
                   const fm_line *line, const fm_pose *pose);

#endif
