/*
 * What `models add` makes a pack of, model by model: a folder with a manifest,
 * a folder of files as their makers publish them, or a Face Landmarker bundle.
 *
 * Thread-safety: Unsafe (one thread at a time).
 */
#ifndef FM_MODELS_PACK_SOURCE_H
#define FM_MODELS_PACK_SOURCE_H

#include "models/pack.h"

typedef struct fm_pack_source fm_pack_source;

/*
 * Looks what is at `path`. FM_E_NOT_FOUND when nothing is; FM_E_MODEL when a
 * manifest is broken, when files of a known pack are missing, which are named,
 * or when it is nothing that is known.
 */
fm_status fm_pack_source_open(fm_pack_source **out, const char *path, fm_error *err);
void fm_pack_source_close(fm_pack_source **source);

/* The pack to be made. Without a manifest, hashes and paths (which say where from) are empty until models are loaded. */
fm_pack *fm_pack_source_pack(fm_pack_source *source);
/* True: the manifest is the source's own, so that it, not the file, says what is right. */
bool fm_pack_source_has_manifest(const fm_pack_source *source);

/*
 * The ONNX bytes of a model, malloc'ed, the caller's: read, imported where it
 * is TFLite, and compared with the manifest's hash or hashed. Links are not
 * followed. FM_E_MODEL, FM_E_NO_MEMORY.
 */
fm_status fm_pack_source_load(fm_pack_source *source, int index, uint8_t **onnx, size_t *size, fm_error *err);

#endif
