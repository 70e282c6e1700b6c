/*
 * The tracing process. It was forked from a process that may have had any
 * number of threads, so nothing here may take a lock: system calls, and memory
 * of its own, that is all.
 *
 * When the loop looks whether it shall end, no thread stands still by our fault:
 * each stop that was waited for has been answered. It then just ends; the
 * kernel detaches all threads, hands on signals of which we have not heard yet,
 * and interrupts no call (ptrace(2), "Attaching and detaching"). Detaching each
 * would mean to interrupt each. Killed at any other moment we take with us at
 * most the signals that are in our hands.
 */
#include "watch/tracer_shared.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <linux/ptrace.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "fmprof/current.h"

#ifdef PTRACE_GET_SYSCALL_INFO

enum {
    SLOTS = 8192, /* threads that are measured at a time, a power of two */
    SLOTS_USED_MAX = SLOTS / 4 * 3,
    EVENTS = 256, /* that are taken at once */
    START_SECONDS = 3,
    /* What calls return inside the kernel when they are to be done again (linux/errno.h, not for programs). */
    RESTART_FIRST = 512,
    RESTART_LAST = 516
};
static const uintptr_t options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;

typedef enum call_state { NO_CALL = 0, IN_CALL, INTERRUPTED } call_state;

typedef struct traced_thread {
    pid_t id;       /* 0: free slot */
    bool found;     /* at the start, and has not stopped yet */
    bool counts;    /* a part of the call was while calls counted */
    call_state state;
    uint32_t operation, call;
    uint64_t entry_ns; /* of the call, or of its part since it was interrupted */
    uint64_t ns;       /* of the parts before */
} traced_thread;

/* What wait4() told, and when. */
typedef struct event {
    pid_t id;
    int status;
    uint64_t ns;
} event;

typedef struct tracer {
    fmp_tracer_shared *shared;
    traced_thread *threads;
    uint32_t thread_count;
    uint32_t native; /* AUDIT_ARCH_ of the program; 0: not known yet */
    uint32_t call_count;
    bool over;
} tracer;

/* The C library's ptrace() has a header that does not get along with <linux/ptrace.h> everywhere. */
static long trace(long request, pid_t id, uintptr_t address, uintptr_t data)
{
    return syscall(SYS_ptrace, request, id, address, data);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void pause_ns(long ns)
{
    syscall(SYS_nanosleep, &(struct timespec){.tv_nsec = ns}, NULL);
}

/* --- threads ---------------------------------------------------------------------- */

static traced_thread *thread_slot(const tracer *t, pid_t id)
{
    uint32_t i = fmp_tracer_hash((uint64_t)id) % SLOTS;
    while (t->threads[i].id != 0 && t->threads[i].id != id)
        i = (i + 1) % SLOTS;
    return &t->threads[i];
}

/* NULL: no such thread. */
static traced_thread *thread_find(const tracer *t, pid_t id)
{
    traced_thread *slot = thread_slot(t, id);
    return slot->id ? slot : NULL;
}

/* NULL: no room, so the thread is traced but not measured. */
static traced_thread *thread_add(tracer *t, pid_t id)
{
    if (t->thread_count >= SLOTS_USED_MAX)
        return NULL;
    traced_thread *slot = thread_slot(t, id);
    if (slot->id == 0) {
        *slot = (traced_thread){.id = id};
        t->thread_count++;
    }
    return slot;
}

/* Takes a slot out and moves those behind it, so that no search ends too early. */
static void thread_remove(tracer *t, traced_thread *gone)
{
    uint32_t hole = (uint32_t)(gone - t->threads);
    t->threads[hole].id = 0;
    t->thread_count--;
    for (uint32_t i = (hole + 1) % SLOTS; t->threads[i].id != 0; i = (i + 1) % SLOTS) {
        const uint32_t home = fmp_tracer_hash((uint64_t)t->threads[i].id) % SLOTS;
        if ((i - home) % SLOTS < (i - hole) % SLOTS)
            continue;
        t->threads[hole] = t->threads[i];
        t->threads[i].id = 0;
        hole = i;
    }
}

/* The number of the operation that a stopped thread has open. */
static uint32_t open_operation(const fmp_tracer_shared *shared, pid_t id)
{
    uint32_t i = fmp_tracer_hash((uint64_t)id) % FMP_TRACED_THREADS;
    uint64_t address = 0;
    for (int probes = 0; probes < FMP_TRACED_PROBES; probes++, i = (i + 1) % FMP_TRACED_THREADS) {
        const uint64_t found = atomic_load_explicit(&shared->threads[i].id, memory_order_acquire);
        if (found == (uint64_t)id)
            address = atomic_load_explicit(&shared->threads[i].address, memory_order_acquire);
        if (found == (uint64_t)id || found == 0)
            break;
    }
    if (address == 0)
        return 0;
    /* PEEKDATA needs no right but being attached, and an aligned word is in one page. */
    const uintptr_t offset = (uintptr_t)address % sizeof(long);
    unsigned char word[sizeof(long)];
    uint32_t operation = 0;
    if (trace(PTRACE_PEEKDATA, id, (uintptr_t)address - offset, (uintptr_t)word) == 0 &&
        offset + sizeof operation <= sizeof word)
        memcpy(&operation, word + offset, sizeof operation);
    return operation & FMP_OPERATION_OWN ? FMP_OPERATION_OWN : operation;
}

/* --- calls -------------------------------------------------------------------------- */

/* NULL when the table is full. */
static fmp_traced_call *call_slot(tracer *t, uint32_t operation, uint32_t call)
{
    fmp_traced_call *calls = t->shared->calls;
    uint32_t i = fmp_tracer_hash((uint64_t)operation << 32 | call) % FMP_TRACED_CALLS;
    while (calls[i].count != 0) {
        if (calls[i].operation == operation && calls[i].call == call)
            return &calls[i];
        i = (i + 1) % FMP_TRACED_CALLS;
    }
    if (t->call_count >= FMP_TRACED_CALLS / 4 * 3)
        return NULL;
    t->call_count++;
    calls[i].operation = operation;
    calls[i].call = call;
    return &calls[i];
}

/* The call's part from its entry until now, as far as calls counted in that time. */
static void add_part(const tracer *t, traced_thread *thread, uint64_t now)
{
    const uint64_t begin = atomic_load(&t->shared->begin_ns), finish = atomic_load(&t->shared->finish_ns);
    const uint64_t to = finish && finish < now ? finish : now;
    const uint64_t from = begin > thread->entry_ns ? begin : thread->entry_ns;
    if (begin == 0 || from > to)
        return;
    thread->counts = true;
    thread->ns += to - from;
}

static void count_call(tracer *t, traced_thread *thread, bool failed, uint64_t result)
{
    thread->state = NO_CALL;
    if (!thread->counts)
        return;
    fmp_traced_call *call = call_slot(t, thread->operation, thread->call);
    if (!call) {
        t->shared->lost++;
        return;
    }
    call->errors += failed;
    call->ns += thread->ns;
    call->results += result;
    if (thread->ns > call->max_ns)
        call->max_ns = thread->ns;
    call->count++; /* last: with it the slot is taken */
}

/* A call that will never be seen to return: its thread has ended, or tracing does. */
static void count_unfinished(tracer *t, traced_thread *thread)
{
    if (thread->state == INTERRUPTED) {
        count_call(t, thread, true, 0);
    } else if (thread->state == IN_CALL) {
        const bool ends = thread->call == SYS_exit || thread->call == SYS_exit_group; /* nothing to wait for */
        add_part(t, thread, ends ? thread->entry_ns : now_ns());
        if (ends) {
            count_call(t, thread, false, 0);
            return;
        }
        t->shared->unfinished += thread->counts;
        count_call(t, thread, false, 0);
    }
}

static void on_entry(tracer *t, traced_thread *thread, const struct ptrace_syscall_info *info)
{
    const uint32_t foreign = t->native != 0 && info->arch != t->native ? FMP_FOREIGN_CALL : 0;
    const uint32_t call = ((uint32_t)info->entry.nr & ~FMP_FOREIGN_CALL) | foreign;
    if (t->native == 0)
        t->native = info->arch;
    if (thread->state == INTERRUPTED && (call == SYS_restart_syscall || call == thread->call)) {
        thread->state = IN_CALL; /* it goes on */
        return;
    }
    count_unfinished(t, thread); /* interrupted by a handler, which makes this call or returns by it */
    thread->state = IN_CALL;
    thread->counts = false;
    thread->ns = 0;
    thread->call = call;
    thread->operation = open_operation(t->shared, thread->id);
}

static void calibrate(tracer *t, const traced_thread *thread, uint64_t now)
{
    fmp_tracer_shared *shared = t->shared;
    const uint32_t count = atomic_load(&shared->calibration_count);
    if (thread->id != shared->starter || thread->call != SYS_getppid || count >= FMP_CALIBRATION_CALLS)
        return;
    shared->calibration[count] = now - thread->entry_ns;
    atomic_store(&shared->calibration_count, count + 1);
}

static void on_return(tracer *t, traced_thread *thread, const struct ptrace_syscall_info *info, uint64_t now)
{
    if (thread->state != IN_CALL)
        return; /* its entry was before we came */
    const int64_t result = info->exit.rval;
    if (atomic_load_explicit(&t->shared->calibrating, memory_order_relaxed))
        calibrate(t, thread, now);
    add_part(t, thread, now);
    if (info->exit.is_error && result <= -RESTART_FIRST && result >= -RESTART_LAST)
        thread->state = INTERRUPTED; /* what comes next tells whether it goes on */
    else
        count_call(t, thread, info->exit.is_error, result > 0 && !info->exit.is_error ? (uint64_t)result : 0);
}

/* --- stops --------------------------------------------------------------------------- */

static void resume(const tracer *t, pid_t id, int signal)
{
    (void)t;
    trace(PTRACE_SYSCALL, id, 0, (uintptr_t)signal); /* fails only for a thread that was killed meanwhile */
}

/* Linux before 5.3, or something that stands in for Linux. */
static void no_figures(tracer *t, int error)
{
    if (error == ESRCH)
        return; /* killed meanwhile */
    atomic_store(&t->shared->error, error == EPERM ? EIO : error);
    t->over = true;
}

static void on_call(tracer *t, pid_t id, uint64_t now)
{
    traced_thread *thread = thread_find(t, id);
    if ((uint64_t)id == atomic_load_explicit(&t->shared->untraced, memory_order_relaxed)) {
        if (thread)
            thread_remove(t, thread);
        trace(PTRACE_DETACH, id, 0, 0);
        return;
    }
    struct ptrace_syscall_info info;
    memset(&info, 0, sizeof info);
    if (trace(PTRACE_GET_SYSCALL_INFO, id, sizeof info, (uintptr_t)&info) < 0)
        no_figures(t, errno);
    else if (thread && info.op == PTRACE_SYSCALL_INFO_ENTRY)
        on_entry(t, thread, &info);
    else if (thread && info.op == PTRACE_SYSCALL_INFO_EXIT)
        on_return(t, thread, &info, now);
    if (thread && info.op == PTRACE_SYSCALL_INFO_ENTRY)
        thread->entry_ns = now_ns(); /* as late as can be: our own work is not the call's */
    resume(t, id, 0);
}

static void first_stop_was_seen(tracer *t, traced_thread *thread)
{
    if (!thread || !thread->found)
        return;
    thread->found = false;
    atomic_fetch_sub(&t->shared->waiting, 1);
    if (thread->id == t->shared->starter)
        atomic_store(&t->shared->state, FMP_TRACER_RUNNING);
}

/* The first stop of a thread, or one of a stop of all by SIGSTOP and its like. */
static void on_event_stop(tracer *t, pid_t id, int signal)
{
    traced_thread *thread = thread_find(t, id);
    /* PTRACE_O_TRACECLONE follows whatever was cloned without SIGCHLD, processes among them. */
    if (!thread && syscall(SYS_tgkill, t->shared->program, id, 0) != 0 && errno == ESRCH) {
        trace(PTRACE_DETACH, id, 0, 0);
        return;
    }
    if (!thread)
        thread = thread_add(t, id);
    if (signal == SIGTRAP) {
        resume(t, id, 0);
        first_stop_was_seen(t, thread);
    } else {
        trace(PTRACE_LISTEN, id, 0, 0); /* stays stopped until SIGCONT, of which the next event tells */
        first_stop_was_seen(t, thread);
    }
}

static void on_stop(tracer *t, pid_t id, int status, uint64_t now)
{
    const int signal = WSTOPSIG(status), kind = status >> 16;
    if (signal == (SIGTRAP | 0x80))
        on_call(t, id, now);
    else if (kind == PTRACE_EVENT_STOP)
        on_event_stop(t, id, signal);
    else if (kind == PTRACE_EVENT_EXEC)
        t->over = true; /* another program: it knows nothing of us */
    else
        resume(t, id, kind ? 0 : signal);
}

static void on_thread_end(tracer *t, pid_t id)
{
    traced_thread *thread = thread_find(t, id);
    if (!thread)
        return;
    first_stop_was_seen(t, thread);
    count_unfinished(t, thread);
    thread_remove(t, thread);
}

static void on_event(tracer *t, const event *seen)
{
    if (WIFSTOPPED(seen->status))
        on_stop(t, seen->id, seen->status, seen->ns);
    else
        on_thread_end(t, seen->id);
}

/*
 * All threads that stand still now, then none until they were answered: the
 * kernel looks through threads in one order, so that taken one by one those at
 * its end would wait for as long as others are busy. False: there are no
 * threads any more.
 */
static bool next_events(event events[EVENTS], size_t *count)
{
    *count = 0;
    while (*count < EVENTS) {
        event *next = &events[*count];
        next->id = (pid_t)syscall(SYS_wait4, -1, &next->status, __WALL | (*count > 0 ? WNOHANG : 0), NULL);
        if (next->id <= 0)
            return *count > 0 || errno == EINTR;
        next->ns = now_ns();
        (*count)++;
    }
    return true;
}

static void run(tracer *t)
{
    event events[EVENTS];
    size_t count;
    while (!t->over && !atomic_load(&t->shared->end) && next_events(events, &count))
        for (size_t i = 0; i < count; i++)
            on_event(t, &events[i]);
    for (uint32_t i = 0; i < SLOTS; i++)
        if (t->threads[i].id != 0)
            count_unfinished(t, &t->threads[i]);
}

/* --- begin --------------------------------------------------------------------------- */

/* As the kernel writes directory entries (getdents64(2)). */
typedef struct directory_entry {
    uint64_t inode;
    int64_t offset;
    uint16_t size;
    uint8_t type;
    char name[];
} directory_entry;

static void seize(tracer *t, pid_t id, int *starter_error)
{
    if (thread_find(t, id))
        return;
    const long failed = trace(PTRACE_SEIZE, id, 0, options);
    if (id == t->shared->starter)
        *starter_error = failed ? errno : 0;
    if (failed)
        return; /* ended, or another tracer has it */
    traced_thread *thread = thread_add(t, id);
    if (thread) {
        thread->found = true;
        atomic_fetch_add(&t->shared->waiting, 1);
    }
    trace(PTRACE_INTERRUPT, id, 0, 0);
}

static void seize_listed(tracer *t, const char *entries, long size, int *starter_error)
{
    for (long at = 0; at < size;) {
        directory_entry entry;
        memcpy(&entry, entries + at, offsetof(directory_entry, name));
        pid_t id = 0;
        for (const char *c = entries + at + offsetof(directory_entry, name); *c >= '0' && *c <= '9'; c++)
            id = id * 10 + (*c - '0');
        if (id != 0)
            seize(t, id, starter_error);
        at += entry.size;
    }
}

static void write_path(char *path, pid_t id)
{
    char digits[16];
    size_t count = 0;
    for (; id > 0; id /= 10)
        digits[count++] = (char)('0' + id % 10);
    memcpy(path, "/proc/", 6);
    path += 6;
    while (count > 0)
        *path++ = digits[--count];
    memcpy(path, "/task", 6);
}

/* Again until no thread was new: those that are not traced yet may make others. Returns why the starter is not. */
static int seize_all(tracer *t)
{
    int error = ESRCH;
    char path[48];
    _Alignas(8) char entries[4096];
    write_path(path, t->shared->program);
    seize(t, t->shared->starter, &error); /* first, and without /proc: when this fails nothing was touched */
    for (uint32_t before = 0; error == 0 && before != t->thread_count;) {
        before = t->thread_count;
        const int directory = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0)
            break;
        long size;
        while ((size = syscall(SYS_getdents64, directory, entries, sizeof entries)) > 0)
            seize_listed(t, entries, size, &error);
        syscall(SYS_close, directory);
    }
    return error;
}

/* An end of a pipe that stays open here would be missed by whoever waits at the other. */
static void close_files(void)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, 0u, ~0u, 0u) == 0)
        return;
#endif
    for (int file = 0; file < 65536; file++)
        syscall(SYS_close, file);
}

static void apart_from_program(void)
{
    const uint64_t all = ~(uint64_t)0;
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, sizeof all);
    prctl(PR_SET_NAME, "fmp-tracer", 0, 0, 0);
    syscall(SYS_setsid);
    syscall(SYS_chdir, "/");
    close_files();
}

static bool wait_for_permission(const fmp_tracer_shared *shared)
{
    for (int i = 0; i < START_SECONDS * 5000; i++) {
        if (atomic_load(&shared->permitted))
            return true;
        pause_ns(200000);
    }
    return false; /* the program has died meanwhile */
}

_Noreturn void fmp_tracer_run(fmp_tracer_shared *shared)
{
    apart_from_program();
    tracer t = {.shared = shared};
    void *threads =
        mmap(NULL, SLOTS * sizeof(traced_thread), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int error = threads == MAP_FAILED ? ENOMEM : 0;
    if (!error && wait_for_permission(shared)) {
        t.threads = threads;
        error = seize_all(&t);
        if (!error)
            run(&t);
    }
    if (error)
        atomic_store(&shared->error, error);
    atomic_store(&shared->state, atomic_load(&shared->error) ? FMP_TRACER_REFUSED : FMP_TRACER_ENDED);
    for (;;)
        syscall(SYS_exit_group, 0);
}

#else

_Noreturn void fmp_tracer_run(fmp_tracer_shared *shared)
{
    atomic_store(&shared->error, ENOSYS); /* built with headers of a Linux before 5.3 */
    atomic_store(&shared->state, FMP_TRACER_REFUSED);
    for (;;)
        syscall(SYS_exit_group, 0);
}

#endif
