/*
 * Geometric action units: displacements of landmarks in the head frame, in
 * units of the inter-ocular distance (between the outer eye corners), against
 * the person's own neutral face. Only units whose FACS description is a
 * displacement that landmarks show are reported: AU01 02 04 05 12 15 20 25 26
 * 45; the others are NaN. Formulas, full-scale values and their sources:
 * docs/action-units.md.
 *
 * Two steps, because the neutral is known only after the clip: features are
 * taken per frame, intensities from features and neutral.
 *
 * Thread-safety: fm_au_measure and fm_au_intensities are Safe; a
 * fm_au_neutral is Unsafe.
 */
#ifndef FM_FACE_ACTION_UNITS_H
#define FM_FACE_ACTION_UNITS_H

#include "facemirror/error.h"
#include "pose.h"

/* Columns of the CSV, in its order. */
enum { FM_AU_COUNT = 18 };
extern const int fm_au_numbers[FM_AU_COUNT]; /* 1 2 4 5 6 7 9 10 12 14 15 16 17 20 23 25 26 45 */

/* Mean of both sides; heights are above the line of the canthi, positive upwards. */
typedef enum fm_au_feature {
    FM_AU_BROW_INNER_HEIGHT, /* medial end of the brow */
    FM_AU_BROW_MIDDLE_HEIGHT,
    FM_AU_BROW_OUTER_HEIGHT,
    FM_AU_BROW_GAP,          /* medial end of the brow to the midline */
    FM_AU_EYE_OPENING,       /* eye aspect ratio: lid gap over eye width, a ratio */
    FM_AU_UPPER_LID_HEIGHT,  /* middle of the upper lid */
    FM_AU_MOUTH_CORNER_OUT,  /* commissure to the midline */
    FM_AU_MOUTH_CORNER_HEIGHT,
    FM_AU_LIP_GAP,           /* between the inner lips */
    FM_AU_CHIN_DROP,         /* chin below the canthi */
    FM_AU_FEATURES
} fm_au_feature;

typedef struct fm_au_features {
    float value[FM_AU_FEATURES]; /* inter-ocular distances, but for the eye opening */
} fm_au_features;

/* A short constant name of a feature, such as "brow_inner_height". */
const char *fm_au_feature_name(fm_au_feature feature);

/*
 * Features of one (mirrored, so symmetric) face: both sides are averaged.
 * False, leaving *out alone, when the landmarks are degenerate or not finite.
 */
bool fm_au_measure(const fm_point3 *points, const fm_topology *topology, fm_au_features *out);

/*
 * Running estimate of the neutral face in constant memory: a deterministic
 * sample of at most 4096 frames, evenly spaced over all frames that were added
 * (when it is full every second one goes and the spacing doubles). Per feature
 * the median; for the two eyelid features the 80th percentile, since blinks
 * and smiles only ever close the eye.
 */
typedef struct fm_au_neutral fm_au_neutral;
fm_status fm_au_neutral_create(fm_au_neutral **out, fm_error *err);
void fm_au_neutral_destroy(fm_au_neutral **neutral);
/* Features with a value that is not finite are left out. */
void fm_au_neutral_add(fm_au_neutral *neutral, const fm_au_features *features);
/* False when nothing was added. */
bool fm_au_neutral_estimate(const fm_au_neutral *neutral, fm_au_features *out);

typedef struct fm_au_result {
    float intensity[FM_AU_COUNT]; /* 0..5 or NaN */
    float presence[FM_AU_COUNT];  /* 0, 1 or NaN: intensity >= 1 */
} fm_au_result;

/* features and neutral come from fm_au_measure and fm_au_neutral_estimate: finite. */
void fm_au_intensities(const fm_au_features *features, const fm_au_features *neutral,
                       fm_au_result *out);

#endif
