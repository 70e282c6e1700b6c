/*
 * A model pack: a folder with `pack.json`, which says what each of its ONNX
 * files is for, what goes in, and how what comes out is read.
 * docs/models.md describes the file and the packs that are known.
 *
 * A manifest comes from anywhere: every value is checked, and what this
 * program cannot decode is refused by name, before a model is opened.
 *
 * Thread-safety: Safe; a pack does not change after it was read.
 */
#ifndef FM_MODELS_PACK_H
#define FM_MODELS_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "facemirror/error.h"
#include "facemirror/path.h"
#include "models/sha256.h"

#define FM_PACK_MANIFEST "pack.json"

typedef enum fm_model_role {
    FM_ROLE_DETECTOR,     /* "detector": picture -> faces */
    FM_ROLE_LANDMARKER,   /* "landmarker": crop -> points */
    FM_ROLE_AU_ESTIMATOR, /* "au_estimator": crop of a mirrored face -> action units */
    FM_ROLE_BLENDSHAPES,  /* "blendshapes": points -> scores */
    FM_ROLES
} fm_model_role;

/*
 * How a model's outputs are read; decides its role and topology, too. After
 * the name: the keys of its outputs. pack_contract.h knows their sizes.
 */
typedef enum fm_decoding {
    FM_DECODING_BLAZEFACE,     /* "blazeface": boxes, scores; face/detector.h */
    FM_DECODING_RETINAFACE,    /* "retinaface": boxes, scores, points; face/retinaface.h */
    FM_DECODING_FACEMESH,      /* "facemesh": points (468, network pixels), presence (logit) */
    FM_DECODING_ATTENTION,     /* "facemesh_attention": points, lips, left_eye, right_eye, left_iris, right_iris,
                                  presence (logit); face/attention.h */
    FM_DECODING_FACEMESH_V2,   /* "facemesh_v2": points (478, network pixels), presence (logit) */
    FM_DECODING_STAR,          /* "star": points (WFLW's 98); face/star.h */
    FM_DECODING_OPENFACE_MTL,  /* "openface_mtl": emotion, gaze, units; face/mtl.h */
    FM_DECODING_BLENDSHAPES,   /* "blendshapes": scores (52, from 146 of the 478 points); face/blendshapes.h */
    FM_DECODINGS
} fm_decoding;

enum { FM_PACK_MODELS_MAX = 8, FM_PACK_OUTPUTS_MAX = 8, FM_PACK_UNITS_MAX = 32 };

/*
 * What goes in: tensor = (value(0..255) * scale + bias - mean) / deviation, planes NCHW. As fm_crop_options.
 * Blendshapes take points, no picture: of their input only the name counts.
 */
typedef struct fm_pack_input {
    char name[128];      /* of the tensor */
    int width, height;   /* 0: any (the picture's) */
    bool bgr;            /* "colour": "BGR" or "RGB" */
    float scale, bias;
    float mean[3], deviation[3]; /* R, G, B */
} fm_pack_input;

/* Which tensor holds what: "boxes" -> "loc". All keys of the decoding, in its order; "@last" is the last output. */
typedef struct fm_pack_output {
    char key[32];
    char tensor[128];
} fm_pack_output;

typedef struct fm_pack_model {
    fm_model_role role;
    fm_decoding decoding;
    char name[32];    /* as operations are named: "RetinaFace"; letters, digits, _ and - */
    char variant[32]; /* where a pack has several models of a role: "attention", "plain"; else "" */
    char file[256];   /* base name, no folders */
    char path[FM_PATH_MAX];
    char sha256[FM_SHA256_HEX]; /* of the file, lower case */
    char topology[32]; /* of a landmarker: "mesh468", "mesh478", "wflw98" */
    fm_pack_input input;
    fm_pack_output outputs[FM_PACK_OUTPUTS_MAX];
    int output_count;
    int units[FM_PACK_UNITS_MAX]; /* FACS numbers of an AU estimator's outputs, in their order */
    int unit_count;
} fm_pack_model;

typedef struct fm_pack {
    char name[64];
    char description[256];
    char licence[256];
    char dir[FM_PATH_MAX];
    fm_pack_model models[FM_PACK_MODELS_MAX];
    int model_count;
} fm_pack;

/*
 * Reads dir/pack.json, which may have 64 KiB. FM_E_NOT_FOUND without one, FM_E_NO_MEMORY;
 * FM_E_MODEL names the file, the member and what it must be.
 */
fm_status fm_pack_read(fm_pack **out, const char *dir, fm_error *err);
/* The same from the `size` bytes of a manifest, wherever they are from; `dir` is where the models would lie. */
fm_status fm_pack_parse(fm_pack **out, const void *manifest, size_t size, const char *dir, fm_error *err);
/* The manifest that reads back as the same pack, as malloc'ed text, the caller's. FM_E_NO_MEMORY. */
fm_status fm_pack_print(const fm_pack *pack, char **text, fm_error *err);
void fm_pack_free(fm_pack **pack);

/*
 * The pack that is meant by `name_or_dir`:
 * - with a '/' in it, or when it is a folder with a manifest: that folder;
 * - else the name of an installed pack (registry.h), or the default pack's own;
 * - NULL or "": the default pack, the first with a manifest of $FACEMIRROR_MODELS,
 *   $XDG_DATA_HOME/facemirror/models (or ~/.local/share/...), the folder that the
 *   build was configured with, <prefix>/share/facemirror/models, and the installed
 *   pack "mediapipe".
 * FM_E_MODEL says what was searched, which packs there are, and what to do; also
 * when the manifest that was found is broken: no other one takes its place.
 */
fm_status fm_pack_find(fm_pack **out, const char *name_or_dir, fm_error *err);

/* The model of a role; of several the one of that variant ("" or NULL: the first). NULL: the pack has none. */
const fm_pack_model *fm_pack_model_of(const fm_pack *pack, fm_model_role role, const char *variant);
/* The tensor for an output's key, or NULL. */
const char *fm_pack_output_of(const fm_pack_model *model, const char *key);

/* Whether it may name a pack: 1 to 63 letters, digits, '_', '-' and '.', the first a letter or digit. */
bool fm_pack_name_ok(const char *name);

/* Compares the file with its SHA-256. FM_E_MODEL: it is another file, or cannot be read. */
fm_status fm_pack_check_file(const fm_pack_model *model, fm_error *err);

const char *fm_model_role_name(fm_model_role role);
const char *fm_decoding_name(fm_decoding decoding);

#endif
