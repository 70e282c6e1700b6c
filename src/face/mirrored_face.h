/*
 * The face that a mirrored picture shows, known before it is looked at: the
 * landmarks of the kept half and their reflection across the midline.
 *
 * Thread-safety: Safe (pure functions).
 */
#ifndef FM_FACE_MIRRORED_FACE_H
#define FM_FACE_MIRRORED_FACE_H

#include "look.h"
#include "midline.h"

/*
 * The source's landmarks -> those of the mirrored face, in image pixels, same order. Points that are their own
 * partner stay where they are. `out` has topology->count points and is not `points`.
 */
void fm_mirrored_points(const fm_point3 *points, const fm_topology *topology, const fm_line *line, fm_side keep,
                        fm_point3 *out);

/*
 * A head that is turned a little shows one half wider than the other; the
 * mirrored face is then too wide or too narrow, while its heights are right.
 * Its width is brought back to the source face's, across the midline, so that
 * lengths along and across the face have one unit in every frame. source_size
 * is the source's fm_pose.inter_ocular. Degenerate points stay as they are.
 */
void fm_mirrored_restore_width(fm_point3 *points, const fm_topology *topology, const fm_line *line,
                               double source_size);

/*
 * How a detector's box would lie about the landmarks of the mirrored face: as the source's about the source's, but
 * for what that is to one side, since a mirrored face has none.
 */
fm_box_relation fm_mirrored_relation(const fm_box_relation *source);

#endif
