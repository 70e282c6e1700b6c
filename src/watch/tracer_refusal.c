/* Why a process cannot be traced, and who could permit it. */
#include "watch/tracer.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/prctl.h>

static void say(fmp_tracer_refusal *refusal, bool permission, const char *how, const char *remedy)
{
    refusal->permission = permission;
    snprintf(refusal->how, sizeof refusal->how, "%s", how);
    snprintf(refusal->remedy, sizeof refusal->remedy, "%s", remedy);
}

static FILE *open_below(const char *root, const char *path)
{
    char whole[PATH_MAX];
    const int length = snprintf(whole, sizeof whole, "%s%s", root, path);
    return length > 0 && (size_t)length < sizeof whole ? fopen(whole, "re") : NULL;
}

/* The number after `label` at the begin of a line; -1: not there, or not one. */
static long number_after(const char *root, const char *path, const char *label)
{
    FILE *file = open_below(root, path);
    char line[256];
    long number = -1;
    while (file && number < 0 && fgets(line, sizeof line, file)) {
        const size_t length = strlen(label);
        char *end;
        if (strncmp(line, label, length) != 0)
            continue;
        errno = 0;
        const long value = strtol(line + length, &end, 10);
        if (end != line + length && errno == 0 && value >= 0 && value <= INT_MAX)
            number = value;
    }
    if (file)
        fclose(file);
    return number;
}

static bool traced_already(const char *root, fmp_tracer_refusal *refusal)
{
    const long tracer = number_after(root, "/proc/self/status", "TracerPid:");
    if (tracer <= 0)
        return false;
    say(refusal, true, "", "run it without the debugger, or strace, that traces it");
    snprintf(refusal->how, sizeof refusal->how, "process %ld traces this one already, and there can be one only",
             tracer);
    return true;
}

/* Its translated program would run the tracer as well, and it does not know such a clone. */
static bool under_valgrind(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return preloaded && strstr(preloaded, "/vgpreload_");
}

bool fmp_tracer_refused(const char *root, fmp_tracer_refusal *refusal)
{
    if (under_valgrind()) {
        say(refusal, false, "runs under valgrind, which cannot be traced", "run it without valgrind");
        return true;
    }
    return traced_already(root, refusal);
}

static void explain_permission(const char *root, fmp_tracer_refusal *refusal)
{
    const long scope = number_after(root, "/proc/sys/kernel/yama/ptrace_scope", "");
    if (traced_already(root, refusal))
        return;
    if (scope >= 3)
        say(refusal, false, "ptrace is switched off until the machine is started again (Yama, ptrace_scope 3)", "");
    else if (scope == 2)
        say(refusal, true, "ptrace is for administrators only (Yama, ptrace_scope 2)",
            "sysctl kernel.yama.ptrace_scope=1, or CAP_SYS_PTRACE");
    else if (prctl(PR_GET_DUMPABLE) != 1)
        say(refusal, true, "the process is guarded from its user: it changed its user, or its file is not readable",
            "start it as the user that it runs as, or with CAP_SYS_PTRACE");
    else
        say(refusal, true, "ptrace is not permitted here",
            "in a container: --cap-add=SYS_PTRACE, or a seccomp profile that permits ptrace");
}

void fmp_tracer_explain(const char *root, int error, fmp_tracer_refusal *refusal)
{
    switch (error) {
    case EPERM:
    case EACCES:
        explain_permission(root, refusal);
        break;
    case EIO:
    case EINVAL:
        say(refusal, false, "ptrace does not tell of system calls here (Linux before 5.3, or a stand-in for it)", "");
        break;
    case ENOSYS:
        say(refusal, false, "no ptrace here", "");
        break;
    case ECHILD:
        say(refusal, true, "the tracing process was killed at its start, perhaps by a seccomp filter",
            "permit ptrace in the filter");
        break;
    case ENOMEM:
    case EAGAIN:
        say(refusal, true, "no memory, or no room for one more process", "ulimit -u, the container's pids limit");
        break;
    default:
        say(refusal, false, "", "");
        snprintf(refusal->how, sizeof refusal->how, "the tracing process could not begin: %s", strerror(error));
    }
}
