/*
 * Traces the system calls of this process, from a process of its own.
 *
 * Why ptrace. Measured by bench/syscall_cost (one getppid(), lower quartile, on
 * the machine of bench/README.md): 0.2 us as it is, 1.8 us with perf's trace
 * points, 4.9 us with seccomp's user notification, 8 us with ptrace at
 * seccomp's RET_TRACE, 15 to 18 us with ptrace at entry and exit, 20 us under
 * strace -c, 15 us with this. The two of seccomp tell of the entry alone: neither how long a
 * call took nor what it gave, and their filter stays for good. Trace points
 * tell both, but need root (tracefs, perf_event_paranoid) and cannot say which
 * operation the thread had open. ptrace alone gives entry, exit and result,
 * lets the tracer read the thread's open operation while the thread stands
 * still, goes away without trace, and works for an ordinary user. It is the
 * slowest; hence the facility is off unless asked for.
 *
 * How. The tracing process is a child without an exit signal: no SIGCHLD, and
 * neither wait() nor waitpid(-1) see it. It blocks all signals, is a session of
 * its own, holds none of the program's files, and attaches by PTRACE_SEIZE to
 * every thread; new threads are followed, forked processes are not. It hands
 * all signals and stops on unchanged. When it ends, for whatever reason, the
 * kernel lets the program go on untraced; when the program ends it ends too.
 * Figures are in memory that both share, so they survive it.
 *
 * One after another: calls of many threads at once wait for the one tracer, and
 * that is in their times; so is, on a busy machine, how long the two processes
 * waited for a processor, beyond what was measured at the start and is taken
 * out. Counts, errors and bytes are exact, times of short calls upper bounds.
 *
 * A call that a signal handler interrupted counts as an error (EINTR), also
 * when it then goes on by itself as a second call; one that a stop and SIGCONT
 * interrupted is one call.
 *
 * Limits: an execve() of the program ends it. The tracing process keeps a copy
 * of what memory the program then writes to, so start early. Blocking calls
 * that threads are in at the start (never at the stop) and that Linux does not resume after a
 * SIGSTOP fail with EINTR: see signal(7), epoll_wait is the common one.
 *
 * Linux 5.3 or newer (PTRACE_GET_SYSCALL_INFO), any processor.
 */
#ifndef FMP_WATCH_TRACER_H
#define FMP_WATCH_TRACER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one kind of call came to, in one operation. Times as the tracer saw them. */
typedef struct fmp_traced_call {
    uint32_t operation; /* fmp_current_operation at the call's entry */
    uint32_t call;      /* number; with FMP_FOREIGN_CALL of another binary interface than the program's own */
    uint64_t count, errors;
    uint64_t ns, max_ns;
    uint64_t results; /* sum of what was returned above 0: bytes, of calls that give bytes */
} fmp_traced_call;

enum { FMP_TRACED_CALLS = 4096 }; /* kinds of calls at most; what is beyond is counted in `lost` */
#define FMP_FOREIGN_CALL ((uint32_t)1 << 31)

typedef struct fmp_traced {
    fmp_traced_call calls[FMP_TRACED_CALLS];
    size_t call_count;
    uint64_t lost;       /* calls that had no room in `calls` */
    uint64_t unfinished; /* of those in `calls`, had not returned when tracing ended; with their time until then */
    bool ended_early;    /* the tracing process was gone before it was told to end, or had to be killed */
} fmp_traced;

typedef struct fmp_tracer fmp_tracer;

/* Why it is not traced. Fixed texts, or made of numbers. */
typedef struct fmp_tracer_refusal {
    bool permission; /* could be permitted; else it cannot be here */
    char how[200];
    char remedy[200];
} fmp_tracer_refusal;

/*
 * Begins to trace all threads of the process; calls are not counted until
 * fmp_tracer_count. NULL: `refusal` says why. `root` is put before /proc. Takes the
 * thread hook of fmprof/current.h. One at a time in a process.
 */
fmp_tracer *fmp_tracer_start(const char *root, fmp_tracer_refusal *refusal);

/* Nanoseconds that tracing adds to a call, and how many of them are between the entry and the exit that it sees. */
double fmp_tracer_added_ns(const fmp_tracer *tracer);
double fmp_tracer_seen_ns(const fmp_tracer *tracer);

/* Calls count from now on, or no longer. `untraced`: thread that is let go for good; 0: none. NULL is fine. */
void fmp_tracer_count(fmp_tracer *tracer, bool on, uint64_t untraced);

/* Ends tracing, within seconds whatever happened. NULL when memory is out; else to be freed. */
fmp_traced *fmp_tracer_stop(fmp_tracer **tracer);

/* The process that traces, for tests. */
int fmp_tracer_process(const fmp_tracer *tracer);

/* Why ptrace failed with `error`, a number of errno, in words. `root` is put before /proc. */
void fmp_tracer_explain(const char *root, int error, fmp_tracer_refusal *refusal);
/* Whether this process cannot be traced for a reason that is known before trying, with the reason. */
bool fmp_tracer_refused(const char *root, fmp_tracer_refusal *refusal);

#endif
