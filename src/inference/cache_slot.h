/*
 * The place of one model in the cache while it is opened.
 *
 * Thread-safety: Unsafe (one thread at a time); several slots may be of one
 * entry, in several threads and processes.
 */
#ifndef FM_INFERENCE_CACHE_SLOT_H
#define FM_INFERENCE_CACHE_SLOT_H

#include "base/file.h"
#include "inference/cache.h"
#include "inference/cache_file.h"
#include "inference/internal.h"
#include "models/sha256.h"

typedef struct fm_cache_slot {
    char key[FM_SHA256_HEX]; /* "": the model is not cached */
    char path[FM_PATH_MAX];
    const char *dir, *model; /* the options' */
    fm_outfile file;         /* pending while the graph is being written */
} fm_cache_slot;

/* Finds the place; it is empty when the model is not to be cached. */
void fm_cache_find(fm_cache_slot *slot, const fm_runtime *runtime, const fm_session_options *options, const char *full);

/* Takes a whole entry, marked as used; *graph is then the caller's (cache_file.h). One that is damaged is removed. */
bool fm_cache_take(const fm_cache_slot *slot, fm_cached_graph *graph);
/* Removes an entry that turned out to be of no use. */
void fm_cache_drop(const fm_cache_slot *slot);

/* The path to which the runtime shall write the optimised graph; to be followed by store or abandon. NULL: nowhere. */
const char *fm_cache_reserve(fm_cache_slot *slot);
/* Adds what was written, when `data` are the bytes of the right model, whole with its weights; else abandons it. */
void fm_cache_store(fm_cache_slot *slot, const void *data, size_t size, const fm_breakdown *breakdown);
void fm_cache_abandon(fm_cache_slot *slot);

/* Makes the folder for a provider's own cache of this model. False: it has none. */
bool fm_cache_provider_folder(char out[FM_PATH_MAX], const fm_runtime *runtime, const fm_session_options *options,
                              const char *full);

#endif
