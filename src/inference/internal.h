/*
 * What the files of this module share. Not for other modules.
 */
#ifndef FM_INFERENCE_INTERNAL_H
#define FM_INFERENCE_INTERNAL_H

#include <onnxruntime_c_api.h>
#include <pthread.h>
#include <stdatomic.h>

#include "inference/session.h"

/* Elements of one tensor: far above any model here; keeps every later product in range. */
#define FM_TENSOR_COUNT_MAX ((size_t)1 << 28)

struct fm_runtime {
    const OrtApi *api;
    OrtEnv *env;
    OrtMemoryInfo *memory; /* plain CPU memory, for our own buffers */
    const char *version;   /* constant of the library */
    char **libraries;      /* plug-ins that were registered through this object */
    size_t library_count;
    pthread_mutex_t log_lock; /* held while on_log runs */
    fm_runtime_log *on_log;
    void *opaque;
};

typedef struct fm_node_sampling fm_node_sampling; /* node_sampling.c */

struct fm_session {
    fm_runtime *runtime; /* not owned; outlives the session */
    OrtSession *session;
    void *graph; /* bytes of a graph from the cache, which the session uses; else NULL */
    char *name; /* for messages */
    fm_tensor_info *inputs, *outputs;
    int input_count, output_count;
    char backend[64]; /* what runs most operators */
    char asked[64];   /* as options->provider.name */
    char reason[FM_ERROR_MESSAGE_MAX + 128]; /* why it runs elsewhere; "": it does not */
    fm_breakdown breakdown;
    double load_seconds;
    fm_node_sampling *sampling; /* NULL: nodes are not sampled */
    bool from_cache;
    atomic_bool warned; /* the runtime has warned about the model */
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

/* Where a model comes from: a file, or memory when data is not NULL. */
typedef struct fm_source {
    const char *name;
    const void *data;
    size_t size;
} fm_source;

/*
 * One lock of the whole process, as ONNX Runtime's environment is one: whoever
 * loads a model or asks for devices shares it; whoever times a trial or
 * registers a library has it alone. So a trial is not slowed down by what loads
 * beside it, and the list of devices does not change under a reader.
 */
void fm_ort_share(void);
void fm_ort_alone(void);
void fm_ort_leave(void);

/* Opens a session on the provider of that full name, and on no other but the CPU. Shares the lock meanwhile. */
fm_status fm_ort_open(fm_session **out, fm_runtime *runtime, const fm_source *from,
                      const fm_session_options *options, const char *full, fm_error *err);
/* Opens it where options->provider says, with the CPU as fallback. options may be NULL. */
fm_status fm_ort_open_chosen(fm_session **out, fm_runtime *runtime, const fm_source *from,
                             const fm_session_options *options, fm_error *err);

/* It has the provider of that full name, built in or from a plug-in with a device here. Shares the lock meanwhile. */
bool fm_ort_offers(const fm_runtime *runtime, const char *full);
/* Whether it is compiled into the runtime. */
bool fm_ort_is_builtin(const fm_runtime *runtime, const char *full);

/* What plug-ins, and the CPU provider, offer; the list is the runtime's, and changes when a library is registered. */
typedef struct fm_ort_devices {
    const OrtEpDevice *const *devices;
    size_t count;
} fm_ort_devices;
fm_ort_devices fm_ort_list_devices(const fm_runtime *runtime);
/* "gpu", "npu" or "cpu". */
const char *fm_ort_device_type(const fm_runtime *runtime, const OrtEpDevice *device);
/* The file of the plug-in that offers it; NULL: not told. */
const char *fm_ort_device_library(const fm_runtime *runtime, const OrtEpDevice *device);
/* Adds a provider to the options of a session. FM_E_USAGE, FM_E_RUNTIME. */
fm_status fm_ort_append(const fm_session *session, OrtSessionOptions *options, const char *full,
                        const fm_session_options *asked, int threads, fm_error *err);

/* Fills inputs and outputs of a loaded session. */
fm_status fm_ort_read_tensors(fm_session *session, fm_error *err);
void fm_ort_free_tensors(fm_session *session);

/* Fills session->breakdown and ->backend from the recorded assignment and the model's bytes (NULL: not at hand). */
fm_status fm_ort_breakdown(fm_session *session, const void *data, size_t size, fm_error *err);
void fm_breakdown_free(fm_breakdown *breakdown);

const fm_session *fm_ort_session_of(const fm_binding *binding);
/* Runs a binding with options, which may be NULL. */
fm_status fm_ort_run(fm_binding *binding, const OrtRunOptions *options, fm_error *err);
void fm_ort_sampling_free(fm_node_sampling *sampling); /* NULL is fine */

/* Monotonic seconds. */
double fm_ort_seconds(void);

/* Logging function for session options; param is the fm_session. */
void ORT_API_CALL fm_ort_log(void *param, OrtLoggingLevel severity, const char *category,
                             const char *log_id, const char *location, const char *message);

#endif
