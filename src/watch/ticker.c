#include "watch/ticker.h"

#include "watch/sample_slots.h"

#ifdef FMP_CAN_SAMPLE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id /* older headers of the GNU C library do not name it */
#define sigev_notify_thread_id _sigev_un._tid
#endif

enum { PERF_MAX = 512, THREADS_MAX = 1 << 16 };

typedef struct ticker {
    pid_t thread;
    int counter;      /* of perf_event_open; -1 */
    uint64_t number;  /* by which the kernel knows the counter: is the descriptor still ours? */
    bool has_timer;
    timer_t timer;
    bool there;       /* found by this scan */
    uint64_t last_ns; /* CPU time of the thread at its last sample, or when it got its ticker */
    uint64_t seen_ns; /* when it was last looked at */
} ticker;

struct fmp_tickers {
    fmp_ticker_options options;
    ticker *tickers; /* in order of threads */
    size_t count, capacity;
    size_t counters, counters_max;
    bool scanned; /* threads that are found from now on began since */
    fmp_ticker_figures figures; /* seen_ns here: CPU time of ended threads that no sample stands for */
};

fmp_tickers *fmp_tickers_create(const fmp_ticker_options *options)
{
    fmp_tickers *tickers = calloc(1, sizeof *tickers);
    if (!tickers)
        return NULL;
    tickers->options = *options;
    struct rlimit files = {0};
    getrlimit(RLIMIT_NOFILE, &files);
    const rlim_t share = files.rlim_cur / 4; /* the rest is the program's */
    tickers->counters_max = share < PERF_MAX ? (size_t)share : PERF_MAX;
    return tickers;
}

/* --- one thread ------------------------------------------------------------------- */

/* The clock of another thread, as the C library makes it of one (clock_getcpuclockid): its number, and which kind. */
static clockid_t cpu_clock_of(pid_t thread)
{
    enum { SCHEDULER_CLOCK = 2, OF_A_THREAD = 4 }; /* include/linux/posix-timers.h of the kernel */
    return (clockid_t)((~(unsigned)thread << 3) | SCHEDULER_CLOCK | OF_A_THREAD);
}

/* 0 for a thread that ended. */
static uint64_t cpu_ns_of(pid_t thread)
{
    struct timespec t;
    if (clock_gettime(cpu_clock_of(thread), &t) != 0)
        return 0;
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Lets the counter's overflows send the signal to its own thread. */
static bool send_signals(const fmp_tickers *tickers, const ticker *t)
{
    const struct f_owner_ex owner = {F_OWNER_TID, t->thread};
    return fcntl(t->counter, F_SETFL, O_ASYNC) == 0 && fcntl(t->counter, F_SETSIG, tickers->options.signal) == 0 &&
           fcntl(t->counter, F_SETOWN_EX, &owner) == 0 && ioctl(t->counter, PERF_EVENT_IOC_ENABLE, 0) == 0;
}

/* Time in the kernel is CPU time too: a clock that may not look at it would leave out threads that make calls. */
static int start_counter(fmp_tickers *tickers, ticker *t)
{
    if (tickers->counters >= tickers->counters_max)
        return EMFILE;
    struct perf_event_attr attributes = {.type = PERF_TYPE_SOFTWARE,
                                         .size = sizeof attributes,
                                         .config = PERF_COUNT_SW_CPU_CLOCK,
                                         .sample_period = tickers->options.period_ns,
                                         .disabled = 1};
    t->counter = (int)syscall(SYS_perf_event_open, &attributes, t->thread, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (t->counter < 0)
        return errno;
    ioctl(t->counter, PERF_EVENT_IOC_ID, &t->number);
    if (send_signals(tickers, t)) {
        tickers->counters++;
        return 0;
    }
    const int failure = errno;
    close(t->counter);
    t->counter = -1;
    return failure ? failure : EINVAL;
}

static int start_timer(const fmp_tickers *tickers, ticker *t)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = tickers->options.signal};
    event.sigev_notify_thread_id = t->thread;
    if (timer_create(cpu_clock_of(t->thread), &event, &t->timer) != 0)
        return errno;
    const struct timespec period = {.tv_sec = (time_t)(tickers->options.period_ns / 1000000000u),
                                    .tv_nsec = (long)(tickers->options.period_ns % 1000000000u)};
    if (timer_settime(t->timer, 0, &(struct itimerspec){period, period}, NULL) != 0) {
        const int failure = errno;
        timer_delete(t->timer);
        return failure;
    }
    t->has_timer = true;
    return 0;
}

static void stop_ticker(fmp_tickers *tickers, ticker *t)
{
    if (t->has_timer)
        timer_delete(t->timer);
    t->has_timer = false;
    if (t->counter < 0)
        return;
    uint64_t number = 0; /* a program that closes all descriptors may have another file there by now */
    if (ioctl(t->counter, PERF_EVENT_IOC_ID, &number) == 0 && number == t->number)
        close(t->counter);
    t->counter = -1;
    tickers->counters--;
}

/* What is refused for one thread is tried again for the next: descriptors may be short for a while. */
static void start_ticker(fmp_tickers *tickers, ticker *t)
{
    /* A new thread's first sample stands for what it did before it was found as well. */
    t->last_ns = t->seen_ns = tickers->scanned ? 0 : cpu_ns_of(t->thread);
    int failure = tickers->options.timer_alone ? 0 : start_counter(tickers, t);
    if (failure == ESRCH)
        return; /* it ended meanwhile */
    if (failure)
        tickers->figures.perf_error = failure;
    if (t->counter < 0) {
        failure = start_timer(tickers, t);
        if (failure && failure != ESRCH && cpu_ns_of(t->thread) != 0) {
            tickers->figures.timer_error = failure;
            tickers->figures.refused++;
        }
    }
    tickers->figures.threads += t->counter >= 0 || t->has_timer;
    tickers->figures.by_timer += t->has_timer;
}

/* --- all threads ------------------------------------------------------------------- */

/* Where the thread is, or would be. */
static size_t index_of(const fmp_tickers *tickers, pid_t thread)
{
    size_t low = 0, high = tickers->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (tickers->tickers[middle].thread < thread)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static ticker *ticker_of(const fmp_tickers *tickers, uint64_t thread)
{
    const size_t at = index_of(tickers, (pid_t)thread);
    return at < tickers->count && tickers->tickers[at].thread == (pid_t)thread ? &tickers->tickers[at] : NULL;
}

static ticker *insert(fmp_tickers *tickers, pid_t thread)
{
    if (tickers->count >= THREADS_MAX)
        return NULL;
    if (tickers->count == tickers->capacity) {
        const size_t more = tickers->capacity ? tickers->capacity * 2 : 32;
        ticker *bigger = realloc(tickers->tickers, more * sizeof *bigger);
        if (!bigger)
            return NULL;
        tickers->tickers = bigger;
        tickers->capacity = more;
    }
    const size_t at = index_of(tickers, thread);
    ticker *t = &tickers->tickers[at];
    memmove(t + 1, t, (tickers->count - at) * sizeof *t);
    *t = (ticker){.thread = thread, .counter = -1};
    tickers->count++;
    return t;
}

/* A directory's name as a thread of this process; 0: it is none, whatever it says. */
static pid_t thread_named(const char *name)
{
    char *end;
    errno = 0;
    const long number = strtol(name, &end, 10);
    if (errno || end == name || *end || number <= 0 || number > INT32_MAX)
        return 0;
    return syscall(SYS_tgkill, getpid(), (pid_t)number, 0) == 0 ? (pid_t)number : 0;
}

static void find_threads(fmp_tickers *tickers, DIR *folder, uint64_t watcher)
{
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        const pid_t thread = thread_named(entry->d_name);
        if (thread == 0 || (uint64_t)thread == watcher)
            continue;
        ticker *t = ticker_of(tickers, (uint64_t)thread);
        const bool is_new = !t;
        if (is_new)
            t = insert(tickers, thread);
        if (!t)
            continue;
        t->there = true;
        if (is_new)
            start_ticker(tickers, t);
        const uint64_t now = cpu_ns_of(thread);
        if (now > t->seen_ns)
            t->seen_ns = now;
    }
}

/* What was seen last is all that is known of the CPU time of an ended thread. */
static void remove_ended(fmp_tickers *tickers)
{
    size_t kept = 0;
    for (size_t i = 0; i < tickers->count; i++) {
        ticker *t = &tickers->tickers[i];
        if (t->there) {
            t->there = false;
            tickers->tickers[kept++] = *t;
            continue;
        }
        if (t->seen_ns > t->last_ns)
            tickers->figures.seen_ns += t->seen_ns - t->last_ns;
        stop_ticker(tickers, t);
    }
    tickers->count = kept;
}

void fmp_tickers_scan(fmp_tickers *tickers, const char *root, uint64_t watcher)
{
    char path[4096];
    snprintf(path, sizeof path, "%.4000s/proc/self/task", root);
    DIR *folder = opendir(path);
    if (!folder)
        return; /* those that are known go on */
    find_threads(tickers, folder, watcher);
    closedir(folder);
    remove_ended(tickers);
    tickers->scanned = true;
}

uint64_t fmp_tickers_account(fmp_tickers *tickers, uint64_t thread, uint64_t cpu_ns)
{
    ticker *t = ticker_of(tickers, thread);
    uint64_t ns = tickers->options.period_ns; /* it ended, and its ticker went before */
    if (t) {
        ns = cpu_ns > t->last_ns ? cpu_ns - t->last_ns : 0;
        t->last_ns = cpu_ns > t->last_ns ? cpu_ns : t->last_ns;
    }
    tickers->figures.sampled_ns += ns;
    return ns;
}

fmp_ticker_figures fmp_tickers_figures(const fmp_tickers *tickers)
{
    fmp_ticker_figures figures = tickers->figures; /* of ended ones what no sample stands for */
    for (size_t i = 0; i < tickers->count; i++) {
        const ticker *t = &tickers->tickers[i];
        if (t->seen_ns > t->last_ns)
            figures.seen_ns += t->seen_ns - t->last_ns;
    }
    figures.seen_ns += figures.sampled_ns;
    return figures;
}

void fmp_tickers_stop(fmp_tickers *tickers)
{
    for (size_t i = 0; i < tickers->count; i++)
        stop_ticker(tickers, &tickers->tickers[i]);
}

void fmp_tickers_free(fmp_tickers **tickers)
{
    if (!tickers || !*tickers)
        return;
    fmp_tickers_stop(*tickers);
    free((*tickers)->tickers);
    free(*tickers);
    *tickers = NULL;
}
#else
typedef int fmp_no_tickers_here; /* a file may not be empty */
#endif
