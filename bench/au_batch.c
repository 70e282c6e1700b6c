/*
 * What a network for action units costs a face: by the batch, with one session
 * for both lanes or two, and with one thread inside a run or two.
 *
 * As in a run of facemirror two lanes work side by side, each in a thread and with
 * a binding of its own, so that what they take from each other counts. The
 * variants take turns, round by round, and the median round is shown, so that a
 * busy machine disturbs all alike.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "inference/session.h"

enum { LANES = 2, ROUNDS_DEFAULT = 5, ROUNDS_MAX = 101, FACES_DEFAULT = 32, FACES_MAX = 100000, SIDE = 224, RANK = 4 };

typedef struct variant {
    int batch, sessions, threads;
    fm_session *session[LANES];
    fm_binding *binding[LANES];
    double wall_ms[ROUNDS_MAX], cpu_ms[ROUNDS_MAX]; /* a face, of both lanes */
} variant;

static variant variants[] = {
    {.batch = 1, .sessions = 1, .threads = 1},  {.batch = 4, .sessions = 1, .threads = 1},
    {.batch = 8, .sessions = 1, .threads = 1},  {.batch = 16, .sessions = 1, .threads = 1},
    {.batch = 1, .sessions = 2, .threads = 1},  {.batch = 8, .sessions = 2, .threads = 1},
    {.batch = 1, .sessions = 1, .threads = 2},  {.batch = 4, .sessions = 1, .threads = 2},
    {.batch = 8, .sessions = 1, .threads = 2},  {.batch = 16, .sessions = 1, .threads = 2},
    {.batch = 1, .sessions = 2, .threads = 2},  {.batch = 8, .sessions = 2, .threads = 2},
};
enum { VARIANTS = sizeof variants / sizeof variants[0] };

typedef struct lane {
    fm_binding *binding;
    int runs;
    fm_error err;
} lane;

static double wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    return values[count / 2];
}

/* Some picture-like values around 0: the network's time does not depend on them, denormals apart. */
static void fill_input(fm_binding *binding)
{
    float *input = fm_binding_input(binding);
    unsigned state = 1;
    for (size_t i = 0; i < fm_binding_input_info(binding)->count; i++) {
        state = state * 1664525u + 1013904223u; /* Numerical Recipes, section 7.1 */
        input[i] = 4 * (float)(state >> 8) * 0x1p-24f - 2;
    }
}

static fm_status set_up(variant *v, fm_runtime *runtime, const char *path, fm_error *err)
{
    const fm_session_options options = {.intra_threads = v->threads};
    const int64_t dims[RANK] = {v->batch, 3, SIDE, SIDE};
    fm_status status = FM_OK;
    for (int i = 0; i < LANES && status == FM_OK; i++) {
        if (i < v->sessions)
            status = fm_session_open(&v->session[i], runtime, path, &options, err);
        if (status == FM_OK)
            status = fm_binding_create_sized(&v->binding[i], v->session[i < v->sessions ? i : 0], dims, RANK, err);
        if (status == FM_OK)
            fill_input(v->binding[i]);
    }
    return status;
}

static void tear_down(variant *v)
{
    for (int i = 0; i < LANES; i++)
        fm_binding_destroy(&v->binding[i]);
    for (int i = 0; i < LANES; i++)
        fm_session_close(&v->session[i]);
}

static void *run_lane(void *opaque)
{
    lane *l = opaque;
    for (int i = 0; i < l->runs && fm_binding_run(l->binding, &l->err) == FM_OK; i++)
        continue;
    return NULL;
}

/* Both lanes at once, `faces` each. */
static fm_status time_round(variant *v, int round, int faces, fm_error *err)
{
    lane lanes[LANES];
    pthread_t threads[LANES];
    const int runs = (faces + v->batch - 1) / v->batch;
    const double wall = wall_ms(), cpu = cpu_ms();
    int started = 0;
    for (; started < LANES; started++) {
        lanes[started] = (lane){.binding = v->binding[started], .runs = runs};
        if (pthread_create(&threads[started], NULL, run_lane, &lanes[started]) != 0)
            break;
    }
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    const double measured = (double)runs * v->batch * LANES;
    v->wall_ms[round] = (wall_ms() - wall) / measured;
    v->cpu_ms[round] = (cpu_ms() - cpu) / measured;
    if (started < LANES)
        return fm_fail(err, FM_E_NO_MEMORY, "no thread could be started");
    for (int i = 0; i < LANES; i++)
        if (lanes[i].err.status != FM_OK)
            return fm_fail(err, lanes[i].err.status, "%s", lanes[i].err.message);
    return FM_OK;
}

static void print_table(int rounds, int faces, const char *version)
{
    printf("ONNX Runtime %s, 2 lanes side by side, medians of %d rounds of %d faces a lane\n\n", version, rounds,
           faces);
    printf("%5s %9s %8s %15s %14s %8s\n", "batch", "sessions", "threads", "wall ms a face", "CPU ms a face", "faces/s");
    for (int i = 0; i < VARIANTS; i++) {
        const double wall = median(variants[i].wall_ms, rounds);
        printf("%5d %9d %8d %15.2f %14.2f %8.1f\n", variants[i].batch, variants[i].sessions, variants[i].threads, wall,
               median(variants[i].cpu_ms, rounds), 1e3 / wall);
    }
}

/* One that is warm before the first round: memory is touched, kernels are chosen. */
static fm_status warm_up(variant *v, fm_error *err)
{
    fm_status status = FM_OK;
    for (int i = 0; i < LANES && status == FM_OK; i++)
        status = fm_binding_run(v->binding[i], err);
    return status;
}

static fm_status measure(const char *path, int rounds, int faces, fm_error *err)
{
    fm_runtime *runtime = NULL;
    fm_status status = fm_runtime_create(&runtime, NULL, NULL, err);
    for (int i = 0; i < VARIANTS && status == FM_OK; i++) {
        status = set_up(&variants[i], runtime, path, err);
        if (status == FM_OK)
            status = warm_up(&variants[i], err);
    }
    for (int round = 0; round < rounds && status == FM_OK; round++)
        for (int i = 0; i < VARIANTS && status == FM_OK; i++)
            status = time_round(&variants[i], round, faces, err);
    if (status == FM_OK)
        print_table(rounds, faces, fm_runtime_version(runtime));
    for (int i = 0; i < VARIANTS; i++)
        tear_down(&variants[i]);
    fm_runtime_destroy(&runtime);
    return status;
}

static int usage(FILE *stream, int code)
{
    fputs("Usage: au_batch [--rounds N] [--faces N] MODEL.onnx\n"
          "Times a model with input [N, 3, 224, 224], N open, in batches, on one session or two.\n",
          stream);
    return code;
}

static bool take_number(const char *text, int max, int *out)
{
    char *end;
    const long value = strtol(text, &end, 10);
    if (*end || value < 1 || value > max)
        return false;
    *out = (int)value;
    return true;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"rounds", required_argument, NULL, 'r'},
                                            {"faces", required_argument, NULL, 'f'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int rounds = ROUNDS_DEFAULT, faces = FACES_DEFAULT;
    for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (c == 'h')
            return usage(stdout, 0);
        if (!(c == 'r' && take_number(optarg, ROUNDS_MAX, &rounds)) &&
            !(c == 'f' && take_number(optarg, FACES_MAX, &faces)))
            return usage(stderr, 2);
    }
    if (argc - optind != 1)
        return usage(stderr, 2);
    fm_error err = {0};
    const fm_status status = measure(argv[optind], rounds, faces, &err);
    if (status != FM_OK)
        fprintf(stderr, "au_batch: %s\n", err.message);
    return fm_exit_code(status);
}
