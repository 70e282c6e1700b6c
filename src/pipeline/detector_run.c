#include "pipeline/detector_run.h"

#include <math.h>

#define MIN_SCORE 0.5f      /* MediaPipe's default minDetectionConfidence, and OpenFace 3.0's threshold */
#define RETINAFACE_NMS 0.4f /* upstream's */

const int fm_detector_side_max = 640;

bool fm_detector_input(const fm_pack_model *spec, int width, int height, fm_retinaface_input *out)
{
    if (spec->input.width > 0)
        return fm_retinaface_letterboxed(width, height, spec->input.width, spec->input.height, out);
    const int side = width > height ? width : height;
    return fm_retinaface_scaled(width, height, fmin(1.0, (double)fm_detector_side_max / side), out);
}

fm_status fm_detector_run_create(fm_detector_run *out, const fm_face_model *model, fm_error *err)
{
    *out = (fm_detector_run){
        .model = model,
        .boxes = fm_face_model_output(model, "boxes"),
        .scores = fm_face_model_output(model, "scores"),
        .points = fm_face_model_output(model, "points"),
    };
    if (model->spec->decoding == FM_DECODING_RETINAFACE)
        return FM_OK; /* when the first picture says its size */
    return fm_model_run_create(&out->run, model->spec->name, model->session, NULL, 0, err);
}

void fm_detector_run_destroy(fm_detector_run *run)
{
    fm_model_run_destroy(&run->run);
}

/* Outputs have a row for each prior of the tensor; the model says how many only now. */
static fm_status check_rows(const fm_detector_run *d, fm_error *err)
{
    const size_t rows = fm_retinaface_priors(d->input.width, d->input.height);
    const struct {
        int index;
        size_t columns;
    } expected[] = {{d->boxes, FM_RETINAFACE_LOC}, {d->scores, FM_RETINAFACE_CONF}, {d->points, FM_RETINAFACE_LANDMS}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        const fm_tensor_info *info = fm_binding_output_info(d->run.binding, expected[i].index);
        if (info->count != rows * expected[i].columns)
            return fm_fail(err, FM_E_MODEL,
                           "output '%s' of '%s' has %zu values for %dx%d pixels where %zu are expected", info->name,
                           d->model->spec->path, info->count, d->input.width, d->input.height,
                           rows * expected[i].columns);
    }
    return FM_OK;
}

/* All pictures of a clip have one size, so this happens once. */
static fm_status fit_to(fm_detector_run *d, const fm_image *image, fm_error *err)
{
    if (d->width == image->width && d->height == image->height)
        return FM_OK;
    d->width = d->height = 0;
    fm_model_run_destroy(&d->run);
    if (!fm_detector_input(d->model->spec, image->width, image->height, &d->input))
        return fm_fail(err, FM_E_BAD_INPUT, "pictures of %dx%d are too large or too narrow for %s", image->width,
                       image->height, d->model->spec->name);
    const int64_t dims[] = {1, 3, d->input.height, d->input.width};
    fm_status status = fm_model_run_create(&d->run, d->model->spec->name, d->model->session, dims, 4, err);
    if (status == FM_OK)
        status = check_rows(d, err);
    if (status != FM_OK)
        return status;
    d->width = image->width;
    d->height = image->height;
    return FM_OK;
}

static fm_status run_retinaface(fm_detector_run *d, const fm_image *image, fm_detection faces[FM_FACES_MAX], int *count,
                                fm_error *err)
{
    fm_status status = fit_to(d, image, err);
    if (status != FM_OK)
        return status;
    {
        FMP_SCOPE_SITE(d->run.pre);
        fm_image_stretch(image, &d->input.box, d->input.width, d->input.height, &d->model->crop,
                         fm_binding_input(d->run.binding));
    }
    status = fm_model_run_once(&d->run, err);
    if (status != FM_OK)
        return status;
    FMP_SCOPE_SITE(d->run.post);
    fm_retinaface_face found[FM_FACES_MAX];
    const float *boxes = fm_binding_output(d->run.binding, d->boxes);
    const float *scores = fm_binding_output(d->run.binding, d->scores);
    const float *points = fm_binding_output(d->run.binding, d->points);
    *count = fm_retinaface_decode(boxes, scores, points, &d->input, MIN_SCORE, RETINAFACE_NMS, found, FM_FACES_MAX);
    for (int i = 0; i < *count; i++)
        faces[i] = fm_retinaface_detection(&found[i]);
    return FM_OK;
}

static fm_status run_blazeface(fm_detector_run *d, const fm_image *image, fm_detection faces[FM_FACES_MAX], int *count,
                               fm_error *err)
{
    const fm_roi whole = fm_roi_letterbox(image->width, image->height);
    {
        FMP_SCOPE_SITE(d->run.pre);
        fm_image_crop(image, &whole, &d->model->crop, fm_binding_input(d->run.binding));
    }
    fm_status status = fm_model_run_once(&d->run, err);
    if (status != FM_OK)
        return status;
    FMP_SCOPE_SITE(d->run.post);
    const float *boxes = fm_binding_output(d->run.binding, d->boxes);
    const float *scores = fm_binding_output(d->run.binding, d->scores);
    *count = fm_blazeface_decode(boxes, scores, MIN_SCORE, &whole, faces, FM_FACES_MAX);
    return FM_OK;
}

fm_status fm_detector_run_once(fm_detector_run *d, const fm_image *image, fm_detection faces[FM_FACES_MAX], int *count,
                               fm_error *err)
{
    *count = 0;
    return d->model->spec->decoding == FM_DECODING_RETINAFACE ? run_retinaface(d, image, faces, count, err)
                                                             : run_blazeface(d, image, faces, count, err);
}
