/*
 * One model at work for one stage: a binding and the profiler's sites of its
 * three steps, named by model and by where it runs. The run itself goes
 * through here, so that a sampled run (--profile-ops) is kept apart from the
 * others in one place.
 *
 *     { FMP_SCOPE_SITE(run.pre);  ...write fm_binding_input(run.binding)... }
 *     status = fm_model_run_once(&run, err);
 *     { FMP_SCOPE_SITE(run.post); ...read the outputs... }
 *
 * Thread-safety: Unsafe; make one per thread.
 */
#ifndef FM_PIPELINE_MODEL_RUN_H
#define FM_PIPELINE_MODEL_RUN_H

#include "fmprof/fmprof.h"
#include "inference/node_sampling.h"
#include "inference/session.h"
#include "pipeline/slow.h"

typedef struct fm_model_run {
    fm_binding *binding; /* owned */
    const fmp_site *pre, *run, *post;
    const fmp_site *sample; /* FaceMesh_ops_sample, of the category PROFILING; NULL: nodes are not sampled */
    int sample_every;       /* as the session says; 0: never */
    uint64_t runs;          /* so far; counted where nodes are sampled */
    fm_slow slow;
} fm_model_run;

/*
 * `name` as operations are named: "RetinaFace" gives RetinaFace_preprocess, RetinaFace_onnx_cpu and
 * RetinaFace_postprocess. dims (rank entries) where the model leaves its input open, else NULL.
 */
fm_status fm_model_run_create(fm_model_run *out, const char *name, fm_session *session, const int64_t *dims, int rank,
                              fm_error *err);
/* Safe on a zeroed object. */
void fm_model_run_destroy(fm_model_run *run);

/*
 * Runs the model in its scope. Where the session samples its nodes (fm_session_sample_nodes), the second run and every
 * so many after it are done with profiling, in a scope of their own, so that `run` has plain runs only.
 */
fm_status fm_model_run_once(fm_model_run *run, fm_error *err);

#endif
