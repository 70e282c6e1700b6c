#include "models/registry.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

enum { PACKS_MAX = 1000 }; /* in one folder; whoever has more has put something else there */

bool fm_has_manifest(const char *dir)
{
    char path[FM_PATH_MAX];
    struct stat st;
    return fm_path_join(path, dir, FM_PACK_MANIFEST) && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* XDG Base Directory Specification: below $XDG_DATA_HOME when that is absolute, else below ~/.local/share. */
static bool user_data(const char *below, char *out)
{
    const char *data_home = getenv("XDG_DATA_HOME");
    if (data_home && *data_home == '/')
        return fm_path_join(out, data_home, below);
    char share[FM_PATH_MAX];
    const char *home = getenv("HOME");
    return home && *home && fm_path_join(share, home, ".local/share") && fm_path_join(out, share, below);
}

fm_status fm_registry_user_dir(char *out, fm_error *err)
{
    if (user_data("facemirror/packs", out))
        return FM_OK;
    return fm_fail(err, FM_E_OUTPUT,
                   "no folder for model packs is known: set HOME or XDG_DATA_HOME, or give --to DIR");
}

static int registry_folders(char folders[FM_REGISTRY_FOLDERS][FM_PATH_MAX])
{
    int count = user_data("facemirror/packs", folders[0]) ? 1 : 0;
    snprintf(folders[count++], FM_PATH_MAX, "%s", FM_PACKS_INSTALL_DIR);
    return count;
}

bool fm_registry_find(const char *name, char *out)
{
    char folders[FM_REGISTRY_FOLDERS][FM_PATH_MAX];
    const int count = fm_pack_name_ok(name) ? registry_folders(folders) : 0;
    for (int i = 0; i < count; i++)
        if (fm_path_join(out, folders[i], name) && fm_has_manifest(out))
            return true;
    return false;
}

int fm_default_pack_folders(char folders[FM_SEARCH_FOLDERS][FM_PATH_MAX])
{
    const char *given = getenv("FACEMIRROR_MODELS");
    int count = 0;
    if (given && *given && strlen(given) < FM_PATH_MAX)
        snprintf(folders[count++], FM_PATH_MAX, "%s", given);
    if (user_data("facemirror/models", folders[count]))
        count++;
    if (*FM_MODELS_BUILD_DIR)
        snprintf(folders[count++], FM_PATH_MAX, "%s", FM_MODELS_BUILD_DIR);
    snprintf(folders[count++], FM_PATH_MAX, "%s", FM_MODELS_INSTALL_DIR);
    char packs[FM_REGISTRY_FOLDERS][FM_PATH_MAX];
    const int packs_count = registry_folders(packs);
    for (int i = 0; i < packs_count; i++)
        if (fm_path_join(folders[count], packs[i], FM_PACK_DEFAULT_NAME))
            count++;
    return count;
}

bool fm_default_pack_dir(char *out)
{
    char folders[FM_SEARCH_FOLDERS][FM_PATH_MAX];
    const int count = fm_default_pack_folders(folders);
    for (int i = 0; i < count; i++) {
        if (fm_has_manifest(folders[i])) {
            memcpy(out, folders[i], FM_PATH_MAX);
            return true;
        }
    }
    return false;
}

/* --- listing ---------------------------------------------------------------------------- */

typedef struct listing {
    fm_registry_entry *entries;
    int count, room;
} listing;

static bool is_listed(const listing *all, const char *name)
{
    for (int i = 0; i < all->count; i++)
        if (strcmp(all->entries[i].name, name) == 0)
            return true;
    return false;
}

static bool add(listing *all, const char *folder, const char *name)
{
    if (all->count == all->room) {
        const int room = all->room ? 2 * all->room : 8;
        fm_registry_entry *bigger = realloc(all->entries, (size_t)room * sizeof *bigger);
        if (!bigger)
            return false;
        all->entries = bigger;
        all->room = room;
    }
    fm_registry_entry *entry = &all->entries[all->count];
    if (fm_path_join(entry->dir, folder, name) && fm_has_manifest(entry->dir)) {
        memcpy(entry->name, name, strlen(name) + 1);
        all->count++;
    }
    return true;
}

static bool add_folder(listing *all, const char *folder)
{
    DIR *dir = opendir(folder);
    bool fine = true;
    const int limit = all->count + PACKS_MAX;
    for (const struct dirent *e; dir && fine && all->count < limit && (e = readdir(dir));)
        if (fm_pack_name_ok(e->d_name) && !is_listed(all, e->d_name))
            fine = add(all, folder, e->d_name);
    if (dir)
        closedir(dir);
    return fine;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const fm_registry_entry *)a)->name, ((const fm_registry_entry *)b)->name);
}

fm_status fm_registry_list(fm_registry_entry **entries, int *count, fm_error *err)
{
    char folders[FM_REGISTRY_FOLDERS][FM_PATH_MAX];
    const int folder_count = registry_folders(folders);
    listing all = {0};
    bool fine = true;
    for (int i = 0; i < folder_count && fine; i++)
        fine = add_folder(&all, folders[i]);
    *entries = NULL;
    *count = 0;
    if (!fine) {
        free(all.entries);
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory listing model packs");
    }
    if (all.count > 0)
        qsort(all.entries, (size_t)all.count, sizeof *all.entries, by_name);
    *entries = all.entries;
    *count = all.count;
    return FM_OK;
}
