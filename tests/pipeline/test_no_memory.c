/*
 * Memory that runs out at any place of a run: no crash, no hang, an error that
 * says so, and no output left behind.
 *
 * Each place is tried in a process of its own, so that what the profiler keeps
 * for good is made anew, too. Usage: test_no_memory [SAMPLES | FIRST LAST] tries
 * another number of places, or every one from FIRST to LAST, instead of a sample.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "facemirror/run.h"
#include "failing_calls.h"

enum {
    SKIPPED = 77,        /* meson's code for it */
    FRAMES = 2,
    OUTPUTS = 6,         /* three videos, three tables */
    SECONDS_MAX = 60,    /* a run takes about one */
    SAMPLES = 40,
    WRONG = 1            /* exit code of a child that found something wrong */
};

static char clip[FM_PATH_MAX], folder[FM_PATH_MAX];

static bool is_listed(const char *name, const fm_run_summary *summary)
{
    for (int i = 0; i < summary->output_count; i++) {
        if (strcmp(strrchr(summary->output[i].path, '/') + 1, name) == 0)
            return true;
    }
    return false;
}

/*
 * Counts what the run made of the clip. The profile and the trace, which tell
 * of a run however it ended, do not count. -1: there is a file of which the
 * summary says nothing.
 */
static int count_outputs(const fm_run_summary *summary)
{
    DIR *dir = opendir(folder);
    int count = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (!is_listed(name, summary)) {
            printf("  left behind: %s\n", name);
            count = -1;
            break;
        }
        count += !strstr(name, "_profile") && !strstr(name, "_trace");
    }
    if (dir)
        closedir(dir);
    return count;
}

static void empty_folder(void)
{
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir)
        closedir(dir);
}

static fm_status run(fm_run_summary *summary, fm_error *err)
{
    fm_run_options options = fm_run_defaults();
    options.input = clip;
    options.output_dir = folder;
    options.models = getenv("FACEMIRROR_MODELS");
    options.max_frames = FRAMES;
    options.landmarks_csv = true;
    options.profile.compat_json = options.profile.trace = true;
    return fm_run(&options, summary, err);
}

/* In a process of its own. Returns its exit code; *made tells its parent how many calls there were. */
static int fail_at(long n, long *made)
{
    static fm_run_summary summary;
    fm_error err = {0};
    alarm(SECONDS_MAX);
    fail_call(n);
    const fm_status status = run(&summary, &err);
    *made = calls_made();
    fail_call(0);
    printf("%ld: %s%s%s\n", n, fm_status_name(status), err.message[0] ? ": " : "", err.message);
    if (err.status != status || (status != FM_OK && !err.message[0])) {
        printf("  the error does not go with the status\n");
        return WRONG;
    }
    /* The profile comes last: when it fails, the outputs are there, and whole. */
    const int outputs = count_outputs(&summary);
    if (outputs == OUTPUTS || (outputs == 0 && status != FM_OK))
        return 0;
    printf("  %d outputs\n", outputs);
    return WRONG;
}

/* 0: fine. *made: calls of that run. */
static int try_place(long n, long *made)
{
    int ends[2], code = 0;
    empty_folder();
    if (pipe(ends) != 0)
        return WRONG;
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        long count = 0;
        code = fail_at(n, &count);
        if (write(ends[1], &count, sizeof count) != (ssize_t)sizeof count)
            code = WRONG;
        exit(code);
    }
    close(ends[1]);
    *made = 0;
    const bool told = child > 0 && read(ends[0], made, sizeof *made) == (ssize_t)sizeof *made;
    close(ends[0]);
    if (child < 0 || waitpid(child, &code, 0) != child)
        return WRONG;
    if (WIFSIGNALED(code))
        printf("%ld: ended by signal %d%s\n", n, WTERMSIG(code), WTERMSIG(code) == SIGALRM ? ": it hangs" : "");
    else if (WEXITSTATUS(code) != 0)
        printf("%ld: wrong (exit code %d)\n", n, WEXITSTATUS(code));
    return told && WIFEXITED(code) && WEXITSTATUS(code) == 0 ? 0 : WRONG;
}

static bool find_inputs(void)
{
    const char *shared = getenv("FACEMIRROR_SHARED"), *models = getenv("FACEMIRROR_MODELS");
    char manifest[FM_PATH_MAX];
    snprintf(clip, sizeof clip, "%s/media/video1-512.mp4", shared ? shared : "../shared");
    snprintf(manifest, sizeof manifest, "%s/pack.json", models ? models : "");
    return access(clip, R_OK) == 0 && access(manifest, R_OK) == 0;
}

int main(int argc, char **argv)
{
    if (!find_inputs()) {
        puts("SKIPPED: the test clip (FACEMIRROR_SHARED) or the models are not there");
        return SKIPPED;
    }
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/fm-no-memory-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(folder))
        return WRONG;
    long all = 0, made = 0;
    int wrong = try_place(0, &all); /* fails nowhere: how many places are there? */
    const long samples = argc == 2 ? strtol(argv[1], NULL, 10) : SAMPLES;
    long first = 1, last = all, step = all / (samples > 0 ? samples : 1) + 1;
    if (argc == 3) {
        first = strtol(argv[1], NULL, 10);
        last = strtol(argv[2], NULL, 10);
        step = 1;
    }
    for (long n = first; n <= last && n <= all; n += step)
        wrong += try_place(n, &made);
    empty_folder();
    rmdir(folder);
    printf("%ld places in a run, %d wrong\n", all, wrong);
    return wrong == 0 ? 0 : WRONG;
}
