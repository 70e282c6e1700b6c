/*
 * Input and decoding of MediaPipe's face mesh networks: the plain one (468
 * points), the attention mesh (attention.h has how its parts are put together)
 * and the second one (478 points from 256x256). Knows no inference runtime.
 *
 * Contract: input RGB in 0..1 of a turned square of the picture; output x, y, z
 * of each point in pixels of the input, z about the scale of x, and the logit
 * of "there is a face" (the second network has another output behind a sigmoid,
 * which is not that; Google's graph does not read it either).
 *
 * Crops are sampled at the centres of their elements, as MediaPipe's GPU path
 * does. Its CPU path samples the second network's half an element aside, which
 * moves points by 0.2 to 1 % of the eye distance (tests/face/test_reference.c).
 *
 * Thread-safety: Safe (pure functions).
 */
#ifndef FM_FACE_FACEMESH_H
#define FM_FACE_FACEMESH_H

#include "image.h"

enum { FM_FACEMESH_SIZE = 192 };

/* How the input tensor is cropped: RGB in 0..1, edge replicated. */
extern const fm_crop_options fm_facemesh_crop;

/*
 * Turns a network's output into landmarks in image pixels: count * 3 values of
 * which `units` are the side of the crop (pixels of the input: 192), turned,
 * scaled and moved by roi; z scales like x. Returns false when a value is not finite.
 */
bool fm_landmarks_from_network(const float *raw, int count, int units, const fm_roi *roi, fm_point3 *out);

/* sigmoid(x), safe for any x. */
float fm_sigmoid(float x);

#endif
