/*
 * Makes the renderer's canvas out of the decoded still: cuts out what the clip
 * shows, scales it once to the clip's size with a Lanczos filter and converts
 * it to 4:4:4, BT.709, limited range.
 *
 * Thread-safety: Safe on distinct stores.
 */
#ifndef FM_DEMO_CANVAS_H
#define FM_DEMO_CANVAS_H

#include <libavutil/frame.h>

#include "facemirror/error.h"
#include "render.h"

/* Owns the pixels that `view` shows. */
typedef struct fm_canvas_store {
    AVFrame *frame;
    fm_canvas view;
} fm_canvas_store;

/*
 * `still` is yuv420p with the colour tags of `image` (fm_image_from_frame).
 * FM_E_BAD_INPUT when nothing of `needed` lies in the still or the canvas
 * would exceed 8192 pixels a side.
 */
fm_status fm_canvas_make(fm_canvas_store *store, const fm_image *still, const fm_warp_rect *needed,
                         double zoom, fm_error *err);
void fm_canvas_free(fm_canvas_store *store);

#endif
