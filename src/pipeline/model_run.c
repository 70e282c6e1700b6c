#include "pipeline/model_run.h"

#include <stdio.h>

#include "fmprof/trace.h"
#include "report/report.h"

static const fmp_site *site(const char *category, const char *model, const char *what)
{
    char name[160];
    snprintf(name, sizeof name, "%s_%s", model, what);
    return fmp_site_get(category, name);
}

fm_status fm_model_run_create(fm_model_run *out, const char *name, fm_session *session, const int64_t *dims, int rank,
                              fm_error *err)
{
    *out = (fm_model_run){0};
    const fm_status status = dims ? fm_binding_create_sized(&out->binding, session, dims, rank, err)
                                  : fm_binding_create(&out->binding, session, err);
    if (status != FM_OK)
        return status;
    out->slow = fm_slow_of(name);
    out->pre = site("PREPROCESSING", name, "preprocess");
    out->run = site("MODEL_INFERENCE", name, fm_session_backend(session));
    out->post = site("POSTPROCESSING", name, "postprocess");
    out->sample_every = fm_session_sample_every(session);
    if (out->sample_every > 0)
        out->sample = site("PROFILING", name, FM_REPORT_SAMPLE);
    return FM_OK;
}

void fm_model_run_destroy(fm_model_run *run)
{
    fm_binding_destroy(&run->binding);
}

/* The first run of a binding is slower than the others and is never sampled; the second is, and then every so many. */
static bool is_sampled(fm_model_run *run)
{
    if (run->sample_every == 0)
        return false;
    const uint64_t number = run->runs++;
    return number > 0 && (number - 1) % (uint64_t)run->sample_every == 0;
}

/* Nodes of a model that may have a name in a trace: names live as long as the process, and others need some, too. */
enum { TRACED_NODES_MAX = 2048 };

/* Puts the nodes of a run into the trace, as scopes in that of the run. */
static void trace_nodes(void *opaque, const fm_node_totals *totals, uint64_t start_ns)
{
    (void)opaque;
    for (size_t i = 0; fmp_trace_running() && i < totals->moment_count; i++) {
        const fm_node_moment *moment = &totals->moments[i];
        const fm_node_time *node = &totals->nodes[moment->node];
        const uint64_t from = start_ns + 1000 * moment->start_us;
        if (moment->node < TRACED_NODES_MAX)
            fmp_trace_scope(fmp_site_get(node->provider, *node->name ? node->name : node->op_type), from,
                            from + 1000 * moment->duration_us);
    }
}

fm_status fm_model_run_once(fm_model_run *run, fm_error *err)
{
    if (is_sampled(run)) {
        FMP_SCOPE_SITE(run->sample);
        fm_slow_down(&run->slow);
        return fm_binding_run_sampled(run->binding, trace_nodes, NULL, err);
    }
    FMP_SCOPE_SITE(run->run);
    fm_slow_down(&run->slow);
    return fm_binding_run(run->binding, err);
}
