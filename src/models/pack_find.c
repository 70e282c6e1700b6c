/* Which pack is meant: a folder, a name, or the default. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/registry.h"

/* Words with commas between, as far as there is room. */
typedef struct words {
    char text[560];
    size_t size;
} words;

static void add_word(words *list, const char *word)
{
    const size_t left = sizeof list->text - list->size;
    const int n = snprintf(list->text + list->size, left, "%s%s", list->size ? ", " : "", word);
    if (n > 0)
        list->size += (size_t)n < left ? (size_t)n : left - 1;
}

/* A manifest that vanished since it was looked for, or cannot be opened, is a broken pack. */
static fm_status read_found(fm_pack **out, const char *dir, fm_error *err)
{
    fm_error cause = {0};
    const fm_status status = fm_pack_read(out, dir, &cause);
    if (status == FM_E_NOT_FOUND)
        return fm_fail(err, FM_E_MODEL, "'%s' is no model pack: %s; 'facemirror models add' makes packs", dir,
                       cause.message);
    return status == FM_OK ? FM_OK : fm_fail(err, status, "%s", cause.message);
}

static fm_status find_default(fm_pack **out, fm_error *err)
{
    char dir[FM_PATH_MAX], folders[FM_SEARCH_FOLDERS][FM_PATH_MAX];
    if (fm_default_pack_dir(dir))
        return read_found(out, dir, err);
    words searched = {0};
    const int count = fm_default_pack_folders(folders);
    for (int i = 0; i < count; i++)
        add_word(&searched, folders[i]);
    return fm_fail(err, FM_E_MODEL,
                   "no folder has a model pack (" FM_PACK_MANIFEST "); searched: %s; run `make setup` or give "
                   "--models DIR", searched.text);
}

static fm_status fail_unknown(const char *name, fm_error *err)
{
    fm_registry_entry *entries;
    int count;
    const fm_status status = fm_registry_list(&entries, &count, err);
    if (status != FM_OK)
        return status;
    words known = {0};
    for (int i = 0; i < count; i++)
        add_word(&known, entries[i].name);
    free(entries);
    return fm_fail(err, FM_E_MODEL, "'%.200s' is neither a folder with a model pack (" FM_PACK_MANIFEST
                   ") nor an installed pack; installed: %s; add one with 'facemirror models add'",
                   name, count > 0 ? known.text : "none");
}

fm_status fm_pack_find(fm_pack **out, const char *name_or_dir, fm_error *err)
{
    *out = NULL;
    if (!name_or_dir || !*name_or_dir)
        return find_default(out, err);
    if (strchr(name_or_dir, '/') || fm_has_manifest(name_or_dir))
        return read_found(out, name_or_dir, err);
    char dir[FM_PATH_MAX];
    if (fm_registry_find(name_or_dir, dir))
        return read_found(out, dir, err);
    fm_error ignored = {0};
    if (find_default(out, &ignored) == FM_OK && strcmp((*out)->name, name_or_dir) == 0)
        return FM_OK;
    fm_pack_free(out);
    return fail_unknown(name_or_dir, err);
}
