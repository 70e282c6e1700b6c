/* The traced program's side: makes the tracing process, tells it where operations stand, and ends it. */
#include "watch/tracer_shared.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "fmprof/current.h"

/* Beyond them the tracing process is killed, which harms nobody (tracer_run.c). */
enum { START_MS = 5000, OTHERS_MS = 500, CALIBRATION_MS = 2000, END_MS = 2000 };

struct fmp_tracer {
    fmp_tracer_shared *shared;
    pid_t process;
    bool gone; /* and waited for */
    double added_ns, seen_ns;
};

/* What the hook writes to. The hook is called under the registry's lock, so this is set while no hook is. */
static fmp_tracer_shared *hooked;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void sleep_ms(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* --- open operations ------------------------------------------------------------------ */

/* Called by one thread at a time; the tracer looks up threads that stand still, never one that is in here. */
static void on_thread(uint64_t id, const volatile uint32_t *operation)
{
    uint32_t i = fmp_tracer_hash(id) % FMP_TRACED_THREADS;
    fmp_thread_slot *place = NULL;
    for (int probes = 0; probes < FMP_TRACED_PROBES; probes++, i = (i + 1) % FMP_TRACED_THREADS) {
        fmp_thread_slot *slot = &hooked->threads[i];
        const uint64_t found = atomic_load(&slot->id);
        const bool own = found == id;
        if (own || (!place && atomic_load(&slot->address) == 0))
            place = slot;
        if (own || found == 0)
            break;
    }
    if (!place || (!operation && atomic_load(&place->id) != id))
        return; /* too many threads: the calls of this one count as outside of scopes */
    atomic_store(&place->address, 0);
    atomic_store(&place->id, id);
    atomic_store(&place->address, (uint64_t)(uintptr_t)operation);
}

/* --- the process ----------------------------------------------------------------------- */

/*
 * A fork without an exit signal, and without the handlers of pthread_atfork:
 * what they do (flush, stop, start again) is not meant for a process that only
 * ever makes system calls. All signals are blocked before it, so that no
 * handler of the program ever runs in there.
 */
static pid_t make_process(fmp_tracer_shared *shared)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const long process = syscall(SYS_clone, 0L, 0L, 0L, 0L, 0L);
    if (process == 0)
        fmp_tracer_run(shared);
    const int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return (pid_t)process;
}

/* Whether the tracing process has ended; it is waited for then. */
static bool has_ended(fmp_tracer *tracer)
{
    if (!tracer->gone) {
        const pid_t ended = waitpid(tracer->process, NULL, __WALL | WNOHANG);
        /* ECHILD: the program waited for children of every kind */
        tracer->gone = ended == tracer->process || (ended < 0 && errno == ECHILD);
    }
    return tracer->gone;
}

static void end_process(fmp_tracer *tracer, bool *killed)
{
    atomic_store(&tracer->shared->end, true); /* seen at the next stop, and each sleep here is one */
    for (int ms = 0; ms < END_MS; ms++) {
        if (has_ended(tracer))
            return;
        sleep_ms();
    }
    *killed = true;
    kill(tracer->process, SIGKILL);
    while (!has_ended(tracer))
        sleep_ms();
}

static void wait_until_traced(fmp_tracer *tracer)
{
    const fmp_tracer_shared *shared = tracer->shared;
    for (int ms = 0; ms < START_MS && atomic_load(&shared->state) == FMP_TRACER_STARTING; ms++) {
        if (has_ended(tracer))
            return;
        sleep_ms();
    }
    for (int ms = 0; ms < OTHERS_MS && atomic_load(&shared->waiting) > 0 && !has_ended(tracer); ms++)
        sleep_ms(); /* some may be where nothing interrupts them: they are traced when they come out */
}

/* --- its cost --------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double median(uint64_t *ns, size_t count)
{
    qsort(ns, count, sizeof *ns, compare);
    return count ? (double)ns[count / 2] : 0;
}

/* Of a call that does next to nothing, with the two clock readings around it. */
static double call_ns(const fmp_tracer *tracer)
{
    uint64_t ns[FMP_CALIBRATION_CALLS];
    size_t count = 0;
    const uint64_t begin = now_ns();
    while (count < FMP_CALIBRATION_CALLS && now_ns() - begin < CALIBRATION_MS * (uint64_t)1000000) {
        const uint64_t before = now_ns();
        syscall(SYS_getppid);
        ns[count++] = now_ns() - before;
        if (tracer && atomic_load(&tracer->shared->state) != FMP_TRACER_RUNNING)
            break;
    }
    return median(ns, count);
}

static double above_0(double value)
{
    return value > 0 ? value : 0;
}

static void measure_cost(fmp_tracer *tracer, double untraced_ns)
{
    fmp_tracer_shared *shared = tracer->shared;
    atomic_store(&shared->calibrating, true);
    tracer->added_ns = above_0(call_ns(tracer) - untraced_ns);
    atomic_store(&shared->calibrating, false);
    uint64_t seen[FMP_CALIBRATION_CALLS];
    const uint32_t count = atomic_load(&shared->calibration_count);
    memcpy(seen, shared->calibration, count * sizeof seen[0]);
    tracer->seen_ns = above_0(median(seen, count) - untraced_ns);
}

/* --- begin and end ------------------------------------------------------------------------ */

static fmp_tracer_shared *make_shared(void)
{
    void *memory =
        mmap(NULL, sizeof(fmp_tracer_shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    fmp_tracer_shared *shared = memory; /* all 0 */
    shared->program = getpid();
    shared->starter = gettid();
    return shared;
}

static void destroy(fmp_tracer **tracer)
{
    munmap((*tracer)->shared, sizeof(fmp_tracer_shared));
    free(*tracer);
    *tracer = NULL;
}

static void take_hook(fmp_tracer_shared *shared)
{
    fmp_thread_hook_set(NULL); /* none runs when this returns */
    hooked = shared;
    if (shared)
        fmp_thread_hook_set(on_thread);
}

static fmp_tracer *make_tracer(void)
{
    fmp_tracer *tracer = calloc(1, sizeof *tracer);
    if (!tracer)
        return NULL;
    tracer->shared = make_shared();
    if (!tracer->shared) {
        free(tracer);
        return NULL;
    }
    return tracer;
}

/* 0, or why it is not traced. */
static int begin_tracing(fmp_tracer *tracer)
{
    fmp_tracer_shared *shared = tracer->shared;
    tracer->process = make_process(shared);
    if (tracer->process < 0)
        return errno;
#ifdef PR_SET_PTRACER
    prctl(PR_SET_PTRACER, (unsigned long)tracer->process, 0, 0, 0); /* for Yama; fails where there is none */
#endif
    atomic_store(&shared->permitted, true);
    wait_until_traced(tracer);
    const int state = atomic_load(&shared->state);
    if (state == FMP_TRACER_RUNNING)
        return 0;
    bool killed = false;
    end_process(tracer, &killed);
    const int error = atomic_load(&shared->error);
    return error ? error : killed ? ETIMEDOUT : ECHILD;
}

fmp_tracer *fmp_tracer_start(const char *root, fmp_tracer_refusal *refusal)
{
    memset(refusal, 0, sizeof *refusal);
    if (fmp_tracer_refused(root, refusal))
        return NULL;
    fmp_tracer *tracer = make_tracer();
    if (!tracer) {
        fmp_tracer_explain(root, ENOMEM, refusal);
        return NULL;
    }
    const double untraced_ns = call_ns(NULL);
    int error = begin_tracing(tracer);
    if (!error) {
        measure_cost(tracer, untraced_ns);
        error = atomic_load(&tracer->shared->error); /* it may find only at a call that it cannot read it */
        if (!error && atomic_load(&tracer->shared->state) != FMP_TRACER_RUNNING)
            error = ECHILD;
        if (error)
            end_process(tracer, &(bool){false});
    }
    if (error) {
        fmp_tracer_explain(root, error, refusal);
        destroy(&tracer);
        return NULL;
    }
    take_hook(tracer->shared);
    return tracer;
}

double fmp_tracer_added_ns(const fmp_tracer *tracer)
{
    return tracer->added_ns;
}

double fmp_tracer_seen_ns(const fmp_tracer *tracer)
{
    return tracer->seen_ns;
}

int fmp_tracer_process(const fmp_tracer *tracer)
{
    return tracer->process;
}

void fmp_tracer_count(fmp_tracer *tracer, bool on, uint64_t untraced)
{
    if (!tracer)
        return;
    if (untraced)
        atomic_store(&tracer->shared->untraced, untraced);
    if (on) {
        atomic_store(&tracer->shared->begin_ns, now_ns());
    } else if (atomic_load(&tracer->shared->finish_ns) == 0) {
        atomic_store(&tracer->shared->finish_ns, now_ns());
    }
}

/* Calls that gave no time to say so before are told by the shared table alone. */
static fmp_traced *collect(const fmp_tracer_shared *shared, bool killed)
{
    fmp_traced *traced = calloc(1, sizeof *traced);
    if (!traced)
        return NULL;
    for (size_t i = 0; i < FMP_TRACED_CALLS; i++)
        if (shared->calls[i].count != 0)
            traced->calls[traced->call_count++] = shared->calls[i];
    traced->lost = shared->lost;
    traced->unfinished = shared->unfinished;
    traced->ended_early = killed || atomic_load(&shared->state) != FMP_TRACER_ENDED;
    return traced;
}

fmp_traced *fmp_tracer_stop(fmp_tracer **tracer)
{
    fmp_tracer *t = *tracer;
    fmp_tracer_count(t, false, 0);
    bool killed = has_ended(t);
    end_process(t, &killed);
#ifdef PR_SET_PTRACER
    prctl(PR_SET_PTRACER, 0UL, 0, 0, 0);
#endif
    take_hook(NULL);
    fmp_traced *traced = collect(t->shared, killed);
    destroy(tracer);
    return traced;
}
