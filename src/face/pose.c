#include "face/pose.h"

#include <math.h>

#include "facemirror/run.h" /* fm_side */

typedef struct vec3 {
    double x, y, z;
} vec3;

static vec3 at(const fm_point3 *points, int index)
{
    return (vec3){points[index].x, points[index].y, points[index].z};
}

static vec3 sub(vec3 a, vec3 b)
{
    return (vec3){a.x - b.x, a.y - b.y, a.z - b.z};
}

static vec3 add_scaled(vec3 a, vec3 b, double k)
{
    return (vec3){a.x + k * b.x, a.y + k * b.y, a.z + k * b.z};
}

static double dot(vec3 a, vec3 b)
{
    return a.x * b.x + a.y * b.y + a.z * b.z;
}

static vec3 cross(vec3 a, vec3 b)
{
    return (vec3){a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

/* False for a vector without direction (or with a value that is not finite). */
static bool normalise(vec3 *v)
{
    const double length = sqrt(dot(*v, *v));
    if (!isfinite(length) || !(length > 1e-9))
        return false;
    *v = (vec3){v->x / length, v->y / length, v->z / length};
    return true;
}

static float degrees(double radians)
{
    return (float)(radians * (180.0 / 3.14159265358979323846));
}

static void store_axis(float row[3], vec3 axis)
{
    row[0] = (float)axis.x;
    row[1] = (float)axis.y;
    row[2] = (float)axis.z;
}

/*
 * x: the canthi of both eyes, which are tied to the orbit by the canthal
 * tendons; brows are left out, since a palsied one hangs and would tilt the
 * head. y: hairline to subnasale, both on the skull, so that an open jaw does
 * not nod the head; what palsy pulls sideways is along x and drops out when y
 * is made orthogonal to it.
 */
bool fm_pose_estimate(const fm_point3 *points, const fm_topology *topology, fm_pose *pose)
{
    const fm_side_points *l = &topology->side[FM_SIDE_LEFT], *r = &topology->side[FM_SIDE_RIGHT];
    const vec3 outer = sub(at(points, l->eye_outer), at(points, r->eye_outer));
    const double inter_ocular = sqrt(dot(outer, outer));
    if (!isfinite(inter_ocular) || inter_ocular < 1) /* below a pixel there is no face */
        return false;

    vec3 x = add_scaled(outer, sub(at(points, l->eye_inner), at(points, r->eye_inner)), 1);
    vec3 y = sub(at(points, topology->subnasale), at(points, topology->midline[0]));
    if (!normalise(&x))
        return false;
    y = add_scaled(y, x, -dot(y, x));
    if (!(sqrt(dot(y, y)) > 0.05 * inter_ocular) || !normalise(&y))
        return false;
    const vec3 z = cross(x, y);

    vec3 origin = {0, 0, 0};
    const int canthi[4] = {l->eye_outer, r->eye_outer, l->eye_inner, r->eye_inner};
    for (int i = 0; i < 4; i++)
        origin = add_scaled(origin, at(points, canthi[i]), 0.25);

    /* With the axes as columns, R = Ry(yaw) Rx(pitch) Rz(roll). */
    const double sin_pitch = fmax(-1, fmin(1, z.y));
    pose->yaw = degrees(atan2(-z.x, z.z));
    pose->pitch = degrees(asin(sin_pitch));
    pose->roll = degrees(atan2(x.y, y.y));
    store_axis(pose->axis[0], x);
    store_axis(pose->axis[1], y);
    store_axis(pose->axis[2], z);
    pose->origin = (fm_point3){(float)origin.x, (float)origin.y, (float)origin.z};
    pose->inter_ocular = (float)inter_ocular;
    return true;
}

void fm_pose_normalise(const fm_point3 *points, int count, const fm_pose *pose, fm_point3 *out)
{
    const float scale = 1 / pose->inter_ocular;
    for (int i = 0; i < count; i++) {
        const float x = points[i].x - pose->origin.x;
        const float y = points[i].y - pose->origin.y;
        const float z = points[i].z - pose->origin.z;
        float v[3];
        for (int k = 0; k < 3; k++) {
            const float *axis = pose->axis[k];
            v[k] = (axis[0] * x + axis[1] * y + axis[2] * z) * scale;
        }
        out[i] = (fm_point3){v[0], v[1], v[2]};
    }
}
