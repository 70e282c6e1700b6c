/*
 * Input and decoding of OpenFace 3.0's multi-task network (EfficientNet-B0):
 * emotion, gaze and action units of one face. Knows no inference runtime.
 *
 * Contract of the network: input [N, 3, 224, 224], R, G, B planes, x / 255,
 * ImageNet's mean and deviation; the face's box stretched over it, aspect not
 * kept. Outputs: emotion [N, 8] logits, gaze [N, 2] radians, action units
 * [N, 8]. N is 1 unless the model was exported with an open batch.
 *
 * The action units are cosine similarities of two non-negative unit vectors,
 * so 0..1, trained on *presence* (DISFA intensity >= 2) with the threshold 0.5.
 * Order: 1 2 4 6 9 12 25 26, as training picks DISFA's columns and as the
 * official video demo labels them. (FaceMirror labels the last four 12, 15, 20
 * and 25: what it calls AU12 is AU09, and its AU15 is AU12.)
 *
 * Source: github CMU-MultiComp-Lab/OpenFace-3.0.
 *
 * Thread-safety: Safe (pure functions).
 */
#ifndef FM_FACE_MTL_H
#define FM_FACE_MTL_H

#include "action_units.h"
#include "image.h"

enum { FM_MTL_SIZE = 224, FM_MTL_EMOTIONS = 8, FM_MTL_GAZE = 2, FM_MTL_UNITS = 8, FM_MTL_UNITS_MAX = 32 };

/* FACS numbers of OpenFace 3.0's outputs, in their order. A pack's manifest says them for its own network. */
extern const int fm_mtl_au_numbers[FM_MTL_UNITS];

/* Of the box around the face, on each side: what OpenFace 3.0's video demo adds. docs/differences.md says why. */
#define FM_MTL_MARGIN 0.15

/*
 * A short constant name, such as "happy"; "" out of range. The official order: neutral, happy, sad, surprise,
 * fear, disgust, anger, contempt. A user's measurement (OpenFace-3.0 #15: AffectNet-8 accuracy 0.46 against 0.54)
 * says that the weights have disgust and anger the other way round; that is not settled upstream.
 */
const char *fm_mtl_emotion_name(int index);

/* For fm_image_stretch over the box of fm_mtl_box, FM_MTL_SIZE x FM_MTL_SIZE. */
extern const fm_crop_options fm_mtl_crop;

/*
 * The part of a picture that the network sees for a detector's box: enlarged
 * by `margin` of its width and height on each side (FM_MTL_MARGIN; 0 in
 * FaceMirror), cut to integers, clipped to the picture. False when nothing is
 * left or the box is not finite.
 */
bool fm_mtl_box(const fm_box *box, double margin, int width, int height, fm_box *out);

typedef struct fm_mtl_result {
    float emotion[FM_MTL_EMOTIONS]; /* probabilities: 0..1, their sum is 1 */
    int best_emotion;               /* index of the largest */
    float gaze_yaw, gaze_pitch;     /* radians; yaw > 0: to the image's left, pitch > 0: upwards */
    fm_point3 gaze;                 /* unit vector; x to the image's right, y down, z away from the camera */
    float unit[FM_MTL_UNITS_MAX];   /* 0..1, clipped; unit_count of them */
    int unit_count;
} fm_mtl_result;

/*
 * From the three outputs of one face; `units` has `unit_count` values, 1 to FM_MTL_UNITS_MAX. False, leaving *out
 * alone, when a value is not finite.
 */
bool fm_mtl_decode(const float *emotion, const float *gaze, const float *units, int unit_count, fm_mtl_result *out);

/*
 * The columns of the AU table: intensity = 5 * unit, the plain stretch of 0..1
 * over FACS's 0..5, so that the column ranks frames; it is a similarity, no
 * trained intensity. presence = 1 from unit 0.5 on (intensity 2.5), the
 * network's own threshold. `numbers` are the FACS numbers of the outputs, result->unit_count of them. Units that
 * the network does not know are NAN; those that the table does not have are left out.
 */
void fm_mtl_action_units(const fm_mtl_result *result, const int *numbers, fm_au_result *out);

#endif
