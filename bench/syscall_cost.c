/*
 * What it costs to watch system calls, by each mechanism that Linux has for it:
 * nanoseconds that one getppid() takes while it is watched. The last rows are the
 * facility "syscalls" of libfmprof-system, as a program would switch it on, with
 * what it says that the call itself takes.
 *
 * A mechanism that the system refuses is a row that says so. Lower quartile
 * and median of batches: whatever interrupts a batch only makes it longer.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/perf_event.h>
#include <linux/ptrace.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "fmprof/fmprof.h"
#include "fmprof/system.h"

#include "timing.h"

enum { BATCHES = 101, BATCH = 200, FAST_BATCH = 20000, THREADS_MAX = 4 };

static double batch_ns(int calls)
{
    const double begin = clock_ms(CLOCK_MONOTONIC);
    for (int i = 0; i < calls; i++)
        syscall(SYS_getppid);
    return (clock_ms(CLOCK_MONOTONIC) - begin) * 1e6 / calls;
}

static void measure(double ns[BATCHES], int calls)
{
    for (int i = 0; i < BATCHES; i++)
        ns[i] = batch_ns(calls);
}

static void print_row(const char *what, double *ns, const char *gives)
{
    const double median = median_of(ns, BATCHES);
    printf("%-50s %9.0f %9.0f  %s\n", what, ns[BATCHES / 4], median, gives);
    fflush(stdout);
}

static void print_refused(const char *what, const char *step, int error)
{
    printf("%-50s %9s %9s  %s: %s\n", what, "-", "-", step, strerror(error));
    fflush(stdout);
}

/* --- seccomp ---------------------------------------------------------------------- */

/* getppid() alone is told of, as a tool would be of the calls that it watches. Returns what seccomp(2) does. */
static int install_filter(uint32_t action, unsigned flags)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

typedef struct notified {
    int listener; /* -errno when refused; 0: not yet */
    double ns[BATCHES];
} notified;

/* Shared with the process that answers, by which the filter's file is fetched. */
static void notified_child(volatile notified *shared)
{
    const int fd = install_filter(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    shared->listener = fd < 0 ? -errno : fd;
    if (fd >= 0)
        measure((double *)shared->ns, BATCH);
    _exit(0);
}

static void answer(int listener)
{
    struct seccomp_notif call;
    struct seccomp_notif_resp response;
    for (;;) {
        memset(&call, 0, sizeof call);
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0)
            return; /* the child has ended */
        memset(&response, 0, sizeof response);
        response.id = call.id;
        response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response) != 0)
            return;
    }
}

static void *shared_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return memory;
}

static void user_notification(void)
{
    static const char what[] = "seccomp user notification, CONTINUE";
    volatile notified *shared = shared_memory(sizeof *shared);
    const pid_t child = fork();
    if (child == 0)
        notified_child(shared);
    while (shared->listener == 0)
        usleep(1000);
    if (shared->listener < 0) {
        print_refused(what, "seccomp", -shared->listener);
    } else {
        const int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
        const int listener = (int)syscall(SYS_pidfd_getfd, pidfd, shared->listener, 0);
        if (listener < 0) {
            print_refused(what, "pidfd_getfd", errno);
            kill(child, SIGKILL);
        } else {
            answer(listener);
            print_row(what, (double *)shared->ns, "entry; neither time nor bytes");
            close(listener);
        }
        close(pidfd);
    }
    waitpid(child, NULL, 0);
}

/* --- ptrace ------------------------------------------------------------------------ */

static long trace(long request, pid_t pid, uintptr_t address, uintptr_t data)
{
    return syscall(SYS_ptrace, request, pid, address, data);
}

typedef enum tracing { ENTRY_AND_EXIT, WITH_FIGURES, ENTRY_BY_SECCOMP } tracing;

typedef struct traced {
    volatile uint32_t operation;
    double ns[BATCHES];
} traced;

static void traced_child(tracing how, traced *shared)
{
    raise(SIGSTOP);
    if (how == ENTRY_BY_SECCOMP && install_filter(SECCOMP_RET_TRACE, 0) != 0)
        _exit(errno);
    measure(shared->ns, BATCH);
    _exit(0);
}

/* What a tracer must ask for: which call and its result, the open operation, two clock readings. */
static void read_figures(pid_t pid, const traced *shared)
{
    struct ptrace_syscall_info info;
    uint64_t word;
    trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, (uintptr_t)&info);
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
        trace(PTRACE_PEEKDATA, pid, (uintptr_t)&shared->operation, (uintptr_t)&word);
    clock_ms(CLOCK_MONOTONIC);
}

static int trace_until_end(pid_t child, tracing how, const traced *shared)
{
    int status;
    while (waitpid(child, &status, __WALL) == child && WIFSTOPPED(status)) {
        const int stop = WSTOPSIG(status);
        const bool call = stop == (SIGTRAP | 0x80);
        const bool signal = !call && status >> 16 == 0 && stop != SIGSTOP;
        if (call && how == WITH_FIGURES)
            read_figures(child, shared);
        trace(how == ENTRY_BY_SECCOMP ? PTRACE_CONT : PTRACE_SYSCALL, child, 0, signal ? (uintptr_t)stop : 0);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static void by_ptrace(const char *what, tracing how, const char *gives)
{
    traced *shared = shared_memory(sizeof *shared);
    const pid_t child = fork();
    if (child == 0)
        traced_child(how, shared);
    waitpid(child, NULL, WUNTRACED);
    const uintptr_t options = PTRACE_O_TRACESYSGOOD | (how == ENTRY_BY_SECCOMP ? PTRACE_O_TRACESECCOMP : 0);
    if (trace(PTRACE_SEIZE, child, 0, options) != 0) {
        print_refused(what, "ptrace", errno);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        return;
    }
    kill(child, SIGCONT);
    const int failure = trace_until_end(child, how, shared);
    if (failure)
        print_refused(what, "traced process", failure);
    else
        print_row(what, shared->ns, gives);
}

/* --- perf trace points ---------------------------------------------------------------- */

static long event_number(const char *name)
{
    static const char *const roots[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
    char path[256], scratch[] = "/tmp/syscall_cost.XXXXXX";
    const char *made = NULL;
    FILE *file = NULL;
    for (size_t i = 0; i < 2 && !file; i++) {
        snprintf(path, sizeof path, "%s/events/raw_syscalls/%s/id", roots[i], name);
        file = fopen(path, "r");
    }
    if (!file && mkdtemp(scratch)) {
        made = scratch;
        if (mount("tracefs", scratch, "tracefs", 0, NULL) == 0) {
            snprintf(path, sizeof path, "%s/events/raw_syscalls/%s/id", scratch, name);
            file = fopen(path, "r");
        }
    }
    long number = -1;
    if (file && fscanf(file, "%ld", &number) != 1)
        number = -1;
    if (file)
        fclose(file);
    if (made) {
        umount(made);
        rmdir(made);
    }
    return number;
}

/* -errno, or the event's file; *ring is where its events go. */
static int open_event(long number, void **ring, size_t size)
{
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_TRACEPOINT,
        .size = sizeof attributes,
        .config = (uint64_t)number,
        .sample_period = 1,
        .sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_RAW,
        .write_backward = 1, /* overwritten when full, so that no reader has to keep up */
    };
    const int fd = (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0)
        return -errno;
    *ring = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (*ring != MAP_FAILED)
        return fd;
    const int error = errno;
    close(fd);
    return -error;
}

static void by_trace_points(void)
{
    static const char what[] = "perf trace points raw_syscalls:sys_enter, sys_exit";
    static const char *const names[] = {"sys_enter", "sys_exit"};
    const size_t size = (size_t)sysconf(_SC_PAGESIZE) * (1 + 64);
    int fd[2] = {-1, -1}, error = 0;
    void *ring[2];
    const char *step = "tracefs";
    for (int i = 0; i < 2 && !error; i++) {
        const long number = event_number(names[i]);
        if (number < 0) {
            error = errno ? errno : ENOENT;
            break;
        }
        step = "perf_event_open";
        fd[i] = open_event(number, &ring[i], size);
        error = fd[i] < 0 ? -fd[i] : 0;
    }
    if (error) {
        print_refused(what, step, error);
    } else {
        double ns[BATCHES];
        measure(ns, FAST_BATCH);
        print_row(what, ns, "entry, time, result; not the operation; privileged");
    }
    for (int i = 0; i < 2; i++) {
        if (fd[i] < 0)
            continue;
        munmap(ring[i], size);
        close(fd[i]);
    }
}

/* --- whole tools ------------------------------------------------------------------------ */

static int print_batches(void)
{
    double ns[BATCHES];
    measure(ns, BATCH);
    for (int i = 0; i < BATCHES; i++)
        printf("%.1f\n", ns[i]);
    return 0;
}

static void by_strace(void)
{
    static const char what[] = "strace -c -f";
    char self[4096], command[5000];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0)
        return;
    self[length] = '\0';
    snprintf(command, sizeof command, "strace -c -f -o /dev/null '%s' --batches 2>/dev/null", self);
    FILE *output = popen(command, "r");
    double ns[BATCHES];
    int count = 0;
    while (output && count < BATCHES && fscanf(output, "%lf", &ns[count]) == 1)
        count++;
    if (output)
        pclose(output);
    if (count == BATCHES)
        print_row(what, ns, "entry, time, result; not the operation");
    else
        print_refused(what, "no figures", ENOENT);
}

static void *measure_in_scope(void *ns)
{
    FMP_SCOPE("BENCH", "getppid");
    measure(ns, BATCH);
    return NULL;
}

static void print_facility(const char *what, const fmp_system_report *report, double *ns)
{
    const fmp_table *facilities = fmp_system_table(report, "facilities");
    const fmp_table *table = fmp_system_table(report, "syscalls");
    double mean = -1;
    for (size_t row = 0; table && row < table->row_count; row++)
        if (strcmp(fmp_table_text(table, row, fmp_table_column(table, "call")), "getppid") == 0)
            mean = fmp_table_number(table, row, fmp_table_column(table, "mean_seconds")) * 1e9;
    if (mean < 0) {
        for (size_t row = 0; facilities && row < facilities->row_count; row++)
            if (strcmp(fmp_table_text(facilities, row, 0), "syscalls") == 0)
                printf("%-50s %9s %9s  %s\n", what, "-", "-",
                       fmp_table_text(facilities, row, fmp_table_column(facilities, "how")));
        return;
    }
    char gives[100];
    snprintf(gives, sizeof gives, "entry, time (tells %.0f ns), result, operation", mean);
    print_row(what, ns, gives);
}

/* The first thread's figures, while all of them call. */
static void by_facility(const char *what, int thread_count)
{
    static double ns[THREADS_MAX][BATCHES];
    pthread_t threads[THREADS_MAX];
    const fmp_system_options options = {.facilities = FMP_SYSTEM_SYSCALLS};
    fmp_system *system = fmp_system_start(&options);
    if (!system) {
        print_refused(what, "fmp_system_start", errno);
        return;
    }
    for (int i = 0; i < thread_count; i++)
        if (pthread_create(&threads[i], NULL, measure_in_scope, ns[i]) != 0)
            exit(1);
    for (int i = 0; i < thread_count; i++)
        pthread_join(threads[i], NULL);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    print_facility(what, report, ns[0]);
    fmp_system_report_free(&report);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--batches") == 0)
        return print_batches();
    printf("%-50s %9s %9s  %s\n", "ns for one getppid()", "quartile", "median", "what it tells");
    double ns[BATCHES];
    measure(ns, FAST_BATCH);
    print_row("not watched", ns, "");
    by_trace_points();
    user_notification();
    by_ptrace("ptrace, seccomp RET_TRACE", ENTRY_BY_SECCOMP, "entry; neither time nor result");
    by_ptrace("ptrace, entry and exit, nothing read", ENTRY_AND_EXIT, "");
    by_ptrace("ptrace, entry and exit, figures read", WITH_FIGURES, "entry, time, result, operation");
    by_strace();
    by_facility("libfmprof-system, facility syscalls", 1);
    by_facility("the same, 4 threads that call at once", THREADS_MAX);
    return 0;
}
