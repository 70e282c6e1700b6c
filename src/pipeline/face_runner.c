#include "pipeline/face_runner.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/landmarker.h"
#include "pipeline/model_run.h"

/* Frames after which the detector must see a face again that is followed by a network without a presence score. */
enum { DETECT_EVERY_WITHOUT_PRESENCE = 15 };

struct fm_face_runner {
    bool detects, averages;
    fm_detector_run detector;
    const fm_face_model *model; /* landmarker */
    fm_landmarker landmarker;
    fm_model_run run;
    float refined[3 * FM_LANDMARKS_MAX];  /* points that the network gives in another shape */
    float averaged[3 * FM_LANDMARKS_MAX]; /* of both looks */
    fm_point3 points[FM_LANDMARKS_MAX];
};

fm_status fm_face_runner_create(fm_face_runner **out, const fm_face_models *models,
                                fm_face_runner_flags flags, fm_error *err)
{
    *out = NULL;
    fm_face_runner *r = calloc(1, sizeof *r);
    if (!r)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the model buffers");
    r->detects = flags & FM_FACE_RUNNER_DETECTS;
    r->averages = flags & FM_FACE_RUNNER_AVERAGES_FLIP;
    r->model = fm_face_models_get(models, FM_ROLE_LANDMARKER);
    fm_landmarker_init(&r->landmarker, r->model);
    const int64_t dims[] = {1, 3, r->model->crop.size, r->model->crop.size};
    fm_status status = fm_model_run_create(&r->run, r->model->spec->name, r->model->session, dims, 4, err);
    if (status == FM_OK && r->detects)
        status = fm_detector_run_create(&r->detector, fm_face_models_get(models, FM_ROLE_DETECTOR), err);
    if (status != FM_OK) {
        fm_face_runner_destroy(&r);
        return status;
    }
    *out = r;
    return FM_OK;
}

void fm_face_runner_destroy(fm_face_runner **runner)
{
    fm_face_runner *r = *runner;
    if (!r)
        return;
    fm_detector_run_destroy(&r->detector);
    fm_model_run_destroy(&r->run);
    free(r);
    *runner = NULL;
}

fm_status fm_face_runner_detect(fm_face_runner *r, const fm_image *image,
                                fm_detection faces[FM_FACES_MAX], int *count, fm_error *err)
{
    return fm_detector_run_once(&r->detector, image, faces, count, err);
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

static fm_status run_on(fm_face_runner *r, const fm_image *image, const fm_roi *roi, fm_error *err)
{
    {
        FMP_SCOPE_SITE(r->run.pre);
        fm_image_crop(image, roi, &r->model->crop, fm_binding_input(r->run.binding));
    }
    return fm_model_run_once(&r->run, err);
}

/* Once more on the mirror image of the crop; keeps what the first look saw. */
static fm_status run_on_mirror_image(fm_face_runner *r, float *first_logit, fm_error *err)
{
    {
        FMP_SCOPE_SITE(r->run.post);
        const float *first = fm_landmarker_points(&r->landmarker, r->run.binding, r->refined, first_logit);
        memcpy(r->averaged, first, (size_t)r->landmarker.topology->count * 3 * sizeof *first);
    }
    {
        FMP_SCOPE_SITE(r->run.pre);
        flip_tensor(fm_binding_input(r->run.binding), 3, r->model->crop.size);
    }
    return fm_model_run_once(&r->run, err);
}

/*
 * The network sees a picture and its mirror image a little differently (1 to
 * 2 % of the eye distance): its own asymmetry would be taken for the
 * patient's. The mean of both looks has none.
 */
static fm_status find_landmarks(fm_face_runner *r, const fm_image *image, const fm_roi *roi, bool averages,
                                fm_point3 *points, float *presence, fm_error *err)
{
    float logit, first_logit = 0;
    fm_status status = run_on(r, image, roi, err);
    if (status == FM_OK && averages)
        status = run_on_mirror_image(r, &first_logit, err);
    if (status != FM_OK)
        return status;
    FMP_SCOPE_SITE(r->run.post);
    const float *values = fm_landmarker_points(&r->landmarker, r->run.binding, r->refined, &logit);
    if (averages) {
        fm_landmarker_average(&r->landmarker, r->averaged, values);
        values = r->averaged;
        logit = (first_logit + logit) / 2;
    }
    fm_landmarker_place(&r->landmarker, values, logit, roi, points, presence);
    return FM_OK;
}

fm_status fm_face_runner_landmarks(fm_face_runner *r, const fm_image *image, const fm_roi *roi,
                                   fm_point3 points[FM_LANDMARKS_MAX], float *presence, fm_error *err)
{
    return find_landmarks(r, image, roi, false, points, presence, err);
}

static fm_status landmarks_into(fm_face_runner *r, fm_tracker *tracker, const fm_image *image,
                                const fm_roi *roi, fm_error *err)
{
    float presence;
    const fm_status status = find_landmarks(r, image, roi, r->averages, r->points, &presence, err);
    if (status == FM_OK)
        fm_tracker_landmarks(tracker, r->points, presence);
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

fm_tracker_options fm_face_runner_tracking(const fm_face_models *models)
{
    fm_tracker_options options = fm_tracker_defaults();
    options.look = fm_face_models_look(models);
    if (options.look == FM_LOOK_UPRIGHT)
        options.detect_every = DETECT_EVERY_WITHOUT_PRESENCE;
    return options;
}
