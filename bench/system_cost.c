/*
 * What watching a run from the system's side costs, as two tables. The first
 * has a row for each facility of fmprof/system.h: a fixed amount of work, as
 * ratios to the same work unwatched. The second: how much of one processor the
 * watching thread takes while many threads run.
 *
 *     system_cost [ROUNDS]
 *
 * Each figure comes from a process of its own, since some facilities begin
 * with a process; they take turns, and ratios are taken within a round.
 */
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fmprof/system.h"
#include "timing.h"

extern char **environ;

enum { ROUNDS = 11, ROUNDS_MAX = 101, READINGS_HZ = 20, WORK_MS = 200, MALLOCS = 8, CALLS = 4, WATCH_MS = 1000 };

typedef struct setting {
    const char *name, *facility; /* facility: its name for the column "on"; NULL: none is asked for */
    unsigned facilities;         /* 0: not watched */
    bool preload, by_timer;
    uint64_t allocation_interval;
} setting;

static const setting settings[] = {
    {"not watched", NULL, 0, false, false, 0},
    {"cpu", "cpu", FMP_SYSTEM_CPU, false, false, 0},
    {"memory, of the process alone", "memory", FMP_SYSTEM_MEMORY, false, false, 0},
    {"memory, allocations sampled", "memory", FMP_SYSTEM_MEMORY, true, false, 0},
    {"memory, allocations exact", "memory", FMP_SYSTEM_MEMORY, true, false, 1},
    {"allocations preloaded, not watched", NULL, 0, true, false, 0},
    {"sample", "sample", FMP_SYSTEM_SAMPLE, false, false, 0},
    {"sample, by timer", "sample", FMP_SYSTEM_SAMPLE, false, true, 0},
    {"gpu", "gpu", FMP_SYSTEM_GPU, false, false, 0},
    {"energy", "energy", FMP_SYSTEM_ENERGY, false, false, 0},
    {"syscalls", "syscalls", FMP_SYSTEM_SYSCALLS, false, false, 0},
    {"usual (all but syscalls)", "cpu", FMP_SYSTEM_USUAL, true, false, 0},
};
enum { SETTINGS = sizeof settings / sizeof settings[0] };

/* What a process tells of its work; as text between processes. */
typedef struct result {
    double wall_ms, cpu_ms;   /* of the work; CPU of all threads and of helpers */
    double start_ms, stop_ms; /* wall time */
    double watch_ms;          /* CPU of the watching thread during the work */
    bool on;
} result;

/* --- work ---------------------------------------------------------------------- */

static volatile unsigned sink;

static void compute(int count)
{
    unsigned value = 1;
    for (int i = 0; i < count; i++)
        value = value * 1664525u + 1013904223u;
    sink = value;
}

/* About 100 microseconds of a media program that is busy: a scope, blocks, system calls. */
static void one_piece(void)
{
    FMP_SCOPE("BENCH", "piece");
    void *block[MALLOCS];
    for (int i = 0; i < MALLOCS; i++)
        block[i] = malloc((size_t)100 << i);
    compute(100000);
    for (int i = 0; i < MALLOCS; i++)
        free(block[i]);
    for (int i = 0; i < CALLS; i++)
        syscall(SYS_getppid);
}

typedef struct worker {
    pthread_t thread;
    int pieces;   /* of work; 0: until the time is over */
    double until; /* ms */
} worker;

static void *work(void *opaque)
{
    const worker *w = opaque;
    for (int i = 0; i < w->pieces; i++)
        one_piece();
    while (w->pieces == 0 && clock_ms(CLOCK_MONOTONIC) < w->until) {
        one_piece();
        FMP_SCOPE("BENCH", "wait");
        usleep(10000);
    }
    return NULL;
}

static void run_workers(int threads, int pieces)
{
    worker *all = calloc((size_t)threads, sizeof *all);
    if (!all)
        abort();
    for (int i = 0; i < threads; i++) {
        all[i] = (worker){.pieces = pieces, .until = clock_ms(CLOCK_MONOTONIC) + WATCH_MS};
        if (pthread_create(&all[i].thread, NULL, work, &all[i]) != 0)
            abort();
    }
    for (int i = 0; i < threads; i++)
        pthread_join(all[i].thread, NULL);
    free(all);
}

/* --- in a process of its own ------------------------------------------------------ */

static double rusage_ms(int who)
{
    struct rusage u;
    getrusage(who, &u);
    return 1e3 * (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           1e-3 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static bool read_text(const char *path, char *out, size_t size)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t length = file >= 0 ? read(file, out, size - 1) : -1;
    out[length > 0 ? length : 0] = '\0';
    if (file >= 0)
        close(file);
    return length > 0;
}

/* CPU time so far of the watching thread, which is found by its name. */
static double watch_cpu_ms(void)
{
    double ms = 0;
    DIR *folder = opendir("/proc/self/task");
    for (const struct dirent *e; folder && (e = readdir(folder));) {
        char path[320], text[128];
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", e->d_name);
        if (!read_text(path, text, sizeof text) || strcmp(text, "fmp-watch\n") != 0)
            continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", e->d_name);
        if (read_text(path, text, sizeof text))
            ms = strtod(text, NULL) / 1e6;
    }
    if (folder)
        closedir(folder);
    return ms;
}

static bool is_on(const fmp_system_report *report, const char *facility)
{
    const fmp_table *t = fmp_system_table(report, "facilities");
    for (size_t i = 0; facility && t && i < t->row_count; i++)
        if (strcmp(fmp_table_text(t, i, 0), facility) == 0 && strcmp(fmp_table_text(t, i, 2), "on") == 0)
            return true;
    return false;
}

static result measure(const setting *s, int threads, int pieces)
{
    result r = {.on = s->facilities == 0};
    fmp_system *system = NULL;
    run_workers(threads, 10); /* warm-up */
    double begin = clock_ms(CLOCK_MONOTONIC);
    if (s->facilities) {
        system = fmp_system_start(&(fmp_system_options){.facilities = s->facilities,
                                                        .readings_hz = READINGS_HZ,
                                                        .sample_by_timer = s->by_timer,
                                                        .allocation_interval = s->allocation_interval});
        if (!system)
            return r;
    }
    const double started = clock_ms(CLOCK_MONOTONIC), cpu = rusage_ms(RUSAGE_SELF);
    const double watch = watch_cpu_ms();
    r.start_ms = started - begin;
    begin = clock_ms(CLOCK_MONOTONIC);
    run_workers(threads, pieces);
    r.wall_ms = clock_ms(CLOCK_MONOTONIC) - begin;
    r.cpu_ms = rusage_ms(RUSAGE_SELF) - cpu;
    r.watch_ms = watch_cpu_ms() - watch;
    begin = clock_ms(CLOCK_MONOTONIC);
    fmp_system_report *report = fmp_system_stop(&system, 0);
    r.stop_ms = clock_ms(CLOCK_MONOTONIC) - begin;
    r.cpu_ms += rusage_ms(RUSAGE_CHILDREN);
    if (report)
        r.on = is_on(report, s->facility);
    fmp_system_report_free(&report);
    return r;
}

static int run_one(char **argv)
{
    const setting *s = &settings[atoi(argv[2]) % SETTINGS];
    if (s->preload && fmp_alloc_preload(NULL, argv) != 0 && s->facilities != FMP_SYSTEM_USUAL) {
        puts("0 0 0 0 0 0");
        return 0;
    }
    const result r = measure(s, atoi(argv[3]), atoi(argv[4]));
    printf("%.6f %.6f %.6f %.6f %.6f %d\n", r.wall_ms, r.cpu_ms, r.start_ms, r.stop_ms, r.watch_ms, r.on);
    return 0;
}

/* --- the tables -------------------------------------------------------------------- */

/* Runs this program once more; a result that is not on when that fails. */
static result ask(const char *self, int setting_number, int threads, int pieces)
{
    char number[16], count[16], amount[16], text[256] = "";
    result r = {0};
    int ends[2], status, on = 0;
    if (pipe(ends) != 0)
        abort();
    snprintf(number, sizeof number, "%d", setting_number);
    snprintf(count, sizeof count, "%d", threads);
    snprintf(amount, sizeof amount, "%d", pieces);
    char one[] = "--one";
    char *argv[] = {(char *)(uintptr_t)self, one, number, count, amount, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    pid_t child;
    if (posix_spawn(&child, self, &actions, NULL, argv, environ) != 0)
        abort();
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    size_t length = 0;
    for (ssize_t n; length < sizeof text - 1 && (n = read(ends[0], text + length, sizeof text - 1 - length)) > 0;)
        length += (size_t)n;
    close(ends[0]);
    waitpid(child, &status, 0);
    if (sscanf(text, "%lf %lf %lf %lf %lf %d", &r.wall_ms, &r.cpu_ms, &r.start_ms, &r.stop_ms, &r.watch_ms, &on) == 6)
        r.on = on != 0;
    return r;
}

typedef struct series {
    double wall[ROUNDS_MAX], cpu[ROUNDS_MAX], start[ROUNDS_MAX], stop[ROUNDS_MAX];
    int count;
} series;

static void facilities_table(const char *self, int rounds, int pieces)
{
    static series all[SETTINGS];
    enum { WORKERS = 2 };
    for (int round = 0; round < rounds; round++) {
        result none = {0};
        for (int i = 0; i < SETTINGS; i++) {
            const result r = ask(self, i, WORKERS, pieces);
            series *s = &all[i];
            if (i == 0)
                none = r;
            if (!r.on || !none.on)
                continue;
            s->wall[s->count] = r.wall_ms / none.wall_ms;
            s->cpu[s->count] = r.cpu_ms / none.cpu_ms;
            s->start[s->count] = r.start_ms;
            s->stop[s->count++] = r.stop_ms;
        }
    }
    printf("%-36s %8s %8s %9s %9s\n", "facility", "wall x", "CPU x", "start ms", "stop ms");
    for (int i = 0; i < SETTINGS; i++) {
        series *s = &all[i];
        if (s->count == 0)
            printf("%-36s not on here\n", settings[i].name);
        else
            printf("%-36s %8.3f %8.3f %9.2f %9.2f\n", settings[i].name, median_of(s->wall, s->count),
                   median_of(s->cpu, s->count), median_of(s->start, s->count), median_of(s->stop, s->count));
    }
}

static void watcher_table(const char *self, int rounds)
{
    static const int threads[] = {2, 10, 50}, numbers[] = {1, SETTINGS - 1};
    printf("\n%-36s %8s %14s %14s\n", "watching thread, 20 readings a second", "threads", "% of a CPU",
           "us a reading");
    for (size_t n = 0; n < sizeof numbers / sizeof numbers[0]; n++)
        for (size_t t = 0; t < sizeof threads / sizeof threads[0]; t++) {
            double share[ROUNDS_MAX];
            int count = 0;
            for (int round = 0; round < rounds; round++) {
                const result r = ask(self, numbers[n], threads[t], 0);
                if (r.on)
                    share[count++] = r.watch_ms / r.wall_ms;
            }
            const double middle = count > 0 ? median_of(share, count) : (double)NAN;
            printf("%-36s %8d %14.3f %14.1f\n", settings[numbers[n]].name, threads[t], 100 * middle,
                   1e6 * middle / READINGS_HZ);
        }
}

int main(int argc, char **argv)
{
    char self[4096];
    if (argc == 5 && strcmp(argv[1], "--one") == 0)
        return run_one(argv);
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0) {
        fputs("system_cost: /proc/self/exe cannot be read; the program starts itself by it\n", stderr);
        return 1;
    }
    self[length] = '\0';
    int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS;
    rounds = rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
    enum { TRIAL = 200 };
    const result trial = ask(self, 0, 1, TRIAL);
    if (!(trial.cpu_ms > 0)) {
        fputs("system_cost: the trial run gave no figures\n", stderr);
        return 1;
    }
    const int pieces = (int)(WORK_MS / (trial.cpu_ms / TRIAL)) + 1;
    printf("%d interleaved rounds; 2 threads with %d pieces of work each: a scope, %d blocks, %d system calls, "
           "%.0f us\n\n",
           rounds, pieces, MALLOCS, CALLS, 1e3 * trial.cpu_ms / TRIAL);
    facilities_table(self, rounds, pieces);
    watcher_table(self, rounds > 5 ? 5 : rounds);
    return 0;
}
