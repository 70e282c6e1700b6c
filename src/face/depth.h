/*
 * Depth for landmarks that come without it (WFLW-98), so that pose, midline
 * and action units work on them as on a 3D mesh.
 *
 * The topology's mean face is fitted to the points that neither expression nor
 * palsy moves much (canthi, bridge, tip and base of the nose) under weak
 * perspective: rotation, scale and shift with the least squared distance in
 * the picture (Gauss-Newton from the frontal pose). Then each landmark keeps
 * its x and y and is given the depth, along the head's own axis, that it has
 * in the mean face: skin that an expression moves is taken to move in the
 * head's frontal plane.
 *
 * What that costs: the depth is the mean person's. A face deeper than the mean
 * by a fifth reads as turned by about a fifth more; a nose pulled aside by palsy
 * reads as a turn of about 1.5 degrees a millimetre (both: tests/face/
 * test_wflw98.c and its faces). A frontal face is right whatever its depth.
 *
 * Thread-safety: Safe.
 */
#ifndef FM_FACE_DEPTH_H
#define FM_FACE_DEPTH_H

#include "image.h"
#include "topology.h"

/*
 * Sets z of all topology->count points, in pixels, smaller nearer, 0 at the
 * middle of the mean face's canthi. Nothing is done where the topology has no
 * mean face, since then the points bring their own depth. False, leaving the
 * points alone, when they are degenerate, not finite, or show a head turned by
 * more than about 70 degrees, of which half the points are guesses.
 */
bool fm_depth_from_mean_face(fm_point3 *points, const fm_topology *topology);

/*
 * How unlike a face the points are: the root mean square distance, in the
 * picture, of all points from the fitted mean face, in distances of its outer
 * canthi. 0 where the topology has no mean face; INFINITY for points that are
 * degenerate or not finite. Real faces have 0.08 to 0.14 (the pictures of
 * tests/face/test_flat_reference.c), shuffled points above 0.45.
 */
double fm_mean_face_misfit(const fm_point3 *points, const fm_topology *topology);

#define FM_MISFIT_MAX 0.3

#endif
