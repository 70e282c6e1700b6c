/*
 * The models of a pack, loaded: what each is for, its session, and how its
 * input is made. The stages' own buffers are in face_runner.h.
 *
 * Thread-safety: Safe after open.
 */
#ifndef FM_PIPELINE_FACE_MODELS_H
#define FM_PIPELINE_FACE_MODELS_H

#include "face/image.h"
#include "face/look.h"
#include "face/topology.h"
#include "facemirror/run.h"
#include "inference/session.h"
#include "models/pack.h"
#include "report/report.h"

typedef struct fm_face_models fm_face_models;

/* One loaded model. */
typedef struct fm_face_model {
    const fm_pack_model *spec; /* of the pack */
    fm_session *session;
    fm_crop_options crop;      /* how its input is made; spec->input says the same. Size 0: any, or not square */
} fm_face_model;

typedef struct fm_face_models_options {
    const char *pack;          /* name or folder; NULL: the default pack */
    const char *landmarks;     /* variant of the landmarker; NULL: the pack's first */
    bool blendshapes;          /* load that model, too, where the pack has one and its landmarks are mesh478 */
    bool action_units;         /* load the AU estimator, where the pack has one */
    int width, height;         /* of the pictures to come, for trials of models that take any size; 0: not known */
    const char *cache_dir;     /* of optimised graphs, inference/cache.h; NULL: none */
    const fm_provider_options *providers; /* NULL: on the CPU */
    fm_runtime_log *on_log;    /* warnings, from any thread; may be NULL */
    void *opaque;
} fm_face_models_options;

/*
 * Finds the pack, compares its files with their hashes, opens their sessions side by side, and checks inputs and
 * outputs against the manifest. A model that runs on the CPU although another provider was asked for by name is a
 * warning to on_log. FM_E_USAGE for a provider, a model, or a variant that does not exist, FM_E_MODEL.
 */
fm_status fm_face_models_open(fm_face_models **out, const fm_face_models_options *options, fm_error *err);
void fm_face_models_close(fm_face_models **models);

/* NULL: the pack has no such model, or it was not asked for. Detector and landmarker are always there. */
const fm_face_model *fm_face_models_get(const fm_face_models *models, fm_model_role role);
/* Index of the model's output for a key of its decoding; checked when the models were opened, so it is there. */
int fm_face_model_output(const fm_face_model *model, const char *key);

const fm_pack *fm_face_models_pack(const fm_face_models *models);
const fm_topology *fm_face_models_topology(const fm_face_models *models);
/* Where the landmarker looks. */
fm_look fm_face_models_look(const fm_face_models *models);
/* fm_runtime_accelerators. */
void fm_face_models_accelerators(const fm_face_models *models, char *out, size_t size);
const char *fm_face_models_runtime(const fm_face_models *models); /* "ONNX Runtime 1.29.0" */

/* Facts for the report; what they point to lives as long as the models. Returns how many of FM_ROLES. */
int fm_face_models_describe(const fm_face_models *models, fm_report_model out[FM_ROLES]);

#endif
