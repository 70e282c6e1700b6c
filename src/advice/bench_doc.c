#include "advice/bench_doc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

fm_status fm_bench_create(fm_bench **out, fm_error *err)
{
    fm_bench *bench = calloc(1, sizeof *bench);
    if (bench)
        bench->memory = calloc(1, sizeof *bench->memory);
    if (!bench || !bench->memory) {
        free(bench);
        *out = NULL;
        return fm_fail(err, FM_E_NO_MEMORY, "out of memory for the runs");
    }
    *out = bench;
    return FM_OK;
}

void fm_bench_free(fm_bench **bench)
{
    if (!bench || !*bench)
        return;
    fm_profile_free(&(*bench)->memory);
    free(*bench);
    *bench = NULL;
}

fm_status fm_bench_samples(const fm_bench *bench, const fm_bench_configuration *c, fm_samples **out, fm_error *err)
{
    fm_samples *samples;
    fm_status status = fm_samples_create(&samples, c->name, err);
    *out = NULL;
    if (status != FM_OK)
        return status;
    samples->cpu_of_process = true;
    samples->others_share = fm_bench_summarise(c).others_share;
    for (size_t i = 0; i < c->run_count && status == FM_OK; i++) {
        if (c->runs[i].warm_up)
            continue;
        fm_report_run facts = c->facts;
        facts.frames = c->runs[i].sample.frames;
        status = fm_samples_facts(samples, &facts, &bench->machine, &bench->build, *bench->sanitizers != '\0', err);
        if (status == FM_OK)
            status = fm_samples_add(samples, &c->runs[i].sample, err);
    }
    if (status == FM_OK)
        *out = samples;
    else
        fm_samples_free(&samples);
    return status;
}

/* --- the summary ------------------------------------------------------------ */

typedef double (*figure)(const fm_bench_run *run);

static double wall_of(const fm_bench_run *run)
{
    return run->sample.wall_seconds;
}

static double fps_of(const fm_bench_run *run)
{
    return run->sample.wall_seconds > 0 ? (double)run->sample.frames / run->sample.wall_seconds : (double)NAN;
}

static double cpu_of(const fm_bench_run *run)
{
    return run->sample.cpu_seconds;
}

static double setup_of(const fm_bench_run *run)
{
    return run->sample.setup_seconds;
}

static double rss_of(const fm_bench_run *run)
{
    return run->sample.peak_rss_bytes > 0 ? (double)run->sample.peak_rss_bytes : (double)NAN;
}

static double others_of(const fm_bench_run *run)
{
    return run->others_share;
}

/* Of the measured runs, those that are known, in order of time. */
static size_t collect(const fm_bench_configuration *c, figure get, double out[FM_STATS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < c->run_count && count < FM_STATS_MAX; i++) {
        const double value = get(&c->runs[i]);
        if (!c->runs[i].warm_up && isfinite(value))
            out[count++] = value;
    }
    return count;
}

static fm_interval interval_of(const fm_bench_configuration *c, figure get)
{
    double values[FM_STATS_MAX];
    return fm_stats_median_interval(values, collect(c, get, values));
}

/* Runs that follow each other should not differ: a machine that warms up or gets busy shows here. */
static double drift_of(const double *wall, size_t count)
{
    const size_t half = count / 2;
    const double before = fm_stats_median(wall, half), after = fm_stats_median(wall + count - half, half);
    if (half < 4 || !(fm_stats_rank_test(wall, half, wall + count - half, half).p < 1 - FM_STATS_LEVEL))
        return (double)NAN;
    return before > 0 ? after / before : (double)NAN;
}

fm_bench_summary fm_bench_summarise(const fm_bench_configuration *c)
{
    double wall[FM_STATS_MAX];
    const size_t count = collect(c, wall_of, wall);
    fm_bench_summary out = {
        .measured = count,
        .wall = interval_of(c, wall_of),
        .fps = interval_of(c, fps_of),
        .cpu = interval_of(c, cpu_of),
        .setup = interval_of(c, setup_of),
        .rss = interval_of(c, rss_of),
        .spread = fm_stats_spread(wall, count),
        .shortest = fm_stats_quantile(wall, count, 0),
        .longest = fm_stats_quantile(wall, count, 1),
        .first_run = (double)NAN,
        .average_of_three = (double)NAN,
        .others_share = interval_of(c, others_of).value,
        .drift = drift_of(wall, count),
    };
    for (size_t i = 0; i < c->run_count; i++)
        out.warm_up += c->runs[i].warm_up;
    if (out.warm_up > 0)
        out.first_run = (wall_of(&c->runs[0]) + setup_of(&c->runs[0])) / (out.wall.value + out.setup.value);
    if (c->run_count >= 3)
        out.average_of_three = (wall_of(&c->runs[0]) + wall_of(&c->runs[1]) + wall_of(&c->runs[2])) / 3;
    return out;
}
