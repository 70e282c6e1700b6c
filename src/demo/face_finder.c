#include "face_finder.h"

#include <stdlib.h>

#include "inference/session.h"
#include "models/find.h"

enum { FACES_MAX = 8 };
static const float min_detection_score = 0.5f; /* MediaPipe's default */

struct fm_face_finder {
    fm_runtime *runtime;
    fm_session *detector, *landmarker;
    fm_binding *detect, *mark;
    int boxes, scores, points, presence; /* output indices */
    const fm_topology *topology;
    fm_tracker *tracker;
};

static fm_status find_output(const fm_session *session, const char *file, const char *name, size_t count,
                             int *index, fm_error *err)
{
    *index = fm_session_find_output(session, name);
    if (*index < 0 || fm_session_output(session, *index)->count != count)
        return fm_fail(err, FM_E_MODEL, "the model '%s' has no output '%s' of %zu values; import the models again",
                       file, name, count);
    return FM_OK;
}

static fm_status check_input(const fm_session *session, const char *file, int size, fm_error *err)
{
    const size_t expected = 3 * (size_t)size * (size_t)size;
    if (fm_session_input_count(session) != 1 || fm_session_input(session, 0)->count != expected)
        return fm_fail(err, FM_E_MODEL, "the model '%s' does not take one 1x3x%dx%d input; import the models again",
                       file, size, size);
    return FM_OK;
}

static fm_status load_detector(fm_face_finder *f, const char *file, fm_error *err)
{
    const size_t anchors = FM_BLAZEFACE_ANCHORS;
    fm_status status = fm_session_open(&f->detector, f->runtime, file, NULL, err);
    if (status == FM_OK)
        status = check_input(f->detector, file, FM_BLAZEFACE_SIZE, err);
    if (status == FM_OK)
        status = find_output(f->detector, file, "regressors", anchors * FM_BLAZEFACE_VALUES, &f->boxes, err);
    if (status == FM_OK)
        status = find_output(f->detector, file, "classificators", anchors, &f->scores, err);
    return status == FM_OK ? fm_binding_create(&f->detect, f->detector, err) : status;
}

static fm_status load_landmarker(fm_face_finder *f, const char *file, fm_error *err)
{
    const size_t values = 3 * (size_t)f->topology->count;
    fm_status status = fm_session_open(&f->landmarker, f->runtime, file, NULL, err);
    if (status == FM_OK)
        status = check_input(f->landmarker, file, FM_FACEMESH_SIZE, err);
    if (status == FM_OK)
        status = find_output(f->landmarker, file, "conv2d_21", values, &f->points, err);
    if (status == FM_OK)
        status = find_output(f->landmarker, file, "conv2d_31", 1, &f->presence, err);
    return status == FM_OK ? fm_binding_create(&f->mark, f->landmarker, err) : status;
}

static fm_status load(fm_face_finder *f, const char *models_dir, fm_error *err)
{
    fm_model_files *files = malloc(sizeof *files);
    if (!files)
        return fm_fail(err, FM_E_NO_MEMORY, "no memory to look for the models");
    fm_status status = fm_models_find(models_dir, files, err);
    if (status == FM_OK)
        status = fm_runtime_create(&f->runtime, NULL, NULL, err);
    if (status == FM_OK)
        status = load_detector(f, files->detector, err);
    if (status == FM_OK)
        status = load_landmarker(f, files->landmarker, err);
    free(files);
    return status;
}

fm_status fm_face_finder_open(fm_face_finder **out, const char *models_dir, fm_error *err)
{
    *out = NULL;
    fm_face_finder *f = calloc(1, sizeof *f);
    if (!f)
        return fm_fail(err, FM_E_NO_MEMORY, "no memory for the face finder");
    f->topology = &fm_topology_mesh468;
    fm_tracker_options options = fm_tracker_defaults();
    options.smooth = false;
    fm_status status = fm_tracker_create(&f->tracker, f->topology, &options, err);
    if (status == FM_OK)
        status = load(f, models_dir, err);
    if (status != FM_OK) {
        fm_face_finder_close(&f);
        return status;
    }
    *out = f;
    return FM_OK;
}

void fm_face_finder_close(fm_face_finder **finder)
{
    if (!finder || !*finder)
        return;
    fm_face_finder *f = *finder;
    fm_binding_destroy(&f->mark);
    fm_binding_destroy(&f->detect);
    fm_session_close(&f->landmarker);
    fm_session_close(&f->detector);
    fm_runtime_destroy(&f->runtime);
    fm_tracker_destroy(&f->tracker);
    free(f);
    *finder = NULL;
}

const fm_topology *fm_face_finder_topology(const fm_face_finder *finder)
{
    return finder->topology;
}

static fm_status detect(fm_face_finder *f, const fm_image *image, bool *have, fm_roi *roi, fm_error *err)
{
    const fm_roi whole = fm_roi_letterbox(image->width, image->height);
    fm_image_crop(image, &whole, &fm_blazeface_crop, fm_binding_input(f->detect));
    const fm_status status = fm_binding_run(f->detect, err);
    if (status != FM_OK)
        return status;
    fm_detection faces[FACES_MAX];
    const int count = fm_blazeface_decode(fm_binding_output(f->detect, f->boxes),
                                          fm_binding_output(f->detect, f->scores), min_detection_score,
                                          &whole, faces, FACES_MAX);
    *have = fm_tracker_detected(f->tracker, faces, count, roi);
    return FM_OK;
}

static fm_status mark(fm_face_finder *f, const fm_image *image, const fm_roi *roi, fm_error *err)
{
    fm_image_crop(image, roi, &fm_facemesh_crop, fm_binding_input(f->mark));
    const fm_status status = fm_binding_run(f->mark, err);
    if (status == FM_OK)
        fm_tracker_landmarks(f->tracker, fm_binding_output(f->mark, f->points),
                             fm_binding_output(f->mark, f->presence)[0]);
    return status;
}

fm_status fm_face_finder_next(fm_face_finder *f, const fm_image *image, double seconds, fm_face *face,
                              fm_error *err)
{
    fm_roi roi;
    fm_status status = FM_OK;
    bool have = fm_tracker_begin(f->tracker, image->width, image->height, seconds, &roi);
    if (!have)
        status = detect(f, image, &have, &roi, err);
    if (status == FM_OK && have)
        status = mark(f, image, &roi, err);
    if (status == FM_OK && fm_tracker_wants_detection(f->tracker)) {
        status = detect(f, image, &have, &roi, err);
        if (status == FM_OK && have)
            status = mark(f, image, &roi, err);
    }
    fm_tracker_end(f->tracker, face);
    return status;
}
