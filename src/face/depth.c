#include "face/depth.h"

#include <math.h>

#include "facemirror/run.h" /* fm_side */

enum { PARAMETERS = 4, RIGID_MAX = 6 + FM_MIDLINE_POINTS_MAX, ITERATIONS_MAX = 50 };

#define STEP_MAX 0.5    /* radians, or logarithm of the scale: no overshooting */
#define CONVERGED 1e-10 /* the same units */
#define FACING_MIN 0.3  /* cosine between the head's axis and the camera's: 72 degrees */

/* image = shift + scale * rotation * mean face, of which the picture shows x and y */
typedef struct fit {
    double rotation[3][3];
    double scale;
    double shift[2];
} fit;

/* The points of the fit, both sets about their centroids. */
typedef struct pairs {
    double image[RIGID_MAX][2];
    double model[RIGID_MAX][3];
    double image_centre[2], model_centre[3];
    int count;
} pairs;

static void add_pair(pairs *p, const fm_point3 *points, const fm_topology *topology, int index)
{
    const fm_point3 *m = &topology->mean_face[index];
    const double image[2] = {points[index].x, points[index].y};
    const double model[3] = {m->x, m->y, m->z};
    for (int k = 0; k < 2; k++)
        p->image_centre[k] += p->image[p->count][k] = image[k];
    for (int k = 0; k < 3; k++)
        p->model_centre[k] += p->model[p->count][k] = model[k];
    p->count++;
}

static void collect(const fm_point3 *points, const fm_topology *topology, pairs *p)
{
    *p = (pairs){.count = 0};
    for (int side = 0; side < 2; side++) {
        const fm_side_points *s = &topology->side[side];
        add_pair(p, points, topology, s->eye_outer);
        add_pair(p, points, topology, s->eye_inner);
        add_pair(p, points, topology, s->nose_wing);
    }
    for (int i = 0; i < topology->midline_count; i++) {
        add_pair(p, points, topology, topology->midline[i]);
        if (topology->midline[i] == topology->subnasale)
            break;
    }
    for (int k = 0; k < 2; k++)
        p->image_centre[k] /= p->count;
    for (int k = 0; k < 3; k++)
        p->model_centre[k] /= p->count;
    for (int i = 0; i < p->count; i++) {
        for (int k = 0; k < 2; k++)
            p->image[i][k] -= p->image_centre[k];
        for (int k = 0; k < 3; k++)
            p->model[i][k] -= p->model_centre[k];
    }
}

static void transform(const fit *f, const double model[3], double out[3])
{
    for (int r = 0; r < 3; r++)
        out[r] = f->scale * (f->rotation[r][0] * model[0] + f->rotation[r][1] * model[1] +
                             f->rotation[r][2] * model[2]);
}

/* rotation = exp(turn) * rotation, by Rodrigues' formula */
static void turn_by(double rotation[3][3], const double turn[3])
{
    const double angle = sqrt(turn[0] * turn[0] + turn[1] * turn[1] + turn[2] * turn[2]);
    if (!(angle > 0))
        return;
    const double x = turn[0] / angle, y = turn[1] / angle, z = turn[2] / angle;
    const double c = cos(angle), s = sin(angle), t = 1 - c;
    const double step[3][3] = {
        {c + t * x * x, t * x * y - s * z, t * x * z + s * y},
        {t * x * y + s * z, c + t * y * y, t * y * z - s * x},
        {t * x * z - s * y, t * y * z + s * x, c + t * z * z},
    };
    double out[3][3];
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            out[i][k] = step[i][0] * rotation[0][k] + step[i][1] * rotation[1][k] +
                        step[i][2] * rotation[2][k];
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            rotation[i][k] = out[i][k];
}

/* Solves the symmetric system by Cholesky's method, in place; the answer is in b. */
static bool solve(double a[PARAMETERS][PARAMETERS], double b[PARAMETERS])
{
    for (int i = 0; i < PARAMETERS; i++) {
        for (int k = 0; k <= i; k++) {
            double sum = a[i][k];
            for (int m = 0; m < k; m++)
                sum -= a[i][m] * a[k][m];
            if (i == k && !(sum > 0))
                return false;
            a[i][k] = i == k ? sqrt(sum) : sum / a[k][k];
        }
    }
    for (int i = 0; i < PARAMETERS; i++) {
        for (int m = 0; m < i; m++)
            b[i] -= a[i][m] * b[m];
        b[i] /= a[i][i];
    }
    for (int i = PARAMETERS - 1; i >= 0; i--) {
        for (int m = i + 1; m < PARAMETERS; m++)
            b[i] -= a[m][i] * b[m];
        b[i] /= a[i][i];
    }
    return true;
}

/* Normal equations of the change in (log scale, turn about x, y, z). */
static void normal_equations(const pairs *p, const fit *f, double a[PARAMETERS][PARAMETERS],
                             double b[PARAMETERS])
{
    for (int i = 0; i < PARAMETERS; i++) {
        b[i] = 0;
        for (int k = 0; k < PARAMETERS; k++)
            a[i][k] = 0;
    }
    for (int n = 0; n < p->count; n++) {
        double q[3];
        transform(f, p->model[n], q);
        /* d(q)/d(log scale) = q; d(q)/d(turn) = turn x q */
        const double jacobian[2][PARAMETERS] = {{q[0], 0, q[2], -q[1]}, {q[1], -q[2], 0, q[0]}};
        for (int axis = 0; axis < 2; axis++) {
            const double *row = jacobian[axis];
            const double error = p->image[n][axis] - q[axis];
            for (int i = 0; i < PARAMETERS; i++) {
                b[i] += row[i] * error;
                for (int k = 0; k < PARAMETERS; k++)
                    a[i][k] += row[i] * row[k];
            }
        }
    }
}

/* Upright towards the camera, turned in the picture so that the eyes lie as they do. */
static bool start_frontal(const fm_point3 *points, const fm_topology *topology, fit *f)
{
    const int l = topology->side[FM_SIDE_LEFT].eye_outer, r = topology->side[FM_SIDE_RIGHT].eye_outer;
    const double dx = (double)points[l].x - points[r].x, dy = (double)points[l].y - points[r].y;
    const double width = hypot(dx, dy);
    if (!isfinite(width) || width < 1) /* below a pixel there is no face */
        return false;
    const double c = dx / width, s = dy / width;
    *f = (fit){.rotation = {{c, -s, 0}, {s, c, 0}, {0, 0, 1}}, .scale = width};
    return true;
}

static bool fit_mean_face(const fm_point3 *points, const fm_topology *topology, fit *f)
{
    pairs p;
    if (!start_frontal(points, topology, f))
        return false;
    collect(points, topology, &p);
    for (int n = 0; n < ITERATIONS_MAX; n++) {
        double a[PARAMETERS][PARAMETERS], step[PARAMETERS], largest = 0;
        normal_equations(&p, f, a, step);
        if (!solve(a, step))
            return false;
        for (int i = 0; i < PARAMETERS; i++)
            largest = fmax(largest, fabs(step[i]));
        if (!isfinite(largest))
            return false;
        const double damping = largest > STEP_MAX ? STEP_MAX / largest : 1;
        for (int i = 0; i < PARAMETERS; i++)
            step[i] *= damping;
        f->scale *= exp(step[0]);
        turn_by(f->rotation, &step[1]);
        if (largest < CONVERGED)
            break;
    }
    double centre[3];
    transform(f, p.model_centre, centre);
    f->shift[0] = p.image_centre[0] - centre[0];
    f->shift[1] = p.image_centre[1] - centre[1];
    return true;
}

static bool are_finite(const fm_point3 *points, int count)
{
    for (int i = 0; i < count; i++)
        if (!isfinite(points[i].x) || !isfinite(points[i].y))
            return false;
    return true;
}

bool fm_depth_from_mean_face(fm_point3 *points, const fm_topology *topology)
{
    if (!topology->mean_face)
        return true;
    fit f;
    if (!are_finite(points, topology->count) || !fit_mean_face(points, topology, &f))
        return false;
    /* The head's depth axis in the picture. */
    const double ax = f.rotation[0][2], ay = f.rotation[1][2], az = f.rotation[2][2];
    if (!(az > FACING_MIN))
        return false;
    for (int i = 0; i < topology->count; i++) {
        const double depth = f.scale * topology->mean_face[i].z;
        const double x = points[i].x - f.shift[0], y = points[i].y - f.shift[1];
        points[i].z = (float)((depth - ax * x - ay * y) / az);
    }
    return true;
}

double fm_mean_face_misfit(const fm_point3 *points, const fm_topology *topology)
{
    if (!topology->mean_face)
        return 0;
    fit f;
    if (!are_finite(points, topology->count) || !fit_mean_face(points, topology, &f))
        return INFINITY;
    double sum = 0;
    for (int i = 0; i < topology->count; i++) {
        const fm_point3 *m = &topology->mean_face[i];
        const double model[3] = {m->x, m->y, m->z};
        double q[3];
        transform(&f, model, q);
        const double dx = points[i].x - f.shift[0] - q[0], dy = points[i].y - f.shift[1] - q[1];
        sum += dx * dx + dy * dy;
    }
    return f.scale > 0 ? sqrt(sum / topology->count) / f.scale : INFINITY;
}
