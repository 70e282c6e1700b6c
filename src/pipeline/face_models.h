/*
 * The models of the default pack at work: detector and landmarker from
 * picture to faces and points, each step in its profiler scope.
 *
 * fm_face_models is loaded once; each stage that runs a model makes its own
 * fm_face_runner (buffers for one thread).
 *
 * Thread-safety: fm_face_models is Safe after open; a fm_face_runner is Unsafe.
 */
#ifndef FM_PIPELINE_FACE_MODELS_H
#define FM_PIPELINE_FACE_MODELS_H

#include "face/tracker.h"
#include "facemirror/error.h"
#include "inference/session.h"
#include "report/report.h"

typedef struct fm_face_models fm_face_models;
typedef struct fm_face_runner fm_face_runner;

/* Finds, loads and checks both models, the plain mesh, for the CPU. `models_dir` may be NULL (search path). */
fm_status fm_face_models_open(fm_face_models **out, const char *models_dir, fm_runtime_log *on_log,
                              void *opaque, fm_error *err);
/*
 * The same with the chosen landmark model and where `providers` say (NULL: on the CPU). A model that runs on the CPU although another provider was
 * asked for by name is a warning to `on_log`. FM_E_USAGE for a provider or a model that does not exist.
 */
fm_status fm_face_models_open_on(fm_face_models **out, const char *models_dir, fm_landmarks_model landmarks,
                                 const fm_provider_options *providers, fm_runtime_log *on_log, void *opaque, fm_error *err);
void fm_face_models_close(fm_face_models **models);

const fm_topology *fm_face_models_topology(const fm_face_models *models);
const char *fm_face_models_runtime(const fm_face_models *models); /* "ONNX Runtime 1.29.0" */

enum { FM_FACE_MODELS = 2 };
/* The models' names, by which providers are chosen and operations named. */
extern const char *const fm_face_model_names[FM_FACE_MODELS];
/* Facts for the report; what they point to lives as long as the models. */
void fm_face_models_describe(const fm_face_models *models, fm_report_model out[FM_FACE_MODELS]);

typedef enum fm_face_runner_flags {
    FM_FACE_RUNNER_PLAIN = 0,
    FM_FACE_RUNNER_DETECTS = 1,      /* can also run the detector */
    FM_FACE_RUNNER_AVERAGES_FLIP = 2 /* track() takes the mean of the picture and its mirror image */
} fm_face_runner_flags;

/* Buffers for one caller. */
fm_status fm_face_runner_create(fm_face_runner **out, fm_face_models *models,
                                fm_face_runner_flags flags, fm_error *err);
void fm_face_runner_destroy(fm_face_runner **runner);

enum { FM_FACES_MAX = 16 };

/* Finds faces in the whole picture; *count of them, by falling score. */
fm_status fm_face_runner_detect(fm_face_runner *runner, const fm_image *image,
                                fm_detection faces[FM_FACES_MAX], int *count, fm_error *err);

/* Runs the landmarker on the roi. *raw points to count * 3 values in network units, valid until the next call. */
fm_status fm_face_runner_landmarks(fm_face_runner *runner, const fm_image *image, const fm_roi *roi,
                                   const float **raw, float *presence_logit, fm_error *err);

/* One frame of tracking: detector when needed, landmarker, tracker. */
fm_status fm_face_runner_track(fm_face_runner *runner, fm_tracker *tracker, const fm_image *image,
                               double seconds, fm_face *face, fm_error *err);

#endif
