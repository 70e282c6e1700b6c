/*
 * Opens several models side by side: loading one is mostly work on one
 * thread, so that with as many cores it takes as long as the slowest.
 *
 * Thread-safety: Safe on distinct requests.
 */
#ifndef FM_INFERENCE_OPEN_MANY_H
#define FM_INFERENCE_OPEN_MANY_H

#include "inference/session.h"

/* One model to open. What it points to is the caller's and must stay for the call. */
typedef struct fm_session_request {
    const char *path; /* ONNX file */
    fm_session_options options;
    /*
     * Called in the request's thread before the model is opened, such as to compare its hash; its error is the
     * request's. May be NULL.
     */
    fm_status (*before)(void *opaque, fm_error *err);
    void *opaque;     /* for `before` */
    fm_session **out; /* where the session goes; required */
} fm_session_request;

/*
 * Opens all of them, each in a thread of its own, and returns when all have
 * ended. All or none: after an error every *out is NULL, and `err` is that of
 * the first request in their order which failed, whichever failed first in
 * time. The same errors as fm_session_open, and FM_E_NO_MEMORY.
 */
fm_status fm_sessions_open(fm_session_request *requests, int count, fm_runtime *runtime, fm_error *err);

#endif
