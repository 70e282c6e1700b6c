#include "watch/gpu_nvml.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "watch/gpu_sum.h"
#include "watch/nvml.h"

static const char library[] = "libnvidia-ml.so.1";
static const char what[] = "NVIDIA devices";
enum { WAIT_SECONDS = 2 };

typedef enum phase { STARTING, REFUSED, READING, ENDED } phase;

struct fmp_gpu_nvml {
    fmp_nvml *nvml; /* the thread's alone, once it runs */
    pthread_t thread;
    long interval_ns;
    pthread_mutex_t mutex; /* guards all below; never held while NVML is called */
    pthread_cond_t changed;
    phase phase;
    bool stop, denied, said;
    char message[FMP_NVML_MESSAGE_SIZE];
    const char *remedy;
    unsigned count;
    fmp_gpu_sum sums[FMP_NVML_DEVICES_MAX];
};

/* --- the thread -------------------------------------------------------------------- */

static void set_phase(fmp_gpu_nvml *gpus, phase now)
{
    pthread_mutex_lock(&gpus->mutex);
    gpus->phase = now;
    pthread_cond_broadcast(&gpus->changed);
    pthread_mutex_unlock(&gpus->mutex);
}

static void begin_sums(fmp_gpu_nvml *gpus)
{
    const unsigned count = fmp_nvml_count(gpus->nvml);
    for (unsigned i = 0; i < count; i++) {
        char model[64], name[96];
        fmp_nvml_name(gpus->nvml, i, model, sizeof model);
        snprintf(name, sizeof name, "GPU %u%s%s", i, model[0] ? " " : "", model);
        fmp_gpu_sum_begin(&gpus->sums[i], name);
    }
    gpus->count = count;
}

static void read_devices(fmp_gpu_nvml *gpus)
{
    for (unsigned i = 0; i < gpus->count; i++) {
        fmp_gpu_reading reading;
        fmp_nvml_read(gpus->nvml, i, &reading);
        pthread_mutex_lock(&gpus->mutex);
        fmp_gpu_sum_add(&gpus->sums[i], fmp_now(), &reading);
        pthread_mutex_unlock(&gpus->mutex);
    }
}

static struct timespec later(struct timespec time, long nanoseconds)
{
    time.tv_nsec += nanoseconds;
    while (time.tv_nsec >= 1000000000) {
        time.tv_nsec -= 1000000000;
        time.tv_sec++;
    }
    return time;
}

/* False when it is time to end. */
static bool wait_for_next(fmp_gpu_nvml *gpus)
{
    struct timespec due;
    clock_gettime(CLOCK_MONOTONIC, &due);
    due = later(due, gpus->interval_ns);
    pthread_mutex_lock(&gpus->mutex);
    while (!gpus->stop && pthread_cond_timedwait(&gpus->changed, &gpus->mutex, &due) != ETIMEDOUT) {
    }
    const bool go_on = !gpus->stop;
    pthread_mutex_unlock(&gpus->mutex);
    return go_on;
}

static void *watch(void *opaque)
{
    fmp_gpu_nvml *gpus = opaque;
#ifdef __linux__
    pthread_setname_np(pthread_self(), "fmp-gpu");
#endif
    char message[FMP_NVML_MESSAGE_SIZE] = "";
    const bool started = fmp_nvml_start(gpus->nvml, message);
    const bool denied = !started && errno == EACCES;
    if (started) {
        begin_sums(gpus);
        set_phase(gpus, READING);
        read_devices(gpus);
        while (wait_for_next(gpus))
            read_devices(gpus);
        read_devices(gpus); /* what happened since the last reading */
    }
    pthread_mutex_lock(&gpus->mutex);
    snprintf(gpus->message, sizeof gpus->message, "%s", message);
    gpus->remedy = started ? "" : fmp_nvml_remedy(gpus->nvml);
    gpus->denied = denied;
    pthread_mutex_unlock(&gpus->mutex);
    fmp_nvml_free(&gpus->nvml);
    set_phase(gpus, started ? ENDED : REFUSED);
    return NULL;
}

/* --- the other side ------------------------------------------------------------------ */

/* Waits until the phase is another than `from` or time is up; gives the phase. */
static phase wait_while(fmp_gpu_nvml *gpus, phase from)
{
    struct timespec due;
    clock_gettime(CLOCK_MONOTONIC, &due);
    due.tv_sec += WAIT_SECONDS;
    pthread_mutex_lock(&gpus->mutex);
    while (gpus->phase == from && pthread_cond_timedwait(&gpus->changed, &gpus->mutex, &due) != ETIMEDOUT) {
    }
    const phase now = gpus->phase;
    pthread_mutex_unlock(&gpus->mutex);
    return now;
}

static void say(fmp_gpu_nvml *gpus, phase now, fmp_tables *tables)
{
    if (now == READING || now == ENDED)
        fmp_facility_says(tables, FMP_SYSTEM_GPU, what, FMP_STATE_ON,
                          fmp_tables_text(tables, "NVML (%s), %u device%s, read by a thread of its own", library,
                                          gpus->count, gpus->count == 1 ? "" : "s"),
                          "");
    else if (now == REFUSED)
        fmp_facility_says(tables, FMP_SYSTEM_GPU, what, gpus->denied ? FMP_STATE_NOT_PERMITTED : FMP_STATE_NOT_HERE,
                          gpus->message, gpus->remedy);
}

static void destroy(fmp_gpu_nvml *gpus)
{
    pthread_cond_destroy(&gpus->changed);
    pthread_mutex_destroy(&gpus->mutex);
    fmp_nvml_free(&gpus->nvml);
    free(gpus);
}

/* Signals belong to the program's threads. */
static int make_thread(fmp_gpu_nvml *gpus)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
#ifdef __linux__
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
    pthread_cond_init(&gpus->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&gpus->mutex, NULL);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failure = pthread_create(&gpus->thread, NULL, watch, gpus);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure;
}

fmp_gpu_nvml *fmp_gpu_nvml_start(const fmp_system_options *options, fmp_tables *tables)
{
    fmp_nvml *nvml = fmp_nvml_load(library);
    if (!nvml) {
        const char *how = errno == ENOENT   ? "no NVIDIA driver: libnvidia-ml.so.1 is not here"
                          : errno == ENOSYS ? "libnvidia-ml.so.1 is older than NVML's functions of today"
                                            : "memory is out";
        fmp_facility_says(tables, FMP_SYSTEM_GPU, what, FMP_STATE_NOT_HERE, how, "");
        return NULL;
    }
    fmp_gpu_nvml *gpus = calloc(1, sizeof *gpus);
    if (!gpus) {
        fmp_nvml_free(&nvml);
        return NULL;
    }
    gpus->nvml = nvml;
    gpus->interval_ns = 1000000000L / (long)(options->readings_hz ? options->readings_hz : 20);
    if (make_thread(gpus)) {
        destroy(gpus);
        return NULL;
    }
    const phase now = wait_while(gpus, STARTING);
    gpus->said = now != STARTING;
    say(gpus, now, tables);
    if (now == REFUSED) {
        pthread_join(gpus->thread, NULL);
        destroy(gpus);
        return NULL;
    }
    return gpus;
}

/* The thread may never come back: it keeps what it works on. */
static void give_up(fmp_gpu_nvml *gpus, uint64_t units, fmp_tables *tables)
{
    pthread_detach(gpus->thread);
    pthread_mutex_lock(&gpus->mutex);
    for (unsigned i = 0; gpus->phase != STARTING && i < gpus->count; i++)
        fmp_gpu_sum_tell(&gpus->sums[i], units, tables);
    pthread_mutex_unlock(&gpus->mutex);
    fmp_facility_says(tables, FMP_SYSTEM_GPU, "NVIDIA driver", FMP_STATE_NOT_HERE,
                      fmp_tables_text(tables, "does not answer: a call to NVML took over %d s and was left alone",
                                      WAIT_SECONDS),
                      "see whether nvidia-smi comes back, and the kernel's log (dmesg)");
}

void fmp_gpu_nvml_stop(fmp_gpu_nvml *gpus, uint64_t units, fmp_tables *tables)
{
    pthread_mutex_lock(&gpus->mutex);
    gpus->stop = true;
    phase now = gpus->phase;
    pthread_cond_broadcast(&gpus->changed);
    pthread_mutex_unlock(&gpus->mutex);
    if (now == STARTING)
        now = wait_while(gpus, STARTING);
    if (now == READING)
        now = wait_while(gpus, READING);
    if (now == STARTING || now == READING) {
        give_up(gpus, units, tables);
        return;
    }
    pthread_join(gpus->thread, NULL);
    if (!gpus->said)
        say(gpus, now, tables);
    for (unsigned i = 0; i < gpus->count; i++)
        fmp_gpu_sum_tell(&gpus->sums[i], units, tables);
    destroy(gpus);
}
