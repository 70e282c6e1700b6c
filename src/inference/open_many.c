#include "inference/open_many.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

/* As the main thread has: the runtime walks graphs recursively, and 512 KiB are the default of some systems. */
#define STACK_BYTES ((size_t)8 << 20)

typedef struct job {
    fm_session_request *request;
    fm_runtime *runtime;
    pthread_t thread;
    bool started;
    fm_status status;
    fm_error err;
} job;

static void *open_one(void *argument)
{
    job *j = argument;
    const fm_session_request *r = j->request;
    j->status = r->before ? r->before(r->opaque, &j->err) : FM_OK;
    if (j->status == FM_OK)
        j->status = fm_session_open(r->out, j->runtime, r->path, &r->options, &j->err);
    return NULL;
}

static bool start(job *j)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    const bool started = pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0 &&
                         pthread_create(&j->thread, &attributes, open_one, j) == 0;
    pthread_attr_destroy(&attributes);
    return started;
}

fm_status fm_sessions_open(fm_session_request *requests, int count, fm_runtime *runtime, fm_error *err)
{
    for (int i = 0; i < count; i++)
        *requests[i].out = NULL;
    job *jobs = calloc(count > 0 ? (size_t)count : 1, sizeof *jobs);
    if (!jobs)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory opening %d models", count);
    for (int i = 0; i < count; i++) {
        jobs[i].request = &requests[i];
        jobs[i].runtime = runtime;
        jobs[i].started = count > 1 && start(&jobs[i]);
    }
    /* The system may refuse a thread: then one after the other is well, too. */
    for (int i = 0; i < count; i++)
        if (!jobs[i].started)
            open_one(&jobs[i]);
    fm_status status = FM_OK;
    for (int i = 0; i < count; i++) {
        if (jobs[i].started)
            pthread_join(jobs[i].thread, NULL);
        if (status == FM_OK && jobs[i].status != FM_OK)
            status = fm_fail(err, jobs[i].status, "%s", jobs[i].err.message);
    }
    for (int i = 0; status != FM_OK && i < count; i++)
        fm_session_close(requests[i].out);
    free(jobs);
    return status;
}
