/*
 * Where model packs are: the folders of installed packs, one folder a pack,
 * and the search path of the default pack (pack.h, fm_pack_find).
 *
 * Installed packs lie in $XDG_DATA_HOME/facemirror/packs/NAME (or
 * ~/.local/share/...), where `models add` puts them, and in
 * <prefix>/share/facemirror/packs/NAME; the first wins. Names that begin with
 * '.' are none: what is being added has such a name.
 *
 * Thread-safety: Safe as long as nobody changes the environment.
 */
#ifndef FM_MODELS_REGISTRY_H
#define FM_MODELS_REGISTRY_H

#include "models/pack.h"

#define FM_PACK_DEFAULT_NAME "mediapipe"

enum { FM_REGISTRY_FOLDERS = 2, FM_SEARCH_FOLDERS = 6 };

/* The user's folder of packs into out (FM_PATH_MAX); it need not be there. FM_E_OUTPUT: no home is known. */
fm_status fm_registry_user_dir(char *out, fm_error *err);

/* The folder of an installed pack into out (FM_PATH_MAX). False: there is none with that name and a manifest. */
bool fm_registry_find(const char *name, char *out);

/* One folder with a manifest, which need not be sound. */
typedef struct fm_registry_entry {
    char name[64]; /* of the folder, which is the pack's */
    char dir[FM_PATH_MAX];
} fm_registry_entry;

/* All installed packs, sorted by name; *entries is malloc'ed, the caller's. FM_E_NO_MEMORY. */
fm_status fm_registry_list(fm_registry_entry **entries, int *count, fm_error *err);

/*
 * The folders in which the default pack is searched, in order; returns how many. Not all need be there.
 */
int fm_default_pack_folders(char folders[FM_SEARCH_FOLDERS][FM_PATH_MAX]);

/* The folder of the default pack, whose manifest need not be sound, into out (FM_PATH_MAX); false: there is none. */
bool fm_default_pack_dir(char *out);

/* Whether a folder has a manifest. */
bool fm_has_manifest(const char *dir);

#endif
