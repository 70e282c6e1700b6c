/*
 * Input and decoding of STAR (Zhou et al., CVPR 2023), the network of
 * OpenFace 3.0 that finds WFLW's 98 points. Knows no inference runtime.
 *
 * Contract of the network: input [1, 3, 256, 256], B, G, R planes (as OpenCV
 * reads pictures; some notes upstream say RGB, but neither training nor use
 * swaps them), x / 127.5 - 1. Of its many outputs the points are the *last*
 * one, [1, 98, 2] in -1..1: the stacks' intermediate results come first, and
 * exporters gave the name "landmarks" to one of those.
 *
 * Source: github ZhenglinZhou/STAR, demo.py and lib/dataset/alignmentDataset.py.
 *
 * Thread-safety: Safe (pure functions).
 */
#ifndef FM_FACE_STAR_H
#define FM_FACE_STAR_H

#include "image.h"

enum { FM_STAR_SIZE = 256, FM_STAR_POINTS = 98 };

/* For fm_image_crop over the roi of fm_star_roi. */
extern const fm_crop_options fm_star_crop;

/*
 * Where the network looks for the face in a detector's box: upright, centred,
 * side 1.05 times the box's *shorter* side. As upstream, the corners are cut to
 * integers first and mean centres of pixels (OpenCV's affine warp), so the
 * centre is half a pixel further in our coordinates. Upstream skips faces with
 * a detector score below 0.5. False when the box is not finite, absurdly far
 * off, or has no area.
 */
bool fm_star_roi(const fm_box *box, fm_roi *out);

/*
 * The last output, FM_STAR_POINTS x 2 values -> landmarks in image pixels, in
 * the order of fm_topology_wflw98, z = 0 (depth.h gives them depth). False when
 * a value is not finite.
 *
 * Two decodings are about. STAR's own, ((p + 1) * 256 - 1) / 2, is the inverse
 * of what its labels were normalised with in training: -1 and 1 are the outer
 * edges of the crop. It is used here. FaceMirror's, (p + 1) / 2 * 255, takes
 * them for the centres of the outermost pixels and so draws the face together
 * by 0.4 %: by half a crop pixel at the edges, nothing in the middle.
 */
bool fm_star_decode(const float *output, const fm_roi *roi, fm_point3 *out);
/* One point of the output as a fraction of the crop, 0..1 inside it. */
fm_point2 fm_star_fraction(const float point[2]);

#endif
