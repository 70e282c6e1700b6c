/*
 * What runtime.c, session.c and binding.c share. Not for other modules.
 */
#ifndef FM_INFERENCE_INTERNAL_H
#define FM_INFERENCE_INTERNAL_H

#include <onnxruntime_c_api.h>

#include "inference/session.h"

/* Elements of one tensor: far above any model here; keeps every later product in range. */
#define FM_TENSOR_COUNT_MAX ((size_t)1 << 28)

struct fm_runtime {
    const OrtApi *api;
    OrtEnv *env;
    OrtMemoryInfo *memory; /* plain CPU memory, for our own buffers */
    const char *version;   /* constant of the library */
    fm_runtime_log *on_log;
    void *opaque;
};

struct fm_session {
    fm_runtime *runtime; /* not owned; outlives the session */
    OrtSession *session;
    char *name; /* for messages */
    fm_tensor_info *inputs, *outputs;
    int input_count, output_count;
    char backend[32];
    double load_seconds;
};

/* fm_runtime_create over a given library entry, so that an old library can be imitated in a test. */
fm_status fm_runtime_create_from(fm_runtime **out, const OrtApiBase *base, fm_runtime_log *on_log,
                                 void *opaque, fm_error *err);

/*
 * Consumes `status`. FM_OK when it is NULL, else fails with `code` and the
 * sentence "cannot <action> '<object>': <reason on one line>".
 */
fm_status fm_ort_check(const fm_runtime *runtime, OrtStatus *status, fm_status code,
                       const char *action, const char *object, fm_error *err);

/* Names the backend that runs most operators of the session; needs the recorded assignment. */
fm_status fm_ort_backend(fm_session *session, fm_error *err);

/* Logging function for session options; param is the fm_runtime. */
void ORT_API_CALL fm_ort_log(void *param, OrtLoggingLevel severity, const char *category,
                             const char *log_id, const char *location, const char *message);

#endif
