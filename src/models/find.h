/*
 * Where models are: the search path of the default pack.
 *
 * Order: the given folder and then no other (who names a folder wants those
 * models); else $FACEMIRROR_MODELS; $XDG_DATA_HOME/facemirror/models (or
 * ~/.local/share/...); the folder that the build was configured with;
 * <prefix>/share/facemirror/models. A folder counts when it has both files, the
 * detector and the landmark model that is asked for.
 *
 * Thread-safety: Safe as long as nobody changes the environment.
 */
#ifndef FM_MODELS_FIND_H
#define FM_MODELS_FIND_H

#include "facemirror/error.h"
#include "facemirror/run.h"

typedef struct fm_model_files {
    char detector[FM_PATH_MAX];   /* face_detection_short_range.onnx */
    char landmarker[FM_PATH_MAX]; /* face_landmark.onnx, or face_landmark_with_attention.onnx */
} fm_model_files;

/* FM_E_MODEL with the folders that were searched and what to do when a file is missing. dir may be NULL. */
fm_status fm_models_find(const char *dir, fm_landmarks_model landmarks, fm_model_files *out, fm_error *err);

#endif
