/*
 * Geometric action units: distances between landmarks in the head frame, in
 * units of the inter-ocular distance, against the person's own neutral face.
 * Only units whose FACS description is a displacement that landmarks show are
 * reported; the others are NaN. Formulas and sources: docs/action-units.md.
 *
 * Two steps, because the neutral is known only after the clip: features are
 * taken per frame, intensities from features and neutral.
 *
 * Thread-safety: fm_au_features_* and fm_au_intensities are Safe; a
 * fm_au_neutral is Unsafe.
 */
#ifndef FM_FACE_ACTION_UNITS_H
#define FM_FACE_ACTION_UNITS_H

#include "facemirror/error.h"
#include "pose.h"

/* Columns of the CSV, in its order. */
enum { FM_AU_COUNT = 18 };
extern const int fm_au_numbers[FM_AU_COUNT]; /* 1 2 4 5 6 7 9 10 12 14 15 16 17 20 23 25 26 45 */

enum { FM_AU_FEATURES = 12 };
typedef struct fm_au_features {
    float value[FM_AU_FEATURES]; /* see the enum in action_units.c; units of inter-ocular distance, EAR is a ratio */
} fm_au_features;

/* Features of one (mirrored, so symmetric) face: both sides are averaged. False when degenerate. */
bool fm_au_measure(const fm_point3 *points, const fm_topology *topology, fm_au_features *out);

/*
 * Running estimate of the neutral face in constant memory (a deterministic
 * reservoir of at most 4096 frames): per feature the median, for the eye
 * opening a high quantile, since blinks only ever close it.
 */
typedef struct fm_au_neutral fm_au_neutral;
fm_status fm_au_neutral_create(fm_au_neutral **out, fm_error *err);
void fm_au_neutral_destroy(fm_au_neutral **neutral);
void fm_au_neutral_add(fm_au_neutral *neutral, const fm_au_features *features);
/* False when nothing was added. */
bool fm_au_neutral_estimate(const fm_au_neutral *neutral, fm_au_features *out);

typedef struct fm_au_result {
    float intensity[FM_AU_COUNT]; /* 0..5 or NaN */
    float presence[FM_AU_COUNT];  /* 0, 1 or NaN: intensity >= 1 */
} fm_au_result;

void fm_au_intensities(const fm_au_features *features, const fm_au_features *neutral,
                       fm_au_result *out);

#endif
