#include "cli/bench_child.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"
#include "fmprof/fmprof.h"
#include "system/activity.h"
#include "system/program.h"

extern char **environ;

/* How often the child is looked at: what its duration is exact to. */
#define POLL_SECONDS 0.01
/* A run that was asked to end closes its outputs; one that hangs is not waited for. */
#define PATIENCE_SECONDS 10.0

static double now_seconds(void)
{
    return (double)fmp_now() * 1e-9;
}

static fm_status start(const char *const *arguments, const char *errors, pid_t *pid, fm_error *err)
{
    char program[FM_PATH_MAX];
    posix_spawn_file_actions_t actions;
    if (!fm_program_path(program, sizeof program))
        return fm_fail(err, FM_E_INTERNAL, "cannot find this program's own file to start it; is /proc mounted?");
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed)
        return fm_fail(err, FM_E_NO_MEMORY, "cannot start a run: %s", strerror(failed));
    if (!failed)
        failed = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!failed)
        failed = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (!failed)
        failed = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    /* posix_spawn takes the words as those of main, which need not be constant; it does not change them. */
    char **words = NULL;
    size_t count = 0;
    while (arguments[count])
        count++;
    if (!failed && !(words = calloc(count + 1, sizeof *words)))
        failed = ENOMEM;
    if (!failed) {
        memcpy(words, arguments, count * sizeof *words);
        failed = posix_spawn(pid, program, &actions, NULL, words, environ);
    }
    free(words);
    posix_spawn_file_actions_destroy(&actions);
    if (failed)
        return fm_fail(err, fm_status_from_errno(failed, FM_E_INTERNAL), "cannot start a run: %s", strerror(failed));
    return FM_OK;
}

/* Waits for its end. A signal to us ends it, too: first politely. */
static int wait_for(pid_t pid, fm_child *out, struct rusage *usage)
{
    int status = 0;
    double asked = 0;
    for (;;) {
        const pid_t ended = wait4(pid, &status, WNOHANG, usage);
        if (ended == pid)
            return status;
        if (ended < 0 && errno != EINTR) /* cannot happen: it is our child */
            return 127 << 8;
        if (!out->stopped && fm_interrupt_wanted(NULL)) {
            out->stopped = true;
            asked = now_seconds();
            kill(pid, SIGTERM);
        } else if (out->stopped && now_seconds() - asked > PATIENCE_SECONDS) {
            kill(pid, SIGKILL);
        }
        const struct timespec pause = {0, (long)(POLL_SECONDS * 1e9)};
        nanosleep(&pause, NULL);
    }
}

/* The last line that says something, without the program's name before it. */
static void read_message(const char *path, char out[FM_ERROR_MESSAGE_MAX])
{
    enum { ERRORS_MAX = 1 << 20 };
    static const char name[] = "facemirror: ";
    uint8_t *data;
    size_t size;
    snprintf(out, FM_ERROR_MESSAGE_MAX, "it said nothing about why");
    if (fm_file_read(path, ERRORS_MAX, &data, &size, NULL) != FM_OK)
        return;
    char *text = (char *)data;
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\0'))
        text[--size] = '\0';
    const char *line = strrchr(text, '\n') ? strrchr(text, '\n') + 1 : text;
    if (strncmp(line, name, sizeof name - 1) == 0)
        line += sizeof name - 1;
    if (*line)
        snprintf(out, FM_ERROR_MESSAGE_MAX, "%s", line);
    free(data);
}

static double cpu_of(const struct rusage *usage)
{
    return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
           (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1e-6;
}

/* What all programs took, less what this one did. */
static double others_share(double busy, const fm_child *child)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (!isfinite(busy) || processors <= 0 || !(child->seconds > 0))
        return (double)NAN;
    return fmax(0, busy - child->cpu_seconds) / (child->seconds * (double)processors);
}

fm_status fm_child_run(const char *const *arguments, const char *errors, fm_child *out, fm_error *err)
{
    struct rusage usage = {0};
    pid_t pid;
    *out = (fm_child){0};
    const double busy = fm_busy_seconds(""), began = now_seconds();
    const fm_status status = start(arguments, errors, &pid, err);
    if (status != FM_OK)
        return status;
    const int ended = wait_for(pid, out, &usage);
    out->seconds = now_seconds() - began;
    out->exit_code = WIFEXITED(ended) ? WEXITSTATUS(ended) : 128 + WTERMSIG(ended);
    out->cpu_seconds = cpu_of(&usage);
#ifdef __APPLE__
    out->peak_rss_bytes = (int64_t)usage.ru_maxrss; /* bytes there, kibibytes elsewhere */
#else
    out->peak_rss_bytes = (int64_t)usage.ru_maxrss * 1024;
#endif
    out->others_share = others_share(fm_busy_seconds("") - busy, out);
    if (out->exit_code != 0)
        read_message(errors, out->message);
    return FM_OK;
}
