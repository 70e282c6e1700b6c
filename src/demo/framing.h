/*
 * Where the still's face stands in the clip's frame: the zoom, and the map
 * between deformed still and output picture at each moment.
 *
 * The face (bounding box of its landmarks) takes 45 % of the frame's width.
 * It stands as near to the usual portrait place (middle, 45 % from the top) as
 * the motion over the whole clip lets it without showing what lies outside the
 * still; when the still is too small for that, as little of the outside as
 * possible is shown (and filled from its edge by the renderer).
 *
 * Thread-safety: Safe (pure functions).
 */
#ifndef FM_DEMO_FRAMING_H
#define FM_DEMO_FRAMING_H

#include "timeline.h"

typedef struct fm_framing {
    int width, height;   /* of the clip */
    double zoom;         /* clip pixels per still pixel, head scale 1 */
    fm_vec2 pivot;       /* still: the head turns about it */
    fm_vec2 place;       /* clip: where the pivot is when the head is still */
    fm_warp_rect needed; /* still: all that any frame shows, before clamping to the still */
} fm_framing;

/* The similarity from the (deformed) still to the clip: rotation by `turn` times `scale`. */
typedef struct fm_view {
    fm_vec2 from, to;
    double a, b; /* scale * cos, scale * sin */
} fm_view;

/* False when the face has no width. */
bool fm_framing_fit(fm_framing *framing, const fm_point3 *points, int count, int still_width,
                    int still_height, int width, int height);

fm_view fm_framing_view(const fm_framing *framing, const fm_head_motion *head);
fm_vec2 fm_view_forward(const fm_view *view, fm_vec2 still);
fm_vec2 fm_view_inverse(const fm_view *view, fm_vec2 clip);

#endif
