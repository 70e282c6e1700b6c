/*
 * Draws one frame of the demo clip: for each sample of the output the inverse
 * view and the inverse warp say where it lies in the still, which is read
 * bilinearly from a canvas (the still's visible part, already scaled to about
 * the output's size and converted to the output's colour space, so that
 * bilinear reading neither blurs nor aliases). Where the lids squeeze the eye,
 * a sample covers many rows of the canvas and is averaged over its height.
 * Outside the canvas the nearest edge sample is taken.
 *
 * Thread-safety: Safe on distinct outputs.
 */
#ifndef FM_DEMO_RENDER_H
#define FM_DEMO_RENDER_H

#include "framing.h"

/* Three planes of 8 bits at full resolution (4:4:4). A view: it owns nothing. */
typedef struct fm_canvas {
    const uint8_t *plane[3];
    ptrdiff_t stride[3];
    int width, height;
    double x0, y0;           /* still coordinates of its outer top-left corner */
    double scale_x, scale_y; /* canvas samples per still pixel */
} fm_canvas;

/* `out` is FM_PIXEL_YUV420P with even size; chroma samples are placed by its chroma_site. */
void fm_render_frame(const fm_canvas *canvas, const fm_warp *warp, const fm_warp_amount *amount,
                     const fm_view *view, const fm_image *out);

#endif
