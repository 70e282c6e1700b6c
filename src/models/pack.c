#include "models/pack.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "models/pack_text.h"

static const size_t manifest_limit = (size_t)64 << 10;

fm_status fm_pack_read(fm_pack **out, const char *dir, fm_error *err)
{
    *out = NULL;
    char path[FM_PATH_MAX];
    if (!fm_path_join(path, dir, FM_PACK_MANIFEST))
        return fm_fail(err, FM_E_MODEL, "the folder path '%.200s...' is too long", dir);
    uint8_t *text;
    size_t size;
    fm_error cause = {0};
    fm_status status = fm_file_read(path, manifest_limit, &text, &size, &cause);
    if (status == FM_E_BAD_INPUT)
        status = FM_E_MODEL;
    if (status != FM_OK)
        return fm_fail(err, status, "%s", cause.message);
    status = fm_pack_parse(out, text, size, dir, err);
    free(text);
    return status;
}

void fm_pack_free(fm_pack **pack)
{
    free(*pack);
    *pack = NULL;
}

const fm_pack_model *fm_pack_model_of(const fm_pack *pack, fm_model_role role, const char *variant)
{
    for (int i = 0; i < pack->model_count; i++) {
        const fm_pack_model *model = &pack->models[i];
        if (model->role == role && (!variant || !*variant || strcmp(model->variant, variant) == 0))
            return model;
    }
    return NULL;
}

const char *fm_pack_output_of(const fm_pack_model *model, const char *key)
{
    for (int i = 0; i < model->output_count; i++)
        if (strcmp(model->outputs[i].key, key) == 0)
            return model->outputs[i].tensor;
    return NULL;
}

bool fm_pack_name_ok(const char *name)
{
    const size_t length = strlen(name);
    return length > 0 && length < sizeof ((fm_pack *)NULL)->name && fm_text_is_letter(name[0]) &&
           fm_text_is_plain(name, "_-.");
}

fm_status fm_pack_check_file(const fm_pack_model *model, fm_error *err)
{
    char hex[FM_SHA256_HEX];
    fm_error cause = {0};
    const fm_status status = fm_sha256_file(model->path, hex, &cause);
    if (status == FM_E_NO_MEMORY)
        return fm_fail(err, status, "%s", cause.message);
    if (status != FM_OK)
        return fm_fail(err, FM_E_MODEL, "%s; add the pack again", cause.message);
    if (strcmp(hex, model->sha256) != 0)
        return fm_fail(err, FM_E_MODEL,
                       "'%s' is not the file that its pack means: its SHA-256 is %s, not %s; add the pack again",
                       model->path, hex, model->sha256);
    return FM_OK;
}
