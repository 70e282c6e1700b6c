/*
 * Input and decoding of RetinaFace (Deng et al., CVPR 2020) with the
 * MobileNet-0.25 backbone: pictures in, raw tensors in, faces in image pixels
 * out. Knows no inference runtime.
 *
 * Contract of the network (Pytorch_Retinaface, `cfg_mnet`, and OpenFace 3.0,
 * which uses its weights): input [1, 3, H, W], B, G, R planes, 0..255 minus
 * (104, 117, 123), any H and W. Outputs, one row for each of N priors: `loc`
 * [N][4], `conf` [N][2] (after the softmax; column 1 is the face), `landms`
 * [N][10]. Priors: strides 8, 16, 32; each cell, row by row, has two squares:
 * 16 and 32, 64 and 128, 256 and 512 pixels, centred in the cell, not clipped.
 * Variances 0.1 (centres, points) and 0.2 (sizes).
 *
 * Priors belong to the tensor, not to the picture it was made of: OpenFace 3.0
 * takes the picture's size, which is the same only while nothing is resized.
 *
 * Thread-safety: Safe (pure functions).
 */
#ifndef FM_FACE_RETINAFACE_H
#define FM_FACE_RETINAFACE_H

#include "detector.h"

enum {
    FM_RETINAFACE_POINTS = 5,
    FM_RETINAFACE_LOC = 4,
    FM_RETINAFACE_CONF = 2,
    FM_RETINAFACE_LANDMS = 10,
    FM_RETINAFACE_SIDE_MAX = 16384 /* of the tensor, pixels; keeps the priors below 2^24 */
};

/* Order of the points, by the side of the *image* that they are on for an unmirrored camera. */
enum {
    FM_RETINAFACE_IMAGE_LEFT_EYE, /* the patient's right eye */
    FM_RETINAFACE_IMAGE_RIGHT_EYE,
    FM_RETINAFACE_NOSE,
    FM_RETINAFACE_IMAGE_LEFT_MOUTH,
    FM_RETINAFACE_IMAGE_RIGHT_MOUTH
};

typedef struct fm_retinaface_face {
    float x0, y0, x1, y1; /* box, image pixels; may reach outside the picture */
    float score;          /* 0..1 */
    fm_point2 point[FM_RETINAFACE_POINTS];
} fm_retinaface_face;

/* For fm_image_stretch, over the box of a fm_retinaface_input. */
extern const fm_crop_options fm_retinaface_crop;

/* What the tensor shows: `box` of the picture, stretched over width x height. */
typedef struct fm_retinaface_input {
    int width, height; /* of the tensor */
    fm_box box;        /* image pixels */
} fm_retinaface_input;

/*
 * For a network that takes any size: the picture times `factor` (1: as it is,
 * which is how OpenFace 3.0 runs it; sides are rounded as OpenCV's resize
 * does). False when a side would be below 1 or above FM_RETINAFACE_SIDE_MAX.
 */
bool fm_retinaface_scaled(int image_width, int image_height, double factor, fm_retinaface_input *out);

/*
 * For a network of a fixed size: the picture as large as it fits, centred,
 * black beside it. False when a size is out of range.
 */
bool fm_retinaface_letterboxed(int image_width, int image_height, int width, int height,
                               fm_retinaface_input *out);

/* N for a tensor of that size: 2 * sum of ceil(W / s) * ceil(H / s); 0 when a side is out of range. */
size_t fm_retinaface_priors(int width, int height);

/*
 * Decodes the rows of all fm_retinaface_priors, keeps scores >= min_score,
 * and writes at most `max` faces by falling score, each of which overlaps no
 * better one by more than nms_iou (areas with one pixel added to each side, as
 * upstream counts them). Upstream's values are 0.5 and 0.4. Returns how many
 * were written. Allocates nothing; rows with values that are not finite are
 * dropped. Box and points are given as the network means them: pixel centres at
 * half pixels, as all our coordinates.
 */
int fm_retinaface_decode(const float *loc, const float *conf, const float *landms,
                         const fm_retinaface_input *input, float min_score, float nms_iou,
                         fm_retinaface_face *out, int max);

/*
 * The same face for whatever takes any detector's: the mouth is the middle of
 * its corners; the ears, which this network does not know, are NAN.
 */
fm_detection fm_retinaface_detection(const fm_retinaface_face *face);

#endif
