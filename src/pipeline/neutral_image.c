#include "pipeline/neutral_image.h"

#include <string.h>

#include "face/mirror.h"
#include "pipeline/analysis.h"
#include "pipeline/au_estimator.h"
#include "video/reader.h"
#include "video/still.h"

/* The features of one side's mirrored picture, which is drawn into `mirrored`. */
static fm_status measure_side(fm_au_estimator *estimator, const fm_work *work, const char *path, fm_side side,
                              AVFrame *mirrored, fm_au_features *features, fm_error *err)
{
    fm_image picture = fm_image_from_frame(mirrored);
    fm_mirror_yuv420(&work->image, &picture, &work->line, side, FM_MIRROR_SEAM_DEFAULT);
    const fm_au_view view = {&work->face, &work->pose, &work->line, side, &picture};
    fm_au_sample sample = {0};
    const fm_status status = estimator->kind->features(estimator, &view, &sample, err);
    if (status == FM_OK && !sample.has_features)
        return fm_fail(err, FM_E_NO_FACE, "the face in the neutral picture '%s' cannot be measured; use a frontal one",
                       path);
    *features = sample.features;
    return status;
}

static fm_status measure_sides(fm_face_models *models, const fm_work *work, const char *path,
                               fm_au_features features[2], fm_error *err)
{
    fm_au_estimator *estimator;
    fm_status status = fm_au_estimator_create(&estimator, models, 0, err);
    if (status != FM_OK)
        return status;
    AVFrame *mirrored = av_frame_alloc();
    if (mirrored) {
        mirrored->format = AV_PIX_FMT_YUV420P;
        mirrored->width = work->frame->width;
        mirrored->height = work->frame->height;
    }
    if (!mirrored || av_frame_get_buffer(mirrored, 0) < 0 || av_frame_copy_props(mirrored, work->frame) < 0)
        status = fm_fail(err, FM_E_NO_MEMORY, "out of memory for '%s'", path);
    for (int side = 0; side < 2 && status == FM_OK; side++)
        status = measure_side(estimator, work, path, (fm_side)side, mirrored, &features[side], err);
    av_frame_free(&mirrored);
    fm_au_estimator_destroy(&estimator);
    return status;
}

fm_status fm_neutral_image_measure(fm_face_models *models, const fm_run_options *options,
                                   fm_au_features features[2], fm_error *err)
{
    const char *path = options->neutral_image;
    fm_analysis *analysis;
    fm_status status = fm_analysis_create(&analysis, models, options, err);
    if (status != FM_OK)
        return status;
    fm_work *work = NULL;
    fm_work_pool *pool = NULL;
    status = fm_work_pool_create(&pool, 1, err);
    if (status == FM_OK) {
        work = fm_work_acquire(pool);
        status = fm_still_read(path, work->frame, err);
    }
    if (status == FM_OK) {
        work->image = fm_image_from_frame(work->frame);
        work->index = 0;
        work->seconds = 0;
        status = fm_analysis_frame(analysis, work, err);
    }
    if (status == FM_OK && !(work->face.found && work->has_line && work->has_pose))
        status = fm_fail(err, FM_E_NO_FACE, "no face was found in the neutral picture '%s'", path);
    if (status == FM_OK)
        status = measure_sides(models, work, path, features, err);
    fm_work_release(work);
    fm_work_pool_destroy(&pool);
    fm_analysis_destroy(&analysis);
    return status;
}
