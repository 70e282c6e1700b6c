#include "orientation.h"

#include <math.h>
#include <stddef.h>

fm_orientation fm_orientation_from_matrix(const int32_t *matrix)
{
    if (!matrix)
        return (fm_orientation){0};
    double a = matrix[0], b = matrix[1];
    const double c = matrix[3], d = matrix[4];
    const double determinant = a * d - b * c;
    if (determinant == 0)
        return (fm_orientation){0};

    /* A reflection is a left-right flip (x -> -x, which negates a and b) followed by a turn. */
    const bool flip = determinant < 0;
    if (flip) {
        a = -a;
        b = -b;
    }
    /* The turn nearest to the matrix in the least squares sense; clockwise on screen as y points down. */
    const double quarter_turns = atan2(b - c, a + d) / (acos(-1.0) / 2);
    const int quarters = ((int)lround(quarter_turns) + 4) % 4;
    return (fm_orientation){.rotation = 90 * quarters, .flip = flip};
}
