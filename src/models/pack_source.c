#include "models/pack_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "models/import.h"
#include "models/pack_known.h"
#include "models/registry.h"

static const size_t file_limit = (size_t)512 << 20; /* as the importer's */

struct fm_pack_source {
    char path[FM_PATH_MAX];
    const fm_known_pack *known; /* NULL: the source has a manifest */
    fm_pack *pack;
    fm_bundle bundle; /* of a .task file, else empty */
};

/* --- looking ---------------------------------------------------------------------------- */

static fm_status name_missing(const fm_known_pack *known, const char *dir, fm_error *err)
{
    char missing[400] = "", path[FM_PATH_MAX];
    for (const fm_known_model *m = known->models; m->name; m++)
        if (!fm_known_source(m, dir, path))
            snprintf(missing + strlen(missing), sizeof missing - strlen(missing), "%s%s", *missing ? ", " : "",
                     m->sources[0]);
    if (!*missing)
        return FM_OK;
    return fm_fail(err, FM_E_MODEL, "'%s' is not the whole pack %s: it lacks %s", dir, known->name, missing);
}

static fm_status open_folder(fm_pack_source *s, fm_error *err)
{
    if (fm_has_manifest(s->path))
        return fm_pack_read(&s->pack, s->path, err);
    s->known = fm_known_pack_in(s->path);
    if (!s->known)
        return fm_fail(err, FM_E_MODEL,
                       "'%s' has neither a manifest (" FM_PACK_MANIFEST ") nor files of a known pack: OpenFace 3.0's "
                       "three .onnx files or MediaPipe's three .tflite files",
                       s->path);
    return name_missing(s->known, s->path, err);
}

static fm_status open_any(fm_pack_source *s, fm_error *err)
{
    struct stat st;
    if (stat(s->path, &st) != 0)
        return fm_fail(err, FM_E_NOT_FOUND, "cannot open '%s': %s", s->path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return open_folder(s, err);
    s->known = fm_known_bundle();
    return fm_bundle_read(&s->bundle, s->path, err);
}

fm_status fm_pack_source_open(fm_pack_source **out, const char *path, fm_error *err)
{
    *out = NULL;
    if (strlen(path) >= FM_PATH_MAX)
        return fm_fail(err, FM_E_NOT_FOUND, "the path '%.200s...' is too long", path);
    fm_pack_source *s = calloc(1, sizeof *s);
    if (!s)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for a model pack");
    memcpy(s->path, path, strlen(path) + 1);
    fm_status status = open_any(s, err);
    if (status == FM_OK && s->known) {
        s->pack = calloc(1, sizeof *s->pack);
        if (s->pack)
            fm_known_pack_init(s->pack, s->known);
        else
            status = fm_fail(err, FM_E_NO_MEMORY, "out of memory for a model pack");
    }
    if (status == FM_OK)
        *out = s;
    else
        fm_pack_source_close(&s);
    return status;
}

void fm_pack_source_close(fm_pack_source **source)
{
    fm_pack_source *s = *source;
    if (!s)
        return;
    fm_pack_free(&s->pack);
    fm_bundle_free(&s->bundle);
    free(s);
    *source = NULL;
}

fm_pack *fm_pack_source_pack(fm_pack_source *source)
{
    return source->pack;
}

bool fm_pack_source_has_manifest(const fm_pack_source *source)
{
    return !source->known;
}

/* --- loading ---------------------------------------------------------------------------- */

/* A link could lead anywhere; what it leads to would be copied under the pack's name. */
static fm_status read_file(const char *path, uint8_t **data, size_t *size, fm_error *err)
{
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
        return fm_fail(err, FM_E_MODEL, "'%s' is a link; put the file itself there", path);
    fm_error cause = {0};
    const fm_status status = fm_file_read(path, file_limit, data, size, &cause);
    if (status == FM_OK)
        return FM_OK;
    return fm_fail(err, status == FM_E_NO_MEMORY ? status : FM_E_MODEL, "%s", cause.message);
}

/* TFLite in, ONNX out, in place. `path` stands in messages. */
static fm_status import(const char *path, uint8_t **data, size_t *size, fm_error *err)
{
    char stem[FM_PATH_MAX];
    fm_path_stem(stem, path); /* so that the result does not depend on where the file lies */
    uint8_t *onnx;
    size_t onnx_size;
    fm_error cause = {0};
    const fm_status status = fm_import_tflite(*data, *size, stem, &onnx, &onnx_size, &cause);
    if (status != FM_OK)
        return fm_fail(err, status, "cannot import '%s': %s", path, cause.message);
    free(*data);
    *data = onnx;
    *size = onnx_size;
    return FM_OK;
}

static fm_status load_part(fm_pack_source *s, const fm_known_model *model, uint8_t **data, size_t *size, fm_error *err)
{
    fm_pack_model *made = &s->pack->models[model - s->known->models];
    snprintf(made->path, sizeof made->path, "%.3900s: %s", s->path, fm_bundle_part_name(model->part));
    *data = s->bundle.parts[model->part].data; /* moved: each part is one model's */
    *size = s->bundle.parts[model->part].size;
    s->bundle.parts[model->part].data = NULL;
    if (!*data)
        return fm_fail(err, FM_E_INTERNAL, "'%s' was loaded twice", fm_bundle_part_name(model->part));
    return import(fm_bundle_part_name(model->part), data, size, err);
}

static fm_status load_file(const fm_pack_source *s, int index, uint8_t **data, size_t *size, fm_error *err)
{
    if (!s->known)
        return read_file(s->pack->models[index].path, data, size, err);
    char *path = s->pack->models[index].path;
    if (!fm_known_source(&s->known->models[index], s->path, path)) /* it was there a moment ago */
        return name_missing(s->known, s->path, err);
    fm_status status = read_file(path, data, size, err);
    const size_t length = strlen(path);
    if (status == FM_OK && length > 7 && strcmp(path + length - 7, ".tflite") == 0)
        status = import(path, data, size, err);
    return status;
}

static fm_status compare_hash(fm_pack_model *model, const uint8_t *data, size_t size, fm_error *err)
{
    char hex[FM_SHA256_HEX];
    const fm_status status = fm_sha256(data, size, hex, err);
    if (status != FM_OK)
        return status;
    if (*model->sha256 && strcmp(hex, model->sha256) != 0)
        return fm_fail(err, FM_E_MODEL, "'%s' is not the file that its manifest means: its SHA-256 is %s, not %s",
                       model->path, hex, model->sha256);
    memcpy(model->sha256, hex, sizeof hex);
    return FM_OK;
}

fm_status fm_pack_source_load(fm_pack_source *s, int index, uint8_t **onnx, size_t *size, fm_error *err)
{
    *onnx = NULL;
    *size = 0;
    const bool bundled = s->known && !s->known->models[index].sources[0];
    fm_status status = bundled ? load_part(s, &s->known->models[index], onnx, size, err)
                               : load_file(s, index, onnx, size, err);
    if (status == FM_OK)
        status = compare_hash(&s->pack->models[index], *onnx, *size, err);
    if (status != FM_OK) {
        free(*onnx);
        *onnx = NULL;
    }
    return status;
}
