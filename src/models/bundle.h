/*
 * Google's Face Landmarker bundle (face_landmarker.task): a zip of TFLite
 * graphs, of which three are taken. What fm_import_tflite makes of them:
 *
 * | member | input | outputs |
 * | --- | --- | --- |
 * | face_detector.tflite | `input` [1,3,128,128], RGB, -1..1 | `regressors` [1,896,16], `classificators` [1,896,1] |
 * | face_landmarks_detector.tflite | `input_12` [1,3,256,256], RGB, 0..1 | `Identity` [1,1434,1,1]: 478 x (x,y,z) in
 *   pixels of the input; `Identity_1` [1,1,1,1]: presence, before the sigmoid; `Identity_2` [1,1]: not used |
 * | face_blendshapes.tflite | `serving_default_input_points:0` [1,146,2] | `StatefulPartitionedCall:0` [52]: 0..1 |
 *
 * Detector: face/detector.h, as the short-range BlazeFace. Blendshapes: face/blendshapes.h. The fourth member, the
 * metadata of the face geometry, is left alone.
 *
 * A bundle comes from anywhere. It is refused with FM_E_MODEL when it is no
 * zip, is damaged (checksums are compared), encrypted, lacks a member or has
 * it twice, or when a member is larger than FM_BUNDLE_MEMBER_MAX or grows
 * beyond FM_BUNDLE_RATIO_MAX times its packed size: what is refused has taken
 * a small multiple of the file's size in memory at most.
 *
 * Thread-safety: Safe on distinct bundles.
 */
#ifndef FM_MODELS_BUNDLE_H
#define FM_MODELS_BUNDLE_H

#include <stddef.h>
#include <stdint.h>

#include "facemirror/error.h"

enum {
    FM_BUNDLE_FILE_MAX = 32 << 20,   /* bytes; version 1 has 3.8 million */
    FM_BUNDLE_MEMBER_MAX = 32 << 20, /* bytes, unpacked */
    FM_BUNDLE_RATIO_MAX = 20         /* weights hardly shrink */
};

typedef enum fm_bundle_part {
    FM_BUNDLE_DETECTOR,    /* face_detector.tflite */
    FM_BUNDLE_LANDMARKS,   /* face_landmarks_detector.tflite */
    FM_BUNDLE_BLENDSHAPES, /* face_blendshapes.tflite */
    FM_BUNDLE_PARTS
} fm_bundle_part;

/* The unpacked members; malloc'ed. */
typedef struct fm_bundle {
    struct {
        uint8_t *data;
        size_t size;
    } parts[FM_BUNDLE_PARTS];
} fm_bundle;

/*
 * Reads the file at `path`. FM_E_NOT_FOUND, FM_E_BAD_INPUT (beyond
 * FM_BUNDLE_FILE_MAX), FM_E_NO_MEMORY or FM_E_MODEL; *bundle is empty then.
 */
fm_status fm_bundle_read(fm_bundle *bundle, const char *path, fm_error *err);
/* The same of bytes in memory; `name` stands in messages. */
fm_status fm_bundle_unpack(fm_bundle *bundle, const uint8_t *data, size_t size, const char *name, fm_error *err);
/* Frees the members; safe on a zeroed bundle. */
void fm_bundle_free(fm_bundle *bundle);

/* The member's name in the zip. */
const char *fm_bundle_part_name(fm_bundle_part part);

#endif
