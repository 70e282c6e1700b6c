/* Where the runs of a side come from. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "advice/bench_doc.h"
#include "base/file.h"

#define PROFILE_SUFFIX "_profile.json"

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* Whether the bytes hold that text: the begin of a schema. What it names is then checked in full. */
static bool mentions(const uint8_t *data, size_t size, const char *mark)
{
    const size_t length = strlen(mark);
    const uint8_t *end = data + size;
    for (const uint8_t *at = data; (at = memchr(at, mark[0], (size_t)(end - at))) != NULL; at++) {
        if ((size_t)(end - at) < length)
            return false;
        if (memcmp(at, mark, length) == 0)
            return true;
    }
    return false;
}

/* Beside a profile lie the tables of its run. */
static void remember_place(fm_samples *s, const char *path)
{
    if (s->tables[0])
        return;
    fm_path_dir(s->tables, path);
    const char *name = fm_path_name(path);
    if (ends_with(name, PROFILE_SUFFIX) && strlen(name) < sizeof s->stem)
        snprintf(s->stem, sizeof s->stem, "%.*s", (int)(strlen(name) - strlen(PROFILE_SUFFIX)), name);
}

static fm_status add_profile(fm_samples *s, const uint8_t *data, size_t size, const char *path, fm_error *err)
{
    fm_profile *profile;
    fm_status status = fm_profile_parse(data, size, path, &profile, err);
    if (status != FM_OK)
        return status;
    status = fm_samples_add_profile(s, profile, err);
    fm_profile_free(&profile);
    remember_place(s, path);
    return status;
}

/* --- bench documents ----------------------------------------------------- */

static void list_names(const fm_bench *bench, char *out, size_t size)
{
    size_t length = 0;
    for (size_t i = 0; i < bench->configuration_count && length < size; i++)
        length += (size_t)snprintf(out + length, size - length, "%s'%.40s'", i ? ", " : "",
                                   bench->configurations[i].name);
}

static fm_status choose(const fm_bench *bench, const char *path, const char *name, size_t *out, fm_error *err)
{
    char names[400];
    list_names(bench, names, sizeof names);
    if (!name && bench->configuration_count > 1)
        return fm_fail(err, FM_E_USAGE, "'%.300s' has several configurations: say which of %s is meant", path, names);
    for (*out = 0; name && *out < bench->configuration_count; ++*out)
        if (strcmp(bench->configurations[*out].name, name) == 0)
            return FM_OK;
    if (name)
        return fm_fail(err, FM_E_USAGE, "'%.300s' has no configuration '%.60s', but these: %s", path, name, names);
    return FM_OK;
}

static fm_status load_bench(fm_samples **out, const uint8_t *data, size_t size, const char *path,
                            const char *configuration, fm_error *err)
{
    fm_bench *bench;
    size_t which = 0;
    fm_status status = fm_bench_parse(data, size, path, &bench, err);
    if (status != FM_OK)
        return status;
    status = choose(bench, path, configuration, &which, err);
    if (status == FM_OK)
        status = fm_bench_samples(bench, &bench->configurations[which], out, err);
    if (status == FM_OK && bench->configurations[which].tables) {
        char dir[FM_PATH_MAX];
        fm_path_dir(dir, path);
        if (!fm_path_join((*out)->tables, dir, bench->configurations[which].tables))
            (*out)->tables[0] = '\0';
    }
    fm_bench_free(&bench);
    return status;
}

/* --- files and folders --------------------------------------------------- */

static int is_json(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && ends_with(entry->d_name, ".json");
}

static fm_status read_whole(const char *path, uint8_t **data, size_t *size, fm_error *err)
{
    return fm_file_read(path, FM_PROFILE_BYTES_MAX, data, size, err);
}

static fm_status add_folder(fm_samples *s, const char *folder, fm_error *err)
{
    struct dirent **entries;
    const size_t before = s->count;
    const int count = scandir(folder, &entries, is_json, alphasort);
    if (count < 0)
        return fm_fail(err, FM_E_NOT_FOUND, "cannot read the folder '%s': %s", folder, strerror(errno));
    fm_status status = FM_OK;
    for (int i = 0; i < count; i++) {
        char path[FM_PATH_MAX];
        uint8_t *data = NULL;
        size_t size = 0;
        if (status == FM_OK && !fm_path_join(path, folder, entries[i]->d_name))
            status = fm_fail(err, FM_E_NOT_FOUND, "a path in '%.300s' is too long", folder);
        if (status == FM_OK)
            status = read_whole(path, &data, &size, err);
        if (status == FM_OK && mentions(data, size, "\"facemirror-profile/"))
            status = add_profile(s, data, size, path, err);
        free(data);
        free(entries[i]);
    }
    free(entries);
    if (status == FM_OK && s->count == before)
        return fm_fail(err, FM_E_NOT_FOUND, "the folder '%s' holds no profile", folder);
    return status;
}

static fm_status add_path(fm_samples **s, const char *path, bool alone, const char *configuration, fm_error *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return add_folder(*s, path, err);
    uint8_t *data;
    size_t size;
    fm_status status = read_whole(path, &data, &size, err);
    if (status != FM_OK)
        return status;
    if (!mentions(data, size, "\"facemirror-bench/")) {
        status = add_profile(*s, data, size, path, err);
    } else if (alone) {
        fm_samples_free(s);
        status = load_bench(s, data, size, path, configuration, err);
    } else {
        status = fm_fail(err, FM_E_USAGE, "'%s' is a bench document, which is a side of its own", path);
    }
    free(data);
    return status;
}

fm_status fm_samples_load(fm_samples **out, const char *const *paths, size_t count, const char *configuration,
                          fm_error *err)
{
    fm_status status = fm_samples_create(out, fm_path_name(paths[0]), err);
    for (size_t i = 0; i < count && status == FM_OK; i++)
        status = add_path(out, paths[i], count == 1, configuration, err);
    if (status == FM_OK && (*out)->count == 0)
        status = fm_fail(err, FM_E_BAD_INPUT, "'%s' holds no measured run", paths[0]);
    if (status != FM_OK)
        fm_samples_free(out);
    return status;
}
