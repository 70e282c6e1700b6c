/*
 * ONNX Runtime sessions: one model, loaded once, run from any thread through
 * bindings that own their input and output buffers, so that a run allocates
 * nothing of ours.
 *
 * The runtime is linked through its C API; a newer or accelerated build is put
 * in its place with LD_LIBRARY_PATH. Linear life: runtime, session, binding.
 *
 * Thread-safety: fm_runtime and fm_session are Safe after creation: several
 * threads may open sessions on one runtime at once, and add libraries. Models
 * load side by side; the timed trials of "auto" wait for what loads, and what
 * loads waits for them, in the whole process. A fm_binding is Unsafe (one
 * thread at a time; make one per thread).
 */
#ifndef FM_INFERENCE_SESSION_H
#define FM_INFERENCE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "facemirror/error.h"
#include "inference/breakdown.h"
#include "inference/provider.h"

typedef struct fm_runtime fm_runtime;
typedef struct fm_session fm_session;
typedef struct fm_binding fm_binding;

enum { FM_TENSOR_DIMS_MAX = 8 };

typedef struct fm_tensor_info {
    const char *name; /* owned by the session */
    int64_t dims[FM_TENSOR_DIMS_MAX]; /* -1: dynamic */
    int rank;
    size_t count; /* float elements, dynamic dimensions taken as 1 */
} fm_tensor_info;

typedef struct fm_session_options {
    int intra_threads;  /* threads inside one run; 0: 1, since our stages run beside each other */
    fm_provider provider; /* where it shall run; zero: on the CPU */
    const int64_t *input_dims; /* size of the input in trial runs, where the model leaves it open; NULL: it does not */
    int input_rank;
    /*
     * Folder of optimised graphs, made when missing, and the SHA-256 of the model's file in hexadecimal; without both
     * the model is not cached. cache.h says more.
     */
    const char *cache_dir, *sha256;
    bool unoptimised; /* keep operators and weights as the file has them, for counting them: slower; not with a cache */
} fm_session_options;

/*
 * Loads the runtime (one process-wide environment). What it says about a model at warning level and above goes to
 * `on_log` (may be NULL) as one line, from whatever thread, but never from two at once; it must not call the functions
 * here. FM_E_RUNTIME when the library is too old. Sets ORT_DISABLE_TELEMETRY in the environment unless it is there, so
 * no other thread may change or read the environment meanwhile.
 */
typedef void fm_runtime_log(void *opaque, const char *message);
fm_status fm_runtime_create(fm_runtime **out, fm_runtime_log *on_log, void *opaque, fm_error *err);
void fm_runtime_destroy(fm_runtime **runtime);
/* Such as "1.29.0". */
const char *fm_runtime_version(const fm_runtime *runtime);
/* The providers beside the CPU's that "auto" would try, "openvino, cuda"; "": none. */
void fm_runtime_accelerators(const fm_runtime *runtime, char *out, size_t size);

/*
 * Loads the library of a plug-in provider, for all sessions to come; again is fine. FM_E_NOT_FOUND, or
 * FM_E_RUNTIME when it is no such library or wants another runtime.
 */
fm_status fm_runtime_add_library(fm_runtime *runtime, const char *path, fm_error *err);

/*
 * Where a session shall run says options->provider. A provider that cannot be
 * set up or fails in a trial run is replaced by the CPU, and
 * fm_session_fallback_reason says why; "auto" times all that are here against
 * the CPU and keeps the fastest.
 */
/* Loads an ONNX file. All inputs and outputs must be float32 tensors. FM_E_MODEL names the file and the cause. */
fm_status fm_session_open(fm_session **out, fm_runtime *runtime, const char *path,
                          const fm_session_options *options, fm_error *err);
/* The same from memory (copied by the runtime); `name` stands in messages. */
fm_status fm_session_open_memory(fm_session **out, fm_runtime *runtime, const void *data,
                                 size_t size, const char *name, const fm_session_options *options,
                                 fm_error *err);
void fm_session_close(fm_session **session);

int fm_session_input_count(const fm_session *session);
int fm_session_output_count(const fm_session *session);
const fm_tensor_info *fm_session_input(const fm_session *session, int index);
const fm_tensor_info *fm_session_output(const fm_session *session, int index);
/* Index of the output of that name, or -1. */
int fm_session_find_output(const fm_session *session, const char *name);
/* What really runs it, as operation names end: "onnx_cpu", "coreml", "cuda"... */
const char *fm_session_backend(const fm_session *session);
/* What was asked for: "auto", "cpu", "openvino"... */
const char *fm_session_asked(const fm_session *session);
/* Why it does not run (mostly) where it was asked to, or what "auto" found; NULL: there is nothing to say. */
const char *fm_session_fallback_reason(const fm_session *session);
/* What runs where. */
const fm_breakdown *fm_session_breakdown(const fm_session *session);
/* An optimised graph was taken from options->cache_dir; results and breakdown are the same without. */
bool fm_session_from_cache(const fm_session *session);
/* Seconds that loading took, without trial runs; the cache's work is part of it. */
double fm_session_load_seconds(const fm_session *session);

/*
 * Buffers for one caller: the input (zero at first), all outputs, 64-byte
 * aligned, alive as long as the binding; dynamic dimensions are 1. FM_E_MODEL
 * when the model has not exactly one input. Running fails with FM_E_MODEL when
 * an output turns out to have another shape, else FM_E_RUNTIME.
 */
fm_status fm_binding_create(fm_binding **out, fm_session *session, fm_error *err);
/*
 * The same for an input of `dims` (`rank` entries, all >= 1), which fills in
 * what the model leaves dynamic. Where an output is dynamic too, one run over
 * zeros tells its size, which later runs must keep. FM_E_MODEL when the model
 * does not accept these dimensions.
 */
fm_status fm_binding_create_sized(fm_binding **out, fm_session *session, const int64_t *dims,
                                  int rank, fm_error *err);
void fm_binding_destroy(fm_binding **binding);
/* Shapes as bound: nothing is dynamic in them. NULL for an index out of range. */
const fm_tensor_info *fm_binding_input_info(const fm_binding *binding);
const fm_tensor_info *fm_binding_output_info(const fm_binding *binding, int index);
float *fm_binding_input(fm_binding *binding);
const float *fm_binding_output(const fm_binding *binding, int index);
fm_status fm_binding_run(fm_binding *binding, fm_error *err);

#endif
