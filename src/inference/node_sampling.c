#include "inference/node_sampling.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "fmprof/fmprof.h"
#include "inference/internal.h"
#include "inference/node_stream.h"

struct fm_node_sampling {
    int every;
    pthread_mutex_t lock; /* of times */
    fm_node_times *times;
};

fm_status fm_session_sample_nodes(fm_session *session, int every, fm_error *err)
{
    fm_node_sampling *s = calloc(1, sizeof *s);
    if (s)
        s->times = fm_node_times_create();
    if (!s || !s->times || pthread_mutex_init(&s->lock, NULL) != 0) {
        if (s)
            fm_node_times_destroy(&s->times);
        free(s);
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the times of the nodes of '%s'", session->name);
    }
    s->every = every;
    session->sampling = s;
    return FM_OK;
}

void fm_ort_sampling_free(fm_node_sampling *sampling)
{
    if (!sampling)
        return;
    fm_node_times_destroy(&sampling->times);
    pthread_mutex_destroy(&sampling->lock);
    free(sampling);
}

int fm_session_sample_every(const fm_session *session)
{
    return session->sampling ? session->sampling->every : 0;
}

const fm_node_times *fm_session_node_times(const fm_session *session)
{
    return session->sampling ? session->sampling->times : NULL;
}

/* --- the file ------------------------------------------------------------------------ */

enum { DIR_MAX = FM_PATH_MAX - 300 }; /* so that a file in it fits */

/* A folder that nobody else can look into. */
static bool make_folder(char out[DIR_MAX])
{
    const char *parent = getenv("TMPDIR");
    const int length = snprintf(out, DIR_MAX, "%s/facemirror-nodes-XXXXXX", parent && *parent ? parent : "/tmp");
    return length > 0 && length < DIR_MAX && mkdtemp(out);
}

/* Reads the (only) file of the folder, and removes both. */
static uint8_t *read_and_remove(const char *folder, size_t *size)
{
    uint8_t *data = NULL;
    DIR *dir = opendir(folder);
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        char path[FM_PATH_MAX];
        fm_error ignored = {0};
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (!data && fm_file_read(path, FM_NODE_STREAM_MAX, &data, size, &ignored) != FM_OK)
            data = NULL;
        unlink(path);
    }
    if (dir)
        closedir(dir);
    rmdir(folder);
    return data;
}

/* --- runs ------------------------------------------------------------------------------ */

static fm_status run_into(fm_binding *binding, const char *folder, uint64_t *start_ns, fm_error *err)
{
    char prefix[FM_PATH_MAX];
    const fm_session *s = fm_ort_session_of(binding);
    const OrtApi *api = s->runtime->api;
    OrtRunOptions *options = NULL;
    snprintf(prefix, sizeof prefix, "%s/run", folder);
    fm_status status = fm_ort_check(s->runtime, api->CreateRunOptions(&options), FM_E_RUNTIME,
                                    "set options for a run of", s->name, err);
    if (status == FM_OK)
        status = fm_ort_check(s->runtime, api->RunOptionsEnableProfiling(options, prefix), FM_E_RUNTIME,
                              "set options for a run of", s->name, err);
    *start_ns = fmp_now();
    if (status == FM_OK)
        status = fm_ort_run(binding, options, err);
    if (options)
        api->ReleaseRunOptions(options);
    return status;
}

fm_status fm_binding_run_stream(fm_binding *binding, uint8_t **stream, size_t *size, uint64_t *start_ns, fm_error *err)
{
    char folder[DIR_MAX];
    *stream = NULL;
    *size = 0;
    *start_ns = 0;
    if (!make_folder(folder))
        return fm_binding_run(binding, err);
    const fm_status status = run_into(binding, folder, start_ns, err);
    *stream = read_and_remove(folder, size);
    if (status != FM_OK) {
        free(*stream);
        *stream = NULL;
    }
    return status;
}

fm_status fm_binding_run_profiled(fm_binding *binding, fm_node_times *times, fm_error *err)
{
    uint8_t *stream;
    size_t size;
    uint64_t start_ns;
    fm_status status = fm_binding_run_stream(binding, &stream, &size, &start_ns, err);
    if (status == FM_OK)
        status = fm_node_times_add(times, stream ? (const void *)stream : "", size, err);
    free(stream);
    return status;
}

fm_status fm_binding_run_sampled(fm_binding *binding, fm_node_visit *visit, void *opaque, fm_error *err)
{
    fm_node_sampling *sampling = fm_ort_session_of(binding)->sampling;
    uint8_t *stream;
    size_t size;
    uint64_t start_ns;
    fm_status status = fm_binding_run_stream(binding, &stream, &size, &start_ns, err);
    if (status == FM_OK) {
        pthread_mutex_lock(&sampling->lock);
        status = fm_node_times_add(sampling->times, stream ? (const void *)stream : "", size, err);
        const fm_node_totals totals = fm_node_times_totals(sampling->times);
        if (status == FM_OK && visit && totals.moment_count > 0)
            visit(opaque, &totals, start_ns);
        pthread_mutex_unlock(&sampling->lock);
    }
    free(stream);
    return status;
}
