/*
 * Puts packs in place and takes them away. A pack is written into a folder
 * beside its place, ".NAME.partial", and gets its name when it is whole.
 *
 * Nothing is removed but what a manifest names and the manifest; links are not
 * followed.
 *
 * Thread-safety: Safe on distinct objects.
 */
#ifndef FM_MODELS_PACK_STORE_H
#define FM_MODELS_PACK_STORE_H

#include "models/pack.h"

typedef struct fm_pack_store {
    char target[FM_PATH_MAX], partial[FM_PATH_MAX];
    bool overwrite;
    bool pending;
    int lock; /* of the partial folder, while pending */
} fm_pack_store;

/*
 * Prepares for a pack in the folder `target`, whose parents are made. FM_E_EXISTS when something is there and
 * !overwrite. FM_E_OUTPUT when it is no pack, or has files that are not the pack's: these are never removed. Also when
 * another process is adding the same pack. What a crash left is taken over. A zeroed object is safe to discard.
 */
fm_status fm_pack_store_open(fm_pack_store *store, const char *target, bool overwrite, fm_error *err);
/* Writes one file of the pack. `file` is a name, without folders. */
fm_status fm_pack_store_put(fm_pack_store *store, const char *file, const void *data, size_t size, fm_error *err);
/* The pack gets its name, at once; one that it replaces is removed. Discards it on failure. */
fm_status fm_pack_store_commit(fm_pack_store *store, fm_error *err);
void fm_pack_store_discard(fm_pack_store *store);

/*
 * Removes the pack in a folder: the files that its manifest names, the manifest, and the folder unless it holds
 * other files: *left (may be NULL) says that it stays for these. FM_E_MODEL when its manifest cannot be read;
 * FM_E_OUTPUT.
 */
fm_status fm_pack_remove(const char *dir, bool *left, fm_error *err);

#endif
