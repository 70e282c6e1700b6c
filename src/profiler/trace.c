/*
 * The running trace: its start and end, the rings of threads, the names.
 *
 * A session is one trace. Its rings are memory of the threads that write
 * them: after the end they are cut loose from the file (what is written then
 * goes into anonymous memory) but stay mapped until their thread attaches to
 * another trace, detaches, or forks, since only then it is sure not to be
 * inside fmp_trace_put. So a thread holds one ended ring alive at most, however
 * many traces are started and stopped.
 */
#include "fmprof/trace.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "registry.h"
#include "trace_file.h"
#include "trace_record.h"

enum { DEFAULT_EVENTS = 65536, DEFAULT_THREADS = 64, RING_ALIGNMENT = 64 };

struct fmp_trace_session {
    fmp_trace_file file;
    uint32_t generation;
    uint32_t capacity; /* events a ring */
    uint32_t rings_left;
    bool drop_newest;
    bool ended;
    bool forgotten; /* of the process that this one was forked from */
    struct fmp_trace_ring *rings;
    struct fmp_trace_session *next; /* of all that still have memory */
};

typedef struct known_name {
    uint32_t name;
    const char *category, *operation, *unit;
} known_name;

_Atomic(uint32_t) fmp_trace_generation;

static struct {
    pthread_mutex_t mutex; /* guards all of this and every session */
    struct fmp_trace_session *running;
    struct fmp_trace_session *sessions;
    uint32_t last_generation;
    known_name *names;
    size_t name_count, name_room;
} tracer = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* Also what an ended trace left to this thread. */
static _Thread_local struct fmp_trace_ring *this_ring;

static void lock(void)
{
    pthread_mutex_lock(&tracer.mutex);
}

static void unlock(void)
{
    pthread_mutex_unlock(&tracer.mutex);
}

/* --- rings --------------------------------------------------------------------- */

static void copy_thread_name(char to[FMP_TRACE_THREAD_NAME_SIZE], const char *name)
{
    snprintf(to, FMP_TRACE_THREAD_NAME_SIZE, "%s", name ? name : "");
}

static void free_session(struct fmp_trace_session *session)
{
    struct fmp_trace_session **link = &tracer.sessions;
    while (*link != session)
        link = &(*link)->next;
    *link = session->next;
    fmp_trace_file_close(&session->file);
    fmp_trace_file_unmap_header(&session->file);
    free(session);
}

static void unmap_ring(struct fmp_trace_ring *ring)
{
    if (ring->file)
        munmap(ring->file, (size_t)ring->mapping_size);
    ring->file = NULL;
}

static void drop_ring(struct fmp_trace_ring *ring)
{
    struct fmp_trace_ring **link = &ring->session->rings;
    while (*link != ring)
        link = &(*link)->next_of_session;
    *link = ring->next_of_session;
    unmap_ring(ring);
    free(ring);
}

/* Its thread is done with it. */
static void release_ring(struct fmp_trace_ring *ring)
{
    struct fmp_trace_session *session = ring->session;
    drop_ring(ring);
    if (session->ended && !session->rings)
        free_session(session);
}

static struct fmp_trace_ring *new_ring(struct fmp_trace_session *session)
{
    size_t size = (sizeof(struct fmp_trace_ring) + RING_ALIGNMENT - 1) / RING_ALIGNMENT *
                  RING_ALIGNMENT;
    const uint32_t operation = fmp_own_begin();
    struct fmp_trace_ring *ring = aligned_alloc(RING_ALIGNMENT, size);
    fmp_own_end(operation);
    if (ring) {
        *ring = (struct fmp_trace_ring){.session = session, .next_of_session = session->rings};
        session->rings = ring;
    }
    return ring;
}

/* Gives the ring its place in the file; without one it drops everything. */
static void give_room(struct fmp_trace_ring *ring, const char *thread_name)
{
    struct fmp_trace_session *session = ring->session;
    if (session->rings_left == 0)
        return;
    uint32_t slots = session->capacity + FMP_TRACE_SPARE_SLOTS;
    uint64_t size = sizeof(fmp_trace_file_ring) + (uint64_t)slots * FMP_TRACE_EVENT_SIZE;
    fmp_trace_file_ring *file = fmp_trace_file_add_area(&session->file, FMP_TRACE_AREA_RING, &size);
    if (!file)
        return;
    file->type = FMP_TRACE_AREA_RING;
    file->slots = slots;
    file->thread_id = fmp_thread_id();
    copy_thread_name(file->name, thread_name);
    fmp_trace_file_commit_area(&session->file);
    session->rings_left--;
    ring->file = file;
    ring->mapping_size = size;
    ring->events = (fmp_trace_file_event *)(file + 1);
    ring->wraps = !session->drop_newest;
    ring->end = session->drop_newest ? session->capacity : slots;
}

struct fmp_trace_ring *fmp_trace_attach(uint32_t generation, const char *thread_name)
{
    lock();
    struct fmp_trace_session *session = tracer.running;
    if (session && session->generation != generation)
        session = NULL;
    if (this_ring && this_ring->session != session) {
        release_ring(this_ring);
        this_ring = NULL;
    }
    if (!this_ring && session) {
        this_ring = new_ring(session);
        if (this_ring)
            give_room(this_ring, thread_name);
        session->file.header->ns_per_tick = fmp_clock_refined_ns_per_tick();
    }
    struct fmp_trace_ring *ring = this_ring;
    unlock();
    return ring;
}

void fmp_trace_detach(void)
{
    if (!this_ring)
        return;
    lock();
    release_ring(this_ring);
    this_ring = NULL;
    unlock();
}

void fmp_trace_thread_named(const char *name)
{
    if (!this_ring || !this_ring->file)
        return;
    lock();
    copy_thread_name(this_ring->file->name, name);
    unlock();
}

FMP_NOINLINE bool fmp_trace_ring_end(struct fmp_trace_ring *ring)
{
    if (ring->wraps)
        return true;
    if (ring->file)
        atomic_store_explicit(
            &ring->file->dropped,
            atomic_load_explicit(&ring->file->dropped, memory_order_relaxed) + 1,
            memory_order_relaxed);
    else
        atomic_fetch_add_explicit(&ring->session->file.header->dropped, 1, memory_order_relaxed);
    return false;
}

/* --- names ----------------------------------------------------------------------- */

static bool name_room(void)
{
    if (tracer.name_count < tracer.name_room)
        return true;
    size_t room = tracer.name_room ? tracer.name_room * 2 : 64;
    known_name *names = realloc(tracer.names, room * sizeof *names);
    if (!names)
        return false;
    tracer.names = names;
    tracer.name_room = room;
    return true;
}

static void write_name(struct fmp_trace_session *session, const known_name *name)
{
    /* One that finds no room is counted in the file, and its events are shown without a name. */
    (void)fmp_trace_file_add_name(&session->file, name->name, name->category, name->operation,
                                  name->unit);
}

void fmp_trace_define_name(uint32_t name, const char *category, const char *operation,
                           const char *unit)
{
    known_name known = {name, category, operation, unit ? unit : ""};
    lock();
    if (name_room())
        tracer.names[tracer.name_count++] = known;
    if (tracer.running)
        write_name(tracer.running, &known);
    unlock();
}

/* --- start and stop ---------------------------------------------------------------- */

static uint64_t unix_ns(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0 || now.tv_sec < 0)
        return 0;
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Fills in the defaults; false when it asks for more than the format holds. */
static bool settle_options(const fmp_trace_options *options, fmp_trace_options *out)
{
    *out = options ? *options : (fmp_trace_options){0};
    if (out->events_per_thread == 0)
        out->events_per_thread = DEFAULT_EVENTS;
    if (out->threads_max == 0)
        out->threads_max = DEFAULT_THREADS;
    return out->events_per_thread <= FMP_TRACE_EVENTS_MAX &&
           out->threads_max <= FMP_TRACE_THREADS_MAX &&
           (out->full == FMP_TRACE_DROP_OLDEST || out->full == FMP_TRACE_DROP_NEWEST);
}

/* What a forked child could not free at once. */
static void free_forgotten(void)
{
    struct fmp_trace_session *session = tracer.sessions;
    while (session) {
        struct fmp_trace_session *next = session->next;
        if (session->forgotten) {
            while (session->rings)
                drop_ring(session->rings);
            free_session(session);
        }
        session = next;
    }
}

static int start_session(const char *path, const fmp_trace_options *options)
{
    if (tracer.running)
        return EBUSY;
    free_forgotten();
    struct fmp_trace_session *session = calloc(1, sizeof *session);
    if (!session)
        return ENOMEM;
    fmp_trace_file_start start = {.ticks = fmp_clock_ticks(),
                                  .unix_ns = unix_ns(),
                                  .ns_per_tick = fmp_clock_refined_ns_per_tick(),
                                  .events_per_thread = options->events_per_thread,
                                  .threads_max = options->threads_max,
                                  .full = (uint32_t)options->full};
    int error = fmp_trace_file_create(&session->file, path, &start);
    if (error) {
        free(session);
        return error;
    }
    session->capacity = options->events_per_thread;
    session->rings_left = options->threads_max;
    session->drop_newest = options->full == FMP_TRACE_DROP_NEWEST;
    for (size_t i = 0; i < tracer.name_count; i++)
        write_name(session, &tracer.names[i]);
    if (++tracer.last_generation == 0)
        tracer.last_generation = 1;
    session->generation = tracer.last_generation;
    session->next = tracer.sessions;
    tracer.sessions = session;
    tracer.running = session;
    atomic_store_explicit(&fmp_trace_generation, session->generation, memory_order_release);
    return 0;
}

int fmp_trace_start(const char *path, const fmp_trace_options *options)
{
    fmp_trace_options settled;
    if (!path || !settle_options(options, &settled))
        return EINVAL;
    fmp_registry_init(); /* starts the clock; takes the registry's lock, so before ours */
    lock();
    int error = start_session(path, &settled);
    unlock();
    return error;
}

/* ThreadSanitizer takes a mapping for a write to all of it, and so must not see this one. */
#if defined(__SANITIZE_THREAD__)
#define UNDER_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_THREAD_SANITIZER 1
#endif
#endif
#if defined(UNDER_THREAD_SANITIZER) && defined(__linux__) && defined(__LP64__)
#define MAP_UNSEEN(...) ((void *)syscall(SYS_mmap, __VA_ARGS__))
#else
#define MAP_UNSEEN(...) mmap(__VA_ARGS__)
#endif

/*
 * Puts anonymous memory in the place of a ring's mapping: a thread that is
 * just writing writes there. False when that fails.
 */
static bool cut_loose(struct fmp_trace_ring *ring)
{
    if (!ring->file)
        return true; /* it has the header alone, which stays */
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
#if defined(MAP_NORESERVE)
    flags |= MAP_NORESERVE;
#endif
    return MAP_UNSEEN(ring->file, (size_t)ring->mapping_size, PROT_READ | PROT_WRITE, flags, -1,
                      0) != MAP_FAILED;
}

static int end_session(struct fmp_trace_session *session)
{
    bool loose = true;
    for (struct fmp_trace_ring *ring = session->rings; ring; ring = ring->next_of_session)
        loose = cut_loose(ring) && loose;
    int error = fmp_trace_file_finish(&session->file, fmp_clock_refined_ns_per_tick(), loose);
    fmp_trace_file_close(&session->file);
    session->ended = true;
    if (!session->rings)
        free_session(session);
    return error;
}

int fmp_trace_stop(void)
{
    lock();
    int error = 0;
    if (tracer.running) {
        atomic_store_explicit(&fmp_trace_generation, 0, memory_order_relaxed);
        error = end_session(tracer.running);
        tracer.running = NULL;
    }
    unlock();
    return error;
}

/* --- fork -------------------------------------------------------------------------- */

void fmp_trace_before_fork(void)
{
    lock();
}

void fmp_trace_after_fork_in_parent(void)
{
    unlock();
}

/*
 * The child has one thread, and it is here: nobody writes any ring. Only
 * system calls and stores, as between fork and exec; memory is freed when the
 * child starts a trace of its own.
 */
void fmp_trace_after_fork_in_child(void)
{
    atomic_store_explicit(&fmp_trace_generation, 0, memory_order_relaxed);
    for (struct fmp_trace_session *session = tracer.sessions; session; session = session->next) {
        for (struct fmp_trace_ring *ring = session->rings; ring; ring = ring->next_of_session)
            unmap_ring(ring);
        fmp_trace_file_close(&session->file);
        fmp_trace_file_unmap_header(&session->file);
        session->ended = true;
        session->forgotten = true;
    }
    tracer.running = NULL;
    this_ring = NULL;
    unlock();
}
