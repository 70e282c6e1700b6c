/* Measuring for `facemirror models inspect`: latency, times of the nodes, multiplications. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cli/inspect.h"
#include "inference/node_sampling.h"
#include "pipeline/node_facts.h"

static fm_status timed_run(fm_binding *binding, double *seconds, fm_error *err)
{
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    fm_status status = fm_binding_run(binding, err);
    clock_gettime(CLOCK_MONOTONIC, &b);
    *seconds = (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
    return status;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* By nearest rank. */
static double percentile(const double *sorted, int64_t count, double share)
{
    const int64_t rank = (int64_t)ceil(share * (double)count);
    return sorted[rank > 0 ? rank - 1 : 0];
}

static fm_status time_runs(fm_binding *binding, int64_t runs, fm_latency *l, fm_error *err)
{
    double *seconds = calloc((size_t)runs, sizeof *seconds), ignored;
    if (!seconds)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for %" PRId64 " timings", runs);
    fm_status status = timed_run(binding, &l->first, err);
    for (int i = 1; status == FM_OK && i < FM_INSPECT_WARM_UP_RUNS; i++)
        status = timed_run(binding, &ignored, err);
    for (int64_t i = 0; status == FM_OK && i < runs; i++)
        status = timed_run(binding, &seconds[i], err);
    if (status == FM_OK) {
        qsort(seconds, (size_t)runs, sizeof *seconds, by_value);
        l->runs = runs;
        l->min = seconds[0];
        l->p10 = percentile(seconds, runs, 0.1);
        l->median = percentile(seconds, runs, 0.5);
        l->p90 = percentile(seconds, runs, 0.9);
        l->max = seconds[runs - 1];
    }
    free(seconds);
    return status;
}

static bool is_open(const fm_tensor_info *info)
{
    for (int i = 1; i < info->rank; i++)
        if (info->dims[i] < 0)
            return true;
    return false;
}

static void skip_unmeasurable(fm_inspection *i, const fm_inspect_options *o)
{
    if (o->runs == 0)
        i->latency.skipped = "no runs were asked for";
    else if (fm_session_input_count(i->session) != 1)
        i->latency.skipped = "the model has not exactly one input";
    else if (o->rank == 0 && is_open(fm_session_input(i->session, 0)))
        i->latency.skipped = "the model leaves the size of its input open; give --shape";
}

static fm_status sample_nodes(fm_inspection *i, fm_binding *binding, fm_error *err)
{
    i->times = fm_node_times_create();
    if (!i->times)
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the times of the model's nodes");
    fm_status status = FM_OK;
    for (int k = 0; status == FM_OK && k < FM_INSPECT_NODE_RUNS; k++)
        status = fm_binding_run_profiled(binding, i->times, err);
    return status == FM_OK ? fm_node_facts_make(&i->nodes, i->times, 1, err) : status;
}

/* A model that runs only when it is optimised costs this figure and nothing else. */
static void count_macs(fm_inspection *i, fm_runtime *runtime, const fm_inspect_options *o)
{
    fm_error err = {0};
    i->has_macs = fm_macs_count(&i->macs, runtime, i->path, o->rank > 0 ? o->dims : NULL, o->rank, &err) == FM_OK;
    if (!i->has_macs)
        snprintf(i->no_macs, sizeof i->no_macs, "%s", err.message);
}

fm_status fm_inspect_measure(fm_inspection *i, fm_runtime *runtime, const fm_inspect_options *o, fm_error *err)
{
    skip_unmeasurable(i, o);
    if (i->latency.skipped)
        return FM_OK;
    fm_binding *binding = NULL;
    fm_status status = o->rank > 0 ? fm_binding_create_sized(&binding, i->session, o->dims, o->rank, err)
                                   : fm_binding_create(&binding, i->session, err);
    if (status == FM_OK)
        status = time_runs(binding, o->runs, &i->latency, err);
    if (status == FM_OK && !o->no_nodes) {
        status = sample_nodes(i, binding, err);
        count_macs(i, runtime, o);
    }
    fm_binding_destroy(&binding);
    return status;
}

void fm_inspect_free(fm_inspection *i)
{
    fm_node_facts_free(&i->nodes);
    fm_node_times_destroy(&i->times);
}
