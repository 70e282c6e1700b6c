/*
 * What a profiled run costs: plain and profiled runs in turn, on the CPU, the shortest and the median of each, file
 * handling included. node_cost MODEL.onnx [SIDE [RUNS]]; SIDE: of the picture, where the model leaves it open.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fmprof/fmprof.h"
#include "inference/node_sampling.h"

enum { RUNS_DEFAULT = 300, RUNS_MAX = 100000 };

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static fm_status measure(fm_binding *binding, fm_node_times *times, int runs, double *plain, double *profiled,
                         fm_error *err)
{
    fm_status status = fm_binding_run(binding, err); /* warm-up */
    for (int i = 0; status == FM_OK && i < runs; i++) {
        const uint64_t start = fmp_now();
        status = fm_binding_run(binding, err);
        const uint64_t between = fmp_now();
        if (status == FM_OK)
            status = fm_binding_run_profiled(binding, times, err);
        plain[i] = 1e-6 * (double)(between - start);
        profiled[i] = 1e-6 * (double)(fmp_now() - between);
    }
    qsort(plain, (size_t)runs, sizeof *plain, by_value);
    qsort(profiled, (size_t)runs, sizeof *profiled, by_value);
    return status;
}

static void print(const fm_node_times *times, int runs, const double *plain, const double *profiled)
{
    printf("nodes %zu, shortest: plain %.2f ms, profiled %.2f ms, ratio %.2f; median: %.2f ms, %.2f ms\n",
           fm_node_times_totals(times).node_count, plain[0], profiled[0], profiled[0] / plain[0], plain[runs / 2],
           profiled[runs / 2]);
}

int main(int argc, char **argv)
{
    const int side = argc > 2 ? atoi(argv[2]) : 0, runs = argc > 3 ? atoi(argv[3]) : RUNS_DEFAULT;
    if (argc < 2 || side < 0 || runs < 1 || runs > RUNS_MAX) {
        fputs("Usage: node_cost MODEL.onnx [SIDE [RUNS]]\n", stderr);
        return 2;
    }
    const int64_t dims[] = {1, 3, side, side};
    fm_error err = {0};
    fm_runtime *runtime = NULL;
    fm_session *session = NULL;
    fm_binding *binding = NULL;
    fm_node_times *times = fm_node_times_create();
    double *plain = calloc((size_t)runs, sizeof *plain), *profiled = calloc((size_t)runs, sizeof *profiled);
    fm_status status = times && plain && profiled ? FM_OK : fm_fail(&err, FM_E_NO_MEMORY, "out of memory");
    if (status == FM_OK)
        status = fm_runtime_create(&runtime, NULL, NULL, &err);
    if (status == FM_OK)
        status = fm_session_open(&session, runtime, argv[1], NULL, &err);
    if (status == FM_OK)
        status = side > 0 ? fm_binding_create_sized(&binding, session, dims, 4, &err)
                          : fm_binding_create(&binding, session, &err);
    if (status == FM_OK)
        status = measure(binding, times, runs, plain, profiled, &err);
    if (status == FM_OK)
        print(times, runs, plain, profiled);
    else
        fprintf(stderr, "node_cost: %s\n", err.message);
    fm_binding_destroy(&binding);
    fm_session_close(&session);
    fm_runtime_destroy(&runtime);
    fm_node_times_destroy(&times);
    free(plain);
    free(profiled);
    return status == FM_OK ? 0 : 1;
}
