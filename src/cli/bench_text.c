/* The table of a bench, and its configurations against the first. */
#include <errno.h>
#include <math.h>

#include "advice/compare.h"
#include "base/file.h"
#include "cli/bench.h"
#include "export/figures.h"
#include "export/utf8.h"
#include "report/json_writer.h" /* fm_stream_status */

enum { CELL = 3 * FMP_TIME_TEXT_SIZE, NAME_COLUMNS = 20 };

static void interval_text(char out[CELL], fm_interval i)
{
    char low[FMP_TIME_TEXT_SIZE], high[FMP_TIME_TEXT_SIZE];
    fmp_time_text(low, i.low);
    fmp_time_text(high, i.high);
    snprintf(out, CELL, isfinite(i.low) ? "%s to %s" : "-", low, high);
}

static void percent_text(char out[FMP_TIME_TEXT_SIZE], double share)
{
    if (isfinite(share))
        snprintf(out, FMP_TIME_TEXT_SIZE, "%.1f %%", share * 100);
    else
        snprintf(out, FMP_TIME_TEXT_SIZE, "-");
}

static void configuration_line(FILE *out, const fm_bench_configuration *c)
{
    const fm_bench_summary s = fm_bench_summarise(c);
    char wall[FMP_TIME_TEXT_SIZE], interval[CELL], spread[FMP_TIME_TEXT_SIZE], fps[FMP_TIME_TEXT_SIZE];
    char cpu[FMP_TIME_TEXT_SIZE], setup[FMP_TIME_TEXT_SIZE], rss[FMP_TIME_TEXT_SIZE];
    fmp_time_text(wall, s.wall.value);
    interval_text(interval, s.wall);
    percent_text(spread, s.spread);
    fmp_fixed(fps, s.fps.value, 1);
    fmp_time_text(cpu, s.cpu.value);
    fmp_time_text(setup, s.setup.value);
    fmp_fixed(rss, s.rss.value / (1 << 20), 1);
    fmp_utf8_print_fitted(out, c->name, NAME_COLUMNS);
    fprintf(out, " %4zu %10s %21s %8s %8s %10s %10s %12s\n", s.measured, wall, interval, spread, fps, cpu, setup, rss);
}

static void warm_up_line(FILE *out, const fm_bench_configuration *c, bool automatic)
{
    const fm_bench_summary s = fm_bench_summarise(c);
    char text[FMP_TIME_TEXT_SIZE];
    fprintf(out, "%s: %zu warm-up run%s%s", c->name, s.warm_up, s.warm_up == 1 ? "" : "s",
            !automatic ? "" : c->steady ? " until steady" : ", not steady yet");
    if (isfinite(s.first_run))
        fprintf(out, "; the very first run with its set-up took %.2f times the median", s.first_run);
    fmp_time_text(text, s.average_of_three);
    if (isfinite(s.average_of_three))
        fprintf(out, "; plain average of the first three: %s", text);
    percent_text(text, s.others_share);
    if (isfinite(s.others_share))
        fprintf(out, "; other programs: %s of the processors", text);
    fputc('\n', out);
}

static void notes(FILE *out, const fm_bench *bench)
{
    for (size_t i = 0; i < bench->note_count; i++) {
        fputs("! ", out);
        fmp_utf8_print(out, bench->notes[i]);
        fputc('\n', out);
    }
}

static fm_status compare_with_first(FILE *out, const fm_bench *bench, size_t which, bool utf8, fm_error *err)
{
    fm_samples *base = NULL, *now = NULL;
    fm_comparison *comparison = NULL;
    fm_status status = fm_bench_samples(bench, &bench->configurations[0], &base, err);
    if (status == FM_OK)
        status = fm_bench_samples(bench, &bench->configurations[which], &now, err);
    if (status == FM_OK && base->count > 0 && now->count > 0) {
        status = fm_comparison_make(&comparison, base, now, err);
        fputc('\n', out);
        if (status == FM_OK)
            status = fm_comparison_text(out, comparison, utf8, err);
    }
    fm_comparison_free(&comparison);
    fm_samples_free(&base);
    fm_samples_free(&now);
    return status;
}

fm_status fm_bench_print(FILE *out, const fm_bench_job *job, bool utf8, fm_error *err)
{
    const fm_bench *bench = job->bench;
    errno = 0;
    fprintf(out, "Bench of ");
    fmp_utf8_print(out, fm_path_name(job->clip));
    fprintf(out, ", %lld frames, on %s (%d processor threads)\n", (long long)bench->configurations[0].facts.frames,
            bench->machine.cpu_model ? bench->machine.cpu_model : "this machine", bench->machine.cpu_count);
    notes(out, bench);
    fprintf(out, "\n%-*s %4s %10s %21s %8s %8s %10s %10s %12s\n", NAME_COLUMNS, "Configuration", "runs", "wall time",
            "95 % interval", "spread", "fps", "CPU time", "set-up", "memory (MiB)");
    for (size_t i = 0; i < bench->configuration_count; i++)
        configuration_line(out, &bench->configurations[i]);
    fputc('\n', out);
    for (size_t i = 0; i < bench->configuration_count; i++)
        warm_up_line(out, &bench->configurations[i], bench->warm_up < 0);
    fputs("Wall time: median of the frame loop, without set-up. Spread: the quartiles' distance over the median.\n", out);
    fm_status status = FM_OK;
    for (size_t i = 1; i < bench->configuration_count && status == FM_OK; i++)
        status = compare_with_first(out, bench, i, utf8, err);
    return status == FM_OK ? fm_stream_status(out, "the figures", err) : status;
}
