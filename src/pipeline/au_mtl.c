/*
 * Action units, emotion and gaze by OpenFace 3.0's multi-task network on crops of the mirrored picture; AU45, which
 * it does not know, by the eyes' landmarks.
 */
#include <math.h>
#include <stdlib.h>

#include "fmprof/fmprof.h"
#include "pipeline/au_estimator.h"
#include "pipeline/model_run.h"

enum { AU45_COLUMN = FM_AU_COUNT - 1, CHANNELS = 3, INPUT_RANK = 4 };

_Static_assert((int)FM_PACK_UNITS_MAX <= (int)FM_MTL_UNITS_MAX, "a manifest's units fit into a result");

typedef struct mtl {
    fm_au_estimator base;
    const fm_face_model *model;
    const fm_topology *topology;
    fm_model_run run;
    int width, height;         /* of the input */
    int emotion, gaze, units;  /* indices of the outputs */
    int held;                  /* crops in the input */
} mtl;

/* Around the box that the detector would give for the mirrored face. */
static bool crop_of(const fm_au_view *view, const fm_point3 *mirrored, int count, fm_box *out)
{
    const fm_box around = fm_box_of_points(mirrored, count);
    const fm_box_relation relation = fm_mirrored_relation(&view->face->box_relation);
    const fm_box box = fm_box_expected(&around, &relation);
    return fm_mtl_box(&box, FM_MTL_MARGIN, view->mirrored->width, view->mirrored->height, out);
}

/* Of landmarks as measured in this frame: a blink must not be smoothed away. */
static fm_status features(fm_au_estimator *self, const fm_au_view *view, fm_au_sample *sample, fm_error *err)
{
    (void)err;
    const mtl *m = (const mtl *)self;
    fm_point3 mirrored[FM_LANDMARKS_MAX];
    fm_mirrored_points(view->face->raw, m->topology, view->line, view->keep, mirrored);
    fm_au_sample_measure(sample, view, m->topology, mirrored);
    return FM_OK;
}

static fm_status measure(fm_au_estimator *self, const fm_au_view *view, fm_au_sample *sample, bool *waits,
                         fm_error *err)
{
    (void)err;
    mtl *m = (mtl *)self;
    FMP_CONTEXT("AU_");
    FMP_SCOPE_SITE(m->run.pre);
    fm_point3 mirrored[FM_LANDMARKS_MAX];
    fm_mirrored_points(view->face->raw, m->topology, view->line, view->keep, mirrored);
    fm_box box;
    *waits = crop_of(view, mirrored, m->topology->count, &box);
    if (!*waits)
        return FM_OK;
    const size_t values = (size_t)CHANNELS * (size_t)m->width * (size_t)m->height;
    float *tensor = fm_binding_input(m->run.binding) + (size_t)m->held++ * values;
    fm_image_stretch(view->mirrored, &box, m->width, m->height, &m->model->crop, tensor);
    sample->confidence = view->face->confidence;
    fm_au_sample_measure(sample, view, m->topology, mirrored);
    return FM_OK;
}

/* A batch that is not full runs with what earlier ones left in its rest: one shape for all, as accelerators want it. */
static fm_status run(fm_au_estimator *self, fm_au_sample *const waiting[], int count, fm_error *err)
{
    mtl *m = (mtl *)self;
    FMP_CONTEXT("AU_");
    m->held = 0;
    const fm_status status = fm_model_run_once(&m->run, err);
    if (status != FM_OK)
        return status;
    FMP_SCOPE_SITE(m->run.post);
    const int unit_count = m->model->spec->unit_count;
    const float *emotion = fm_binding_output(m->run.binding, m->emotion);
    const float *gaze = fm_binding_output(m->run.binding, m->gaze);
    const float *units = fm_binding_output(m->run.binding, m->units);
    for (int i = 0; i < count; i++) {
        waiting[i]->success = fm_mtl_decode(emotion + i * FM_MTL_EMOTIONS, gaze + i * FM_MTL_GAZE,
                                            units + i * unit_count, unit_count, &waiting[i]->network);
        if (!waiting[i]->success)
            waiting[i]->confidence = 0;
    }
    return FM_OK;
}

static void units_of(const fm_au_estimator *self, const fm_au_sample *sample, const fm_au_features *neutral,
                     fm_au_result *out)
{
    const mtl *m = (const mtl *)self;
    fm_mtl_action_units(&sample->network, m->model->spec->units, out);
    if (!sample->has_features || !isnan(out->intensity[AU45_COLUMN]))
        return;
    fm_au_result geometric;
    fm_au_intensities(&sample->features, neutral, &geometric);
    out->intensity[AU45_COLUMN] = geometric.intensity[AU45_COLUMN];
    out->presence[AU45_COLUMN] = geometric.presence[AU45_COLUMN];
}

static void destroy(fm_au_estimator *self)
{
    mtl *m = (mtl *)self;
    fm_model_run_destroy(&m->run);
    free(m);
}

static const fm_au_estimator_kind kind = {
    .measure = measure, .run = run, .features = features, .units = units_of, .destroy = destroy};

/* How many faces a run takes: what is wished, 0 for nothing, where the model leaves its batch open. */
static fm_status choose_batch(mtl *m, int wished, fm_error *err)
{
    const bool is_open = fm_session_input(m->model->session, 0)->dims[0] < 0; /* else 1: the models were checked */
    if (!is_open && wished > 1)
        return fm_fail(err, FM_E_USAGE,
                       "'%s' takes one face at a time, so --au-batch %d cannot be; export it with an open batch",
                       m->model->spec->file, wished);
    m->base.batch = !is_open ? 1 : wished > 0 ? wished : FM_AU_BATCH_DEFAULT;
    return FM_OK;
}

/* An output must have a row for each face. */
static fm_status find_output(const mtl *m, const char *key, int columns, int *index, fm_error *err)
{
    *index = fm_face_model_output(m->model, key);
    const fm_tensor_info *info = fm_binding_output_info(m->run.binding, *index);
    if (info->count != (size_t)m->base.batch * (size_t)columns)
        return fm_fail(err, FM_E_MODEL,
                       "the output '%s' of '%s' has %zu values for %d faces where %d for each are wanted", info->name,
                       m->model->spec->file, info->count, m->base.batch, columns);
    return FM_OK;
}

static fm_status set_up(mtl *m, int batch, fm_error *err)
{
    const fm_pack_model *spec = m->model->spec;
    m->width = spec->input.width > 0 ? spec->input.width : FM_MTL_SIZE;
    m->height = spec->input.height > 0 ? spec->input.height : FM_MTL_SIZE;
    fm_status status = choose_batch(m, batch, err);
    if (status != FM_OK)
        return status;
    const int64_t dims[INPUT_RANK] = {m->base.batch, CHANNELS, m->height, m->width};
    status = fm_model_run_create(&m->run, spec->name, m->model->session, dims, INPUT_RANK, err);
    if (status == FM_OK)
        status = find_output(m, "emotion", FM_MTL_EMOTIONS, &m->emotion, err);
    if (status == FM_OK)
        status = find_output(m, "gaze", FM_MTL_GAZE, &m->gaze, err);
    if (status == FM_OK)
        status = find_output(m, "units", spec->unit_count, &m->units, err);
    return status;
}

fm_status fm_au_mtl_create(fm_au_estimator **out, const fm_face_models *models, int batch, fm_error *err)
{
    *out = NULL;
    mtl *m = calloc(1, sizeof *m);
    if (!m)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the action units");
    m->base = (fm_au_estimator){.kind = &kind, .tells_emotion = true};
    m->model = fm_face_models_get(models, FM_ROLE_AU_ESTIMATOR);
    m->topology = fm_face_models_topology(models);
    const fm_status status = set_up(m, batch, err);
    if (status != FM_OK) {
        destroy(&m->base);
        return status;
    }
    *out = &m->base;
    return FM_OK;
}
