#include "pipeline/default_pack.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "models/pack_contract.h"
#include "models/registry.h"

static const struct {
    fm_decoding decoding;
    const char *name, *variant, *file;
} models[] = {
    {FM_DECODING_BLAZEFACE, "BlazeFace", "", "face_detection_short_range.onnx"},
    {FM_DECODING_ATTENTION, "FaceMesh", "attention", "face_landmark_with_attention.onnx"},
    {FM_DECODING_FACEMESH, "FaceMesh", "plain", "face_landmark.onnx"},
};

static bool fill(fm_pack *pack, const char *dir)
{
    snprintf(pack->name, sizeof pack->name, "%s", FM_PACK_DEFAULT_NAME);
    snprintf(pack->dir, sizeof pack->dir, "%s", dir);
    pack->model_count = 0;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        fm_pack_model *m = &pack->models[pack->model_count++];
        fm_pack_model_init(m, models[i].decoding, models[i].name);
        snprintf(m->variant, sizeof m->variant, "%s", models[i].variant);
        snprintf(m->file, sizeof m->file, "%s", models[i].file);
        if (!fm_path_join(m->path, dir, m->file) || access(m->path, R_OK) != 0)
            return false;
    }
    return true;
}

fm_status fm_pack_find_or_default(fm_pack **out, const char *name_or_dir, fm_error *err)
{
    fm_status status = fm_pack_find(out, name_or_dir, err);
    if (status != FM_E_MODEL)
        return status;
    char (*folders)[FM_PATH_MAX] = calloc(FM_SEARCH_FOLDERS, sizeof *folders);
    fm_pack *pack = calloc(1, sizeof *pack);
    int count = 0;
    if (folders && name_or_dir && *name_or_dir)
        snprintf(folders[count++], FM_PATH_MAX, "%s", name_or_dir);
    else if (folders)
        count = fm_default_pack_folders(folders);
    for (int i = 0; pack && i < count && !*out; i++)
        if (!fm_has_manifest(folders[i]) && fill(pack, folders[i]))
            *out = pack;
    free(folders);
    if (!*out) {
        free(pack);
        return status;
    }
    *err = (fm_error){0};
    return FM_OK;
}
