#include "models/find.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static const char detector_name[] = "face_detection_short_range.onnx";
static const char *const landmarker_names[] = {
    [FM_LANDMARKS_PLAIN] = "face_landmark.onnx",
    [FM_LANDMARKS_ATTENTION] = "face_landmark_with_attention.onnx",
};

/* What is searched for, and the folders that were searched, for the message. */
typedef struct trail {
    const char *landmarker;
    char text[640];
    size_t size;
} trail;

static void add_to_trail(trail *searched, const char *dir)
{
    size_t left = sizeof searched->text - searched->size;
    int n = snprintf(searched->text + searched->size, left, "%s%s", searched->size ? ", " : "", dir);
    if (n > 0)
        searched->size += (size_t)n < left ? (size_t)n : left - 1;
}

static bool is_readable_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, R_OK) == 0;
}

/* Whether a folder holds the whole pack; half a pack is none. */
static bool try_folder(const char *dir, fm_model_files *out, trail *searched)
{
    if (!dir || !*dir)
        return false;
    add_to_trail(searched, dir);
    fm_model_files files;
    if (!fm_path_join(files.detector, dir, detector_name) ||
        !fm_path_join(files.landmarker, dir, searched->landmarker) ||
        !is_readable_file(files.detector) || !is_readable_file(files.landmarker))
        return false;
    *out = files;
    return true;
}

/* XDG Base Directory Specification: $XDG_DATA_HOME when it is absolute, else ~/.local/share. */
static bool try_user_folder(fm_model_files *out, trail *searched)
{
    char dir[FM_PATH_MAX];
    const char *data_home = getenv("XDG_DATA_HOME");
    if (data_home && *data_home == '/')
        return fm_path_join(dir, data_home, "facemirror/models") && try_folder(dir, out, searched);
    const char *home = getenv("HOME");
    return home && *home && fm_path_join(dir, home, ".local/share/facemirror/models") &&
           try_folder(dir, out, searched);
}

fm_status fm_models_find(const char *dir, fm_landmarks_model landmarks, fm_model_files *out, fm_error *err)
{
    trail searched = {.landmarker = landmarker_names[landmarks]};
    bool found;
    if (dir && *dir)
        found = try_folder(dir, out, &searched);
    else
        found = try_folder(getenv("FACEMIRROR_MODELS"), out, &searched) ||
                try_user_folder(out, &searched) ||
                try_folder(FM_MODELS_BUILD_DIR, out, &searched) ||
                try_folder(FM_MODELS_INSTALL_DIR, out, &searched);
    if (found)
        return FM_OK;
    return fm_fail(err, FM_E_MODEL,
                   "no folder has both %s and %s; searched: %s; run `make setup` or give --models DIR",
                   detector_name, searched.landmarker, searched.text);
}
