/* fmp_system_*: facilities are started, read by one thread, and stopped. */
#include "fmprof/system.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fmprof/current.h"
#include "watch/alloc_client.h"
#include "watch/facility.h"

/* In the order of their tables. */
static const fmp_facility_calls *const facilities[FMP_SYSTEM_FACILITIES] = {
    &fmp_facility_cpu,      &fmp_facility_memory, &fmp_facility_sample,
    &fmp_facility_syscalls, &fmp_facility_gpu,    &fmp_facility_energy};

struct fmp_system {
    fmp_system_options options;
    fmp_watch_info info;
    fmp_tables *tables;
    void *states[FMP_SYSTEM_FACILITIES];
    pthread_t thread;
    pthread_mutex_t mutex; /* guards stop and info.watcher */
    pthread_cond_t changed;
    bool stop;
    pid_t process;
};

/* The process of the watch that runs; 0: none. A forked child has none, whatever its parent has. */
static _Atomic(pid_t) running_in;

const char *fmp_facility_name(unsigned facility)
{
    switch (facility) {
    case FMP_SYSTEM_CPU:
        return "cpu";
    case FMP_SYSTEM_MEMORY:
        return "memory";
    case FMP_SYSTEM_SAMPLE:
        return "sample";
    case FMP_SYSTEM_SYSCALLS:
        return "syscalls";
    case FMP_SYSTEM_GPU:
        return "gpu";
    case FMP_SYSTEM_ENERGY:
        return "energy";
    default:
        return NULL;
    }
}

void fmp_facility_says(fmp_tables *tables, unsigned facility, const char *what, fmp_facility_state state,
                       const char *how, const char *remedy)
{
    static const char *const states[] = {"on", "not permitted", "not here", "off"};
    fmp_table_add(tables, "facilities",
                  (fmp_cell[]){FMP_TEXT(fmp_facility_name(facility)), FMP_TEXT(what), FMP_TEXT(states[state]),
                               FMP_TEXT(how), FMP_TEXT(remedy)});
}

const char *fmp_operation_text(fmp_tables *tables, uint32_t number)
{
    const char *category, *operation;
    if (number & FMP_OPERATION_OWN)
        return "(profiler)";
    if (number == 0 || !fmp_operation_name(number, &category, &operation))
        return "(no scope)";
    return fmp_operation_shares_name(category, operation) ? fmp_tables_text(tables, "%s (%s)", operation, category)
                                                          : operation;
}

static void read_all(fmp_system *system)
{
    const uint64_t now = fmp_now();
    for (size_t i = 0; i < FMP_SYSTEM_FACILITIES; i++)
        if (system->states[i] && facilities[i]->read)
            facilities[i]->read(system->states[i], &system->info, now);
}

static struct timespec after(struct timespec t, long nanoseconds)
{
    t.tv_nsec += nanoseconds;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    return t;
}

static void *watch(void *opaque)
{
    fmp_system *system = opaque;
    fmp_alloc_set_aside(true);
#ifdef __linux__
    const uint64_t id = (uint64_t)gettid();
    pthread_setname_np(pthread_self(), "fmp-watch");
#else
    uint64_t id = 0;
    pthread_threadid_np(NULL, &id);
#endif
    const long interval = 1000000000L / (long)system->options.readings_hz;
    struct timespec due;
    clock_gettime(CLOCK_MONOTONIC, &due);
    pthread_mutex_lock(&system->mutex);
    system->info.watcher = id;
    pthread_cond_signal(&system->changed);
    while (!system->stop) {
        due = after(due, interval);
        while (!system->stop && pthread_cond_timedwait(&system->changed, &system->mutex, &due) == 0) {
        }
        if (system->stop)
            break;
        pthread_mutex_unlock(&system->mutex);
        read_all(system);
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec > due.tv_sec || (now.tv_sec == due.tv_sec && now.tv_nsec > due.tv_nsec))
            due = now; /* late: readings are left out, not made up for */
        pthread_mutex_lock(&system->mutex);
    }
    pthread_mutex_unlock(&system->mutex);
    return NULL;
}

/* Signals belong to the program's threads. */
static int make_thread(fmp_system *system)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
#ifdef __linux__
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
    pthread_cond_init(&system->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&system->mutex, NULL);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failure = pthread_create(&system->thread, NULL, watch, system);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure)
        return failure;
    pthread_mutex_lock(&system->mutex);
    while (system->info.watcher == 0)
        pthread_cond_wait(&system->changed, &system->mutex);
    pthread_mutex_unlock(&system->mutex);
    return 0;
}

static fmp_system_options with_defaults(const fmp_system_options *given)
{
    fmp_system_options o = given ? *given : (fmp_system_options){0};
    o.facilities &= FMP_SYSTEM_ALL;
    if (o.facilities == 0)
        o.facilities = FMP_SYSTEM_USUAL;
    if (o.readings_hz == 0)
        o.readings_hz = 20;
    if (o.readings_hz > 1000)
        o.readings_hz = 1000;
    if (o.samples_hz == 0)
        o.samples_hz = 199;
    if (o.samples_hz > 10000)
        o.samples_hz = 10000;
    if (o.allocation_interval == 0)
        o.allocation_interval = 512 * 1024;
    return o;
}

static void stop_all(fmp_system *system)
{
    for (size_t i = 0; i < FMP_SYSTEM_FACILITIES; i++)
        if (system->states[i])
            facilities[i]->stop(system->states[i], &system->info, system->tables);
}

static void count_all(fmp_system *system, bool on)
{
    for (size_t i = 0; i < FMP_SYSTEM_FACILITIES; i++)
        if (system->states[i] && facilities[i]->count)
            facilities[i]->count(system->states[i], &system->info, on);
}

static void destroy(fmp_system *system)
{
    fmp_tables_free(&system->tables);
    free(system);
    atomic_store(&running_in, 0);
}

static fmp_system *start_watch(const fmp_system_options *options)
{
    const pid_t own = getpid();
    pid_t before = atomic_load(&running_in);
    if (before == own || !atomic_compare_exchange_strong(&running_in, &before, own)) {
        errno = EBUSY;
        return NULL;
    }
    fmp_system *system = calloc(1, sizeof *system);
    if (!system) {
        atomic_store(&running_in, 0);
        errno = ENOMEM;
        return NULL;
    }
    system->process = own;
    system->options = with_defaults(options);
    system->info = (fmp_watch_info){.root = "", .start_ns = fmp_now()};
    system->tables = fmp_tables_create();
    if (!system->tables) {
        destroy(system);
        errno = ENOMEM;
        return NULL;
    }
    for (size_t i = 0; i < FMP_SYSTEM_FACILITIES; i++) {
        if (system->options.facilities & facilities[i]->facility)
            system->states[i] = facilities[i]->start(&system->options, &system->info, system->tables);
        else
            fmp_facility_says(system->tables, facilities[i]->facility, "", FMP_STATE_OFF, "", "");
    }
    const int failure = make_thread(system);
    if (failure) {
        stop_all(system);
        destroy(system);
        errno = failure;
        return NULL;
    }
    count_all(system, true);
    return system;
}

/* Neither what the watch takes at its begin nor at its end is the program's. */
fmp_system *fmp_system_start(const fmp_system_options *options)
{
    fmp_alloc_set_aside(true);
    fmp_system *system = start_watch(options);
    fmp_alloc_set_aside(false);
    return system;
}

static fmp_system_report *stop_watch(fmp_system **system, uint64_t units)
{
    fmp_system *s = *system;
    *system = NULL;
    if (s->process != getpid()) {
        /* The watching thread, the files and the helpers are the parent's: the child only lets go of its copy. */
        static fmp_system *_Atomic let_go;
        atomic_store(&let_go, s);
        errno = ECHILD;
        return NULL;
    }
    count_all(s, false);
    pthread_mutex_lock(&s->mutex);
    s->stop = true;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->mutex);
    pthread_join(s->thread, NULL);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->mutex);
    s->info.end_ns = fmp_now();
    s->info.units = units;
    read_all(s); /* what happened since the last reading */
    stop_all(s);
    fmp_system_report *report = fmp_tables_finish(&s->tables);
    destroy(s);
    if (!report)
        errno = ENOMEM;
    return report;
}

fmp_system_report *fmp_system_stop(fmp_system **system, uint64_t units)
{
    if (!system || !*system)
        return NULL;
    fmp_alloc_set_aside(true);
    fmp_system_report *report = stop_watch(system, units);
    fmp_alloc_set_aside(false);
    return report;
}
