#include "inference/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <onnxruntime_session_options_config_keys.h>

#include "base/file.h"
#include "inference/cache_slot.h"
#include "inference/internal.h"

#define OUTLINE_BYTES_MAX ((size_t)512 << 20)

double fm_ort_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* What becomes of a graph on loading. */
typedef struct graph_plan {
    bool optimised;       /* it is from the cache: bytes in the runtime's own format, which outlive the session */
    const char *write_to; /* where the runtime writes the optimised graph in that format; NULL: nowhere */
    bool as_it_is;        /* no operator is fused, no weight packed anew */
} graph_plan;

static OrtStatus *set_plan(const OrtApi *api, OrtSessionOptions *options, const graph_plan *plan)
{
    const GraphOptimizationLevel level = plan->optimised || plan->as_it_is ? ORT_DISABLE_ALL : ORT_ENABLE_ALL;
    OrtStatus *status = api->SetSessionGraphOptimizationLevel(options, level);
    /* Weights that are packed anew are gone from what a profiled run tells of its inputs. */
    if (!status && plan->as_it_is)
        status = api->AddSessionConfigEntry(options, kOrtSessionOptionsConfigDisablePrepacking, "1");
    if (!status && plan->write_to)
        status = api->AddSessionConfigEntry(options, kOrtSessionOptionsConfigSaveModelFormat, "ORT");
    if (!status && plan->write_to)
        status = api->SetOptimizedModelFilePath(options, plan->write_to);
    if (!status && plan->optimised)
        status = api->AddSessionConfigEntry(options, kOrtSessionOptionsConfigLoadModelFormat, "ORT");
    /* Weights are used where they are instead of being copied, which is most of the work with large ones. */
    if (!status && plan->optimised)
        status = api->AddSessionConfigEntry(options, kOrtSessionOptionsConfigUseORTModelBytesDirectly, "1");
    if (!status && plan->optimised)
        status = api->AddSessionConfigEntry(options, kOrtSessionOptionsConfigUseORTModelBytesForInitializers, "1");
    return status;
}

static fm_status set_options(fm_session *s, OrtSessionOptions *options, int intra_threads, const graph_plan *plan,
                             fm_error *err)
{
    const OrtApi *api = s->runtime->api;
    OrtStatus *status = api->SetIntraOpNumThreads(options, intra_threads);
    if (!status)
        status = api->SetInterOpNumThreads(options, 1);
    if (!status)
        status = api->SetSessionExecutionMode(options, ORT_SEQUENTIAL);
    if (!status)
        status = set_plan(api, options, plan);
    if (!status)
        status = api->SetSessionLogId(options, s->name);
    if (!status)
        status = api->SetSessionLogSeverityLevel(options, ORT_LOGGING_LEVEL_WARNING);
    if (!status)
        status = api->SetUserLoggingFunction(options, fm_ort_log, s);
    /* A waiting pool must not burn the cores of the stages beside it. */
    if (!status)
        status = api->AddSessionConfigEntry(options, kOrtSessionOptionsConfigAllowIntraOpSpinning, "0");
    if (!status)
        status = api->AddSessionConfigEntry(options, kOrtSessionOptionsConfigAllowInterOpSpinning, "0");
    if (!status)
        status = api->AddSessionConfigEntry(options, kOrtSessionOptionsRecordEpGraphAssignmentInfo, "1");
    return fm_ort_check(s->runtime, status, FM_E_RUNTIME, "set options for the model", s->name, err);
}

static fm_status create(fm_session *s, const fm_source *from, const fm_session_options *o, const char *full,
                        const graph_plan *plan, fm_error *err)
{
    const OrtApi *api = s->runtime->api;
    const int threads = o->intra_threads > 0 ? o->intra_threads : 1;
    OrtSessionOptions *options = NULL;
    fm_status status = fm_ort_check(s->runtime, api->CreateSessionOptions(&options), FM_E_RUNTIME,
                                    "set options for the model", s->name, err);
    if (status == FM_OK)
        status = set_options(s, options, threads, plan, err);
    if (status == FM_OK && strcmp(full, FM_CPU_PROVIDER) != 0)
        status = fm_ort_append(s, options, full, o, threads, err);
    if (status == FM_OK) {
        OrtStatus *made = from->data ? api->CreateSessionFromArray(s->runtime->env, from->data,
                                                                   from->size, options, &s->session)
                                     : api->CreateSession(s->runtime->env, from->name, options,
                                                          &s->session);
        status = fm_ort_check(s->runtime, made, FM_E_MODEL, "load the model", s->name, err);
    }
    if (options)
        api->ReleaseSessionOptions(options);
    return status;
}

static void unload(fm_session *s)
{
    fm_ort_free_tensors(s);
    if (s->session)
        s->runtime->api->ReleaseSession(s->session);
    s->session = NULL;
    free(s->graph);
    s->graph = NULL;
}

/* Loads a graph and reads what goes into it and comes out; after an error nothing is loaded. */
static fm_status load(fm_session *s, const fm_source *from, const fm_session_options *o, const char *full,
                      const graph_plan *plan, fm_error *err)
{
    fm_status status = create(s, from, o, full, plan, err);
    if (status == FM_OK)
        status = fm_ort_read_tensors(s, err);
    if (status != FM_OK)
        unload(s);
    return status;
}

/* Counts what runs where, and keeps the graph when it was written; a file is read once more for both. */
static fm_status break_down(fm_session *s, const fm_source *from, fm_cache_slot *slot, fm_error *err)
{
    const void *data = from->data;
    size_t size = from->size;
    uint8_t *own = NULL;
    fm_error ignored = {0}; /* a file that is too large to be read whole costs only details */
    if (!data && fm_file_read(from->name, OUTLINE_BYTES_MAX, &own, &size, &ignored) == FM_OK)
        data = own;
    fm_status status = fm_ort_breakdown(s, data, size, err);
    if (status == FM_OK && slot->file.pending && !s->warned)
        fm_cache_store(slot, data, size, &s->breakdown);
    fm_cache_abandon(slot);
    free(own);
    return status;
}

static bool open_cached(fm_session *s, const fm_cache_slot *slot, const fm_session_options *o, const char *full)
{
    fm_cached_graph graph;
    if (!fm_cache_take(slot, &graph))
        return false;
    fm_error ignored = {0};
    const fm_source optimised = {s->name, graph.data, graph.graph_size};
    s->graph = graph.data;
    const bool good = load(s, &optimised, o, full, &(graph_plan){.optimised = true}, &ignored) == FM_OK;
    if (good) {
        s->breakdown = graph.breakdown;
        s->from_cache = true;
        snprintf(s->backend, sizeof s->backend, "%s", fm_provider_suffix(FM_CPU_PROVIDER));
    } else {
        fm_breakdown_free(&graph.breakdown);
        fm_cache_drop(slot);
    }
    return good;
}

static fm_status open_original(fm_session *s, const fm_source *from, fm_cache_slot *slot, const fm_session_options *o,
                               const char *full, fm_error *err)
{
    graph_plan plan = {.write_to = fm_cache_reserve(slot), .as_it_is = o->unoptimised};
    fm_error ignored = {0};
    fm_status status = load(s, from, o, full, &plan, plan.write_to ? &ignored : err);
    if (status != FM_OK && plan.write_to) { /* perhaps it could not be written */
        fm_cache_abandon(slot);
        plan.write_to = NULL;
        status = load(s, from, o, full, &plan, err);
    }
    return status;
}

fm_status fm_ort_open(fm_session **out, fm_runtime *runtime, const fm_source *from, const fm_session_options *options,
                      const char *full, fm_error *err)
{
    *out = NULL;
    fm_session *s = calloc(1, sizeof *s);
    if (s)
        s->name = strdup(from->name);
    if (!s || !s->name) {
        free(s);
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory loading the model '%s'", from->name);
    }
    s->runtime = runtime;
    fm_ort_share();
    const double start = fm_ort_seconds(); /* waiting for another's trial is not loading */
    fm_cache_slot slot;
    fm_cache_find(&slot, runtime, options, full);
    const bool cached = open_cached(s, &slot, options, full);
    fm_status status = cached ? FM_OK : open_original(s, from, &slot, options, full, err);
    s->load_seconds = fm_ort_seconds() - start;
    if (status == FM_OK && !cached)
        status = break_down(s, from, &slot, err);
    fm_ort_leave();
    if (status != FM_OK) {
        fm_session_close(&s);
        return status;
    }
    *out = s;
    return FM_OK;
}

fm_status fm_session_open(fm_session **out, fm_runtime *runtime, const char *path,
                          const fm_session_options *options, fm_error *err)
{
    *out = NULL;
    struct stat st;
    if (stat(path, &st) != 0)
        return fm_fail(err, FM_E_MODEL, "cannot load the model '%s': %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode)) /* a FIFO would block for ever */
        return fm_fail(err, FM_E_MODEL, "cannot load the model '%s': it is not a regular file", path);
    if (st.st_size == 0)
        return fm_fail(err, FM_E_MODEL, "cannot load the model '%s': it is empty", path);
    return fm_ort_open_chosen(out, runtime, &(fm_source){path, NULL, 0}, options, err);
}

fm_status fm_session_open_memory(fm_session **out, fm_runtime *runtime, const void *data,
                                 size_t size, const char *name, const fm_session_options *options,
                                 fm_error *err)
{
    *out = NULL;
    if (!data || size == 0)
        return fm_fail(err, FM_E_MODEL, "cannot load the model '%s': it is empty", name);
    return fm_ort_open_chosen(out, runtime, &(fm_source){name, data, size}, options, err);
}

void fm_session_close(fm_session **session)
{
    if (!session || !*session)
        return;
    fm_session *s = *session;
    unload(s);
    fm_breakdown_free(&s->breakdown);
    fm_ort_sampling_free(s->sampling);
    free(s->name);
    free(s);
    *session = NULL;
}

int fm_session_input_count(const fm_session *session)
{
    return session->input_count;
}

int fm_session_output_count(const fm_session *session)
{
    return session->output_count;
}

const fm_tensor_info *fm_session_input(const fm_session *session, int index)
{
    return index >= 0 && index < session->input_count ? &session->inputs[index] : NULL;
}

const fm_tensor_info *fm_session_output(const fm_session *session, int index)
{
    return index >= 0 && index < session->output_count ? &session->outputs[index] : NULL;
}

int fm_session_find_output(const fm_session *session, const char *name)
{
    for (int i = 0; i < session->output_count; i++)
        if (strcmp(session->outputs[i].name, name) == 0)
            return i;
    return -1;
}

const char *fm_session_backend(const fm_session *session)
{
    return session->backend;
}

bool fm_session_from_cache(const fm_session *session)
{
    return session->from_cache;
}

double fm_session_load_seconds(const fm_session *session)
{
    return session->load_seconds;
}

const fm_breakdown *fm_session_breakdown(const fm_session *session)
{
    return &session->breakdown;
}
