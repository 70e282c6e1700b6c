#include "pipeline/face_models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "fmprof/fmprof.h"
#include "models/find.h"
#include "pipeline/landmarker.h"

#define DETECTOR_NAME "BlazeFace"
#define LANDMARKER_NAME "FaceMesh"
#define MIN_DETECTION_SCORE 0.5f /* MediaPipe's default minDetectionConfidence */

const char *const fm_face_model_names[FM_FACE_MODELS] = {DETECTOR_NAME, LANDMARKER_NAME};

struct fm_face_models {
    fm_runtime *runtime;
    fm_session *detector, *landmarker;
    int boxes, scores; /* output indices of the detector */
    fm_landmarker mesh;
    fm_model_files files;
    char runtime_text[64];
    fm_report_operator *fallbacks[FM_FACE_MODELS]; /* operator types on the CPU beside an accelerator */
    size_t fallback_counts[FM_FACE_MODELS];
};

struct fm_face_runner {
    const fm_face_models *models;
    fm_binding *detector, *landmarker;
    float refined[3 * FM_LANDMARKS_MAX]; /* points that the network gives in parts */
    float *averaged; /* landmarks of both looks, when asked for; else NULL */
    /* profiler sites: named by model and by where it runs */
    const fmp_site *detector_pre, *detector_run, *detector_post;
    const fmp_site *landmarker_pre, *landmarker_run, *landmarker_post;
};

static fm_status expect_input(const fm_session *session, const char *file, int size, fm_error *err)
{
    const fm_tensor_info *info = fm_session_input_count(session) == 1 ? fm_session_input(session, 0) : NULL;
    if (!info || info->rank != 4 || info->dims[1] != 3 || info->dims[2] != size || info->dims[3] != size)
        return fm_fail(err, FM_E_MODEL, "'%s' does not take one input of 1x3x%dx%d", file, size, size);
    return FM_OK;
}

typedef struct loading {
    const fm_provider_options *providers;
    fm_runtime_log *on_log;
    void *opaque;
} loading;

static fm_status open_session(fm_session **out, fm_face_models *m, const char *name, const char *file,
                              const loading *how, fm_error *err)
{
    const fm_session_options options = {
        .intra_threads = 1,
        .provider = how->providers ? fm_provider_for(how->providers, name) : (fm_provider){0},
    };
    fm_status status = fm_session_open(out, m->runtime, file, &options, err);
    const char *reason = status == FM_OK ? fm_session_fallback_reason(*out) : NULL;
    if (reason && how->on_log && strcasecmp(fm_session_asked(*out), "auto") != 0) {
        char text[1400];
        snprintf(text, sizeof text, "%s was asked for on %s and runs on %s: %s", name, fm_session_asked(*out),
                 fm_session_backend(*out), reason);
        how->on_log(how->opaque, text);
    }
    return status;
}

/* The operator types that run on the CPU although the model has an accelerator, for the report. */
static fm_status list_fallbacks(fm_face_models *m, int index, const fm_session *session, fm_error *err)
{
    const fm_breakdown *b = fm_session_breakdown(session);
    if (b->accelerator == 0 || b->cpu == 0)
        return FM_OK;
    fm_report_operator *list = calloc((size_t)b->type_count, sizeof *list);
    if (!list)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the models");
    m->fallbacks[index] = list;
    for (int i = 0; i < b->type_count; i++)
        if (b->types[i].cpu > 0)
            list[m->fallback_counts[index]++] = (fm_report_operator){.type = b->types[i].op_type, .count = b->types[i].cpu};
    return FM_OK;
}

static fm_status add_libraries(fm_face_models *m, const fm_provider_options *providers, fm_error *err)
{
    fm_status status = FM_OK;
    for (int i = 0; providers && status == FM_OK && i < providers->library_count; i++)
        status = fm_runtime_add_library(m->runtime, providers->libraries[i], err);
    return status;
}

static fm_status load(fm_face_models *m, fm_landmarks_model landmarks, const loading *how, fm_error *err)
{
    fm_status status = open_session(&m->detector, m, DETECTOR_NAME, m->files.detector, how, err);
    if (status == FM_OK)
        status = open_session(&m->landmarker, m, LANDMARKER_NAME, m->files.landmarker, how, err);
    if (status == FM_OK)
        status = list_fallbacks(m, 0, m->detector, err);
    if (status == FM_OK)
        status = list_fallbacks(m, 1, m->landmarker, err);
    if (status == FM_OK)
        status = expect_input(m->detector, m->files.detector, FM_BLAZEFACE_SIZE, err);
    if (status == FM_OK)
        status = fm_expect_output(m->detector, m->files.detector, "regressors",
                                  (size_t)FM_BLAZEFACE_ANCHORS * FM_BLAZEFACE_VALUES, &m->boxes, err);
    if (status == FM_OK)
        status = fm_expect_output(m->detector, m->files.detector, "classificators",
                                  FM_BLAZEFACE_ANCHORS, &m->scores, err);
    if (status == FM_OK)
        status = expect_input(m->landmarker, m->files.landmarker, FM_FACEMESH_SIZE, err);
    if (status == FM_OK)
        status = fm_landmarker_find(&m->mesh, m->landmarker, m->files.landmarker, landmarks, err);
    return status;
}

fm_status fm_face_models_open(fm_face_models **out, const char *models_dir, fm_runtime_log *on_log,
                              void *opaque, fm_error *err)
{
    return fm_face_models_open_on(out, models_dir, FM_LANDMARKS_PLAIN, NULL, on_log, opaque, err);
}

fm_status fm_face_models_open_on(fm_face_models **out, const char *models_dir, fm_landmarks_model landmarks,
                                 const fm_provider_options *providers, fm_runtime_log *on_log, void *opaque, fm_error *err)
{
    *out = NULL;
    fm_status status = providers ? fm_provider_options_check(providers, fm_face_model_names, FM_FACE_MODELS, err) : FM_OK;
    if (status != FM_OK)
        return status;
    fm_face_models *m = calloc(1, sizeof *m);
    if (!m)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the models");
    status = fm_models_find(models_dir, landmarks, &m->files, err);
    if (status == FM_OK)
        status = fm_runtime_create(&m->runtime, on_log, opaque, err);
    if (status == FM_OK)
        status = add_libraries(m, providers, err);
    if (status == FM_OK)
        status = load(m, landmarks, &(loading){providers, on_log, opaque}, err);
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
    for (int i = 0; i < FM_FACE_MODELS; i++)
        free(m->fallbacks[i]);
    free(m);
    *models = NULL;
}

const fm_topology *fm_face_models_topology(const fm_face_models *m)
{
    return m->mesh.topology;
}

const char *fm_face_models_runtime(const fm_face_models *m)
{
    return m->runtime_text;
}

static fm_report_model describe(const fm_face_models *m, int index, const char *path, const fm_session *session)
{
    const fm_breakdown *b = fm_session_breakdown(session);
    return (fm_report_model){
        .name = fm_face_model_names[index],
        .file = fm_path_name(path),
        .backend = fm_session_backend(session),
        .load_seconds = fm_session_load_seconds(session),
        .has_breakdown = true,
        .breakdown = {
            .asked = fm_session_asked(session),
            .reason = fm_session_fallback_reason(session),
            .operators = b->operators,
            .accelerator = b->accelerator,
            .partitions = b->partitions,
            .crossings = b->crossings,
            .crossings_known = b->crossings_known,
            .parameters = b->parameters < INT64_MAX ? (int64_t)b->parameters : INT64_MAX,
            .weight_bytes = b->weight_bytes < INT64_MAX ? (int64_t)b->weight_bytes : INT64_MAX,
            .fallbacks = m->fallbacks[index],
            .fallback_count = m->fallback_counts[index],
        },
    };
}

void fm_face_models_describe(const fm_face_models *m, fm_report_model out[FM_FACE_MODELS])
{
    out[0] = describe(m, 0, m->files.detector, m->detector);
    out[1] = describe(m, 1, m->files.landmarker, m->landmarker);
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
        r->averaged = calloc((size_t)models->mesh.topology->count * 3, sizeof *r->averaged);
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
    *raw = fm_landmarker_points(&r->models->mesh, r->landmarker, r->refined, presence_logit);
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
    const fm_topology *topology = r->models->mesh.topology;
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
    float flipped_logit;
    const float *flipped = fm_landmarker_points(&r->models->mesh, r->landmarker, r->refined, &flipped_logit);
    for (int i = 0; i < topology->count; i++) {
        const float *partner = flipped + 3 * topology->mirror[i];
        first[3 * i] = (first[3 * i] + ((float)FM_FACEMESH_SIZE - partner[0])) / 2;
        first[3 * i + 1] = (first[3 * i + 1] + partner[1]) / 2;
        first[3 * i + 2] = (first[3 * i + 2] + partner[2]) / 2;
    }
    *presence_logit = (*presence_logit + flipped_logit) / 2;
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
