#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inference/internal.h"

enum { MESSAGE_MAX = 768 };

static pthread_rwlock_t process_lock = PTHREAD_RWLOCK_INITIALIZER;

void fm_ort_share(void)
{
    pthread_rwlock_rdlock(&process_lock);
}

void fm_ort_alone(void)
{
    pthread_rwlock_wrlock(&process_lock);
}

void fm_ort_leave(void)
{
    pthread_rwlock_unlock(&process_lock);
}

/* Copies text with every run of white space as one blank: the runtime's messages hold line breaks. */
static void copy_one_line(char *out, size_t size, const char *text)
{
    size_t used = 0;
    for (const char *p = text; *p && used + 1 < size; p++) {
        bool blank = *p == ' ' || (*p >= '\t' && *p <= '\r');
        if (!blank)
            out[used++] = *p;
        else if (used > 0 && out[used - 1] != ' ')
            out[used++] = ' ';
    }
    if (used > 0 && out[used - 1] == ' ')
        used--;
    out[used] = 0;
}

fm_status fm_ort_check(const fm_runtime *runtime, OrtStatus *status, fm_status code,
                       const char *action, const char *object, fm_error *err)
{
    if (!status)
        return FM_OK;
    char reason[MESSAGE_MAX];
    copy_one_line(reason, sizeof reason, runtime->api->GetErrorMessage(status));
    runtime->api->ReleaseStatus(status);
    return fm_fail(err, code, "cannot %s '%s': %s", action, object, reason);
}

void ORT_API_CALL fm_ort_log(void *param, OrtLoggingLevel severity, const char *category,
                             const char *log_id, const char *location, const char *message)
{
    (void)category;
    fm_session *session = param;
    fm_runtime *runtime = session->runtime;
    if (severity < ORT_LOGGING_LEVEL_WARNING)
        return;
    /* That a graph is written for this machine only: the cache's names see to it. */
    if (strncmp(message, "Serializing optimized model", 27) == 0)
        return;
    /* "Some nodes were not assigned": the breakdown says which and how many. */
    if (location && strstr(location, "VerifyEachNodeIsAssignedToAnEp"))
        return;
    session->warned = true;
    if (!runtime->on_log)
        return;
    char text[MESSAGE_MAX], line[MESSAGE_MAX + 128];
    copy_one_line(text, sizeof text, message);
    snprintf(line, sizeof line, "ONNX Runtime, model '%.80s': %s", log_id, text);
    pthread_mutex_lock(&runtime->log_lock);
    runtime->on_log(runtime->opaque, line);
    pthread_mutex_unlock(&runtime->log_lock);
}

/*
 * The environment is one for the whole process and keeps its first logger, so
 * that logger must not point to a fm_runtime, which may end earlier. All that
 * concerns a model goes through the logger of its session; what is left here
 * is talk about the machine, and failures come back as a status as well.
 */
static void ORT_API_CALL discard_log(void *param, OrtLoggingLevel severity, const char *category,
                                     const char *log_id, const char *location, const char *message)
{
    (void)param;
    (void)severity;
    (void)category;
    (void)log_id;
    (void)location;
    (void)message;
}

/*
 * Microsoft's builds of 1.29 for Linux and macOS count sessions and send the figures home, with an id that they keep in
 * the user's folder. A tool for clinical films does nothing of the kind unasked; who wants it sets the variable to 0.
 */
static void keep_to_ourselves(void)
{
    setenv("ORT_DISABLE_TELEMETRY", "1", 0);
}

fm_status fm_runtime_create_from(fm_runtime **out, const OrtApiBase *base, fm_runtime_log *on_log,
                                 void *opaque, fm_error *err)
{
    *out = NULL;
    const OrtApi *api = base->GetApi(ORT_API_VERSION);
    if (!api)
        return fm_fail(err, FM_E_RUNTIME,
                       "the ONNX Runtime library is version %s, but 1.%d or newer is needed; install "
                       "it, or let LD_LIBRARY_PATH point to it",
                       base->GetVersionString(), ORT_API_VERSION);
    fm_runtime *runtime = calloc(1, sizeof *runtime);
    if (!runtime)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the inference runtime");
    pthread_mutex_init(&runtime->log_lock, NULL);
    runtime->api = api;
    runtime->version = base->GetVersionString();
    runtime->on_log = on_log;
    runtime->opaque = opaque;

    keep_to_ourselves();
    fm_status status = fm_ort_check(
        runtime,
        api->CreateEnvWithCustomLogger(discard_log, NULL, ORT_LOGGING_LEVEL_WARNING, "facemirror",
                                       &runtime->env),
        FM_E_RUNTIME, "start", "ONNX Runtime", err);
    if (status == FM_OK)
        status = fm_ort_check(runtime,
                              api->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault,
                                                       &runtime->memory),
                              FM_E_RUNTIME, "start", "ONNX Runtime", err);
    if (status != FM_OK) {
        fm_runtime_destroy(&runtime);
        return status;
    }
    *out = runtime;
    return FM_OK;
}

fm_status fm_runtime_create(fm_runtime **out, fm_runtime_log *on_log, void *opaque, fm_error *err)
{
    return fm_runtime_create_from(out, OrtGetApiBase(), on_log, opaque, err);
}

void fm_runtime_destroy(fm_runtime **runtime)
{
    if (!runtime || !*runtime)
        return;
    fm_runtime *r = *runtime;
    if (r->memory)
        r->api->ReleaseMemoryInfo(r->memory);
    if (r->env)
        r->api->ReleaseEnv(r->env);
    for (size_t i = 0; i < r->library_count; i++)
        free(r->libraries[i]);
    free(r->libraries);
    pthread_mutex_destroy(&r->log_lock);
    free(r);
    *runtime = NULL;
}

const char *fm_runtime_version(const fm_runtime *runtime)
{
    return runtime->version;
}
