/*
 * The midline of a face: the line that the mirror reflects across.
 *
 * Thread-safety: fm_midline_fit is Safe; a fm_midline_filter is Unsafe.
 */
#ifndef FM_FACE_MIDLINE_H
#define FM_FACE_MIDLINE_H

#include "facemirror/error.h"
#include "facemirror/run.h" /* fm_side, fm_midline_mode */
#include "image.h"
#include "one_euro.h"
#include "topology.h"

/*
 * A directed line in image pixels. (dx, dy) has length 1 and points from the
 * forehead to the chin. The signed distance of p is (p - o) . (dy, -dx): it is
 * positive at the image's right of an upright face, which is the patient's
 * left.
 */
typedef struct fm_line {
    double ox, oy; /* a point on the line */
    double dx, dy; /* unit direction, forehead -> chin */
} fm_line;

double fm_line_distance(const fm_line *line, double x, double y);
fm_point2 fm_line_reflect(const fm_line *line, double x, double y);

/*
 * Fits the midline of one frame. FM_MIDLINE_BROW_CHIN: through the middle of
 * the inner brow ends and the chin. FM_MIDLINE_PUPILS: perpendicular bisector
 * of the pupils (eye centres where the mesh has no iris). FM_MIDLINE_ROBUST:
 * iteratively re-weighted orthogonal least squares (Tukey's biweight) over all
 * midline points and the mid-points of symmetric rigid pairs, after taking
 * out the parallax of a turned head, so that what palsy pulls aside (mouth,
 * chin) weighs less. See docs/midline-and-mirror.md.
 * Returns false, leaving *line alone, when the points are degenerate.
 */
bool fm_midline_fit(const fm_point3 *points, const fm_topology *topology, fm_midline_mode mode,
                    fm_line *line);

/* Smooths the line over frames in presentation order (angle and offset apart). */
typedef struct fm_midline_filter {
    fm_one_euro angle, offset; /* radians; pixels */
    double last_seconds, last_cx, last_cy, last_size;
    bool started;
} fm_midline_filter;

void fm_midline_filter_init(fm_midline_filter *filter, double min_cutoff_hz, double beta);

/*
 * face_size in pixels (inter-ocular distance) makes the constants scale-free;
 * (cx, cy) is a reference point on the face (the middle of the eyes), about
 * which the offset is measured so that turning the line does not shift it.
 * After a gap of more than half a second, or a jump that no head makes (half a
 * face size, 1.5 times the size, half a radian), the filter starts afresh and
 * the line passes unchanged.
 */
fm_line fm_midline_filter_apply(fm_midline_filter *filter, const fm_line *line, double cx, double cy,
                                double face_size, double seconds);

#endif
