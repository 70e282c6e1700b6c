#include "face/mirrored_face.h"

#include "face/pose.h"

void fm_mirrored_points(const fm_point3 *points, const fm_topology *topology, const fm_line *line, fm_side keep,
                        fm_point3 *out)
{
    const double sign = keep == FM_SIDE_LEFT ? 1.0 : -1.0;
    for (int i = 0; i < topology->count; i++) {
        const int partner = topology->mirror[i];
        const double own = sign * fm_line_distance(line, points[i].x, points[i].y);
        const double other = sign * fm_line_distance(line, points[partner].x, points[partner].y);
        if (own >= other) {
            out[i] = points[i]; /* on the kept side, or on the midline */
        } else {
            const fm_point2 p = fm_line_reflect(line, points[partner].x, points[partner].y);
            out[i] = (fm_point3){p.x, p.y, points[partner].z};
        }
    }
}

void fm_mirrored_restore_width(fm_point3 *points, const fm_topology *topology, const fm_line *line,
                               double source_size)
{
    fm_pose pose;
    if (!fm_pose_estimate(points, topology, &pose) || !(pose.inter_ocular > 0) || !(source_size > 0))
        return;
    const double change = source_size / (double)pose.inter_ocular - 1;
    for (int i = 0; i < topology->count; i++) {
        const double s = change * fm_line_distance(line, points[i].x, points[i].y);
        points[i].x += (float)(s * line->dy);
        points[i].y -= (float)(s * line->dx);
    }
}

fm_box_relation fm_mirrored_relation(const fm_box_relation *source)
{
    fm_box_relation relation = *source;
    relation.x = 0;
    return relation;
}
