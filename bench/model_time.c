/*
 * What the models of a pack cost alone: for each how long it loads, how
 * long its first run takes, and the median and 90th percentile of the runs
 * after it, on one intra-op thread as in a run of facemirror.
 *
 * Wall and CPU time stand side by side: on a busy machine the CPU time of the
 * calling thread, which does all the work here, is the one to compare.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inference/session.h"
#include "models/pack.h"
#include "timing.h"

enum { RUNS_DEFAULT = 200, RUNS_MAX = 1000000, SIDE_MAX = 16384, NAME = 72 };

typedef struct timing {
    char name[NAME];
    char backend[64];
    double load_ms, first_ms;
    double median_ms, p90_ms;         /* wall */
    double median_cpu_ms, p90_cpu_ms; /* CPU time of the calling thread */
} timing;

/* Of sorted values, nearest rank. */
static double percentile(const double *sorted, int count, double p)
{
    int rank = (int)(p * count);
    return sorted[rank < count ? rank : count - 1];
}

/* Some picture-like values in 0..1: the networks' time does not depend on them, denormals apart. */
static void fill_input(fm_binding *binding)
{
    float *input = fm_binding_input(binding);
    unsigned state = 1;
    for (size_t i = 0; i < fm_binding_input_info(binding)->count; i++) {
        state = state * 1664525u + 1013904223u; /* Numerical Recipes, section 7.1 */
        input[i] = (float)(state >> 8) * 0x1p-24f;
    }
}

static fm_status time_runs(fm_binding *binding, int runs, timing *out, fm_error *err)
{
    double *wall = calloc((size_t)runs, sizeof *wall), *cpu = calloc((size_t)runs, sizeof *cpu);
    fm_status status = wall && cpu ? FM_OK : fm_fail(err, FM_E_NO_MEMORY, "out of memory for %d runs", runs);
    double start = clock_ms(CLOCK_MONOTONIC);
    if (status == FM_OK)
        status = fm_binding_run(binding, err);
    out->first_ms = clock_ms(CLOCK_MONOTONIC) - start;
    for (int i = 0; i < runs && status == FM_OK; i++) {
        start = clock_ms(CLOCK_MONOTONIC);
        const double cpu_start = clock_ms(CLOCK_THREAD_CPUTIME_ID);
        status = fm_binding_run(binding, err);
        cpu[i] = clock_ms(CLOCK_THREAD_CPUTIME_ID) - cpu_start;
        wall[i] = clock_ms(CLOCK_MONOTONIC) - start;
    }
    if (status == FM_OK) {
        qsort(wall, (size_t)runs, sizeof *wall, compare_values);
        qsort(cpu, (size_t)runs, sizeof *cpu, compare_values);
        out->median_ms = percentile(wall, runs, 0.5);
        out->p90_ms = percentile(wall, runs, 0.9);
        out->median_cpu_ms = percentile(cpu, runs, 0.5);
        out->p90_cpu_ms = percentile(cpu, runs, 0.9);
    }
    free(wall);
    free(cpu);
    return status;
}

/* What is to be timed, and how often. */
typedef struct task {
    const char *pack;
    int runs;
    int width, height; /* of the input of models that take any size */
    bool json;
} task;

/* One picture, of the task's size where the model leaves it open. */
static fm_status bind(fm_binding **out, fm_session *session, const task *job, fm_error *err)
{
    enum { RANK = 4 };
    const fm_tensor_info *info = fm_session_input(session, 0);
    if (info->rank != RANK)
        return fm_binding_create(out, session, err);
    const int64_t dims[RANK] = {1, info->dims[1], info->dims[2] < 0 ? job->height : info->dims[2],
                                info->dims[3] < 0 ? job->width : info->dims[3]};
    return fm_binding_create_sized(out, session, dims, RANK, err);
}

static fm_status time_model(fm_runtime *runtime, const char *path, const task *job, timing *out, fm_error *err)
{
    const fm_session_options options = {.intra_threads = 1};
    fm_session *session = NULL;
    fm_binding *binding = NULL;
    fm_status status = fm_session_open(&session, runtime, path, &options, err);
    if (status == FM_OK)
        status = bind(&binding, session, job, err);
    if (status == FM_OK) {
        out->load_ms = 1e3 * fm_session_load_seconds(session);
        snprintf(out->backend, sizeof out->backend, "%s", fm_session_backend(session));
        fill_input(binding);
        status = time_runs(binding, job->runs, out, err);
    }
    fm_binding_destroy(&binding);
    fm_session_close(&session);
    return status;
}

static void print_table(const timing *t, int count, int runs, const char *version)
{
    printf("ONNX Runtime %s, 1 intra-op thread, %d runs after the first\n\n", version, runs);
    printf("%-14s %-14s %9s %9s %9s %9s %9s %9s\n", "Model", "Providers", "load ms", "first ms",
           "median ms", "p90 ms", "CPU ms", "CPU p90");
    for (int i = 0; i < count; i++)
        printf("%-14s %-14s %9.1f %9.2f %9.3f %9.3f %9.3f %9.3f\n", t[i].name, t[i].backend,
               t[i].load_ms, t[i].first_ms, t[i].median_ms, t[i].p90_ms, t[i].median_cpu_ms,
               t[i].p90_cpu_ms);
}

/* Names and providers are identifiers: nothing to escape. */
static void print_json(const timing *t, int count, int runs, const char *version)
{
    printf("{\"runtime\": \"ONNX Runtime %s\", \"intra_threads\": 1, \"runs\": %d, \"models\": [", version,
           runs);
    for (int i = 0; i < count; i++)
        printf("%s\n  {\"name\": \"%s\", \"providers\": \"%s\", \"load_ms\": %.3f, \"first_ms\": %.3f, "
               "\"median_ms\": %.4f, \"p90_ms\": %.4f, \"median_cpu_ms\": %.4f, \"p90_cpu_ms\": %.4f}",
               i ? "," : "", t[i].name, t[i].backend, t[i].load_ms, t[i].first_ms, t[i].median_ms,
               t[i].p90_ms, t[i].median_cpu_ms, t[i].p90_cpu_ms);
    printf("\n]}\n");
}

/* As in a run; a second model of a role with its variant: "FaceMesh_plain". */
static void name_model(const fm_pack *pack, const fm_pack_model *model, char out[NAME])
{
    const bool first = fm_pack_model_of(pack, model->role, NULL) == model;
    snprintf(out, NAME, "%s%s%s", model->name, first ? "" : "_", first ? "" : model->variant);
}

static fm_status measure(const task *job, fm_error *err)
{
    fm_pack *pack = NULL;
    fm_runtime *runtime = NULL;
    timing timings[FM_PACK_MODELS_MAX] = {0};
    fm_status status = fm_pack_find(&pack, job->pack, err);
    if (status == FM_OK)
        status = fm_runtime_create(&runtime, NULL, NULL, err);
    for (int i = 0; status == FM_OK && i < pack->model_count; i++) {
        name_model(pack, &pack->models[i], timings[i].name);
        status = time_model(runtime, pack->models[i].path, job, &timings[i], err);
    }
    if (status == FM_OK)
        (job->json ? print_json : print_table)(timings, pack->model_count, job->runs, fm_runtime_version(runtime));
    fm_runtime_destroy(&runtime);
    fm_pack_free(&pack);
    return status;
}

static int usage(FILE *stream, int code)
{
    fputs("Usage: model_time [--models PACK] [--runs N] [--size WxH] [--json]\n"
          "Times each model of a pack alone (the default pack), on one thread.\n"
          "  --size WxH   the picture of models that take any size (640x480)\n",
          stream);
    return code;
}

static bool read_runs(const char *text, int *out)
{
    char *end = NULL;
    const long runs = strtol(text, &end, 10);
    *out = (int)runs;
    return end != text && !*end && runs >= 1 && runs <= RUNS_MAX;
}

static bool read_size(const char *text, task *job)
{
    char rest;
    return sscanf(text, "%5dx%5d%c", &job->width, &job->height, &rest) == 2 && job->width >= 1 &&
           job->height >= 1 && job->width <= SIDE_MAX && job->height <= SIDE_MAX;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"models", required_argument, NULL, 'm'},
                                            {"runs", required_argument, NULL, 'n'},
                                            {"size", required_argument, NULL, 's'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    task job = {.runs = RUNS_DEFAULT, .width = 640, .height = 480};
    for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        switch (c) {
        case 'm':
            job.pack = optarg;
            break;
        case 'n':
            if (!read_runs(optarg, &job.runs))
                return usage(stderr, 2);
            break;
        case 's':
            if (!read_size(optarg, &job))
                return usage(stderr, 2);
            break;
        case 'j':
            job.json = true;
            break;
        case 'h':
            return usage(stdout, 0);
        default:
            return usage(stderr, 2);
        }
    }
    if (optind != argc)
        return usage(stderr, 2);
    fm_error err = {0};
    fm_status status = measure(&job, &err);
    if (status != FM_OK)
        fprintf(stderr, "model_time: %s\n", err.message);
    return fm_exit_code(status);
}
