/*
 * The demo clip's expressions as an invertible warp of a still portrait:
 * blink, brow raise, smile of either side. Pure geometry: knows no pixels.
 *
 * All coordinates are continuous pixels of the still (face/image.h). Each
 * expression is a warp of its own, one-to-one at every amount, and the
 * face's warp is their chain:
 *
 *     forward:  still -> blink -> brows -> smile -> deformed face
 *     inverse:  deformed face -> smile -> brows -> blink -> still
 *
 * The blink is closed-form in both directions up to a Newton step; brows and
 * smile are closed-form in the inverse direction, which rendering asks for
 * each pixel, and fixed-point iterations of a contraction forward (below 1e-6
 * pixels). Outside fm_warp_bounds the warp is the identity to the last bit.
 *
 * The mouth has both directions on each side: portraits smile, and a smile that
 * only grows from there is beyond what landmark networks follow (FaceMesh stops
 * at half of it), so the clip rests with both corners drawn in and down, -1,
 * and one-sided smiles rise from there.
 *
 * Full amounts, in parts of the distance between the outer eye corners: brows
 * 0.085 up, mouth corner 0.075 up and outwards (and as much down and inwards),
 * the cheek a third of that. Strong but natural.
 *
 * Thread-safety: Safe on a created warp.
 */
#ifndef FM_DEMO_WARP_H
#define FM_DEMO_WARP_H

#include <stdbool.h>

#include "curve.h"
#include "face/image.h"
#include "face/topology.h"
#include "facemirror/run.h" /* fm_side */

typedef struct fm_vec2 {
    double x, y;
} fm_vec2;

/* A frame of reference: `origin` and the unit axis that counts as x; y is 90 degrees clockwise of it (down). */
typedef struct fm_warp_frame {
    fm_vec2 origin, axis;
} fm_warp_frame;

/*
 * One eye, in a frame whose x runs from one canthus to the other. Lids travel
 * obliquely, along the line between facing lid landmarks: y stays, x changes
 * by `slant` * y. So facing landmarks meet when the eye is shut (and lids do
 * shift towards the nose in a blink).
 */
typedef struct fm_warp_eye {
    fm_warp_frame frame;
    double slant;
    fm_curve upper, lower; /* lid margins, oblique coordinates */
    double width;          /* canthus to canthus */
    double skin_above;     /* height of the upper-lid skin that stretches */
    double skin_below;
} fm_warp_eye;

/* A smooth bump that carries what is at `centre` by `move`; axis-aligned ellipse in the face frame. */
typedef struct fm_warp_bump {
    fm_vec2 centre, move;
    double radius_left, radius_right, radius_up, radius_down;
} fm_warp_bump;

typedef struct fm_warp {
    fm_warp_frame face;  /* origin between the outer eye corners, x towards the image-right one */
    double inter_ocular; /* pixels, outer eye corner to outer eye corner */
    fm_warp_eye eye[2];  /* by fm_side */
    fm_curve brow;       /* upper contour of both brows, face frame */
    double brow_lift, brow_thickness, brow_fade_up, brow_fade_down, brow_fade_side;
    fm_warp_bump corner[2], cheek[2]; /* by fm_side */
} fm_warp;

/* How much of each expression is there; all zero is the still as it is. */
typedef struct fm_warp_amount {
    double blink, brow; /* 0 (none) .. 1 (full) */
    double smile[2];    /* by fm_side; -1 (corner drawn in and down) .. 1 (full) */
} fm_warp_amount;

typedef struct fm_warp_rect {
    double x0, y0, x1, y1;
} fm_warp_rect;

/*
 * Fits the warp to a face seen from the front. False, with *warp undefined,
 * when the landmarks are degenerate: eyes closed or not left and right of each
 * other, brows below the lids, a mouth corner on the midline.
 */
bool fm_warp_create(fm_warp *warp, const fm_point3 *points, const fm_topology *topology);

/* Where the still's point p is in the deformed face, and back. */
fm_vec2 fm_warp_forward(const fm_warp *warp, const fm_warp_amount *amount, fm_vec2 p);
fm_vec2 fm_warp_inverse(const fm_warp *warp, const fm_warp_amount *amount, fm_vec2 q);

/* Upright box of all points that the warp can move or move to, at any amount. */
fm_warp_rect fm_warp_bounds(const fm_warp *warp);
/* The same for one eye and the blink alone: there a pixel covers much of the still while the lids close. */
fm_warp_rect fm_warp_eye_bounds(const fm_warp *warp, fm_side side);

#endif
