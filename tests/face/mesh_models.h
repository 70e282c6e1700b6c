/*
 * For tests: detector and landmark network, imported from the TFLite files
 * that the set-up unpacks or from a Face Landmarker bundle, run over plain
 * image views.
 */
#ifndef TESTS_FACE_MESH_MODELS_H
#define TESTS_FACE_MESH_MODELS_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/file.h"
#include "face/attention.h"
#include "face/blendshapes.h"
#include "face/facemesh.h"
#include "face/tracker.h"
#include "inference/session.h"
#include "models/bundle.h"
#include "models/import.h"

typedef struct mesh_network {
    fm_session *session;
    fm_binding *binding;
} mesh_network;

typedef struct mesh_models {
    fm_runtime *runtime;
    mesh_network detector, landmarker;
    int regressors, scores;   /* output indices */
    int landmarks, presence;
    fm_crop_options crop;     /* of the landmarker */
    mesh_network attention;
    int attention_mesh, lips, left_eye, right_eye, left_iris, right_iris, faceflag;
    mesh_network blendshapes; /* of a bundle */
    bool samples_corners;     /* see mesh_sampled */
} mesh_models;

static inline void mesh_import_network(fm_runtime *runtime, const uint8_t *tflite, size_t size, const char *name,
                                       mesh_network *out)
{
    uint8_t *onnx = NULL;
    size_t onnx_size = 0;
    fm_error err = {0};
    if (fm_import_tflite(tflite, size, name, &onnx, &onnx_size, &err) != FM_OK ||
        fm_session_open_memory(&out->session, runtime, onnx, onnx_size, name, NULL, &err) != FM_OK ||
        fm_binding_create(&out->binding, out->session, &err) != FM_OK)
        fail_msg("%s", err.message);
    free(onnx);
}

static inline bool mesh_open_network(fm_runtime *runtime, const char *dir, const char *name,
                                     mesh_network *out)
{
    char path[FM_PATH_MAX];
    uint8_t *tflite = NULL;
    size_t size = 0;
    fm_error err = {0};
    assert_true(fm_path_join(path, dir, name));
    if (fm_file_read(path, 64u << 20, &tflite, &size, &err) != FM_OK) {
        print_message("skipped: %s\n", err.message);
        return false;
    }
    mesh_import_network(runtime, tflite, size, name, out);
    free(tflite);
    return true;
}

static inline void mesh_start(mesh_models *m)
{
    fm_error err = {0};
    *m = (mesh_models){0};
    if (fm_runtime_create(&m->runtime, NULL, NULL, &err) != FM_OK)
        fail_msg("%s", err.message);
}

static inline void mesh_find_outputs(mesh_models *m, const char *landmarks, const char *presence)
{
    m->regressors = fm_session_find_output(m->detector.session, "regressors");
    m->scores = fm_session_find_output(m->detector.session, "classificators");
    m->landmarks = fm_session_find_output(m->landmarker.session, landmarks);
    m->presence = fm_session_find_output(m->landmarker.session, presence);
    assert_true(m->regressors >= 0 && m->scores >= 0 && m->landmarks >= 0 && m->presence >= 0);
}

/* False when the model files are not there. */
static inline bool mesh_open(mesh_models *m, const char *dir)
{
    mesh_start(m);
    if (!mesh_open_network(m->runtime, dir, "face_detection_short_range.tflite", &m->detector) ||
        !mesh_open_network(m->runtime, dir, "face_landmark.tflite", &m->landmarker))
        return false;
    mesh_find_outputs(m, "conv2d_21", "conv2d_31");
    m->crop = fm_facemesh_crop;
    return true;
}

/* The three networks of a Face Landmarker bundle; false when it is not there. */
static inline bool mesh_open_bundle(mesh_models *m, const char *path)
{
    enum { V2_SIZE = 256 };
    fm_error err = {0};
    fm_bundle bundle;
    *m = (mesh_models){0};
    if (fm_bundle_read(&bundle, path, &err) != FM_OK) {
        print_message("skipped: %s\n", err.message);
        return false;
    }
    mesh_start(m);
    mesh_network *const networks[FM_BUNDLE_PARTS] = {&m->detector, &m->landmarker, &m->blendshapes};
    for (int i = 0; i < FM_BUNDLE_PARTS; i++)
        mesh_import_network(m->runtime, bundle.parts[i].data, bundle.parts[i].size,
                            fm_bundle_part_name((fm_bundle_part)i), networks[i]);
    fm_bundle_free(&bundle);
    mesh_find_outputs(m, "Identity", "Identity_1");
    m->crop = fm_facemesh_crop;
    m->crop.size = V2_SIZE;
    return true;
}

static inline int mesh_attention_output(const mesh_models *m, const char *name, size_t count)
{
    int index = fm_session_find_output(m->attention.session, name);
    assert_true(index >= 0);
    assert_int_equal(fm_session_output(m->attention.session, index)->count, count);
    return index;
}

/* The attention mesh beside the others, which are open; false when its file is not there. */
static inline bool mesh_open_attention(mesh_models *m, const char *dir)
{
    if (!mesh_open_network(m->runtime, dir, "face_landmark_with_attention.tflite", &m->attention))
        return false;
    m->attention_mesh = mesh_attention_output(m, "output_mesh_identity", 3 * FM_ATTENTION_MESH);
    m->lips = mesh_attention_output(m, "output_lips", 2 * FM_ATTENTION_LIPS);
    m->left_eye = mesh_attention_output(m, "output_left_eye", 2 * FM_ATTENTION_EYE);
    m->right_eye = mesh_attention_output(m, "output_right_eye", 2 * FM_ATTENTION_EYE);
    m->left_iris = mesh_attention_output(m, "output_left_iris", 2 * FM_ATTENTION_IRIS);
    m->right_iris = mesh_attention_output(m, "output_right_iris", 2 * FM_ATTENTION_IRIS);
    m->faceflag = mesh_attention_output(m, "conv_faceflag", 1);
    return true;
}

static inline void mesh_close(mesh_models *m)
{
    fm_binding_destroy(&m->detector.binding);
    fm_binding_destroy(&m->landmarker.binding);
    fm_binding_destroy(&m->attention.binding);
    fm_binding_destroy(&m->blendshapes.binding);
    fm_session_close(&m->detector.session);
    fm_session_close(&m->landmarker.session);
    fm_session_close(&m->attention.session);
    fm_session_close(&m->blendshapes.session);
    fm_runtime_destroy(&m->runtime);
}

/*
 * The region to crop so that the tensor is sampled as MediaPipe's CPU path does
 * it for the Face Landmarker (OpenCV's warp, image_to_tensor_converter_opencv.cc): element i where ours has its
 * corner, with pixel centres at whole numbers. Ours, and MediaPipe's other
 * paths, sample at the centres.
 */
static inline fm_roi mesh_sampled(const mesh_models *m, const fm_roi *roi, int size)
{
    fm_roi out = *roi;
    if (m->samples_corners) {
        const double half_step = 0.5 * roi->size / size;
        out.cx += 0.5 - half_step * (cos(roi->angle) - sin(roi->angle));
        out.cy += 0.5 - half_step * (sin(roi->angle) + cos(roi->angle));
    }
    return out;
}

static inline int mesh_detect(mesh_models *m, const fm_image *image, fm_detection *out, int max)
{
    fm_error err = {0};
    fm_roi roi = fm_roi_letterbox(image->width, image->height);
    const fm_roi sampled = mesh_sampled(m, &roi, FM_BLAZEFACE_SIZE);
    fm_image_crop(image, &sampled, &fm_blazeface_crop, fm_binding_input(m->detector.binding));
    if (fm_binding_run(m->detector.binding, &err) != FM_OK)
        fail_msg("%s", err.message);
    return fm_blazeface_decode(fm_binding_output(m->detector.binding, m->regressors),
                               fm_binding_output(m->detector.binding, m->scores), 0.5f, &roi, out,
                               max);
}

/* Raw landmarks (valid until the next call) and the presence logit. */
static inline const float *mesh_landmarks(mesh_models *m, const fm_image *image, const fm_roi *roi,
                                          float *presence_logit)
{
    fm_error err = {0};
    const fm_roi sampled = mesh_sampled(m, roi, m->crop.size);
    fm_image_crop(image, &sampled, &m->crop, fm_binding_input(m->landmarker.binding));
    if (fm_binding_run(m->landmarker.binding, &err) != FM_OK)
        fail_msg("%s", err.message);
    *presence_logit = fm_binding_output(m->landmarker.binding, m->presence)[0];
    return fm_binding_output(m->landmarker.binding, m->landmarks);
}

/* The refined points of the attention mesh and its presence logit. */
static inline void mesh_attention_landmarks(mesh_models *m, const fm_image *image, const fm_roi *roi,
                                            float points[3 * FM_ATTENTION_POINTS],
                                            float *presence_logit)
{
    fm_error err = {0};
    const fm_binding *b = m->attention.binding;
    fm_image_crop(image, roi, &fm_facemesh_crop, fm_binding_input(m->attention.binding));
    if (fm_binding_run(m->attention.binding, &err) != FM_OK)
        fail_msg("%s", err.message);
    const fm_attention_parts parts = {
        .mesh = fm_binding_output(b, m->attention_mesh),
        .lips = fm_binding_output(b, m->lips),
        .left_eye = fm_binding_output(b, m->left_eye),
        .right_eye = fm_binding_output(b, m->right_eye),
        .left_iris = fm_binding_output(b, m->left_iris),
        .right_iris = fm_binding_output(b, m->right_iris),
    };
    fm_attention_refine(&parts, points);
    *presence_logit = fm_binding_output(b, m->faceflag)[0];
}

/* The scores of 478 points in pixels. */
static inline const float *mesh_blendshapes(mesh_models *m, const fm_point3 *points)
{
    fm_error err = {0};
    fm_blendshapes_input(points, fm_binding_input(m->blendshapes.binding));
    if (fm_binding_run(m->blendshapes.binding, &err) != FM_OK)
        fail_msg("%s", err.message);
    return fm_binding_output(m->blendshapes.binding, 0);
}

/* One frame through a tracker, as tracker.h tells. */
static inline void mesh_track(mesh_models *m, fm_tracker *t, const fm_image *image, double seconds,
                              fm_face *face)
{
    fm_roi roi;
    bool have = fm_tracker_begin(t, image->width, image->height, seconds, &roi);
    do {
        if (!have) {
            fm_detection d[8];
            have = fm_tracker_detected(t, d, mesh_detect(m, image, d, 8), &roi);
        }
        if (have) {
            float logit = 0.0f;
            static fm_point3 points[FM_LANDMARKS_MAX];
            const float *raw = mesh_landmarks(m, image, &roi, &logit);
            const bool placed = fm_landmarks_from_network(raw, fm_topology_mesh468.count, FM_FACEMESH_SIZE, &roi, points);
            fm_tracker_landmarks(t, points, placed ? fm_sigmoid(logit) : 0.0f);
        }
        have = false;
    } while (fm_tracker_wants_detection(t));
    fm_tracker_end(t, face);
}

#endif
