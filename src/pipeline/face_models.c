#include "pipeline/face_models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "inference/open_many.h"
#include "pipeline/detector_run.h"
#include "pipeline/face_model_facts.h"
#include "pipeline/landmarker.h"
#include "pipeline/model_check.h"

struct fm_face_models {
    fm_runtime *runtime;
    fm_pack *pack;
    fm_face_model model[FM_ROLES]; /* spec NULL: not loaded */
    const fm_topology *topology;
    char runtime_text[64];
    fm_report_operator *fallbacks[FM_ROLES]; /* operator types on the CPU beside an accelerator */
    size_t fallback_counts[FM_ROLES];
};

/* --- which models ---------------------------------------------------------- */

/* The variants of the pack's landmarkers, for the message. */
static void list_variants(const fm_pack *pack, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < pack->model_count && used < size; i++) {
        const fm_pack_model *m = &pack->models[i];
        if (m->role != FM_ROLE_LANDMARKER || !*m->variant)
            continue;
        const int n = snprintf(text + used, size - used, "%s%s", used ? ", " : "", m->variant);
        used += n > 0 ? (size_t)n : 0;
    }
}

static fm_status choose_landmarker(fm_face_models *m, const char *variant, fm_error *err)
{
    const fm_pack_model *chosen = fm_pack_model_of(m->pack, FM_ROLE_LANDMARKER, variant);
    m->model[FM_ROLE_LANDMARKER].spec = chosen;
    if (chosen || !variant || !fm_pack_model_of(m->pack, FM_ROLE_LANDMARKER, NULL))
        return FM_OK;
    char variants[200];
    list_variants(m->pack, variants, sizeof variants);
    if (!*variants)
        return fm_fail(err, FM_E_USAGE, "the pack '%s' has one landmark model and no '%s' beside it", m->pack->name,
                       variant);
    return fm_fail(err, FM_E_USAGE, "the pack '%s' has no landmark model '%s'; it has: %s", m->pack->name, variant,
                   variants);
}

static fm_status choose_models(fm_face_models *m, const fm_face_models_options *o, fm_error *err)
{
    fm_status status = choose_landmarker(m, o->landmarks && *o->landmarks ? o->landmarks : NULL, err);
    if (status != FM_OK)
        return status;
    m->model[FM_ROLE_DETECTOR].spec = fm_pack_model_of(m->pack, FM_ROLE_DETECTOR, NULL);
    if (o->action_units)
        m->model[FM_ROLE_AU_ESTIMATOR].spec = fm_pack_model_of(m->pack, FM_ROLE_AU_ESTIMATOR, NULL);
    for (int role = FM_ROLE_DETECTOR; role <= FM_ROLE_LANDMARKER; role++)
        if (!m->model[role].spec)
            return fm_fail(err, FM_E_MODEL, "the pack '%s' has no %s, which a run needs", m->pack->name,
                           fm_model_role_name((fm_model_role)role));
    m->topology = fm_topology_named(m->model[FM_ROLE_LANDMARKER].spec->topology);
    if (!m->topology)
        return fm_fail(err, FM_E_MODEL, "the pack '%s' has landmarks of an unknown kind, '%s'", m->pack->name,
                       m->model[FM_ROLE_LANDMARKER].spec->topology);
    if (o->blendshapes && m->topology == &fm_topology_mesh478)
        m->model[FM_ROLE_BLENDSHAPES].spec = fm_pack_model_of(m->pack, FM_ROLE_BLENDSHAPES, NULL);
    return FM_OK;
}

static fm_status check_providers(const fm_face_models *m, const fm_provider_options *providers, fm_error *err)
{
    const char *names[FM_ROLES];
    size_t count = 0;
    for (int role = 0; role < FM_ROLES; role++)
        if (m->model[role].spec)
            names[count++] = m->model[role].spec->name;
    return providers ? fm_provider_options_check(providers, names, count, err) : FM_OK;
}

/* --- opening --------------------------------------------------------------- */

static bool replicates_edges(fm_decoding decoding)
{
    return decoding == FM_DECODING_FACEMESH || decoding == FM_DECODING_ATTENTION || decoding == FM_DECODING_FACEMESH_V2;
}

static fm_crop_options crop_of(const fm_pack_model *spec)
{
    const fm_pack_input *in = &spec->input;
    fm_crop_options crop = {
        .size = in->width == in->height ? in->width : 0,
        .scale = in->scale,
        .bias = in->bias,
        .border = replicates_edges(spec->decoding) ? FM_BORDER_REPLICATE : FM_BORDER_ZERO,
        .bgr = in->bgr,
    };
    memcpy(crop.mean, in->mean, sizeof crop.mean);
    memcpy(crop.deviation, in->deviation, sizeof crop.deviation);
    return crop;
}

/* Size of the input in trial runs, of a picture of the clip. */
static void trial_size(const fm_pack_model *spec, const fm_face_models_options *o, int64_t dims[4])
{
    enum { UNKNOWN = 640 };
    int width = spec->input.width, height = spec->input.height;
    if (spec->decoding == FM_DECODING_RETINAFACE && width == 0) {
        fm_retinaface_input input;
        const bool known = o->width > 0 && o->height > 0 && fm_detector_input(spec, o->width, o->height, &input);
        width = known ? input.width : UNKNOWN;
        height = known ? input.height : UNKNOWN;
    }
    const int64_t size[] = {1, 3, height, width};
    memcpy(dims, size, sizeof size);
}

static fm_status compare_hash(void *opaque, fm_error *err)
{
    return fm_pack_check_file(opaque, err);
}

static fm_status open_sessions(fm_face_models *m, const fm_face_models_options *o, fm_error *err)
{
    fm_session_request requests[FM_ROLES];
    int64_t dims[FM_ROLES][4];
    int count = 0;
    for (int role = 0; role < FM_ROLES; role++) {
        fm_face_model *model = &m->model[role];
        if (!model->spec)
            continue;
        model->crop = crop_of(model->spec);
        trial_size(model->spec, o, dims[role]);
        const bool takes_pictures = role != FM_ROLE_BLENDSHAPES;
        requests[count++] = (fm_session_request){
            .path = model->spec->path,
            .options = {
                .intra_threads = 1,
                .provider = o->providers ? fm_provider_for(o->providers, model->spec->name) : (fm_provider){0},
                .input_dims = takes_pictures ? dims[role] : NULL,
                .input_rank = takes_pictures ? 4 : 0,
                .cache_dir = o->cache_dir,
                .sha256 = *model->spec->sha256 ? model->spec->sha256 : NULL,
            },
            .before = compare_hash,
            .opaque = (void *)model->spec,
            .out = &model->session,
        };
    }
    return fm_sessions_open(requests, count, m->runtime, err);
}

static fm_status create_runtime(fm_face_models *m, const fm_face_models_options *o, fm_error *err)
{
    fm_status status = fm_runtime_create(&m->runtime, o->on_log, o->opaque, err);
    for (int i = 0; status == FM_OK && o->providers && i < o->providers->library_count; i++)
        status = fm_runtime_add_library(m->runtime, o->providers->libraries[i], err);
    if (status == FM_OK)
        snprintf(m->runtime_text, sizeof m->runtime_text, "ONNX Runtime %s", fm_runtime_version(m->runtime));
    return status;
}

static void warn_of_fallback(const fm_face_model *model, const fm_face_models_options *o)
{
    const char *reason = fm_session_fallback_reason(model->session), *asked = fm_session_asked(model->session);
    if (!reason || !o->on_log || strcasecmp(asked, "auto") == 0)
        return;
    char text[1400];
    snprintf(text, sizeof text, "%s was asked for on %s and runs on %s: %s", model->spec->name, asked,
             fm_session_backend(model->session), reason);
    o->on_log(o->opaque, text);
}

/* Everything that is loaded is what the manifest says, and has its facts. */
static fm_status accept(fm_face_models *m, const fm_face_models_options *o, fm_error *err)
{
    fm_status status = FM_OK;
    for (int role = 0; role < FM_ROLES && status == FM_OK; role++) {
        const fm_face_model *model = &m->model[role];
        if (!model->spec)
            continue;
        warn_of_fallback(model, o);
        status = fm_model_check(model->spec, model->session, err);
        if (status == FM_OK)
            status = fm_face_model_fallbacks(model->session, &m->fallbacks[role], &m->fallback_counts[role], err);
    }
    return status;
}

fm_status fm_face_models_open(fm_face_models **out, const fm_face_models_options *options, fm_error *err)
{
    *out = NULL;
    fm_face_models *m = calloc(1, sizeof *m);
    if (!m)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the models");
    fm_status status = fm_pack_find(&m->pack, options->pack, err);
    if (status == FM_OK)
        status = choose_models(m, options, err);
    if (status == FM_OK)
        status = check_providers(m, options->providers, err);
    if (status == FM_OK)
        status = create_runtime(m, options, err);
    if (status == FM_OK)
        status = open_sessions(m, options, err);
    if (status == FM_OK)
        status = accept(m, options, err);
    if (status != FM_OK) {
        fm_face_models_close(&m);
        return status;
    }
    *out = m;
    return FM_OK;
}

void fm_face_models_close(fm_face_models **models)
{
    fm_face_models *m = *models;
    if (!m)
        return;
    for (int role = 0; role < FM_ROLES; role++) {
        fm_session_close(&m->model[role].session);
        free(m->fallbacks[role]);
    }
    fm_runtime_destroy(&m->runtime);
    fm_pack_free(&m->pack);
    free(m);
    *models = NULL;
}

/* --- asking ---------------------------------------------------------------- */

const fm_face_model *fm_face_models_get(const fm_face_models *m, fm_model_role role)
{
    return m->model[role].spec ? &m->model[role] : NULL;
}

int fm_face_model_output(const fm_face_model *model, const char *key)
{
    return fm_model_output(model->spec, model->session, key);
}

const fm_pack *fm_face_models_pack(const fm_face_models *m)
{
    return m->pack;
}

const fm_topology *fm_face_models_topology(const fm_face_models *m)
{
    return m->topology;
}

fm_look fm_face_models_look(const fm_face_models *m)
{
    return m->model[FM_ROLE_LANDMARKER].spec->decoding == FM_DECODING_STAR ? FM_LOOK_UPRIGHT : FM_LOOK_TURNED;
}

void fm_face_models_accelerators(const fm_face_models *m, char *out, size_t size)
{
    fm_runtime_accelerators(m->runtime, out, size);
}

const char *fm_face_models_runtime(const fm_face_models *m)
{
    return m->runtime_text;
}

int fm_face_models_describe(const fm_face_models *m, fm_report_model out[FM_ROLES])
{
    int count = 0;
    for (int role = 0; role < FM_ROLES; role++)
        if (m->model[role].spec)
            out[count++] = fm_face_model_facts(m->model[role].spec, m->model[role].session, m->fallbacks[role],
                                               m->fallback_counts[role]);
    return count;
}
