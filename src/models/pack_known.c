#include "models/pack_known.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "models/pack_contract.h"
#include "models/registry.h"

#define APACHE "Apache-2.0 (Google, MediaPipe)"

static const fm_known_pack folders[] = {
    {FM_PACK_DEFAULT_NAME, "MediaPipe's short-range face detector and face meshes", APACHE,
     {{.name = "BlazeFace", .decoding = FM_DECODING_BLAZEFACE, .file = "face_detection_short_range.onnx",
       .sources = {"face_detection_short_range.tflite", "face_detection_short_range.onnx"}},
      {.name = "FaceMesh", .decoding = FM_DECODING_ATTENTION, .variant = "attention",
       .file = "face_landmark_with_attention.onnx",
       .sources = {"face_landmark_with_attention.tflite", "face_landmark_with_attention.onnx"}},
      {.name = "FaceMesh", .decoding = FM_DECODING_FACEMESH, .variant = "plain", .file = "face_landmark.onnx",
       .sources = {"face_landmark.tflite", "face_landmark.onnx"}}}},
    {"openface3", "OpenFace 3.0: RetinaFace, STAR (98 points), and MTL (action units, emotion, gaze)",
     "OpenFace 3.0 (CMU): noncommercial research only; RetinaFace's weights: MIT",
     {{.name = "RetinaFace", .decoding = FM_DECODING_RETINAFACE, .file = "retinaface_mobilenet025.onnx",
       .sources = {"retinaface_mobilenet025_coreml.onnx", "retinaface_mobilenet025.onnx"}},
      {.name = "STAR", .decoding = FM_DECODING_STAR, .file = "star_landmark_98.onnx",
       .sources = {"star_landmark_98_coreml.onnx", "star_landmark_98.onnx"}},
      {.name = "MTL", .decoding = FM_DECODING_OPENFACE_MTL, .file = "mtl_efficientnet_b0.onnx",
       .sources = {"mtl_efficientnet_b0_coreml.onnx", "mtl_efficientnet_b0.onnx"}}}},
};

static const fm_known_pack bundle = {
    "face_landmarker", "MediaPipe's Face Landmarker: 478 points and 52 blendshapes", APACHE,
    {{.name = "BlazeFace", .decoding = FM_DECODING_BLAZEFACE, .file = "face_detector.onnx", .part = FM_BUNDLE_DETECTOR},
     {.name = "FaceMesh", .decoding = FM_DECODING_FACEMESH_V2, .file = "face_landmarks_detector.onnx",
      .part = FM_BUNDLE_LANDMARKS},
     {.name = "Blendshapes", .decoding = FM_DECODING_BLENDSHAPES, .file = "face_blendshapes.onnx",
      .part = FM_BUNDLE_BLENDSHAPES}},
};

const fm_known_pack *fm_known_bundle(void)
{
    return &bundle;
}

bool fm_known_source(const fm_known_model *model, const char *dir, char *out)
{
    struct stat st;
    for (int i = 0; i < FM_KNOWN_SOURCES_MAX && model->sources[i]; i++)
        if (fm_path_join(out, dir, model->sources[i]) && lstat(out, &st) == 0)
            return true;
    return false;
}

const fm_known_pack *fm_known_pack_in(const char *dir)
{
    const fm_known_pack *best = NULL;
    int most = 0;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        char path[FM_PATH_MAX];
        int found = 0;
        for (const fm_known_model *m = folders[i].models; m->name; m++)
            found += fm_known_source(m, dir, path) ? 1 : 0;
        if (found > most)
            best = &folders[i];
        most = found > most ? found : most;
    }
    return best;
}

void fm_known_pack_init(fm_pack *out, const fm_known_pack *known)
{
    *out = (fm_pack){.model_count = 0};
    snprintf(out->name, sizeof out->name, "%s", known->name);
    snprintf(out->description, sizeof out->description, "%s", known->description);
    snprintf(out->licence, sizeof out->licence, "%s", known->licence);
    for (const fm_known_model *m = known->models; m->name; m++) {
        fm_pack_model *model = &out->models[out->model_count++];
        fm_pack_model_init(model, m->decoding, m->name);
        snprintf(model->variant, sizeof model->variant, "%s", m->variant ? m->variant : "");
        snprintf(model->file, sizeof model->file, "%s", m->file);
    }
}
