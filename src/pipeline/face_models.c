#include "pipeline/face_models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "fmprof/fmprof.h"
#include "models/find.h"

#define DETECTOR_NAME "BlazeFace"
#define LANDMARKER_NAME "FaceMesh"
#define MIN_DETECTION_SCORE 0.5f /* MediaPipe's default minDetectionConfidence */

struct fm_face_models {
    fm_runtime *runtime;
    fm_session *detector, *landmarker;
    int boxes, scores;    /* output indices of the detector */
    int points, presence; /* output indices of the landmarker */
    const fm_topology *topology;
    fm_model_files files;
    char runtime_text[64];
};

struct fm_face_runner {
    const fm_face_models *models;
    fm_binding *detector, *landmarker;
    float *averaged; /* landmarks of both looks, when asked for; else NULL */
    /* profiler sites: named by model and by where it runs */
    const fmp_site *detector_pre, *detector_run, *detector_post;
    const fmp_site *landmarker_pre, *landmarker_run, *landmarker_post;
};

/* The index of the output that holds `count` values, or an error that says what the model lacks. */
static fm_status expect_output(const fm_session *session, const char *file, const char *name,
                               size_t count, int *index, fm_error *err)
{
    *index = fm_session_find_output(session, name);
    if (*index < 0)
        return fm_fail(err, FM_E_MODEL, "'%s' has no output '%s'; import the model again", file, name);
    const fm_tensor_info *info = fm_session_output(session, *index);
    if (info->count != count)
        return fm_fail(err, FM_E_MODEL, "output '%s' of '%s' has %zu values where %zu are expected",
                       name, file, info->count, count);
    return FM_OK;
}

static fm_status expect_input(const fm_session *session, const char *file, int size, fm_error *err)
{
    const fm_tensor_info *info = fm_session_input_count(session) == 1 ? fm_session_input(session, 0) : NULL;
    if (!info || info->rank != 4 || info->dims[1] != 3 || info->dims[2] != size || info->dims[3] != size)
        return fm_fail(err, FM_E_MODEL, "'%s' does not take one input of 1x3x%dx%d", file, size, size);
    return FM_OK;
}

static fm_status load(fm_face_models *m, fm_error *err)
{
    const fm_session_options options = {.intra_threads = 1};
    fm_status status = fm_session_open(&m->detector, m->runtime, m->files.detector, &options, err);
    if (status == FM_OK)
        status = fm_session_open(&m->landmarker, m->runtime, m->files.landmarker, &options, err);
    if (status == FM_OK)
        status = expect_input(m->detector, m->files.detector, FM_BLAZEFACE_SIZE, err);
    if (status == FM_OK)
        status = expect_output(m->detector, m->files.detector, "regressors",
                               (size_t)FM_BLAZEFACE_ANCHORS * FM_BLAZEFACE_VALUES, &m->boxes, err);
    if (status == FM_OK)
        status = expect_output(m->detector, m->files.detector, "classificators",
                               FM_BLAZEFACE_ANCHORS, &m->scores, err);
    if (status == FM_OK)
        status = expect_input(m->landmarker, m->files.landmarker, FM_FACEMESH_SIZE, err);
    if (status == FM_OK)
        status = expect_output(m->landmarker, m->files.landmarker, "conv2d_21",
                               (size_t)m->topology->count * 3, &m->points, err);
    if (status == FM_OK)
        status = expect_output(m->landmarker, m->files.landmarker, "conv2d_31", 1, &m->presence, err);
    return status;
}

fm_status fm_face_models_open(fm_face_models **out, const char *models_dir, fm_runtime_log *on_log,
                              void *opaque, fm_error *err)
{
    *out = NULL;
    fm_face_models *m = calloc(1, sizeof *m);
    if (!m)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the models");
    m->topology = &fm_topology_mesh468;
    fm_status status = fm_models_find(models_dir, &m->files, err);
    if (status == FM_OK)
        status = fm_runtime_create(&m->runtime, on_log, opaque, err);
    if (status == FM_OK)
        status = load(m, err);
    if (status != FM_OK) {
        fm_face_models_close(&m);
        return status;
    }
    snprintf(m->runtime_text, sizeof m->runtime_text, "ONNX Runtime %s", fm_runtime_version(m->runtime));
    *out = m;
    return FM_OK;
}

void fm_face_models_close(fm_face_models **models)
{
    fm_face_models *m = *models;
    if (!m)
        return;
    fm_session_close(&m->landmarker);
    fm_session_close(&m->detector);
    fm_runtime_destroy(&m->runtime);
    free(m);
    *models = NULL;
}

const fm_topology *fm_face_models_topology(const fm_face_models *m)
{
    return m->topology;
}

const char *fm_face_models_runtime(const fm_face_models *m)
{
    return m->runtime_text;
}

static fm_report_model describe(const char *name, const char *path, const fm_session *session)
{
    return (fm_report_model){
        .name = name,
        .file = fm_path_name(path),
        .backend = fm_session_backend(session),
        .load_seconds = fm_session_load_seconds(session),
    };
}

void fm_face_models_describe(const fm_face_models *m, fm_report_model out[FM_FACE_MODELS])
{
    out[0] = describe(DETECTOR_NAME, m->files.detector, m->detector);
    out[1] = describe(LANDMARKER_NAME, m->files.landmarker, m->landmarker);
}

static const fmp_site *site(const char *category, const char *model, const char *what)
{
    char name[96];
    snprintf(name, sizeof name, "%s_%s", model, what);
    return fmp_site_get(category, name);
}

fm_status fm_face_runner_create(fm_face_runner **out, fm_face_models *models,
                                fm_face_runner_flags flags, fm_error *err)
{
    *out = NULL;
    fm_face_runner *r = calloc(1, sizeof *r);
    if (!r)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the model buffers");
    r->models = models;
    fm_status status = fm_binding_create(&r->landmarker, models->landmarker, err);
    if (status == FM_OK && (flags & FM_FACE_RUNNER_DETECTS))
        status = fm_binding_create(&r->detector, models->detector, err);
    if (status == FM_OK && (flags & FM_FACE_RUNNER_AVERAGES_FLIP)) {
        r->averaged = calloc((size_t)models->topology->count * 3, sizeof *r->averaged);
        if (!r->averaged)
            status = fm_fail(err, FM_E_NO_MEMORY, "out of memory for the model buffers");
    }
    if (status != FM_OK) {
        fm_face_runner_destroy(&r);
        return status;
    }
    r->detector_pre = site("PREPROCESSING", DETECTOR_NAME, "preprocess");
    r->detector_run = site("MODEL_INFERENCE", DETECTOR_NAME, fm_session_backend(models->detector));
    r->detector_post = site("POSTPROCESSING", DETECTOR_NAME, "postprocess");
    r->landmarker_pre = site("PREPROCESSING", LANDMARKER_NAME, "preprocess");
    r->landmarker_run = site("MODEL_INFERENCE", LANDMARKER_NAME, fm_session_backend(models->landmarker));
    r->landmarker_post = site("POSTPROCESSING", LANDMARKER_NAME, "postprocess");
    *out = r;
    return FM_OK;
}

void fm_face_runner_destroy(fm_face_runner **runner)
{
    fm_face_runner *r = *runner;
    if (!r)
        return;
    fm_binding_destroy(&r->detector);
    fm_binding_destroy(&r->landmarker);
    free(r->averaged);
    free(r);
    *runner = NULL;
}

fm_status fm_face_runner_detect(fm_face_runner *r, const fm_image *image,
                                fm_detection faces[FM_FACES_MAX], int *count, fm_error *err)
{
    *count = 0;
    const fm_roi whole = fm_roi_letterbox(image->width, image->height);
    {
        FMP_SCOPE_SITE(r->detector_pre);
        fm_image_crop(image, &whole, &fm_blazeface_crop, fm_binding_input(r->detector));
    }
    {
        FMP_SCOPE_SITE(r->detector_run);
        fm_status status = fm_binding_run(r->detector, err);
        if (status != FM_OK)
            return status;
    }
    FMP_SCOPE_SITE(r->detector_post);
    *count = fm_blazeface_decode(fm_binding_output(r->detector, r->models->boxes),
                                 fm_binding_output(r->detector, r->models->scores),
                                 MIN_DETECTION_SCORE, &whole, faces, FM_FACES_MAX);
    return FM_OK;
}

fm_status fm_face_runner_landmarks(fm_face_runner *r, const fm_image *image, const fm_roi *roi,
                                   const float **raw, float *presence_logit, fm_error *err)
{
    {
        FMP_SCOPE_SITE(r->landmarker_pre);
        fm_image_crop(image, roi, &fm_facemesh_crop, fm_binding_input(r->landmarker));
    }
    FMP_SCOPE_SITE(r->landmarker_run);
    fm_status status = fm_binding_run(r->landmarker, err);
    *raw = fm_binding_output(r->landmarker, r->models->points);
    *presence_logit = fm_binding_output(r->landmarker, r->models->presence)[0];
    return status;
}

/* Mirrors a planar tensor of `planes` pictures of size x size in place. */
static void flip_tensor(float *tensor, int planes, int size)
{
    for (int row = 0; row < planes * size; row++) {
        float *left = tensor + (size_t)row * (size_t)size, *right = left + size - 1;
        for (; left < right; left++, right--) {
            const float kept = *left;
            *left = *right;
            *right = kept;
        }
    }
}

/*
 * The network sees a picture and its mirror image a little differently (1 to
 * 2 % of the eye distance): its own asymmetry would be taken for the
 * patient's. The mean of both looks has none.
 */
static fm_status add_flipped_look(fm_face_runner *r, const float **raw, float *presence_logit,
                                  fm_error *err)
{
    const fm_topology *topology = r->models->topology;
    float *first = r->averaged;
    memcpy(first, *raw, (size_t)topology->count * 3 * sizeof *first);
    {
        FMP_SCOPE_SITE(r->landmarker_pre);
        flip_tensor(fm_binding_input(r->landmarker), 3, FM_FACEMESH_SIZE);
    }
    {
        FMP_SCOPE_SITE(r->landmarker_run);
        fm_status status = fm_binding_run(r->landmarker, err);
        if (status != FM_OK)
            return status;
    }
    const float *flipped = fm_binding_output(r->landmarker, r->models->points);
    for (int i = 0; i < topology->count; i++) {
        const float *partner = flipped + 3 * topology->mirror[i];
        first[3 * i] = (first[3 * i] + ((float)FM_FACEMESH_SIZE - partner[0])) / 2;
        first[3 * i + 1] = (first[3 * i + 1] + partner[1]) / 2;
        first[3 * i + 2] = (first[3 * i + 2] + partner[2]) / 2;
    }
    *presence_logit = (*presence_logit + fm_binding_output(r->landmarker, r->models->presence)[0]) / 2;
    *raw = first;
    return FM_OK;
}

static fm_status landmarks_into(fm_face_runner *r, fm_tracker *tracker, const fm_image *image,
                                const fm_roi *roi, fm_error *err)
{
    const float *raw;
    float logit;
    fm_status status = fm_face_runner_landmarks(r, image, roi, &raw, &logit, err);
    if (status == FM_OK && r->averaged)
        status = add_flipped_look(r, &raw, &logit, err);
    if (status == FM_OK) {
        FMP_SCOPE_SITE(r->landmarker_post);
        fm_tracker_landmarks(tracker, raw, logit);
    }
    return status;
}

static fm_status detect_into(fm_face_runner *r, fm_tracker *tracker, const fm_image *image,
                             fm_error *err)
{
    fm_detection faces[FM_FACES_MAX];
    int count;
    fm_roi roi;
    fm_status status = fm_face_runner_detect(r, image, faces, &count, err);
    if (status == FM_OK && fm_tracker_detected(tracker, faces, count, &roi))
        status = landmarks_into(r, tracker, image, &roi, err);
    if (status == FM_OK && fm_tracker_refine(tracker, &roi))
        status = landmarks_into(r, tracker, image, &roi, err);
    return status;
}

fm_status fm_face_runner_track(fm_face_runner *r, fm_tracker *tracker, const fm_image *image,
                               double seconds, fm_face *face, fm_error *err)
{
    fm_roi roi;
    fm_status status;
    if (fm_tracker_begin(tracker, image->width, image->height, seconds, &roi))
        status = landmarks_into(r, tracker, image, &roi, err);
    else
        status = detect_into(r, tracker, image, err);
    if (status == FM_OK && fm_tracker_wants_detection(tracker))
        status = detect_into(r, tracker, image, err);
    fm_tracker_end(tracker, face);
    return status;
}
