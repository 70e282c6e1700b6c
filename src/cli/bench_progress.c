#include "cli/bench_progress.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/cli.h"
#include "fmprof/fmprof.h"

void fm_bench_progress_init(fm_bench_progress *p, int total, bool quiet)
{
    *p = (fm_bench_progress){.quiet = quiet, .total = total, .terminal = isatty(STDERR_FILENO) != 0,
                             .began = (double)fmp_now() * 1e-9};
}

void fm_bench_progress_measuring(fm_bench_progress *p, int left)
{
    p->total = p->done + left;
}

static void times(const fm_bench_progress *p, char elapsed[16], char eta[16])
{
    const int left = p->total - p->done;
    fm_cli_duration(elapsed, (double)fmp_now() * 1e-9 - p->began);
    fm_cli_duration(eta, p->done > 0 ? p->process_seconds / p->done * (left > 0 ? left : 0) : -1);
}

void fm_bench_progress_clear(fm_bench_progress *p)
{
    if (p->shown)
        fputs("\r\033[K", stderr);
    p->shown = false;
}

void fm_bench_progress_begin(fm_bench_progress *p, const char *name, bool warm_up)
{
    char elapsed[16], eta[16];
    p->name = name;
    p->warm_up = warm_up;
    if (p->done >= p->total)
        p->total = p->done + 1;
    if (p->quiet || !p->terminal)
        return;
    times(p, elapsed, eta);
    fprintf(stderr, "\rrun %d of %d  %s%s  elapsed %s  ETA %s\033[K", p->done + 1, p->total, name,
            warm_up ? ", warm-up" : "", elapsed, eta);
    fflush(stderr);
    p->shown = true;
}

void fm_bench_progress_end(fm_bench_progress *p, const fm_bench_run *run)
{
    char elapsed[16], eta[16];
    p->done++;
    p->process_seconds += run->process_seconds;
    if (p->quiet)
        return;
    fm_bench_progress_clear(p);
    times(p, elapsed, eta);
    const double wall = run->sample.wall_seconds;
    fprintf(stderr, "run %d of %d  %s%s  %.3f s  %.1f fps  elapsed %s  ETA %s\n", p->done, p->total, p->name,
            p->warm_up ? ", warm-up" : "", wall, wall > 0 ? (double)run->sample.frames / wall : 0.0, elapsed, eta);
}
