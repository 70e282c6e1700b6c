/*
 * The packs that `models add` can make of files as their makers publish them:
 * which file is what. docs/models.md says where they are from.
 *
 * Thread-safety: Safe (constant data).
 */
#ifndef FM_MODELS_PACK_KNOWN_H
#define FM_MODELS_PACK_KNOWN_H

#include "models/bundle.h"
#include "models/pack.h"

enum { FM_KNOWN_MODELS_MAX = 4, FM_KNOWN_SOURCES_MAX = 3 };

typedef struct fm_known_model {
    const char *name;
    fm_decoding decoding;
    const char *variant;
    const char *file; /* in the pack */
    const char *sources[FM_KNOWN_SOURCES_MAX]; /* any one of these; .tflite is imported; none: a bundle's part */
    fm_bundle_part part;
} fm_known_model;

typedef struct fm_known_pack {
    const char *name, *description, *licence;
    fm_known_model models[FM_KNOWN_MODELS_MAX]; /* ends with a NULL name */
} fm_known_pack;

/* The pack of which a folder has files, even if not all; NULL: none. */
const fm_known_pack *fm_known_pack_in(const char *dir);
/* Of face_landmarker.task. */
const fm_known_pack *fm_known_bundle(void);

/* Path of the model's file in a folder, into out (FM_PATH_MAX); false when none of its sources is there. */
bool fm_known_source(const fm_known_model *model, const char *dir, char *out);

/* The manifest, yet without hashes, of a pack whose folder is not known yet. */
void fm_known_pack_init(fm_pack *out, const fm_known_pack *known);

#endif
